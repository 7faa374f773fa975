"""A cluster that starts machines when there is work, and ends them when there is none.

    python -m benchmarks.autoscaling --out FOLDER

Ray's autoscaler (version 2) with its local provider starts raylets on this machine, from a head
without CPUs and no workers: up to two machines with a CPU, and one with a CPU and a made-up GPU.
`tile-slides`, then `encode --cluster-gpus yes`, run on it. Each second that something changed is a
line of `benchmarks/results/autoscaling.csv`: machines by type, those at work, and finished inputs.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import ray
import tyro
from ray._private.services import get_node_ip_address
from ray._private.state import available_resources_per_node
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

from benchmarks.raylets import free_port, idhray

RESULTS = Path(__file__).parent / "results" / "autoscaling.csv"
IDLE_MINUTES = 0.2
SETTLE_S = 60
"""Time for machines without work to be ended."""
PHANTOM = "--preset demo --width-px 1536 --height-px 1536 --patients 12 --seed 5"
TILING = "--tile-px 256 --min-object-px 50"
PATCHES = "--tile-px 256 --patch-px 64 --train-per-class 24 --eval-per-patient 2"
COPIES = 10
PROVIDER: dict[str, Any] = {
    "cluster_name": "local",
    "max_workers": 4,
    "upscaling_speed": 20.0,
    "idle_timeout_minutes": IDLE_MINUTES,
    "provider": {
        "type": "external",  # the built-in one reads a file that Ray's wheel lacks
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "launch_multiple": True,
        "head_node_id": FAKE_HEAD_NODE_ID,
    },
    "head_node_type": "ray.head.default",
    "auth": {},
    "docker": {},
    "file_mounts": {},
    "cluster_synced_files": [],
    "file_mounts_sync_continuously": False,
    "rsync_exclude": [],
    "rsync_filter": [],
    **{
        f"{name}_commands": []
        for name in (
            *("initialization", "setup", "head_setup", "worker_setup"),
            *("head_start_ray", "worker_start_ray"),
        )
    },
    "available_node_types": {
        "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
        "cpu": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2},
        "gpu": {
            "resources": {"CPU": 1, "GPU": 1},
            "node_config": {},
            "min_workers": 0,
            "max_workers": 1,
        },
    },
}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """State of the cluster at one second."""

    second: int
    running: str
    """Command that runs, or ""."""
    cpu_machines: int
    gpu_machines: int
    at_work: int
    """Machines whose CPU or GPU is in use."""
    inputs: int
    """Finished inputs of the command."""


class GrowingCluster:
    """A head with an autoscaler, in processes that carry the name of a folder of their own."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="grow-", dir="/tmp")
        config, port = Path(self.folder, "autoscaling.json"), free_port()
        self.address = f"{get_node_ip_address()}:{port}"
        provider = {**PROVIDER["provider"], "gcs_address": self.address}
        config.write_text(json.dumps({**PROVIDER, "provider": provider}))
        environment = {
            **os.environ,
            "RAY_TMPDIR": self.folder,
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_FAKE_CLUSTER": "1",
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
            "GROWING_CLUSTER": self.folder,
        }
        log = open(f"{self.folder}/head.log", "wb")  # noqa: SIM115
        self.head = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ray")),
                *("start", "--head", "--block", f"--port={port}"),
                *("--num-cpus=0", f"--autoscaling-config={config}"),
                *("--include-dashboard=false", "--object-store-memory=200000000"),
                *("--temp-dir", self.folder),
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )

    def close(self) -> None:
        """End the processes that this cluster started."""
        self.head.terminate()
        mark = f"GROWING_CLUSTER={self.folder}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def state(start: float, running: str, ledger: Path) -> Moment:
    """Present state of the cluster."""
    nodes = {
        node["NodeID"]: node["Resources"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU")
    }
    free = available_resources_per_node()
    busy = [
        name
        for name, total in nodes.items()
        if any(free.get(name, {}).get(kind, 0) < total.get(kind, 0) for kind in ("CPU", "GPU"))
    ]
    with_gpu = sum("GPU" in total for total in nodes.values())
    return Moment(
        second=round(time.monotonic() - start),
        running=running,
        cpu_machines=len(nodes) - with_gpu,
        gpu_machines=with_gpu,
        at_work=len(busy),
        inputs=len(list(ledger.glob("part-*.parquet"))),
    )


def watched(
    commands: Sequence[tuple[str, list[str], Path]], address: str, log: Path
) -> list[Moment]:
    """States of the cluster while commands run in turn, and after each."""
    start, moments = time.monotonic(), list[Moment]()

    def look(running: str, ledger: Path) -> None:
        now = state(start, running, ledger)
        if not moments or asdict(now) | {"second": 0} != asdict(moments[-1]) | {"second": 0}:
            moments.append(now)
            print(json.dumps(asdict(now)), flush=True)
        time.sleep(1)

    for name, words, out in commands:
        with log.open("ab") as output:
            run = subprocess.Popen(
                [*words, "--address", address], stdout=output, stderr=output, env=os.environ
            )
        while run.poll() is None:
            look(name, out / "_ledger")
        assert run.returncode == 0, log.read_text()[-3000:]
        ended = time.monotonic()
        look("", out / "_ledger")
        while moments[-1].cpu_machines + moments[-1].gpu_machines:
            assert time.monotonic() - ended < SETTLE_S, "machines without work were not ended"
            look("", out / "_ledger")
    return moments


def make_inputs(out: Path) -> None:
    """Slides, a manifest that lists each many times under other names, and patches."""
    if (out / "patches" / "_done.json").exists():
        return
    for words in (
        f"make-phantom {PHANTOM} --out {out}/phantom",
        f"tile-slides --manifest {out}/phantom/manifest.csv --out {out}/tiles {TILING}",
        f"cut-patches --tiles {out}/tiles --out {out}/patches {PATCHES}",
    ):
        subprocess.run(idhray(*words.split()), check=True)
    with (out / "phantom" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (out / "slides").mkdir(exist_ok=True)
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["patient", "slide", "idh", "split"])
        writer.writeheader()
        for row in rows:
            source = out / "phantom" / row["slide"]
            for copy in range(COPIES):
                link = out / "slides" / f"{source.stem}-{copy}{source.suffix}"
                link.hardlink_to(source)
                writer.writerow(
                    {
                        "patient": row["patient"],
                        "slide": str(link),
                        "idh": row["idh"],
                        "split": "train",
                    }
                )


def main(out: Path) -> None:
    """Print and record the timeline."""
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    make_inputs(out)
    runs = {name: out / f"run-{name}" for name in ("tile-slides", "encode")}
    for folder in runs.values():
        shutil.rmtree(folder, ignore_errors=True)
    tiling = f"tile-slides --manifest {out}/manifest.csv --out {runs['tile-slides']} {TILING}"
    encoding = f"encode --images {out}/patches --out {runs['encode']} --encoder efficientnet_lite0"
    commands = [
        ("tile-slides", idhray(*tiling.split()), runs["tile-slides"]),
        ("encode", idhray(*encoding.split(), "--cluster-gpus", "yes"), runs["encode"]),
    ]
    os.environ["RAY_AUTH_MODE"] = "disabled"  # on this machine only
    cluster = GrowingCluster()
    try:
        time.sleep(15)
        ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
        moments = watched(commands, cluster.address, out / "commands.log")
    finally:
        ray.shutdown()
        print(Path(cluster.folder, "head.log").read_text()[-2000:], file=sys.stderr)
        cluster.close()
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Moment)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(moment) for moment in moments)


if __name__ == "__main__":
    tyro.cli(main)
