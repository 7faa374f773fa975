"""Changes between the manifest of an earlier run of a study and the present one."""

import pandas as pd

from idhray.cohorts.cell_text import as_text
from idhray.cohorts.manifest import PATIENT_LEVEL, patients_of
from idhray.cohorts.slide_names import slide_names
from idhray.errors import ManifestError

MANY_GONE = 0.2
"""Share of the rows of a manifest that may be gone without a confirmation."""


def manifest_changes(earlier: pd.DataFrame, cohort: pd.DataFrame) -> list[str]:
    """One line for each kind of change: patients that leave or join, and changed values.

    Args:
        earlier: Manifest of the earlier run.
        cohort: Present manifest.
    """
    before, after = (
        patients_of(frame).set_index("patient").apply(as_text) for frame in (earlier, cohort)
    )
    lines = []
    for verb, names in (
        ("leave", before.index.difference(after.index)),
        ("join", after.index.difference(before.index)),
    ):
        if len(names):
            lines.append(f"{len(names)} patients {verb} ({names[0]}{', ...' * (len(names) > 1)})")
    shared = before.index.intersection(after.index)
    for column in PATIENT_LEVEL:
        old, new = before.loc[shared, column], after.loc[shared, column]
        changed = shared[old != new]
        if len(changed):
            name = changed[0]
            lines.append(
                f"{column} of {len(changed)} patients ({name}: {old[name] or 'none'}, now "
                f"{new[name] or 'none'}{', ...' * (len(changed) > 1)})"
            )
    return lines


def changes_training(earlier: pd.DataFrame, cohort: pd.DataFrame) -> bool:
    """True if labeled patients or their slides leave or join, or a label or split changed.

    Patches and every training depend on these; age, sex, grade and site they do not read.

    Args:
        earlier: Manifest of the earlier run.
        cohort: Present manifest.
    """
    before, after = (_training_rows(frame) for frame in (earlier, cohort))
    return before != after


def _training_rows(cohort: pd.DataFrame) -> set[tuple[str, ...]]:
    """Name, patient, label and split of each labeled row."""
    labeled = cohort[as_text(cohort["idh"]) != ""]
    names = slide_names(labeled)
    columns = (as_text(labeled[name]) for name in ("patient", "idh", "split"))
    return set(zip(names, *columns, strict=True))


def refuse_many_gone(earlier: pd.DataFrame, cohort: pd.DataFrame, manifest: str) -> None:
    """Refuse a manifest that lost many rows, which is more often an accident than a wish.

    Args:
        earlier: Manifest of the earlier run.
        cohort: Present manifest.
        manifest: Its path, for the message.

    Raises:
        ManifestError: More than a fifth of the rows are gone.
    """
    before, after = _row_names(earlier), _row_names(cohort)
    gone = sorted(before - after)
    if len(gone) > MANY_GONE * len(before):
        raise ManifestError(
            f"{manifest}: {len(gone)} of {len(before)} rows of the earlier run are gone "
            f"({gone[0]}, ...); give the whole manifest, or --update to remove them from the study"
        )


def _row_names(cohort: pd.DataFrame) -> set[str]:
    """Name of the slide of each row; the patient where there is none."""
    return {
        slide or patient
        for patient, slide in zip(cohort["patient"], slide_names(cohort), strict=True)
    }
