"""State of a folder or study: what it is, what made it and when, and how to continue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from idhray.errors import StorageError
from idhray.stages.forgetting.plan import PLAN_FILE
from idhray.stages.forgetting.standing import standing_descendants
from idhray.stages.runtime.folder_entries import folder_entry
from idhray.stages.runtime.stage_folders import stage_folders
from idhray.storage import SETTINGS, absolute, exists, join, list_tree
from idhray.withdrawals import read_withdrawals


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
    entries = [folder_entry(root, folder) for folder in folders]
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
