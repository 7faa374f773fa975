"""State of one output folder: complete or not, ledger counts, origin, course of a training."""

from dataclasses import asdict
from typing import Any

from idhray.errors import StorageError
from idhray.ledger import fates, tally, work
from idhray.stages.runtime.folder import DONE, seal
from idhray.stages.runtime.metrics import is_number
from idhray.stages.runtime.origins import mixture, origin_text, origins, packages
from idhray.stages.runtime.stage_folders import StageFolder
from idhray.stages.runtime.training import history_of
from idhray.storage import exists, join

PAGE = "report.html"


def folder_entry(root: str, folder: StageFolder) -> dict[str, Any]:
    """State of one folder."""
    ledger = fates(folder.path)
    listed = origins(ledger)
    return {
        "folder": folder.path[len(root) :].strip("/") or ".",
        "stage": folder.stage,
        "complete": is_complete(folder),
        **(tally(ledger) if ledger else {}),
        **(work(ledger) if ledger else {}),
        **_training(folder.path),
        "made": [asdict(origin) for origin in listed],
        "packages": packages(folder.path),
        "mixture": mixture(folder.path, ledger),
        "made_text": origin_text(listed),
    }


def _training(folder: str) -> dict[str, Any]:
    """Last numbers of a training, as its metrics show them; empty for other stages."""
    history = history_of(folder)
    return {"training": {k: v for k, v in history[-1].items() if is_number(v)}} if history else {}


def is_complete(folder: StageFolder) -> bool:
    """True for a finished folder; a study is finished if its report is there."""
    if folder.stage == "study":
        return exists(join(folder.path, PAGE))
    if not exists(join(folder.path, DONE)):
        return False
    try:
        seal(folder.path)
    except StorageError:
        return False
    return True
