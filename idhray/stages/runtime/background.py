"""Work in a background thread, so that the main thread stays free for progress and Ctrl-C.

If Ray Train starts in the main thread, it installs its own handler of SIGINT and leaves it there.
One Ctrl-C in a later stage would then end the command with exit code 0.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Work in a thread of its own, which does not outlive the process."""

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
        """True if the work ended; waits for it up to `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> T:
        """Wait for the work; return its result or raise its error."""
        while not self.ended(1):
            pass
        if self._error is not None:
            raise self._error
        return self._results[0]
