"""Manifests of MRI cohorts that are published as NIfTI files: BraTS, UCSF-PDGM, UPENN-GBM, EGD."""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idhray.cohorts.imported import ImportedCohort, with_labels
from idhray.cohorts.labels import LabelOptions
from idhray.errors import ManifestError
from idhray.file_tree import files_below
from idhray.patients import patient_key

logger = logging.getLogger(__name__)

_NIFTI = r"\.nii(?:\.gz)?$"


@dataclass(frozen=True, kw_only=True)
class ScanLayout:
    """Names of the files of one cohort."""

    cohort: str
    case: re.Pattern[str]
    """Name of a case with the groups `patient` and `time`, the time point."""
    file: re.Pattern[str]
    """Path of a file below the root with the groups `case` and `sequence`."""
    sequences: Mapping[str, str]
    """Sequence in the file's name, lower case -> column of the manifest."""
    example: str
    codes: Mapping[str, str] = field(default_factory=dict)
    """IDH codes that the cohort's own documentation explains."""


LAYOUTS: dict[str, ScanLayout] = {
    # Names of 2018 to 2024: Brats18_TCIA08_167_1_t1ce, BraTS20_Training_001_t1ce,
    # BraTS2021_00001_t1ce, BraTS-GLI-00001-000-t1c. Source: BraTS data pages (CBICA, Synapse).
    "brats": ScanLayout(
        cohort="BraTS",
        case=re.compile(
            r"(?P<patient>brats1[789]_(?:2013_\d+|[a-z]+\d*_[a-z0-9]+)|brats20_[a-z]+_\d+|"
            r"brats2021_\d+|brats-(?:gli|ssa|ped|goat)-\d+)(?:[_-](?P<time>\d+))?",
            re.I,
        ),
        file=re.compile(
            rf"(?:^|/)(?P<case>brats[\w-]*?)[_-](?P<sequence>t1ce|t1c|t1gd|flair|t2f|seg){_NIFTI}",
            re.I,
        ),
        sequences={
            **dict.fromkeys(("t1ce", "t1c", "t1gd"), "t1ce"),
            **dict.fromkeys(("flair", "t2f"), "flair"),
            "seg": "tumor_mask",
        },
        example="BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1c.nii.gz",
    ),
    # Source: Calabrese et al. 2022, UCSF-PDGM (TCIA), version 5.
    "ucsf-pdgm": ScanLayout(
        cohort="UCSF-PDGM",
        case=re.compile(r"(?P<patient>ucsf-pdgm-\d+)(?:_(?P<time>fu\w+))?", re.I),
        file=re.compile(
            r"(?:^|/)(?P<case>ucsf-pdgm-\d+(?:_fu[^_/]+)?)_"
            rf"(?P<sequence>t1c|flair|t1gad|t2flair|brain_segmentation|tumor_segmentation){_NIFTI}",
            re.I,
        ),
        sequences={
            **dict.fromkeys(("t1c", "t1gad"), "t1ce"),
            **dict.fromkeys(("flair", "t2flair"), "flair"),
            "brain_segmentation": "brain_mask",
            "tumor_segmentation": "tumor_mask",
        },
        example="UCSF-PDGM-0004_nifti/UCSF-PDGM-0004_T1c.nii.gz",
    ),
    # Source: Bakas et al. 2022, UPENN-GBM (TCIA); _11 is the scan before surgery, _21 a later one.
    "upenn-gbm": ScanLayout(
        cohort="UPENN-GBM",
        case=re.compile(r"(?P<patient>upenn-gbm-\d+)(?:_(?P<time>\d\d))?", re.I),
        file=re.compile(
            rf"(?:^|/)(?P<case>upenn-gbm-\d+_\d\d)_(?P<sequence>t1gd|flair|segm){_NIFTI}", re.I
        ),
        sequences={"t1gd": "t1ce", "flair": "flair", "segm": "tumor_mask"},
        example="UPENN-GBM-00001_11/UPENN-GBM-00001_11_T1GD.nii.gz",
    ),
    # Source: van der Voort et al. 2021, Erasmus Glioma Database, Data in Brief 37:107191; there,
    # IDH is 1 for mutated, 0 for wildtype and -1 for unknown.
    "egd": ScanLayout(
        cohort="EGD",
        case=re.compile(r"(?P<patient>egd-\d+)(?P<time>)", re.I),
        file=re.compile(
            rf"(?:^|/)(?:mr_)?(?P<case>egd-\d+)/(?:.*/)?(?P<sequence>t1gd|flair|mask){_NIFTI}", re.I
        ),
        sequences={"t1gd": "t1ce", "flair": "flair", "mask": "tumor_mask"},
        example="SUBJECTS/EGD-0001/T1GD.nii.gz",
        codes={"1": "mutant", "0": "wildtype", "-1": "unknown"},
    ),
}
"""Layouts by kind of `make-manifest`."""


@dataclass(frozen=True, kw_only=True)
class ScanSession:
    """One scan of a patient."""

    patient: str
    time: str


def scans_manifest(
    kind: str, folder: str, labels: Sequence[str], *, follow_up: bool, options: LabelOptions
) -> ImportedCohort:
    """Manifest of a published MRI cohort, with its masks.

    Args:
        kind: Layout, a key of `LAYOUTS`.
        folder: Root, searched with all subfolders.
        labels: Tables of labels.
        follow_up: Include later time points. Otherwise only the first of each patient.
        options: Choices for the labels; codes that the cohort explains need none.

    Raises:
        ManifestError: No session has both sequences, or a session has two files of one sequence; or
            see `with_labels`.
    """
    layout = LAYOUTS[kind]
    sessions = _sessions(folder, layout)
    chosen = set(sessions) if follow_up else _first_sessions(sessions)
    left_out = {"no_t1ce": 0, "no_flair": 0, "follow_up": len(sessions) - len(chosen)}
    rows: list[dict[str, Any]] = []
    for session in sorted(chosen, key=lambda each: (each.patient, each.time)):
        files = sessions[session]
        missing = [name for name in ("t1ce", "flair") if name not in files]
        if missing:
            left_out[f"no_{missing[0]}"] += 1
            continue
        rows.append({"patient": session.patient, "cohort": layout.cohort, **files})
    if not rows:
        raise ManifestError(
            f"{folder}: no case of {layout.cohort} with CE-T1w and FLAIR ({left_out}); files are "
            f"named like {layout.example}"
        )
    keys = {(patient_key(each.patient), each.time.lower()) for each in chosen}

    def has_files(cells: Mapping[str, str], name: str) -> bool:
        match = layout.case.match(name)
        time = (match["time"] or "").lower() if match else ""
        return not time or (patient_key(name), time) in keys

    codes = {**layout.codes, **options.idh_values}
    chosen_options = LabelOptions(**{**vars(options), "idh_values": codes})
    return with_labels(rows, labels, chosen_options, left_out, row_counts=has_files)


def _sessions(folder: str, layout: ScanLayout) -> dict[ScanSession, dict[str, str]]:
    """Session -> column of the manifest -> file."""
    sessions: dict[ScanSession, dict[str, str]] = defaultdict(dict)
    problems = []
    for path in _nifti_files(folder):
        match = layout.file.search(os.path.relpath(path, folder))
        case = layout.case.fullmatch(match["case"]) if match else None
        if not match or not case:
            continue
        session = ScanSession(patient=case["patient"], time=case["time"] or "")
        column = layout.sequences[match["sequence"].lower()]
        earlier = sessions[session].setdefault(column, path)
        if earlier != path:
            names = f"{os.path.relpath(earlier, folder)} and {os.path.relpath(path, folder)}"
            problems.append(f"{match['case']}: two {column} files, {names}; keep one")
    if problems:
        raise ManifestError("\n  ".join([f"{folder}: {len(problems)} problems", *problems[:10]]))
    return dict(sessions)


def _first_sessions(sessions: Mapping[ScanSession, object]) -> set[ScanSession]:
    """The first time point of each patient."""
    first: dict[str, ScanSession] = {}
    for session in sorted(sessions, key=lambda each: each.time):
        first.setdefault(patient_key(session.patient), session)
    return set(first.values())


def _nifti_files(folder: str) -> Iterator[str]:
    """Sorted paths of NIfTI files; links are followed."""
    tree = files_below(folder)
    for note in tree.notes():
        logger.warning("%s: %s", folder, note)
    for path in tree.files:
        if re.search(_NIFTI, path, re.I):
            yield os.path.abspath(path)
