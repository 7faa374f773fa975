"""Manifest of a BIDS folder: CE-T1w and FLAIR of every subject, labels from participants.tsv.

CE-T1w is a `_T1w` file with a `ce-` entity, FLAIR is a `_FLAIR` file, both under `anat`.
Source: Brain Imaging Data Structure 1.10, "Magnetic Resonance Imaging", anatomy imaging data.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from idhray.cohorts.imported import ImportedCohort, with_labels
from idhray.cohorts.labels import LabelOptions
from idhray.errors import ManifestError
from idhray.file_tree import files_below
from idhray.patients import patient_key

logger = logging.getLogger(__name__)

IMAGE = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)_(?:(?P<session>ses-[A-Za-z0-9]+)_)?"
    r"(?P<entities>(?:[a-z]+-[A-Za-z0-9]+_)*)(?P<suffix>T1w|FLAIR)\.nii(?:\.gz)?$"
)
SEQUENCES = ("t1ce", "flair")


def bids_manifest(folder: str, labels: Sequence[str], *, options: LabelOptions) -> ImportedCohort:
    """Manifest with one row per session that has both sequences.

    Args:
        folder: Root of the data set.
        labels: Tables of labels; empty for `participants.tsv` in the folder.
        options: Choices for the labels.

    Raises:
        ManifestError: No session has both sequences, a session has several files of one sequence,
            or the labels contradict each other. The message lists all problems.
    """
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
        rows.append({"patient": subject, **scans})
    if not rows:
        raise ManifestError(
            f"{folder}: no session with CE-T1w (_ce-..._T1w) and FLAIR under anat ({left_out})"
        )
    paths = labels or [os.path.join(folder, "participants.tsv")]
    return with_labels(rows, paths, options, left_out, key=_subject_key)


def _subject_key(name: str) -> str:
    """Key of a subject: sub-01, 01 and 1 are one."""
    return patient_key(re.sub(r"^sub-", "", name.strip()))


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
