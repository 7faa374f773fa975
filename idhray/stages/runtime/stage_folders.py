"""Folders that stages made, inside of a study: stage, settings and seal of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idhray.stages.runtime.folder import DONE
from idhray.storage import SETTINGS, exists, join, read_json


@dataclass(frozen=True, kw_only=True)
class StageFolder:
    """A folder that a stage made, in a study."""

    path: str
    stage: str
    settings: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Digest in its seal; empty without one."""
        path = join(self.path, DONE)
        return str(read_json(path)["digest"]) if exists(path) else ""


def stage_folders(files: Sequence[str]) -> list[StageFolder]:
    """Folders that stages made, from the paths of all files of a study; outer folders first."""
    paths = [path.removesuffix(f"/{SETTINGS}") for path in files if path.endswith(f"/{SETTINGS}")]
    folders = []
    for path in sorted(paths):
        settings = read_json(join(path, SETTINGS))
        stage = str(settings.get("stage", ""))
        folders.append(StageFolder(path=path, stage=stage, settings=settings))
    return folders
