"""Manifest of a BIDS folder: CE-T1w and FLAIR of every subject, labels from participants.tsv.

CE-T1w is a `_T1w` file with a `ce-` entity, FLAIR is a `_FLAIR` file, both under `anat`.
Source: Brain Imaging Data Structure 1.10, "Magnetic Resonance Imaging", anatomy imaging data.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping

import pandas as pd

from idhray.cohorts.labels import ALIASES, label_column, patient_labels
from idhray.cohorts.manifest import manifest_frame
from idhray.cohorts.text_table import read_text_table
from idhray.errors import ManifestError
from idhray.file_tree import files_below

logger = logging.getLogger(__name__)

IMAGE = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)_(?:(?P<session>ses-[A-Za-z0-9]+)_)?"
    r"(?P<entities>(?:[a-z]+-[A-Za-z0-9]+_)*)(?P<suffix>T1w|FLAIR)\.nii(?:\.gz)?$"
)
SEQUENCES = ("t1ce", "flair")


def bids_manifest(
    folder: str, labels: str | None, *, columns: Mapping[str, str | None]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Manifest with one row per session that has both sequences.

    Args:
        folder: Root of the data set.
        labels: CSV or TSV of labels; defaults to `participants.tsv` in the folder.
        columns: Column names of the label table that are not in `ALIASES`.

    Returns:
        The manifest, and the number of sessions left out for each reason.

    Raises:
        ManifestError: No session has both sequences, a session has several files of one sequence,
            or the labels contradict each other. The message lists all problems.
    """
    path = labels or os.path.join(folder, "participants.tsv")
    table = read_text_table(path).map(str.strip)
    aliases = {**columns, "patient": columns.get("patient") or _participants(table)}
    label_columns = {name: label_column(table, name, aliases.get(name), path) for name in ALIASES}
    labels_by_patient = patient_labels(table, label_columns, path, _subject)
    sessions: dict[tuple[str, str], dict[str, list[str]]] = {}
    for subject, session, sequence, file in _images(folder):
        files = sessions.setdefault((subject, session), {name: [] for name in SEQUENCES})
        files[sequence].append(file)
    _refuse_choices(folder, sessions)
    left_out = {f"no_{name}": 0 for name in SEQUENCES}
    rows = []
    for (subject, _), files in sorted(sessions.items()):
        if missing := [name for name in SEQUENCES if not files[name]]:
            left_out[f"no_{missing[0]}"] += 1
            continue
        scans = {name: files[name][0] for name in SEQUENCES}
        rows.append({"patient": subject, **scans, **labels_by_patient.get(subject, {})})
    if not rows:
        raise ManifestError(
            f"{folder}: no session with CE-T1w (_ce-..._T1w) and FLAIR under anat ({left_out})"
        )
    return manifest_frame(rows), left_out


def _participants(table: pd.DataFrame) -> str | None:
    """The patient column that BIDS requires, if the table has it."""
    return "participant_id" if "participant_id" in table else None


def _subject(text: str) -> str:
    return text if text.startswith("sub-") else f"sub-{text}"


def _images(folder: str) -> Iterator[tuple[str, str, str, str]]:
    """Subject, session, sequence and path of every usable file; derivatives are skipped."""
    tree = files_below(folder, lambda name: name in ("derivatives", "sourcedata"))
    for note in tree.notes():
        logger.warning("%s: %s", folder, note)
    for path in tree.files:
        parent, name = os.path.split(path)
        match = IMAGE.match(name)
        if not match or os.path.basename(parent) != "anat":
            continue
        if match["suffix"] == "T1w" and "ce-" not in match["entities"]:
            continue
        sequence = "t1ce" if match["suffix"] == "T1w" else "flair"
        yield match["subject"], match["session"] or "", sequence, os.path.abspath(path)


def _refuse_choices(
    folder: str, sessions: Mapping[tuple[str, str], Mapping[str, list[str]]]
) -> None:
    problems = [
        f"{' '.join(filter(None, key))}: {len(files)} {name} files, "
        f"{os.path.basename(files[0])} and {os.path.basename(files[1])}"
        for key, by_sequence in sessions.items()
        for name, files in by_sequence.items()
        if len(files) > 1
    ]
    if problems:
        heading = (
            f"{folder}: {len(problems)} sessions with several files of one sequence; keep one file"
        )
        raise ManifestError("\n  ".join([heading, *problems[:10]]))
