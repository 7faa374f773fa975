"""What a cluster costs: a submitted job against a plain process, and more machines.

    python -m benchmarks.job_overhead --out FOLDER [--counts 100 10000] [--workers 1 2]

The same tiling work, links to one small slide, is done by a loop without Ray, by `idhray
tile-slides` on a Ray of its own with one CPU, and as a job on a cluster of machines with one CPU
each. JSON lines have the wall seconds of each, and of the job again with nothing left to do.

`--tasks N` instead measures how many tasks a second one driver hands out to machines of `--cpus`
CPUs. The tasks sleep, so that a small machine can stand for many CPUs.
"""

import csv
import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import ray
import tyro

from benchmarks.raylets import Job, Machines, idhray
from idhray.shell.flag_classes import parsed_flags, stage_of
from idhray.stages.runtime.items import Item, ItemReport
from idhray.stages.runtime.tasks import TaskOptions, run_tasks
from tests.stages.in_process import without_ray

PHANTOM = "--preset demo --width-px 512 --height-px 512 --patients 6 --seed 5"
TILING = "--tile-px 128 --min-object-px 20"
HUNG_S = 3000
TASK_S = (0.0, 0.1, 1.0)
TIMED_S = 20


def main(
    out: Path,
    *,
    counts: tuple[int, ...] = (100, 10_000),
    workers: tuple[int, ...] = (1, 2),
    tasks: int = 0,
    cpus: int = 8,
) -> None:
    """Print the figures."""
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    if tasks:
        handed_out(tasks, workers, cpus)
        return
    for count in counts:
        manifest = archive(out, count)
        figures = {"loop": loop(manifest, out / "run")}
        figures["process, 1 CPU"] = process(manifest, out / "run")
        print(json.dumps({"inputs": count, **figures}), flush=True)
        for number in workers:
            first, again = job(manifest, out / "run", number)
            line = {"inputs": count, "machines": number, "job": first, "job again": again}
            print(json.dumps(line), flush=True)


def archive(out: Path, count: int) -> Path:
    """Manifest of links to one small slide, all of one patient."""
    folder = out / f"archive-{count}"
    manifest = folder / "manifest.csv"
    if manifest.exists():
        return manifest
    if not (out / "phantom" / "_done.json").exists():
        subprocess.run(idhray(*f"make-phantom {PHANTOM} --out {out}/phantom".split()), check=True)
    folder.mkdir(parents=True)
    with (out / "phantom" / "manifest.csv").open(newline="") as file:
        source = out / "phantom" / next(csv.DictReader(file))["slide"]
    lines = ["patient,slide,idh,split"]
    for number in range(count):
        link = folder / f"S{number:05d}{source.suffix}"
        link.hardlink_to(source)
        lines.append(f"P,{link.name},mutant,train")
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def words(manifest: Path, out: Path) -> list[str]:
    """Words of the command after `idhray`."""
    return ["tile-slides", *f"--manifest {manifest} --out {out} {TILING}".split()]


def loop(manifest: Path, out: Path) -> float:
    """Wall seconds of one process without Ray, after its imports."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.monotonic()
    with without_ray():
        stage_of("tile-slides")(parsed_flags("tile-slides", words(manifest, out)[1:]))
    return round(time.monotonic() - start, 1)


def process(manifest: Path, out: Path) -> float:
    """Wall seconds of the command on a Ray of its own."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.monotonic()
    environment = {**os.environ, "RAY_ADDRESS": ""}
    command = idhray(*words(manifest, out), "--workers", "1")
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return round(time.monotonic() - start, 1)


def job(manifest: Path, out: Path, workers: int) -> tuple[float, float]:
    """Wall seconds of a job from its submission, and of the same job with nothing left to do."""
    shutil.rmtree(out, ignore_errors=True)
    machines = Machines(workers=workers, jobs=True)
    try:
        seconds = []
        for _ in range(2):
            start = time.monotonic()
            address = machines.cluster.address
            run = Job(machines, idhray(*words(manifest, out), "--address", address))
            assert run.wait(HUNG_S) == 0, run.log()[-2000:]
            seconds.append(round(time.monotonic() - start, 1))
        return seconds[0], seconds[1]
    finally:
        machines.close()


def slept(row: dict[str, str], seconds: float) -> list[ItemReport]:
    """A task that takes some time and no CPU."""
    time.sleep(seconds)
    return [ItemReport(input="", status="done", error="", rows=0)]


def handed_out(tasks: int, workers: Sequence[int], cpus: int) -> None:
    """Print tasks per second of one driver beside what the CPUs allow."""
    for number in workers:
        machines = Machines(workers=number, cpus=cpus)
        ray.init(address=machines.cluster.address, logging_level="ERROR", log_to_driver=False)
        try:
            rate(4 * number * cpus, 0)  # starts the processes
            for seconds in TASK_S:
                many = (
                    tasks if not seconds else min(tasks, round(TIMED_S * number * cpus / seconds))
                )
                figures = {"machines": number, "cpus": number * cpus, **rate(many, seconds)}
                print(json.dumps(figures), flush=True)
        finally:
            ray.shutdown()
            machines.close()


def rate(tasks: int, seconds: float) -> dict[str, float]:
    """Figures of tasks that take some time each."""
    groups = [[Item(name=f"{k}", settings_hash="", task=None)] for k in range(tasks)]
    attempts = {f"{k}": 1 for k in range(tasks)}
    work = functools.partial(slept, seconds=seconds)
    start, cpu = time.monotonic(), time.process_time()
    done = sum(1 for _ in run_tasks(groups, attempts=attempts, work=work, options=TaskOptions()))
    wall = time.monotonic() - start
    assert done == tasks
    return {
        "tasks": tasks,
        "task_s": seconds,
        "wall_s": round(wall, 1),
        "tasks_per_s": round(tasks / wall, 2),
        "driver_cpu_ms_a_task": round((time.process_time() - cpu) / tasks * 1000, 2),
    }


if __name__ == "__main__":
    tyro.cli(main)
