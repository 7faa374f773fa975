"""A cohort as importers make it: the manifest, what was left out, what was read from the labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray.cohorts.label_account import LabelAccount
from idhray.cohorts.label_columns import LABEL_COLUMNS
from idhray.cohorts.labels import LabelOptions, patient_labels
from idhray.cohorts.manifest import manifest_frame, refuse_problems
from idhray.cohorts.text_table import problem_message
from idhray.errors import ManifestError
from idhray.patients import ADVICE, patient_key, twin_text, twins

RowCounts = Callable[[Mapping[str, str], str], bool]
"""Function of the cells of a label row and its patient; False for a row that is of no file."""


def every_row(cells: Mapping[str, str], name: str) -> bool:
    """Every row of a label table counts."""
    return True


@dataclass(frozen=True, kw_only=True)
class ImportedCohort:
    """Result of an importer."""

    manifest: pd.DataFrame
    left_out: Mapping[str, int]
    """Reason -> number of files or studies that are not in the manifest."""
    account: LabelAccount
    notes: tuple[str, ...] = ()
    """Further lines for the user, such as the rules by which series were chosen."""


def with_labels(
    rows: Sequence[dict[str, Any]],
    labels: Sequence[str],
    options: LabelOptions,
    left_out: Mapping[str, int],
    *,
    key: Callable[[str], str] = patient_key,
    row_counts: RowCounts = every_row,
    notes: Sequence[str] = (),
    names: Sequence[str] = LABEL_COLUMNS,
) -> ImportedCohort:
    """The manifest: rows of files with the labels of their patients.

    A patient without a row in the labels keeps an empty `idh`. A patient whose IDH status cannot be
    read is left out.

    Args:
        rows: Manifest columns of each slide or study.
        labels: Tables of labels.
        options: Choices for the labels.
        left_out: Reason -> number of files that are left out already.
        key: Function from a patient's name to what is compared.
        row_counts: False for a label row that is of no file.
        notes: Lines for the user.
        names: Manifest columns to look for in the labels.

    Raises:
        ManifestError: See `patient_labels`; or patients are twins, or a file names another patient.
    """
    patients = [str(row["patient"]) for row in rows]
    if groups := twins(patients):
        problems = [f"{twin_text(group)}; {ADVICE}" for group in groups]
        raise ManifestError(problem_message(", ".join(labels), problems))
    read = patient_labels(
        labels, set(patients), options, key=key, row_counts=row_counts, names=names
    )
    readable = [
        {**read.by_patient.get(key(name), {}), **row}
        for name, row in zip(patients, rows, strict=True)
        if key(name) not in read.unreadable
    ]
    counts = {**left_out, "idh_unreadable": len(rows) - len(readable)}
    manifest = manifest_frame(readable)
    refuse_problems(manifest, ", ".join(labels))
    return ImportedCohort(
        manifest=manifest, left_out=counts, account=read.account, notes=tuple(notes)
    )
