"""Chance-corrected agreement: Cohen's kappa of two readers, Fleiss' kappa of several.

A reading that is None, NaN or empty is missing: its case is left out, counted and named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from idhray.stats.accuracy import printed
from idhray.stats.sample import SampleError
from idhray.stats.significance import Significance

Weights = Literal["none", "linear", "quadratic"]
PAIR = ("reader 1", "reader 2")
STRENGTHS = (
    (0.20, "slight"),
    (0.40, "fair"),
    (0.60, "moderate"),
    (0.80, "substantial"),
    (1.00, "almost perfect"),
)
"""Upper ends, of kappas rounded to two digits. Source: Park et al. 2021, Statistical analysis."""
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Kappa:
    """A kappa with its errors, interval, test, and what it was computed from."""

    name: str
    """`Cohen's kappa, unweighted`; `Fleiss' kappa, 3 readers`."""
    readers: tuple[str, ...]
    kappa: float
    """NaN where it does not exist, and then `notes` says why."""
    se: float
    """Asymptotic standard error (ASE), which makes the interval; NaN for Fleiss' kappa."""
    se_null: float
    """Asymptotic standard error were the true kappa 0 (ASE0), which makes P."""
    ci_low: float
    ci_high: float
    """kappa +- z * ASE, not clipped: it may pass 1, and then `notes` says so."""
    test: Significance
    observed: float
    """Share of agreement, weighted where kappa is."""
    expected: float
    """The same by chance, from the margins."""
    n: int
    """Cases that all these readers read."""
    missing: int
    """Cases left out because a reading is missing."""
    levels: tuple[str, ...]
    table: tuple[tuple[int, ...], ...] = ()
    """First reader in rows, second in columns, in the order of `levels`; empty for Fleiss."""
    notes: tuple[str, ...] = ()

    @property
    def strength(self) -> str:
        """`moderate` and so on, in the words of Park et al. 2021."""
        return strength(self.kappa)


def strength(kappa: float) -> str:
    """The paper's word for a kappa; `undefined` for NaN.

    Source: Landis and Koch 1977 as in Park et al. 2021, Statistical analysis: < 0 no agreement,
    0-0.20 slight, 0.21-0.40 fair, 0.41-0.60 moderate, 0.61-0.80 substantial, 0.81-1.0 almost
    perfect. The gaps of 0.01 mean rounded kappas: to two digits, halves up.
    """
    if np.isnan(kappa):
        return "undefined"
    if kappa < 0:
        return "no agreement"
    return next(word for top, word in STRENGTHS if float(printed(kappa, 2)) <= top)


def kappa_of_table(
    table: ArrayLike,
    *,
    levels: Sequence[str] = (),
    weights: Weights = "none",
    confidence: float = 0.95,
    readers: tuple[str, str] = PAIR,
    missing: int = 0,
    notes: tuple[str, ...] = (),
) -> Kappa:
    """Cohen's kappa of a square table of counts, the first reader in rows.

    Args:
        levels: Names of rows and columns in their order, on which weights depend.
        weights: Disagreement counts by the distance of two levels (`linear`, Cicchetti-Allison) or
            its square (`quadratic`, Fleiss-Cohen); `none`: every disagreement counts the same.
        missing, notes: Passed on into the result.

    Raises:
        SampleError: the table is not square, empty, or holds anything but counts.

    Source: Fleiss, Cohen and Everitt 1969 for both standard errors, as in statsmodels.
    """
    counts = _counts(table)
    names = tuple(levels) or tuple(str(i + 1) for i in range(len(counts)))
    if len(names) != len(counts):
        raise SampleError(f"{len(names)} levels for a kappa table of {len(counts)} rows")
    value, se, se_null = _with_errors(counts, weights)
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    observed, expected = _agreement_shares(counts, weights)
    return Kappa(
        name=f"Cohen's kappa, {'unweighted' if weights == 'none' else f'{weights} weights'}",
        readers=readers,
        kappa=value,
        se=se,
        se_null=se_null,
        ci_low=value - half,
        ci_high=value + half,
        test=_test_of_zero(value, se_null),
        observed=observed,
        expected=expected,
        n=int(counts.sum()),
        missing=missing,
        levels=names,
        table=tuple(tuple(int(count) for count in row) for row in counts),
        notes=(*notes, *_warnings(counts, names, readers, value, value + half)),
    )


def kappa(
    readings: pd.DataFrame,
    *,
    levels: Sequence[str] | None = None,
    weights: Weights = "none",
    confidence: float = 0.95,
) -> Kappa:
    """Cohen's kappa of two readers.

    Args:
        readings: One row per case (the index names it), one column per reader.
        levels: All categories in their order. Without it those found, sorted; then weights are
            refused for more than two, since the alphabet is no scale.

    Raises:
        SampleError: not two readers, no case read by both, or a reading outside `levels`.
    """
    if readings.shape[1] != 2:
        raise SampleError(f"Cohen's kappa is of two readers, got {list(readings.columns)}")
    codes, names, notes = _coded(readings, levels, weights)
    size = len(names)
    table = np.bincount(codes[:, 0] * size + codes[:, 1], minlength=size**2).reshape(size, size)
    first, second = (str(name) for name in readings.columns)
    return kappa_of_table(
        table,
        levels=names,
        weights=weights,
        confidence=confidence,
        readers=(first, second),
        missing=len(readings) - len(codes),
        notes=notes,
    )


def fleiss(readings: pd.DataFrame, *, levels: Sequence[str] | None = None) -> Kappa:
    """Fleiss' kappa of two or more readers, unweighted, with P but without an interval.

    Args:
        readings: One row per case (the index names it), one column per reader.
        levels: All categories; without it those found.

    Raises:
        SampleError: fewer than two readers, no case read by all, or a reading outside `levels`.

    Source: Fleiss 1971; the standard error under kappa = 0 by Fleiss, Nee and Landis 1979, eq. 12.
    """
    raters = readings.shape[1]
    if raters < 2:
        raise SampleError(f"agreement needs two readers, got {list(readings.columns)}")
    codes, names, notes = _coded(readings, levels, "none")
    ratings = (codes[:, :, None] == np.arange(len(names))).sum(axis=1)  # (cases, levels)
    share = ratings.sum(axis=0) / ratings.sum()
    spread = float((share * (1 - share)).sum())
    value, se_null = float("nan"), float("nan")
    if spread > _ROUNDING:
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
        test=_test_of_zero(value, se_null),
        observed=value * spread + 1 - spread,
        expected=1 - spread,
        n=len(codes),
        missing=len(readings) - len(codes),
        levels=names,
        notes=(*notes, "No interval: Fleiss' standard error holds for a true kappa of 0 only."),
    )


def _counts(table: ArrayLike) -> NDArray[np.int64]:
    found = np.asarray(table, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise SampleError(f"kappa needs a square table of counts, got shape {found.shape}")
    if not (np.isfinite(found).all() and (found >= 0).all() and (found == found.round()).all()):
        raise SampleError("kappa needs a table of counts; found negative, broken or missing ones")
    if not found.sum():
        raise SampleError("the kappa table is empty: no case was read by both readers")
    return found.astype(np.int64)


def _with_errors(counts: NDArray[np.int64], weights: Weights) -> tuple[float, float, float]:
    """kappa, ASE and ASE0; NaN where both readers gave one and the same level only."""
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    if counts.sum() in np.diag(counts):
        return float("nan"), float("nan"), float("nan")
    found = cohens_kappa(counts, wt=None if weights == "none" else weights)
    se, se_null = (np.sqrt(max(float(v), 0.0)) for v in (found.var_kappa, found.var_kappa0))
    if max(rows.max(), columns.max()) == counts.sum():  # one reader's readings do not vary
        return float(found.kappa), float(se), 0.0
    return float(found.kappa), float(se), float(se_null)


def _agreement_shares(counts: NDArray[np.int64], weights: Weights) -> tuple[float, float]:
    size = len(counts)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / max(size - 1, 1)
    credit = {"none": np.eye(size), "linear": 1 - apart, "quadratic": 1 - apart**2}[weights]
    n = counts.sum()
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n**2
    return float((credit * counts).sum() / n), float((credit * by_chance).sum())


def _test_of_zero(value: float, se_null: float) -> Significance:
    method = "z test of kappa = 0, standard error under the null (ASE0)"
    if not se_null > 0:
        note = "No P: without variation in the readings kappa has no standard error."
        return Significance(method=method, p=np.nan, notes=(note,))
    z = value / se_null
    return Significance(method=method, p=float(2 * stats.norm.sf(abs(z))), statistic=float(z))


def _warnings(
    counts: NDArray[np.int64],
    levels: tuple[str, ...],
    readers: tuple[str, str],
    value: float,
    high: float,
) -> list[str]:
    """Why a figure is missing, or means less than it seems to."""
    constant = [
        f"{reader} gave {levels[int(margin.argmax())]!r} only"
        for reader, margin in zip(readers, (counts.sum(axis=1), counts.sum(axis=0)), strict=True)
        if margin.max() == counts.sum()
    ]
    said = []
    if constant:
        effect = "kappa is undefined" if np.isnan(value) else "kappa cannot be above 0"
        said.append(f"{' and '.join(constant)}: {effect}, however often they agree.")
    if value > 1 - _ROUNDING:
        said.append("Perfect agreement: the standard error is 0 and the interval one point.")
    elif high > 1:
        said.append("The interval passes 1, the highest kappa: so few cases are not normal.")
    return said


def _coded(
    readings: pd.DataFrame, levels: Sequence[str] | None, weights: Weights
) -> tuple[NDArray[np.int64], tuple[str, ...], tuple[str, ...]]:
    """(cases, readers) level numbers of complete cases, the levels, and a note on the others."""
    read = readings.notna() & (readings != "")
    found = sorted({str(value) for value in readings.to_numpy()[read.to_numpy()]})
    names = found if levels is None else [str(level) for level in levels]
    if strange := sorted(set(found) - set(names)):
        raise SampleError(f"reading {strange[0]!r} is not among the levels {', '.join(names)}")
    if levels is None and weights != "none" and len(found) > 2:
        raise SampleError(f"{weights} weights need the levels in their order; found {found}")
    whole = read.all(axis=1)
    if not whole.any():
        raise SampleError(f"no case was read by all of {', '.join(map(str, readings.columns))}")
    number = {name: i for i, name in enumerate(names)}
    rows = [[number[str(v)] for v in row] for row in readings[whole].to_numpy()]
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
