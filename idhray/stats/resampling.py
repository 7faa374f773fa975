"""Drawing patients with replacement, all rows of a patient together.

Letters: N rows.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from idhray.stats.sample import Labels, SampleError

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]  # (N,)
Units = tuple[list[Rows], list[Rows]]
"""Rows of each patient, and rows of each case that only trains."""


def flags_of(given: ArrayLike | None, labels: Labels, name: str) -> Flags:
    """True and False per row; all False where nothing is given.

    Raises:
        SampleError: other values, or not one per label.
    """
    flags = np.zeros(len(labels), dtype=bool) if given is None else np.asarray(given)
    if flags.shape != labels.shape or flags.dtype != bool:
        raise SampleError(f"{name} must be {len(labels)} of True and False, got {flags!r}")
    return flags


def units_of(labels: Labels, judged: Flags, patients: ArrayLike | None = None) -> Units:
    """What is drawn as one: the rows of a patient, or of a case that only trains.

    Args:
        judged: False for rows that only train. A patient has at least one row that is judged.
        patients: Whose each row is, (N,); without it each row is a unit of its own.

    Raises:
        SampleError: not one patient per row, an id is missing, or a patient is of both classes.
    """
    ids = pd.Series(np.arange(len(labels)) if patients is None else np.asarray(patients))
    if len(ids) != len(labels):
        raise SampleError(f"{len(labels)} labels, but {len(ids)} patient ids")
    if missing := int(ids.isna().sum()):
        raise SampleError(f"{missing} of {len(ids)} rows have no patient id")
    members = [np.asarray(rows) for rows in ids.groupby(ids.to_numpy()).indices.values()]
    for rows in members:
        if len(set(labels[rows])) > 1:
            raise SampleError(f"patient {ids[rows[0]]} is both mutant and wildtype")
    real = [rows for rows in members if judged[rows].any()]
    return real, [rows for rows in members if not judged[rows].any()]


def drawn(units: Units, rng: np.random.Generator) -> Rows:
    """As many units of each kind as there are, with replacement, as rows."""
    chosen = []
    for kind in units:
        places = rng.integers(0, max(len(kind), 1), size=len(kind))
        chosen += [kind[place] for place in places]
    return np.concatenate(chosen)
