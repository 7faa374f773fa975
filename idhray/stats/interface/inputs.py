"""Labels, scores and columns as users have them: words or numbers, arrays or pandas."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from idhray.cohorts.values.idh import idh_value
from idhray.stats.sample import Labels, SampleError, Scored, labels_of

_CODES = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1, "wildtype": 0, "mutant": 1}


def label_code(cell: object) -> int | None:
    """1 for mutant, 0 for wildtype, None for unknown, from a word, a number or a truth value.

    Raises:
        SampleError: the cell is neither.
    """
    text = str(cell).strip().lower()
    if text in _CODES:
        return _CODES[text]
    value = idh_value(text)
    if value.problem:
        raise SampleError(f"label {cell!r}: write mutant or wildtype, 1 or 0")
    return _CODES.get(value.text)


def labels_from(truth: ArrayLike) -> Labels:
    """(N,) labels, 0 wildtype and 1 mutant.

    Raises:
        SampleError: a label is unknown or has another meaning; or a class is absent.
    """
    cells = pd.Series(truth)
    codes = {cell: label_code(cell) for cell in cells.unique()}
    labels = cells.map(codes)
    if unknown := int(labels.isna().sum()):
        raise SampleError(f"{unknown} of {len(cells)} labels are unknown; leave these patients out")
    return labels_of(labels.to_numpy(dtype=np.int64))


def scored_from(truth: ArrayLike, scores: ArrayLike) -> Scored:
    """Labels and scores of the same patients; scores are (N,), or (repeats, N).

    Raises:
        SampleError: as `labels_from`; unequal lengths; NaN scores; two pandas objects whose
            indexes differ.
    """
    check_index(truth, scores)
    return Scored(labels_from(truth), np.asarray(scores, dtype=np.float64))


def check_index(*columns: object) -> None:
    """Refuse pandas columns whose rows are named otherwise: values are paired by position."""
    indexes = [column.index for column in columns if isinstance(column, pd.Series | pd.DataFrame)]
    if any(not index.equals(indexes[0]) for index in indexes[1:]):
        raise SampleError(
            "the indexes of two columns differ, so their rows may be of different patients; "
            "align them first (b = b.reindex(a.index))"
        )


def check_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a frame without the named columns."""
    if missing := [name for name in names if name not in frame.columns]:
        raise SampleError(
            f"no column {', '.join(missing)}; the frame has {', '.join(map(str, frame.columns))}"
        )
