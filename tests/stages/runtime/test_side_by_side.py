"""Several pieces of work at a time, and the wish to stop them all."""

import errno
import os
import signal
import threading
import time

import pytest

from idhray.errors import StorageError, TrainingError
from idhray.stages.runtime import stopping
from idhray.stages.runtime.side_by_side import side_by_side
from idhray.stages.runtime.stopping import Stop, stop_on_signal


class Counted:
    """Work that says how much of it ran at the same time."""

    def __init__(self):
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.1)
        with self.lock:
            self.now -= 1
        return self.most


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_as_many_run_at_a_time_as_there_is_room_for(at_once):
    """Results come by name, in the order given, whichever ended first."""
    work = Counted()
    found = side_by_side(dict.fromkeys("abc", work), at_once)

    assert list(found) == ["a", "b", "c"]
    assert work.most == min(at_once, 3)


@pytest.fixture(autouse=True)
def _ctrl_c_interrupts():
    """As at a terminal: a test run in the background inherits that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def fail(error):
    """Work that raises this."""

    def work():
        raise error

    return work


@pytest.mark.parametrize("at_once", [1, 3])
def test_one_that_fails_does_not_cost_the_others(at_once):
    """They come to their end; then one line says which failed and why."""
    ended = []
    works = {
        "a": fail(StorageError("a: disk full")),
        "b": lambda: ended.append("b"),
        "c": lambda: ended.append("c"),
    }
    with pytest.raises(TrainingError, match=r"1 of 3 .*\(a: a: disk full\)") as caught:
        side_by_side(works, at_once)

    assert sorted(ended) == ["b", "c"]
    assert "finished: b, c" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_single_error_and_a_bug_are_raised_as_they_are():
    """The first so that one GAN behaves as if there were no others, the second with traceback."""
    with pytest.raises(StorageError, match=r"^disk full$"):
        side_by_side({"a": fail(StorageError("disk full"))}, 1)
    with pytest.raises(ZeroDivisionError):
        side_by_side({"a": fail(ZeroDivisionError()), "b": lambda: 1}, 2)


def wait_for_file(file):
    """Work that ends, with an error, as workers do that find this file."""
    for _ in range(500):
        if os.path.exists(file):
            raise TrainingError(f"stopped; see {file}")
        time.sleep(0.01)


def under_way(stop, file):
    """A training that is under way until it is asked to stop."""

    def work():
        with stop.told_by(file):
            wait_for_file(file)

    return work


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, TrainingError), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_asks_all_that_run_in_threads_and_lets_none_begin(tmp_path, number, raised):
    """As a study trains two GANs; the third, which waits for room, leaves no file behind."""
    files = [str(tmp_path / name) for name in "abc"]
    before = signal.getsignal(number)
    threading.Timer(0.5, lambda: os.kill(os.getpid(), number)).start()
    with pytest.raises(raised) as caught, stop_on_signal() as stop:
        side_by_side({name[-1]: under_way(stop, name) for name in files}, 2)
    said = str(caught.value.__cause__ or caught.value)

    assert "stopped; see" in said
    assert f"c: not begun, as {number.name} came" in said
    assert [os.path.exists(name) for name in files] == [True, True, False]
    assert signal.getsignal(number) is before


def test_the_second_signal_does_what_it_did_before(tmp_path):
    """Who is in a hurry presses Ctrl-C twice, and waits for no worker."""

    def hurry():
        for _ in range(2):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=hurry).start()
    with pytest.raises(KeyboardInterrupt), stop_on_signal():
        side_by_side({"a": lambda: time.sleep(5)}, 1)


def test_a_signal_that_came_as_all_ended_is_passed_on():
    """Else a study would go on to its next stage."""
    with pytest.raises(KeyboardInterrupt), stop_on_signal() as stop:
        stop.ask("SIGINT")


def test_what_an_earlier_command_asked_for_is_forgotten(tmp_path):
    """Its file would stop the training before its first step."""
    file = tmp_path / "_stop"
    file.write_text("{}")
    stop = Stop()

    with stop.told_by(str(file)):
        assert not file.exists()
        stop.ask("SIGTERM")
        assert file.exists()
    with pytest.raises(TrainingError, match="not begun"), stop.told_by(str(file)):
        pass


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), StorageError("no space")]
)
def test_a_full_disk_does_not_keep_the_others_from_being_told(tmp_path, monkeypatch, error):
    """Nor does it raise in the middle of whatever the main thread was at."""
    real, full, free = stopping.publish_json, str(tmp_path / "full"), str(tmp_path / "free")

    def publish(path, value):
        if path == full:
            raise error
        real(path, value)

    monkeypatch.setattr(stopping, "publish_json", publish)
    stop = Stop()
    with stop.told_by(full), stop.told_by(free):
        stop.ask("SIGTERM")

    assert os.listdir(tmp_path) == ["free"]
