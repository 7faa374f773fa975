"""A node's places, with processes that are killed."""

import multiprocessing
import os
import threading
import time

import pytest

from idhray.errors import ConfigError
from idhray.slide_cache.slots import slot

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["idhray.slide_cache.cache"])


def take_places(folder, times):
    """Two processes that have the same place would meet at its mark."""
    for _ in range(times):
        with slot(folder, 2) as place:
            mark = os.path.join(folder, f"mark-{place}")
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            time.sleep(0.003)
            os.unlink(mark)


def test_a_place_is_held_by_one_process_at_a_time(tmp_path):
    """More processes than places; all get their turns."""
    workers = [PROCESSES.Process(target=take_places, args=(str(tmp_path), 15)) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0] * 5


def hold_a_place(folder, taken):
    with slot(folder, 1):
        taken.set()
        time.sleep(600)


def test_a_kill_frees_the_place(tmp_path):
    """One crash must not cost the node a place until its next start."""
    taken, got = PROCESSES.Event(), threading.Event()
    holder = PROCESSES.Process(target=hold_a_place, args=(str(tmp_path), taken))
    holder.start()
    assert taken.wait(30)

    def wait():
        with slot(str(tmp_path), 1):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.wait(0.05)
    holder.kill()
    assert got.wait(30)
    waiting.join()


def test_no_place_at_all_is_refused(tmp_path):
    """All would wait forever."""
    with pytest.raises(ConfigError, match="slots must be 1 or more, got 0"), slot(str(tmp_path), 0):
        pass
