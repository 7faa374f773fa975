"""SIGTERM and Ctrl-C while trainings run: each saves a checkpoint, then the command ends."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any

from idhray.errors import IdhrayError, StorageError, TrainingError
from idhray.storage import publish_json, remove

logger = logging.getLogger(__name__)


class Stop:
    """A wish to stop; the workers of each training that is under way learn of it by a file."""

    def __init__(self) -> None:
        self.asked = ""
        """The signal that asked; empty while none did."""
        self._files: list[str] = []

    @contextlib.contextmanager
    def told_by(self, file: str) -> Iterator[None]:
        """Within, a training is under way whose workers look for this file.

        Raises:
            TrainingError: it is not to begin any more.
        """
        remove(file)  # of an earlier command
        self._files.append(file)  # before the look, so that either side sees the other
        try:
            if self.asked:
                raise TrainingError(f"not begun, as {self.asked} came; the same command begins it")
            yield
        finally:
            self._files.remove(file)

    def ask(self, who: str) -> None:
        """Ask all that are under way, and all that are still to begin."""
        self.asked = who
        for file in list(self._files):
            try:
                publish_json(file, {"asked": who})
            except (OSError, StorageError) as error:  # a full disk; the others can still be told
                logger.warning("%s: not told to stop (%s)", file, error)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Within, the first SIGTERM or Ctrl-C asks; the next does what it did before.

    To be entered in the main thread, which alone gets signals, once for all trainings; elsewhere
    nobody asks.

    Raises:
        KeyboardInterrupt: Ctrl-C asked, and the trainings have stopped.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: object) -> None:
        _restore(before)
        name = signal.Signals(number).name
        logger.warning("%s: trainings finish their step and save a checkpoint", name)
        stop.ask(name)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, ask)
    try:
        yield stop
    except IdhrayError as error:
        if stop.asked != signal.SIGINT.name:
            raise
        logger.warning("%s", error)
        raise KeyboardInterrupt from error
    finally:
        _restore(before)
    if stop.asked:  # all had come to their end; what would follow must not begin
        signal.raise_signal(signal.Signals[stop.asked])


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler or signal.SIG_DFL)
