"""SIGTERM and Ctrl-C during trainings: each training saves a checkpoint, then the command ends."""

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
    """Request to stop. A file tells it to the workers of each running training."""

    def __init__(self) -> None:
        self.signal = ""
        """Name of the signal that requested it, or ""."""
        self._files: list[str] = []

    @contextlib.contextmanager
    def told_by(self, file: str) -> Iterator[None]:
        """Write `file` on a request while the block runs a training whose workers look for it.

        Raises:
            TrainingError: the request came before the training began.
        """
        remove(file)  # left by an earlier command
        self._files.append(file)  # before the check, so that no request is missed
        try:
            if self.signal:
                raise TrainingError(f"not begun, as {self.signal} came; the same command begins it")
            yield
        finally:
            self._files.remove(file)

    def ask(self, signal_name: str) -> None:
        """Stop all trainings that run, and all that have not begun."""
        self.signal = signal_name
        for file in list(self._files):
            try:
                publish_json(file, {"asked": signal_name})
            except (
                OSError,
                StorageError,
            ) as error:  # a full disk; others still learn of it
                logger.warning("%s: not told to stop (%s)", file, error)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Turn the first SIGTERM or Ctrl-C in the block into a request to stop.

    The second signal has its usual effect. Enter it once for all trainings, in the main thread:
    only that thread gets signals. In any other thread it has no effect.

    Raises:
        KeyboardInterrupt: Ctrl-C requested it, and the trainings have stopped.
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
        if stop.signal != signal.SIGINT.name:
            raise
        logger.warning("%s", error)
        raise KeyboardInterrupt from error
    finally:
        _restore(before)
    if stop.signal:  # all trainings had finished; the next step must not begin
        signal.raise_signal(signal.Signals[stop.signal])


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler or signal.SIG_DFL)
