"""A sweep whose driver and workers are killed ends with the tables of an unbroken one."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from idhray.classify.checkpoint import load_training
from idhray.errors import StorageError
from idhray.ledger import fates
from idhray.stages.experiment.trial import STATES
from idhray.stages.sweep import SweepFlags, sweep
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, TRIALS
from tests.stages.made_up_experiment import SETTINGS, TINY, folds, generators, patches

KILLS = 20
EPOCHS = 6
LONGER = replace(SETTINGS, classifier=replace(TINY, epochs=EPOCHS))
RUN = (
    "import sys\n"
    "from idhray.stages.sweep import SweepFlags, sweep\n"
    "from tests.stages.test_sweep_kills import LONGER\n"
    "images, folds, out, *synthetic = sys.argv[1:]\n"
    "sweep(SweepFlags(images=images, folds=folds, out=out, settings=LONGER,\n"
    "                 synthetic=tuple(synthetic), state_minutes=0))\n"
)


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_ends_with_the_tables_of_an_unbroken_one(tmp_path, ray_local):
    """Fifteen kills hit one worker each, which costs no manual restart; five hit the driver.

    Between two kills, some training ends an epoch. No training starts anew, and the ledger row of
    a finished one stays as it was first written.
    """
    file = folds(tmp_path / "folds.parquet")
    images, synthetic = patches(tmp_path / "patches"), generators(tmp_path, file)
    whole, out = tmp_path / "whole", tmp_path / "killed"
    sweep(
        SweepFlags(images=images, folds=file, out=str(whole), settings=LONGER, synthetic=synthetic)
    )
    run_with_kills([sys.executable, "-c", RUN, images, file, str(out), *synthetic], out)

    for folder, schema in (("", PREDICTIONS), ("trials", TRIALS)):
        columns = [name for name in schema.names if "seconds" not in name]
        broken, unbroken = (
            read_table(str(path / folder), schema, columns) for path in (out, whole)
        )
        assert broken.equals(unbroken), folder or "predictions"
    assert set(fates(str(out))) == set(fates(str(whole)))
    assert {fate.status for fate in fates(str(out)).values()} == {"done"}


def run_with_kills(command: list[str], out: Path) -> None:
    """Run a sweep to its end with `KILLS` kills; start it again only where its driver was killed.

    Raises:
        AssertionError: a lost worker ended the sweep, a training started anew or was repeated, or
            the sweep ended before the last kill.
    """
    chance, watch, kills, epochs_at_kill = random.Random(0), Watch(out), 0, -1
    run = start(command)
    try:
        while run.poll() != 0:
            if run.returncode is not None:
                assert run.returncode == -signal.SIGKILL, "a lost worker ended the sweep"
                run = start(command)
            time.sleep(chance.uniform(0.05, 0.5))
            epochs = watch.epochs()
            if kills < KILLS and epochs > epochs_at_kill:
                hit = kill_driver(run) if kills % 4 == 3 else kill_worker(run, chance)
                if hit:
                    kills, epochs_at_kill = kills + 1, epochs
    finally:
        kill_driver(run)
    watch.epochs()
    assert kills == KILLS


@dataclass
class Watch:
    """Progress of a sweep, which may only grow."""

    out: Path
    finished: dict[str, int] = field(default_factory=dict)
    """Time at which each row of the ledger was written."""
    trained: dict[str, int] = field(default_factory=dict)
    """Epochs of each training, by the folder of its state."""

    def epochs(self) -> int:
        """Epochs that ended until now, those of finished trainings included.

        Raises:
            AssertionError: a training has fewer epochs than before, or was finished twice.
        """
        for path in (self.out / "_ledger").glob("part-*.parquet"):
            written = path.stat().st_mtime_ns
            assert self.finished.setdefault(path.name, written) == written, "finished twice"
        for folder in (self.out / STATES).glob("*"):
            with suppress(StorageError):  # a training that finishes now deletes its state
                if state := load_training(str(folder)):
                    epochs, earlier = len(state.history), self.trained.get(folder.name, 0)
                    assert epochs >= earlier, f"{folder.name} started anew"
                    self.trained[folder.name] = epochs
        return sum(self.trained.values()) + len(self.finished)


def start(command: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "RAY_ADDRESS": ""}
    return subprocess.Popen(command, env=environment, start_new_session=True)


def kill_driver(run: subprocess.Popen[bytes]) -> bool:
    """Kill the driver with the processes of its group; False if it ended before."""
    if run.poll() is not None:
        return False
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return True


def kill_worker(run: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kill one process of this run that trains a classifier; False if there is none now."""
    workers = [pid for pid, title in descendants(run.pid) if "(_work)" in title]
    if not workers:
        return False
    with suppress(ProcessLookupError):
        os.kill(chance.choice(workers), signal.SIGKILL)
        return True
    return False


def descendants(ancestor: int) -> list[tuple[int, str]]:
    """Process and title of everything that a process started; Ray puts the task into the title."""
    parents, titles = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            titles[pid] = (folder / "cmdline").read_text().replace("\0", " ")
    family, grown = {ancestor}, True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in family} - family
        family, grown = family | children, bool(children)
    return [(pid, titles[pid]) for pid in family if pid in titles]
