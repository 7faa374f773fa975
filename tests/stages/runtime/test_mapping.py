"""A function mapped over many inputs on Ray: crashes, hangs, bugs and a full disk.

The workers import this module, so it imports little: many of its workers die and are replaced.
"""

import functools
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray

from idhray.errors import FullError, SlideError, StorageError
from idhray.ledger import Fate, fates, record
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.time_limit import time_limit, unlimited
from idhray.table_parts import part_path, parts, publish_table
from idhray.tables import TRUTH


@dataclass(frozen=True)
class Number:
    i: int


@dataclass(frozen=True)
class Sleep:
    seconds: tuple[float, ...]


def crash_on_two(task):
    if task.i == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return Outcome(status="skipped", note="nothing to do")


def never_ends_on_two(task):
    if task.i == 2:
        time.sleep(1000)
    return Outcome(rows=[{"patient": "A"}])


def bug_on_two(task):
    return Outcome(rows=[{"density_per_mm2": 1 / (task.i - 2)}])


def finds_no_space(task):
    raise FullError("part-x: cannot be written (No space left on device); make room")


def test_a_full_disk_stops_the_archive_and_is_nobodys_fault(tmp_path, ray_local):
    """Sound slides would be read for nothing, fail, and after three runs be left alone."""
    items = [Item(name=f"i{i}", settings_hash="s", task=Number(i)) for i in range(4)]
    with pytest.raises(StorageError, match="No space left on device"):
        map_items(items, finds_no_space, out=str(tmp_path), schema=TRUTH, workers=1, task_size=9)

    assert fates(str(tmp_path)) == {}


@pytest.mark.parametrize("task_size", [0, 10])
def test_a_file_that_kills_its_worker_costs_only_itself(tmp_path, ray_local, task_size):
    """A hostile slide may crash the C library that reads it; an archive must get past it, and so
    must those that share its task."""
    items = [Item(name=f"i{i}", settings_hash="s", task=Number(i)) for i in range(4)]
    found = map_items(items, crash_on_two, out=str(tmp_path), schema=TRUTH, task_size=task_size)

    assert [found[f"i{i}"].status for i in range(4)] == ["skipped", "skipped", "failed", "skipped"]
    assert "its worker died" in found["i2"].error


def test_a_bug_stops_the_job_with_its_traceback(tmp_path, ray_local):
    """A programming error must not hide in a ledger; but the other inputs are done."""
    items = [Item(name=f"i{i}", settings_hash="s", task=Number(i)) for i in (2, 3)]

    with pytest.raises(RuntimeError, match=r"(?s)1 inputs met bugs.*ZeroDivisionError"):
        map_items(items, bug_on_two, out=str(tmp_path), schema=TRUTH)
    found = fates(str(tmp_path))
    assert (found["i2"].status, found["i3"].status) == ("failed", "done")
    assert found["i2"].error == "i2: a bug (ZeroDivisionError: division by zero)"


def test_an_input_that_never_ends_is_given_up(tmp_path, ray_local):
    """Once in this run, and for good after --max-attempts runs; the others are done."""
    items = [Item(name=f"i{i}", settings_hash="s", task=Number(i)) for i in range(4)]
    for attempts in (1, 2, 2):
        found = map_items(
            items,
            never_ends_on_two,
            out=str(tmp_path),
            schema=TRUTH,
            task_size=10,  # all in one
            limit_s=1.5,
            max_attempts=2,
        )
        assert found["i2"].attempts == attempts

    assert [found[f"i{i}"].status for i in range(4)] == ["done", "done", "failed", "done"]
    assert found["i2"].error == "i2: took longer than 1.5 s; raise --limit-s if it is only large"


def in_another_worker(seconds, limit):
    if given_up := limit.recorded():
        return given_up.error
    with limit.running():
        time.sleep(seconds)
    return "slept"


def hands_on(task):
    remote = ray.remote(num_cpus=0, max_retries=2)(in_another_worker)
    with unlimited():
        said = [ray.get(remote.remote(seconds, time_limit())) for seconds in task.seconds]
    if set(said) != {"slept"}:
        raise SlideError(said[-1])
    return Outcome(rows=[{"patient": "A"}])


def test_what_an_input_hands_to_others_has_its_limit_each(tmp_path, ray_local):
    """A large slide must not fail because its shards queue behind other slides; a hanging shard
    must not hang the archive."""
    seconds = {"queued": (0.8, 0.8, 0.8), "hangs": (0.1, 1000)}
    items = [Item(name=k, settings_hash="s", task=Sleep(v)) for k, v in seconds.items()]
    found = map_items(items, hands_on, out=str(tmp_path), schema=TRUTH, limit_s=1.6)

    assert found["queued"].status == "done"
    assert found["hangs"].error == (
        "hangs: took longer than 1.6 s; raise --limit-s if it is only large"
    )


def broken(task):
    raise SlideError("mended no more")


def test_parts_of_an_earlier_try_do_not_outlive_it(tmp_path, ray_local):
    """A run killed between part and fate; then the file cannot be read any more."""
    for shard in (0, 1, 3):
        publish_table(part_path(str(tmp_path), "a", shard), [{"patient": "A"}], TRUTH)
    map_items(
        [Item(name="a", settings_hash="s", task=Number(0))], broken, out=str(tmp_path), schema=TRUTH
    )

    assert parts(str(tmp_path)) == []


@dataclass(frozen=True)
class Hang:
    hangs: bool


def hangs(task):
    if task.hangs:
        time.sleep(1000)
    return Outcome(rows=[{"patient": "A"}])


def test_more_hanging_inputs_than_retries_do_not_take_those_of_their_task_along(
    tmp_path, ray_local
):
    """Each ends the worker of all; after three of them Ray gives the task up."""
    items = [
        Item(name=f"i{i}", settings_hash="s", task=Hang(i < 4), size=5 if i < 4 else 4)
        for i in range(12)
    ]
    found = map_items(
        items, hangs, out=str(tmp_path), schema=TRUTH, workers=1, task_size=100, limit_s=1
    )

    assert [found[f"i{i}"].status for i in range(12)] == ["failed"] * 4 + ["done"] * 8
    assert all("took longer than 1 s" in found[f"i{i}"].error for i in range(4))
    assert all(fate.attempts == 1 for fate in found.values())


def dies_after_the_ledger(task):
    fate = time_limit()
    done = Fate(
        input=fate.item.name, status="done", attempts=fate.attempts, settings_hash="s", rows=0
    )
    record(fate.out, done)
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_input_whose_worker_is_lost_before_its_last_report_stays_done(tmp_path, ray_local):
    """Its parts are published, and the ledger has it; a failed row would give them up."""
    items = [Item(name="a", settings_hash="s", task=Number(0))]
    found = map_items(items, dies_after_the_ledger, out=str(tmp_path), schema=TRUTH, retries=0)

    assert found["a"].status == "done"


def unloadable():
    raise ModuleNotFoundError("No module named 'idhray'")


class OnlyOnTheDriver:
    """Pickled on the driver, it cannot be loaded by a worker."""

    def __reduce__(self):
        return unloadable, ()


def needs(task, code):
    return Outcome(rows=[{"patient": "A"}])


def test_a_worker_without_the_code_stops_the_job_and_fails_no_input(tmp_path, ray_local):
    """A node with another version is no fault of the slides."""
    items = [Item(name=f"i{i}", settings_hash="s", task=Number(i)) for i in range(4)]
    work = functools.partial(needs, code=OnlyOnTheDriver())
    with pytest.raises(Exception, match="No module named 'idhray'"):
        map_items(items, work, out=str(tmp_path), schema=TRUTH)

    assert fates(str(tmp_path)) == {}


PROCESSES = """
import sys, ray
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.mapping import map_items
from idhray.table_parts import read_table
from idhray.tables import TRUTH
from tests.stages.runtime.test_mapping import Number, process

ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False)
items = [Item(name=f"i{k}", settings_hash="s", task=Number(k)) for k in range(4)]
for keep in (True, False):
    out = f"{sys.argv[1]}/{keep}"
    map_items(items, process, out=out, schema=TRUTH, gpus=1, keep_processes=keep)
    print(len(set(read_table(out, TRUTH)["patient"].to_pylist())))
"""


def process(task):
    return Outcome(rows=[{"patient": str(os.getpid())}])


def test_a_process_that_loaded_a_network_on_a_gpu_is_kept(tmp_path):
    """Ray ends a process that used a GPU after each task, by default; an encoder loads seconds."""
    environment = {**os.environ, "RAY_ADDRESS": "", "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", PROCESSES, str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.stdout.split() == ["1", "4"], done.stderr[-2000:]
