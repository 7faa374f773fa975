"""A manifest from a BIDS folder: CE-T1w and FLAIR of every subject, labels from participants.tsv.

CE-T1w is a `_T1w` file with a `ce-` entity, FLAIR a `_FLAIR` file, both under `anat`.
Source: Brain Imaging Data Structure 1.10, "Magnetic Resonance Imaging", anatomy imaging data.
"""

import os
import re
from collections.abc import Iterator, Mapping

import pandas as pd

from idhray.cohorts.labels import ALIASES, label_column, people_of
from idhray.cohorts.manifest import COLUMNS, NUMBERS, read_text_table
from idhray.errors import ManifestError

IMAGE = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)_(?:(?P<session>ses-[A-Za-z0-9]+)_)?"
    r"(?P<entities>(?:[a-z]+-[A-Za-z0-9]+_)*)(?P<suffix>T1w|FLAIR)\.nii(?:\.gz)?$"
)
SEQUENCES = ("t1ce", "flair")


def bids_manifest(
    folder: str, labels: str | None, *, columns: Mapping[str, str | None]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row per session with both sequences, and how many sessions were left out and why.

    Args:
        folder: The data set's root.
        labels: CSV or TSV of labels; `participants.tsv` of the folder when not given.
        columns: Names of its columns where they are not the usual ones.

    Raises:
        ManifestError: no session has both sequences, one of them is there more than once, or the
            labels contradict themselves; the message lists all of it.
    """
    path = labels or os.path.join(folder, "participants.tsv")
    table = read_text_table(path).map(str.strip)
    aliases = {**columns, "patient": columns.get("patient") or _participants(table)}
    named = {name: label_column(table, name, aliases.get(name), path) for name in ALIASES}
    people = people_of(table, named, path, _subject)
    sessions: dict[tuple[str, str], dict[str, list[str]]] = {}
    for subject, session, sequence, file in _images(folder):
        found = sessions.setdefault((subject, session), {name: [] for name in SEQUENCES})
        found[sequence].append(file)
    _refuse_several(folder, sessions)
    left_out = {f"no_{name}": 0 for name in SEQUENCES}
    rows = []
    for (subject, _), found in sorted(sessions.items()):
        if missing := [name for name in SEQUENCES if not found[name]]:
            left_out[f"no_{missing[0]}"] += 1
            continue
        files = {name: found[name][0] for name in SEQUENCES}
        rows.append({"patient": subject, **files, **people.get(subject, {})})
    if not rows:
        raise ManifestError(
            f"{folder}: no session with CE-T1w (_ce-..._T1w) and FLAIR under anat ({left_out})"
        )
    manifest = pd.DataFrame([{name: row.get(name, "") for name in COLUMNS} for row in rows])
    for name in NUMBERS:
        manifest[name] = [float(value or "nan") for value in manifest[name]]
    return manifest, left_out


def _participants(table: pd.DataFrame) -> str | None:
    """The column that BIDS requires, if it is there."""
    return "participant_id" if "participant_id" in table else None


def _subject(text: str) -> str:
    return text if text.startswith("sub-") else f"sub-{text}"


def _images(folder: str) -> Iterator[tuple[str, str, str, str]]:
    """Subject, session, sequence and path of every file that may be used; not of derivatives."""
    for here, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if name not in ("derivatives", "sourcedata"))
        if os.path.basename(here) != "anat":
            continue
        for name in sorted(names):
            found = IMAGE.match(name)
            if not found or (found["suffix"] == "T1w" and "ce-" not in found["entities"]):
                continue
            sequence = "t1ce" if found["suffix"] == "T1w" else "flair"
            file = os.path.abspath(os.path.join(here, name))
            yield found["subject"], found["session"] or "", sequence, file


def _refuse_several(
    folder: str, sessions: Mapping[tuple[str, str], Mapping[str, list[str]]]
) -> None:
    problems = [
        f"{' '.join(filter(None, key))}: {len(files)} {name} files, "
        f"{os.path.basename(files[0])} and {os.path.basename(files[1])}"
        for key, found in sessions.items()
        for name, files in found.items()
        if len(files) > 1
    ]
    if problems:
        said = f"{folder}: {len(problems)} sessions with a choice; keep one file of each sequence"
        raise ManifestError("\n  ".join([said, *problems[:10]]))
