"""Machines that are taken away at random moments: is anything lost, doubled, hung or different?

    python benchmarks/cluster_soak.py --out FOLDER [--work tile train-gan sweep] [--runs 20]

A Ray cluster of three raylets runs on this machine: a head without CPUs, and two workers. Each run
starts a command on it, kills one worker (or the driver) with SIGKILL at a random moment, adds a new
worker, and repeats the command if it ended with an error. Its tables and weights are compared with
those of an unbroken run.

A line of counts for each run is appended to `benchmarks/results/cluster_soak.csv`. The same command
goes on after the runs that the file holds; stop it at any time.
"""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import tyro
from ray.cluster_utils import Cluster

from idhray.chance import generator
from idhray.ledger import fates
from idhray.table_parts import parts

RESULTS = Path(__file__).parent / "results" / "cluster_soak.csv"
PHANTOM = "--preset demo --width-px 1536 --height-px 1536 --patients 12 --seed 5"
TILING = "--tile-px 256 --min-object-px 50"
PATCHES = "--tile-px 256 --patch-px 64 --train-per-class 24 --eval-per-patient 2"
GAN = (
    "--preset demo --resolution-px 16 --latent-size 16 --fmap-base 64 --fmap-max 8 "
    "--stabilise-kimg 0.4 --fade-kimg 0.4 --total-kimg 4 --batch-sizes 8 8 8 "
    "--checkpoint-kimg 0.4 --sample-kimg 2 --allow-few"
)
SWEEP = (
    "--preset demo --counts 0 --repeats 2 --classifier.image-px 32 --classifier.batch-size 16 "
    "--classifier.epochs 6"
)
HUNG_S = 900
WEIGHTS = ("*.safetensors", "*.pt")

Work = Literal["tile", "train-gan", "sweep"]
Victim = Literal["node", "driver"]


@dataclass(frozen=True, kw_only=True)
class Soak:
    """Options of the soak."""

    out: Path
    """Folder for inputs, references and runs."""
    work: tuple[Work, ...] = ("tile", "train-gan", "sweep")
    victims: tuple[Victim, ...] = ("node", "driver")
    runs: int = 20
    """Runs of each work and victim, those of earlier commands included."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """Counts of one run."""

    work: str
    victim: str
    run: int
    commit: str
    reference_s: float
    kill_s: float
    seconds: float
    repeats: int
    """Times that the command had to be given again."""
    lost: int
    """Inputs of the unbroken run that this one lacks, or that failed."""
    doubled: int
    """Part files that no input refers to."""
    different: int
    """Parts, or files of weights, with other content."""
    hung: int


def main(options: Soak) -> None:
    """Make the runs that are missing."""
    options.out.mkdir(parents=True, exist_ok=True)
    make_inputs(options.out)
    for work in options.work:
        reference = options.out / f"reference-{work}"
        seconds = make_reference(options.out, work, reference)
        for victim in options.victims:
            for run in range(recorded(work, victim), options.runs):
                row = one_run(
                    options, work, victim, number=run, reference=reference, seconds=seconds
                )
                append(row)
                print(json.dumps(asdict(row)), flush=True)


def make_inputs(out: Path) -> None:
    """Slides, tiles and patches that all runs read."""
    for folder, words in (
        ("phantom", f"make-phantom {PHANTOM} --out {out}/phantom"),
        ("tiles", f"tile-slides --manifest {out}/phantom/manifest.csv --out {out}/tiles {TILING}"),
        ("patches", f"cut-patches --tiles {out}/tiles --out {out}/patches {PATCHES}"),
    ):
        if not (out / folder / "_done.json").exists():
            subprocess.run([sys.executable, "-m", "idhray", *words.split()], check=True)


def command(out: Path, work: Work, target: Path) -> list[str]:
    """Words of the command."""
    manifest = f"{out}/phantom/manifest.csv"
    words = {
        "tile": f"tile-slides --manifest {manifest} --out {target} {TILING}",
        "train-gan": f"train-gan --images {out}/patches --idh mutant --out {target} {GAN}",
        "sweep": f"sweep --images {out}/patches --out {target} {SWEEP}",
    }
    return [sys.executable, "-m", "idhray", *words[work].split()]


class Machines:
    """A cluster of raylets on this machine."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="soak-", dir="/tmp")
        os.environ["RAY_TMPDIR"] = self.folder  # no other Ray of this machine learns of this one
        shared = {"include_dashboard": False, "object_store_memory": 200 << 20}
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, **shared},
        )
        self.workers = [self.cluster.add_node(num_cpus=1) for _ in range(2)]

    def start(self, words: list[str]) -> subprocess.Popen[bytes]:
        """Start a command on the cluster."""
        log = open(f"{self.folder}/command.log", "ab")  # noqa: SIM115
        return subprocess.Popen(
            [*words, "--address", self.cluster.address],
            stdout=log,
            stderr=log,
            env={**os.environ, "RAY_ADDRESS": ""},
        )

    def replace_worker(self, number: int) -> None:
        """Kill a worker machine with all its processes, and add another one."""
        self.cluster.remove_node(self.workers[number], allow_graceful=False)
        self.workers[number] = self.cluster.add_node(num_cpus=1)

    def log(self) -> str:
        """End of the output of the commands."""
        return Path(self.folder, "command.log").read_text(errors="replace")[-3000:]

    def close(self) -> None:
        """End all processes of the cluster."""
        self.cluster.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def make_reference(out: Path, work: Work, reference: Path) -> float:
    """Seconds of an unbroken run on a cluster; its folder stays."""
    record = reference.with_suffix(".json")
    if record.exists():
        return float(json.loads(record.read_text())["seconds"])
    machines = Machines()
    try:
        start = time.monotonic()
        run = machines.start(command(out, work, reference))
        assert run.wait(HUNG_S) == 0, machines.log()
        seconds = time.monotonic() - start
    finally:
        machines.close()
    record.write_text(json.dumps({"seconds": seconds}))
    return seconds


def one_run(
    options: Soak, work: Work, victim: Victim, *, number: int, reference: Path, seconds: float
) -> Run:
    """Run a command, kill its victim once, and compare."""
    target = options.out / f"run-{work}"
    shutil.rmtree(target, ignore_errors=True)
    draw = generator(options.seed, "cluster soak", work, victim, str(number))
    kill_s, machine = float(draw.uniform(0.15, 0.95)) * seconds, int(draw.integers(2))
    machines, repeats, hung = Machines(), 0, 0
    start = time.monotonic()
    try:
        run = machines.start(command(options.out, work, target))
        try:
            run.wait(kill_s)
        except subprocess.TimeoutExpired:
            if victim == "driver":
                run.send_signal(signal.SIGKILL)
            else:
                machines.replace_worker(machine)
        while run.wait(HUNG_S) != 0 and repeats < 3:
            repeats += 1
            print(machines.log(), file=sys.stderr)
            run = machines.start(command(options.out, work, target))
    except subprocess.TimeoutExpired:
        hung = 1
        run.kill()
    finally:
        total = time.monotonic() - start
        machines.close()
    return Run(
        work=work,
        victim=victim,
        run=number,
        commit=commit(),
        reference_s=round(seconds, 1),
        kill_s=round(kill_s, 1),
        seconds=round(total, 1),
        repeats=repeats,
        hung=hung,
        **compared(reference, target),
    )


def compared(reference: Path, target: Path) -> dict[str, int]:
    """Inputs lost, parts doubled, and files that differ."""
    expected, actual = fates(str(reference)), fates(str(target))
    finished = {name: fate for name, fate in actual.items() if fate.status != "failed"}
    listed = sum(fate.parts if fate.rows else 0 for fate in finished.values())
    weights = [
        path
        for pattern in WEIGHTS
        for path in reference.glob(pattern)
        if digest(path) != digest(target / path.name)
    ]
    is_finished = (target / "_done.json").exists()
    return {
        "lost": len(expected.keys() - finished.keys()) + (not is_finished),
        "doubled": len(parts(str(target))) - listed if expected else 0,
        "different": len(weights)
        + sum(finished[n].digest != expected[n].digest for n in expected.keys() & finished.keys()),
    }


def digest(path: Path) -> str:
    """Digest of a file; "" if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def recorded(work: Work, victim: Victim) -> int:
    """Number of runs that the file of results holds."""
    if not RESULTS.exists():
        return 0
    with RESULTS.open(newline="") as file:
        return sum(row["work"] == work and row["victim"] == victim for row in csv.DictReader(file))


def append(row: Run) -> None:
    """Add a line to the results."""
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Run)], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(asdict(row))


def commit() -> str:
    """Short name of the commit."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main(tyro.cli(Soak))
