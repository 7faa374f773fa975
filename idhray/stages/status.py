"""State of a folder or study: what it is, what made it and when, and how to continue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import tyro

from idhray.errors import StorageError
from idhray.ledger import fates, tally, work
from idhray.stages.forgetting.plan import PLAN_FILE
from idhray.stages.forgetting.standing import standing_descendants
from idhray.stages.runtime.folder import DONE, seal
from idhray.stages.runtime.metrics import is_number
from idhray.stages.runtime.origins import mixture, origin_text, origins, packages
from idhray.stages.runtime.stage_folders import StageFolder, stage_folders
from idhray.stages.runtime.training import history_of
from idhray.storage import SETTINGS, absolute, exists, join, list_tree
from idhray.withdrawals import read_withdrawals

PAGE = "report.html"


@dataclass(frozen=True, kw_only=True)
class StatusFlags:
    """Flags of `idhray status`."""

    folder: Annotated[str, tyro.conf.Positional]
    """Folder of a study, or of one stage."""
    show_settings: bool = False
    """Also print the settings of each folder."""


def status(flags: StatusFlags) -> dict[str, Any]:
    """Tell what a folder or study is, whether it is complete, and what made its parts and when."""
    root = absolute(flags.folder).rstrip("/")
    if not exists(join(root, SETTINGS)):
        raise StorageError(f"{root}: no {SETTINGS}; give a folder that idhray made")
    folders = stage_folders(list_tree(root))
    entries = [_entry(root, folder) for folder in folders]
    lines = [line for entry in entries for line in _lines(entry)]
    if flags.show_settings:
        lines += [
            f"settings of {entry['folder']}: {name} {value}"
            for entry, folder in zip(entries, folders, strict=True)
            for name, value in folder.settings.items()
        ]
    withdrawn = _withdrawn(root)
    ahead = _next_step(root, entries[0], entries[1:])
    return {
        "folder": root,
        "stage": entries[0]["stage"],
        "complete": all(entry["complete"] for entry in entries) and not ahead,
        "folders": entries,
        **withdrawn,
        "next": ahead,
        "text": "\n".join([*lines, *_withdrawn_lines(withdrawn), f"next: {ahead or 'nothing'}"]),
    }


def _entry(root: str, folder: StageFolder) -> dict[str, Any]:
    """State of one folder."""
    ledger = fates(folder.path)
    listed = origins(ledger)
    return {
        "folder": folder.path[len(root) :].strip("/") or ".",
        "stage": folder.stage,
        "complete": _is_complete(folder),
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


def _is_complete(folder: StageFolder) -> bool:
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


def _lines(entry: Mapping[str, Any]) -> list[str]:
    """Lines on one folder for a person."""
    state = "complete" if entry["complete"] else "not complete"
    counts = [f"{entry[name]} {name}" for name in ("done", "skipped", "failed") if entry.get(name)]
    counts += [f"{entry['rows']} rows"] if entry.get("rows") else []
    counts += [f"{entry['work_hours']:.2g} hours of work"] if entry.get("work_hours") else []
    counts += [f"{entry['retries']} tried again"] if entry.get("retries") else []
    clock = next(iter(entry.get("training", {}).items()), None)
    counts += [f"{clock[0]} {clock[1]:.4g}"] if clock else []
    texts = [f"{entry['folder']}: {entry['stage']}, {state}", *counts]
    texts += [entry["made_text"]] if entry["made_text"] else []
    versions = f"idhray {', then '.join(entry['packages'])}" if entry["packages"] else ""
    return ["; ".join([*texts, versions] if versions else texts)]


def _withdrawn(root: str) -> dict[str, Any]:
    """Withdrawals of a study, in numbers; empty without any."""
    record = read_withdrawals(root)
    if record is None:
        return {}
    return {
        "withdrawn": len(record.withdrawals),
        "open_withdrawals": sum(
            not each.finished or bool(each.open_caches) for each in record.withdrawals
        ),
        "open_caches": sorted({c for each in record.withdrawals for c in each.open_caches}),
        "descendants_of_withdrawn": standing_descendants(root),
    }


def _withdrawn_lines(withdrawn: Mapping[str, Any]) -> list[str]:
    if not withdrawn:
        return []
    lines = [f"withdrawn patients: {withdrawn['withdrawn']}"]
    if withdrawn["descendants_of_withdrawn"]:
        names = ", ".join(withdrawn["descendants_of_withdrawn"])
        lines.append(f"made with images of withdrawn patients: {names}")
    return lines


def _next_step(root: str, entry: Mapping[str, Any], parts: list[dict[str, Any]]) -> str:
    """Command that continues a folder; empty if there is nothing to do."""
    record = read_withdrawals(root)
    if exists(join(root, PLAN_FILE)) or any(
        not each.finished or each.open_caches for each in (record.withdrawals if record else ())
    ):
        return f"the same `idhray forget --study {root}` again: a withdrawal is not finished"
    unfinished = [part["folder"] for part in parts if not part["complete"]]
    if entry["complete"] and not unfinished:
        return ""
    command = entry["stage"].replace("_", "-")
    names = f" ({', '.join(unfinished)})" if unfinished else ""
    return f"the same `idhray {command} --out {root}` again{names}; it continues where it stopped"
