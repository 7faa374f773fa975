"""Bar of a study on a terminal: the present stage, its work, and the time that is left."""

import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TextIO

from tqdm import tqdm

from idhray.stages.runtime.cost import duration
from idhray.stages.studies.stage_counts import StageCount

FORMAT = "{desc}: {percentage:3.0f}%|{bar:20}|{postfix}"


class StudyBar:
    """A bar below that of the present stage; nothing where stderr is no terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> "StudyBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, counts: Sequence[StageCount], seconds_left: Mapping[str, float]) -> None:
        """Show the first stage with work left.

        Args:
            counts: Work of the stages, in order.
            seconds_left: Stage -> seconds that are left.
        """
        if not counts or not self._stream.isatty():
            return
        place, count = _present(counts)
        if self._bar is None:
            self._bar = tqdm(
                total=100, position=1, leave=False, bar_format=FORMAT, file=self._stream
            )
        left = seconds_left.get(count.stage)
        words = count.words + (f", about {duration(left)} left" if left is not None else "")
        self._bar.set_description_str(
            f"study, stage {place} of {len(counts)}, {count.stage}", refresh=False
        )
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.n = round(100 * count.fraction)
        self._bar.refresh()


def _present(counts: Sequence[StageCount]) -> tuple[int, StageCount]:
    """Place, from 1, and work of the first stage with work left; the last one if all are done."""
    for place, count in enumerate(counts, start=1):
        if not count.is_done:
            return place, count
    return len(counts), counts[-1]
