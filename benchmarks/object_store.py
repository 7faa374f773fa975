"""Outages of an object store, and the number of requests that a stage makes.

    python benchmarks/object_store.py outage --seconds 120 --fault absent
    python benchmarks/object_store.py ledger --inputs 10000

`outage` tiles the slides of a phantom from and to s3:// while the store is absent, answers 503, or
is slow. `ledger` counts the requests of a start on a ledger with and without its index. The store
is moto, behind a proxy on this machine; see `tests/made_up_store.py`.
"""

import functools
import io
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from idhray import ledger_index
from idhray.ledger import Fate, fates, record
from idhray.shell.flag_classes import parsed_flags, stage_of
from tests.made_up_store import Fault, MadeUpStore, made_up_store
from tests.stages.in_process import without_ray as without_ray_here

SETTLE_S = 4  # the store's times are whole seconds


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Tile slides while the store fails."""

    fault: Fault = "absent"
    seconds: float = 120
    """Length of the outage."""
    after_requests: int = 60
    """Requests of the stage before the outage."""
    delay_s: float = 0
    """Delay of each request, for a slow store."""
    patients: int = 12
    without_ray: bool = False
    """Work in this process, one slide after the other."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Count the requests of a start on a ledger."""

    inputs: int = 10_000


def run_stage(*words: str, without_ray: bool) -> tuple[dict[str, Any], str, float]:
    """Result, log and seconds of a command."""
    start = time.monotonic()
    if without_ray:
        log = io.StringIO()
        logging.basicConfig(stream=log, level=logging.INFO, force=True)
        with without_ray_here():
            result = stage_of(words[0])(parsed_flags(words[0], list(words[1:])))
        return result, log.getvalue(), time.monotonic() - start
    run = subprocess.run(
        [sys.executable, "-m", "idhray", *words], capture_output=True, text=True, check=False
    )
    lines = run.stdout.strip().splitlines()
    result = json.loads(lines[-1]) if run.returncode == 0 and lines else {"rc": run.returncode}
    return result, run.stderr, time.monotonic() - start


def interrupt(store: MadeUpStore, options: Outage) -> None:
    """Let the store fail for some time once the stage has made some requests."""
    while sum(store.requests.values()) < options.after_requests:
        time.sleep(0.1)
    store.fault = options.fault
    time.sleep(options.seconds)
    store.fault = ""


def outage(options: Outage) -> None:
    """Print counts of a stage whose store failed."""
    with made_up_store() as store, tempfile.TemporaryDirectory() as folder:
        phantom = f"{folder}/phantom"
        run = functools.partial(run_stage, without_ray=options.without_ray)
        small = ["--width-px", "2048", "--height-px", "2048"]
        run("make-phantom", *small, "--out", phantom, "--patients", str(options.patients))
        manifest = upload_slides(phantom, store)
        store.requests.clear()
        store.delay_s = options.delay_s
        if options.fault:
            threading.Thread(target=interrupt, args=(store, options), daemon=True).start()
        words = ["tile-slides", "--manifest", manifest, "--out", "s3://bucket/tiles"]
        result, log, seconds = run(*words, "--workers", "2")
        counts = dict(store.requests)
        again, _, second = run(*words, "--workers", "2")
    notes = [line for line in log.splitlines() if "trying again" in line or "answers after" in line]
    print(log[-2000:], file=sys.stderr)
    print(
        json.dumps(
            {
                "fault": options.fault,
                "outage_s": options.seconds if options.fault else 0,
                "seconds": round(seconds),
                "result": {k: v for k, v in result.items() if not isinstance(v, list | dict)},
                "requests": counts,
                "warnings": len(notes),
                "run_again": [again.get("done"), round(second)],
            }
        )
    )


def upload_slides(phantom: str, store: MadeUpStore) -> str:
    """Copy the slides to the store; the manifest that names them there."""
    from idhray.storage import publish  # noqa: PLC0415 - the store must be there first

    manifest = Path(phantom, "manifest.csv")
    for path in Path(phantom).rglob("*.tif*"):
        publish(f"s3://bucket/slides/{path.relative_to(phantom)}", path.read_bytes())
    lines = manifest.read_text().splitlines()
    column = lines[0].split(",").index("slide")
    rows = [line.split(",") for line in lines[1:]]
    for row in rows:
        row[column] = f"s3://bucket/slides/{row[column]}"
    remote = Path(phantom, "remote.csv")
    remote.write_text("\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n")
    return str(remote)


def ledger(options: Ledger) -> None:
    """Print the requests of a start on a ledger."""
    out, counts = "s3://bucket/out", dict[str, Any]()
    with made_up_store() as store:
        with ThreadPoolExecutor(8) as pool:
            names = [f"slide-{k}" for k in range(options.inputs)]
            list(pool.map(lambda name: record(out, Fate(input=name, status="done")), names))
        time.sleep(SETTLE_S)
        for label, update in (("without index", True), ("with index", False)):
            store.requests = Counter()
            start = time.monotonic()
            assert len(fates(out, update_index=update)) == options.inputs
            counts[label] = {**store.requests, "seconds": round(time.monotonic() - start, 1)}
            time.sleep(SETTLE_S)
    print(json.dumps({"inputs": options.inputs, "index above": ledger_index.WORTH_FILES, **counts}))


if __name__ == "__main__":
    chosen = tyro.cli(Outage | Ledger)  # type: ignore[arg-type]
    outage(chosen) if isinstance(chosen, Outage) else ledger(chosen)
