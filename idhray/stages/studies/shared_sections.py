"""Sections that the reports of both modalities share."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from idhray.cohorts.manifest import SPLITS
from idhray.cohorts.manifest_notes import note_lines, study_notes
from idhray.config import settings_dict
from idhray.ledger import fates, ledger_table
from idhray.report.content import Flow, ReportContent, SplitCount, flow_of
from idhray.report.data_card import card_markdown
from idhray.report.files import report_files
from idhray.report.html import report_html
from idhray.stages.forgetting.standing import standing_descendants
from idhray.stages.runtime.origins import mixture, packages
from idhray.stages.runtime.stage_folders import stage_folders
from idhray.stages.studies.record import REPORT_FILES
from idhray.stats.text import signed
from idhray.storage import (
    PROVENANCE,
    SETTINGS,
    delete_folder,
    exists,
    join,
    list_tree,
    publish,
    read_json,
)
from idhray.withdrawals import read_withdrawals


def split_counts(cohort: pd.DataFrame) -> list[SplitCount]:
    """Patients of each split by IDH status."""

    def count(split: str, idh: str) -> int:
        return int(((cohort["split"] == split) & (cohort["idh"] == idh)).sum())

    return [
        SplitCount(
            split=split,
            mutant=count(split, "mutant"),
            wildtype=count(split, "wildtype"),
            unknown=count(split, ""),
        )
        for split in SPLITS
    ]


def fold_counts(cohort: pd.DataFrame, folds: int) -> list[SplitCount]:
    """Patients of an experiment in which each is tested in one fold."""
    return [
        SplitCount(
            split=f"each tested in one of {folds} folds",
            mutant=int((cohort["idh"] == "mutant").sum()),
            wildtype=int((cohort["idh"] == "wildtype").sum()),
            unknown=int((cohort["idh"] == "").sum()),
        )
    ]


def tested_text(counts: Sequence[SplitCount]) -> str:
    """Last box of the flow: the patients who were tested, by class."""
    tested = [count for count in counts if count.split == "test" or "folds" in count.split]
    mutant, wildtype = sum(c.mutant for c in tested), sum(c.wildtype for c in tested)
    return f"{mutant + wildtype} patients tested: {mutant} mutant, {wildtype} wildtype"


def data_card_files(cards: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """Files of the data cards for the folder beside the page.

    Args:
        cards: Name of a generator -> card of its images.
    """
    files = {}
    for name, card in cards.items():
        stem = f"data-card-{name.replace(' ', '-').lower()}"
        files[f"{stem}.json"] = (json.dumps(card, indent=2) + "\n").encode()
        files[f"{stem}.md"] = card_markdown(card)
    return files


def publish_report(
    root: str, content: ReportContent, further_files: Mapping[str, bytes] | None = None
) -> dict[str, Any]:
    """Write `report/` (each figure and table as a file), then `report.html`.

    Args:
        root: Folder of the study, or of a further experiment.
        content: Content of the page.
        further_files: Other files for `report/`, by name.
    """
    folder = join(root, REPORT_FILES)
    delete_folder(folder)
    for name, data in {**report_files(content), **(further_files or {})}.items():
        publish(join(folder, name), data)
    page = join(root, "report.html")
    publish(page, report_html(content).encode())
    return {"report": page, "files": folder}


def manifest_flow(study: str) -> list[Flow]:
    """Patients that the manifest's importer labeled, and all that it left out or could not read.

    Empty for a manifest that no importer made.
    """
    notes = study_notes(study)
    if not notes:
        return []
    lines = [("labels", line) for line in note_lines(notes)]
    return [
        Flow(
            step=f"make-manifest {notes.get('kind', '')}".strip(),
            done=notes.get("labels", {}).get("with_labels", 0),
            skipped=sum(notes.get("left_out", {}).values()),
            failed=0,
            remarks=lines,
        )
    ]


def ledger_flows(study: str, steps: Sequence[str]) -> list[Flow]:
    """Inputs done, skipped and failed in each step of a study that was run."""
    return [
        flow_of(step, ledger_table([join(study, step)]).to_pylist())
        for step in steps
        if exists(join(study, step, SETTINGS))
    ]


def settings_groups(
    settings: dict[str, Any], *, without: Sequence[str] = ()
) -> dict[str, dict[str, str]]:
    """Group -> setting -> value; settings of no group are in the group `study`.

    Args:
        settings: Settings of the study.
        without: Groups of stages that did not run.
    """
    groups: dict[str, dict[str, str]] = {"study": {}}
    for name, value in settings.items():
        if name in without:
            continue
        if not isinstance(value, dict):
            groups["study"][name] = str(value)
            continue
        plain = {k: str(v) for k, v in value.items() if not isinstance(v, dict)}
        if plain:
            groups[name] = plain
        for inner, values in value.items():
            if isinstance(values, dict):
                groups[f"{name}, {inner}"] = {k: str(v) for k, v in values.items()}
    return groups


def with_preset_first(
    groups: Mapping[str, Mapping[str, str]], presets: Mapping[str, Any]
) -> dict[str, Mapping[str, str]]:
    """Groups of settings, led by those that differ from the preset that is nearest.

    Args:
        groups: Group -> setting -> value, from `settings_groups`.
        presets: Name -> settings of one kind of study.
    """
    changed = {name: _differences(groups, preset) for name, preset in presets.items()}
    nearest = min(changed, key=lambda name: len(changed[name]))
    differing = changed[nearest] or {"differences": "none"}
    return {f"this study that differ from the preset {nearest}": differing, **groups}


def _differences(groups: Mapping[str, Mapping[str, str]], preset: Any) -> dict[str, str]:
    """Settings whose value is not that of a preset, with both values."""
    defaults = settings_groups(settings_dict(preset))
    return {
        f"{group}: {name}": f"{value} (preset: {defaults[group][name]})"
        for group, values in groups.items()
        for name, value in values.items()
        if name in defaults.get(group, {}) and defaults[group][name] != value
    }


def shown_gain(gain: float) -> str:
    """A gain that could have been shown, as a key figure: infinite is none, NaN unknown."""
    if np.isnan(gain):
        return "unknown"
    return signed(gain) if np.isfinite(gain) else "none"


def provenance_of(study: str) -> dict[str, str]:
    """Versions and machine of a study, as its folder records them.

    Folders whose parts are of several versions have a line each.
    """
    recorded = {n: v for n, v in read_json(join(study, PROVENANCE)).items() if v}
    if recorded.pop("continued_with", None):
        recorded["made with"] = f"idhray {', then '.join(packages(study))}"
    mixed = {
        f"versions of {folder.path[len(study) :].strip('/')}": text
        for folder in stage_folders(list_tree(study))
        if folder.path != study.rstrip("/") and (text := mixture(folder.path, fates(folder.path)))
    }
    return {name: str(value) for name, value in recorded.items()} | mixed | _withdrawn(study)


def _withdrawn(study: str) -> dict[str, str]:
    """Number of withdrawn patients, and results that were made with their images."""
    record = read_withdrawals(study)
    if record is None:
        return {}
    days = sorted(each.day for each in record.withdrawals)
    standing = standing_descendants(study)
    lines = {"withdrawn patients": f"{len(days)} ({', '.join(dict.fromkeys(days))})"}
    return lines | ({"made with their images": ", ".join(standing)} if standing else {})
