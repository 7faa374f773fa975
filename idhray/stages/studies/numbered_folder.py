"""Folder of a stage that is made anew beside its predecessor when its inputs have changed.

gan-mutant, gan-mutant-2, ...: `_study.json` names the current one. The predecessor is removed when
its successor is finished and current, so a kill at any step loses nothing; no folder is renamed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from idhray.stages.runtime.state import StageState
from idhray.stages.studies.record import add_to_record, study_record
from idhray.storage import SETTINGS, delete_folder, exists, join

StateOf = Callable[[str], StageState]
"""State of a stage if its output is in a folder."""
CURRENT = "current"


@dataclass(frozen=True, kw_only=True)
class NumberedFolder:
    """Output folder of a stage of a study."""

    study: str
    name: str
    """Path of the first folder in the study, such as generators/fold-1/gan-mutant."""
    state_of: StateOf

    @property
    def current(self) -> str:
        """Folder that the study uses."""
        return current_folder(self.study, self.name)

    def target(self) -> tuple[str, StageState]:
        """Folder of the next work, and its state; nothing is changed."""
        state = self.state_of(self.current)
        if state.status != "out of date":
            if state.is_done and any(exists(folder) for folder in self._others(self._number)):
                state = StageState(status="to do", reason="remove another version", seconds=0.0)
            return self.current, state
        successor = self._folder(self._number + 1)
        if self.state_of(successor).is_done:
            return successor, replace(state, status="to do", reason="not yet in use", seconds=0.0)
        return successor, state

    def prepared(self) -> str:
        """Folder of the next work. A successor that was begun from other inputs is deleted."""
        folder, _ = self.target()
        if folder != self.current:
            begun = exists(join(folder, SETTINGS))
            if not begun or self.state_of(folder).status in ("out of date", "refused"):
                delete_folder(folder)
        return folder

    def use(self, folder: str) -> None:
        """Make a finished folder the current one, and delete the others."""
        number = self._number if folder == self.current else self._number + 1
        if folder != self.current:
            add_to_record(self.study, CURRENT, {self.name: number})
        for other in self._others(number):
            delete_folder(other)

    @property
    def _number(self) -> int:
        return int(study_record(self.study).get(CURRENT, {}).get(self.name, 1))

    def _folder(self, number: int) -> str:
        return join(self.study, self.name if number == 1 else f"{self.name}-{number}")

    def _others(self, number: int) -> Iterator[str]:
        """Folders of earlier versions, and the one of a next version."""
        yield from (self._folder(earlier) for earlier in range(1, number))
        yield self._folder(number + 1)


def current_folder(study: str, name: str) -> str:
    """Folder that a study uses for an output, such as gan-mutant."""
    number = study_record(study).get(CURRENT, {}).get(name, 1)
    return join(study, name if number == 1 else f"{name}-{number}")
