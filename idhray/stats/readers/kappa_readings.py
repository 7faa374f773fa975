"""Kappa from readings: Cohen's for two readers, Fleiss' for two and more.

A reading that is None, NaN or empty is missing: its case is left out, counted and named.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import fleiss_kappa

from idhray.stats.readers.kappa import ROUNDING, Kappa, kappa_of_table, zero_test
from idhray.stats.sample import SampleError


def cohen(readings: pd.DataFrame, *, levels: Sequence[str] | None = None) -> Kappa:
    """Cohen's kappa of two readers, unweighted.

    Args:
        readings: One row per case (the index names it), one column per reader.
        levels: All categories in their order; None: those that occur, sorted.

    Raises:
        SampleError: not two readers, no case read by both, or a reading outside `levels`.
    """
    if readings.shape[1] != 2:
        raise SampleError(f"Cohen's kappa is of two readers, got {list(readings.columns)}")
    codes, names, notes = _coded(readings, levels)
    size = len(names)
    table = np.bincount(codes[:, 0] * size + codes[:, 1], minlength=size**2).reshape(size, size)
    first, second = (str(name) for name in readings.columns)
    return kappa_of_table(
        table,
        levels=names,
        readers=(first, second),
        missing=len(readings) - len(codes),
        notes=notes,
    )


def fleiss(readings: pd.DataFrame, *, levels: Sequence[str] | None = None) -> Kappa:
    """Fleiss' kappa of two or more readers, unweighted, with P but without an interval.

    Args:
        readings: One row per case (the index names it), one column per reader.
        levels: All categories; None: those that occur.

    Raises:
        SampleError: fewer than two readers, no case read by all, or a reading outside `levels`.

    Source: Fleiss 1971; the standard error under kappa = 0 by Fleiss, Nee and Landis 1979.
    """
    raters = readings.shape[1]
    if raters < 2:
        raise SampleError(f"agreement needs two readers, got {list(readings.columns)}")
    codes, names, notes = _coded(readings, levels)
    ratings = (codes[:, :, None] == np.arange(len(names))).sum(axis=1)  # (cases, levels)
    share = ratings.sum(axis=0) / ratings.sum()
    spread = float((share * (1 - share)).sum())
    value, se_null = float("nan"), float("nan")
    if spread > ROUNDING:
        value = float(fleiss_kappa(ratings))
        skew = float((share * (1 - share) * (1 - 2 * share)).sum())
        scale = 2 / (len(codes) * raters * (raters - 1))
        se_null = float(np.sqrt(scale * (spread**2 - skew))) / spread
    else:
        notes = (*notes, f"All readings are {names[int(share.argmax())]!r}: kappa is undefined.")
    return Kappa(
        name=f"Fleiss' kappa, {raters} readers",
        readers=tuple(str(name) for name in readings.columns),
        kappa=value,
        se=np.nan,
        se_null=se_null,
        ci_low=np.nan,
        ci_high=np.nan,
        test=zero_test(value, se_null),
        observed=value * spread + 1 - spread,
        expected=1 - spread,
        n=len(codes),
        missing=len(readings) - len(codes),
        levels=names,
        notes=(*notes, "No interval: Fleiss' standard error holds for a true kappa of 0 only."),
    )


def _coded(
    readings: pd.DataFrame, levels: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...], tuple[str, ...]]:
    """(cases, readers) level numbers of complete cases, the levels, and a note on other cases."""
    read = readings.notna() & (readings != "")
    occurring = sorted({str(value) for value in readings.to_numpy()[read.to_numpy()]})
    names = occurring if levels is None else [str(level) for level in levels]
    if unknown := sorted(set(occurring) - set(names)):
        raise SampleError(f"reading {unknown[0]!r} is not among the levels {', '.join(names)}")
    complete = read.all(axis=1)
    if not complete.any():
        raise SampleError(f"no case was read by all of {', '.join(map(str, readings.columns))}")
    number = {name: i for i, name in enumerate(names)}
    rows = [[number[str(v)] for v in row] for row in readings[complete].to_numpy()]
    return np.asarray(rows, dtype=np.int64), tuple(names), _missing_note(read)


def _missing_note(read: pd.DataFrame) -> tuple[str, ...]:
    gaps = [
        f"{case} ({', '.join(str(name) for name in read.columns[~row])})"
        for case, row in zip(read.index, read.to_numpy(), strict=True)
        if not row.all()
    ]
    if not gaps:
        return ()
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    return (
        f"{len(gaps)} of {len(read)} cases lack a reading and are left out: "
        f"{', '.join(gaps[:3])}{more}.",
    )
