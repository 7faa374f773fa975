"""Certificate of a withdrawal: what was removed, from where, and what remains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import idhray
from idhray.stages.forgetting.plan import WithdrawalPlan
from idhray.withdrawals import Withdrawal


@dataclass(frozen=True, kw_only=True)
class OpenEnds:
    """Open ends of a withdrawal: places that the command did not reach."""

    leftovers: Sequence[str] = ()
    """Files in which a name of the patient is still found."""
    open_studies: Sequence[str] = ()
    """Studies that share outputs with this one and still hold the patient."""
    sources: int = 0
    """Slides and scans of the patient outside the study."""
    readings: Sequence[str] = ()
    """Files of readings outside the study."""


def certificate_of(
    study: str, plan: WithdrawalPlan, withdrawal: Withdrawal, ends: OpenEnds
) -> dict[str, Any]:
    """Values of a certificate; they name the patient by the keyed hash only.

    Args:
        study: Folder of the study.
        plan: Plan of the withdrawal.
        withdrawal: Its record in the study.
        ends: Open ends.
    """
    whole = dict(plan.removed)
    return {
        "patient": plan.patient,
        "study": study,
        "day": withdrawal.day,
        "idhray": idhray.__version__,
        "finished": not (withdrawal.open_caches or ends.open_studies or ends.leftovers),
        "removed": {
            **{
                folder or ".": {"rows": each.rows, "files": each.files, "records": each.records}
                for folder, each in sorted(plan.folders.items())
                if folder not in whole
            },
            **{folder: {"whole": reason} for folder, reason in sorted(whole.items())},
            **{folder: {"trainings": len(names)} for folder, names in sorted(plan.trials.items())},
        },
        "remains": _remains(plan, ends),
        "made_again_by": _again(plan),
        "not_reached": {
            "caches": list(withdrawal.open_caches),
            "studies": list(ends.open_studies),
        },
    }


def _remains(plan: WithdrawalPlan, ends: OpenEnds) -> list[dict[str, str]]:
    """Results that descend from the patient and stay, and files outside the study."""
    remaining = [
        {"folder": each.folder, "kind": each.kind, "reason": each.reason}
        for each in plan.descendants
        if each.folder not in plan.removed and each.folder not in plan.trials
    ]
    remaining += [
        {"folder": path, "kind": "file", "reason": "holds a name of the patient"}
        for path in ends.leftovers
    ]
    remaining += [
        {"folder": path, "kind": "originals", "reason": "readings; remove the patient's rows"}
        for path in ends.readings
    ]
    if ends.sources:
        reason = f"{ends.sources} slides or scans of the archive; idhray deletes no originals"
        remaining.append({"folder": "outside the study", "kind": "originals", "reason": reason})
    return remaining


def _again(plan: WithdrawalPlan) -> dict[str, str]:
    """Folder -> command that makes it again."""
    commands = {"cut_patches": "cut-patches", "sweep": "sweep", "predict": "predict --overwrite"}
    again = {
        folder or ".": f"idhray study (or {commands[each.stage]})"
        for folder, each in sorted(plan.folders.items())
        if each.stage in commands and folder not in plan.removed
    }
    again |= dict.fromkeys(plan.removed, "idhray study (or the command of its stage)")
    again |= {
        each.folder: "idhray study --update: it was made with the patient's images"
        for each in plan.descendants
        if each.folder not in again
    }
    return again | {"report.html": "idhray study (or report)"}


def text_of(plan: WithdrawalPlan, certificate: dict[str, Any], *, dry_run: bool) -> str:
    """Lines for a person: changes by folder, results that descend, and open ends."""
    verb = "to remove" if dry_run else "removed"
    lines = []
    for folder, each in sorted(plan.folders.items()):
        if folder in plan.removed:
            continue
        numbers = {"rows": each.rows, "files": each.files, "names in records": each.records}
        listed = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
        lines.append(f"{folder or '.'}: {verb}: {listed}")
    for result in plan.descendants:
        removed = result.folder in plan.removed or result.folder in plan.trials
        state = verb if removed else "stays (--models removes it)"
        count = f", {len(result.trials)} trainings" if result.trials else ""
        lines.append(f"{result.folder}: {result.kind}{count}: {result.reason}: {state}")
    lines += [f"{folder}: {reason}: {verb}" for folder, reason in _statistics(plan)]
    for kind, places in certificate["not_reached"].items():
        lines += [f"not reached: {kind}: {place}" for place in places]
    lines += [
        f"remains: {each['folder']}: {each['reason']}"
        for each in certificate["remains"]
        if each["kind"] in ("file", "originals")
    ]
    lines += [
        f"make again: {folder}: {command}"
        for folder, command in certificate["made_again_by"].items()
    ]
    return "\n".join(lines)


def _statistics(plan: WithdrawalPlan) -> list[tuple[str, str]]:
    """Folders that are removed though they are no results of images of the patient alone."""
    others = {each.folder for each in plan.descendants}
    return [(folder, reason) for folder, reason in plan.removed.items() if folder not in others]
