"""Python warnings of a worker, which Ray keeps in a file of its own; a training reports them."""

import warnings
from types import TracebackType
from typing import Self

MOST = 10
"""Warnings that are reported, each once; torch may warn at every step."""


class WorkerWarnings:
    """Context that collects warnings of this process."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._reported = 0
        self._catcher = warnings.catch_warnings()

    def __enter__(self) -> Self:
        self._catcher.__enter__()
        warnings.showwarning = self._collect  # type: ignore[assignment]  # it takes them all
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._catcher.__exit__(kind, error, trace)

    def _collect(self, message: Warning | str, category: type[Warning], *_: object) -> None:
        line = f"{category.__name__}: {' '.join(str(message).split())[:300]}"
        if line not in self._lines and len(self._lines) < MOST:
            self._lines.append(line)

    def new(self) -> list[str]:
        """Warnings since the last call."""
        new = self._lines[self._reported :]
        self._reported = len(self._lines)
        return new
