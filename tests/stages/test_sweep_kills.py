"""A sweep whose driver and workers are killed ends with the tables of an unbroken one."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from idhray.ledger import fates
from idhray.stages.sweep import SweepFlags, sweep
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, TRIALS
from tests.stages.made_up_experiment import SETTINGS, folds, generators, patches

KILLS = 20
RUN = (
    "import sys\n"
    "from idhray.stages.sweep import SweepFlags, sweep\n"
    "from tests.stages.made_up_experiment import SETTINGS\n"
    "images, folds, out, *synthetic = sys.argv[1:]\n"
    "sweep(SweepFlags(images=images, folds=folds, out=out, settings=SETTINGS,\n"
    "                 synthetic=tuple(synthetic)))\n"
)


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_ends_with_the_tables_of_an_unbroken_one(tmp_path, ray_local):
    """Three kills in four hit one worker, which must cost no manual restart; the others the driver.

    No finished trial is trained twice: its ledger row stays as it was first written.
    """
    file = folds(tmp_path / "folds.parquet")
    images, synthetic = patches(tmp_path / "patches"), generators(tmp_path, file)
    whole, out = tmp_path / "whole", tmp_path / "killed"
    sweep(
        SweepFlags(
            images=images, folds=file, out=str(whole), settings=SETTINGS, synthetic=synthetic
        )
    )
    command = [sys.executable, "-c", RUN, images, file, str(out), *synthetic]
    chance, restarts, kills = random.Random(0), 0, 0
    first_written: dict[str, float] = {}
    run = start(command)
    while run.poll() is None or run.returncode != 0:
        if run.poll() is not None:
            restarts += 1
            run = start(command)
        time.sleep(chance.uniform(0.5, 3))
        remember(out, first_written)
        if kills < KILLS:
            kills += kill_driver(run) if kills % 4 == 3 else kill_worker(run, chance)

    assert kills == KILLS or run.returncode == 0
    assert restarts <= (kills + 3) // 4
    for folder, schema in (("", PREDICTIONS), ("trials", TRIALS)):
        columns = [name for name in schema.names if "seconds" not in name]
        broken, unbroken = (
            read_table(str(path / folder), schema, columns) for path in (out, whole)
        )
        assert broken.equals(unbroken), folder or "predictions"
    assert set(fates(str(out))) == set(fates(str(whole)))
    assert all(ledger_times(out)[path] == written for path, written in first_written.items())


def start(command: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "RAY_ADDRESS": ""}
    return subprocess.Popen(command, env=environment, start_new_session=True)


def kill_driver(run: subprocess.Popen[bytes]) -> int:
    """Kill the driver with all its processes."""
    if run.poll() is not None:
        return 0
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return 1


def kill_worker(run: subprocess.Popen[bytes], chance: random.Random) -> int:
    """Kill one process of this run that trains a classifier; 0 if there is none now."""
    workers = [pid for pid, title in descendants(run.pid) if "work_on_group" in title]
    if run.poll() is not None or not workers:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(workers), signal.SIGKILL)
    return 1


def descendants(ancestor: int) -> list[tuple[int, str]]:
    """Process and title of everything that a process started; Ray puts the task into the title."""
    parents, titles = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            titles[pid] = (folder / "cmdline").read_text().replace("\0", " ")
    family, grown = {ancestor}, True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in family} - family
        family, grown = family | children, bool(children)
    return [(pid, titles[pid]) for pid in family if pid in titles]


def ledger_times(out: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in (out / "_ledger").glob("part-*.parquet")}


def remember(out: Path, first_written: dict[str, float]) -> None:
    for path, written in ledger_times(out).items():
        first_written.setdefault(path, written)
