"""Work in a background thread, so that the main thread stays free for progress and Ctrl-C.

Ray Train, started in the main thread, puts its own handler on SIGINT and leaves it there; one
Ctrl-C in a later stage would then end the command with exit code 0.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """A piece of work in a thread of its own, which does not outlive the process."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error

    def ended(self, seconds: float) -> bool:
        """Whether the work ended, after waiting for it up to so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> T:
        """What the work gave, or raise what it raised; waits for it."""
        while not self.ended(1):
            pass
        if self._error is not None:
            raise self._error
        return self._results[0]
