"""Cohen's kappa of a table of counts: agreement of two readers beyond chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import CONFIDENCE, SampleError, z_of
from idhray.stats.text import printed

STRENGTHS = (
    (0.20, "slight"),
    (0.40, "fair"),
    (0.60, "moderate"),
    (0.80, "substantial"),
    (1.00, "almost perfect"),
)
"""Upper ends, of kappas rounded to two digits. Source: Park et al. 2021, Statistical analysis."""
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Kappa:
    """A kappa with its errors, interval, test and counts."""

    name: str
    """`Cohen's kappa, unweighted` or `Fleiss' kappa, 3 readers`."""
    readers: tuple[str, ...]
    kappa: float
    """NaN if it does not exist; `notes` then gives the reason."""
    se: float
    """Asymptotic standard error (ASE), used for the interval; NaN for Fleiss' kappa."""
    se_null: float
    """Asymptotic standard error under a true kappa of 0 (ASE0), used for P."""
    ci_low: float
    ci_high: float
    """kappa +- z * ASE, not clipped: it may pass 1; `notes` then says so."""
    test: Significance
    observed: float
    """Share of agreement."""
    expected: float
    """Share of agreement by chance, from the margins."""
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
    """Word of Park et al. 2021 for a kappa; `undefined` for NaN.

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
    levels: Sequence[str],
    readers: tuple[str, str],
    missing: int = 0,
    notes: tuple[str, ...] = (),
) -> Kappa:
    """Cohen's kappa of a square table of counts, the first reader in rows.

    Args:
        table: (levels, levels) counts.
        levels: Names of rows and columns in their order.
        readers: Names of the readers of rows and columns.
        missing: Cases left out of the table, copied into the result.
        notes: Notes on them, which precede the notes on the table.

    Raises:
        SampleError: the table is not square, empty, or holds anything but counts.

    Source: Fleiss, Cohen and Everitt 1969 for both standard errors, as in statsmodels.
    """
    counts = _counts(table)
    names = tuple(levels)
    if len(names) != len(counts):
        raise SampleError(f"{len(names)} levels for a kappa table of {len(counts)} rows")
    value, se, se_null = _with_errors(counts)
    half = z_of(CONFIDENCE) * se
    observed, expected = _agreement_shares(counts)
    return Kappa(
        name="Cohen's kappa, unweighted",
        readers=readers,
        kappa=value,
        se=se,
        se_null=se_null,
        ci_low=value - half,
        ci_high=value + half,
        test=zero_test(value, se_null),
        observed=observed,
        expected=expected,
        n=int(counts.sum()),
        missing=missing,
        levels=names,
        table=tuple(tuple(int(count) for count in row) for row in counts),
        notes=(*notes, *_warnings(counts, names, readers, value, value + half)),
    )


def _counts(table: ArrayLike) -> NDArray[np.int64]:
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise SampleError(f"kappa needs a square table of counts, got shape {counts.shape}")
    whole = np.isfinite(counts).all() and (counts == counts.round()).all()
    if not (whole and (counts >= 0).all()):
        raise SampleError("kappa needs a table of counts; found negative, broken or missing ones")
    if not counts.sum():
        raise SampleError("the kappa table is empty: no case was read by both readers")
    return counts.astype(np.int64)


def _with_errors(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """kappa, ASE and ASE0; NaN if both readers gave one and the same level only."""
    if counts.sum() in np.diag(counts):
        return float("nan"), float("nan"), float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):  # a variance of 0 may come out as -1e-18
        estimate = cohens_kappa(counts)
    se, se_null = (np.sqrt(max(float(v), 0.0)) for v in (estimate.var_kappa, estimate.var_kappa0))
    margins = [*counts.sum(axis=0), *counts.sum(axis=1)]
    if max(margins) == counts.sum():  # one reader's readings do not vary
        return float(estimate.kappa), float(se), 0.0
    return float(estimate.kappa), float(se), float(se_null)


def _agreement_shares(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Observed and expected share of agreement."""
    credit, n = np.eye(len(counts)), counts.sum()
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n**2
    return float((credit * counts).sum() / n), float((credit * by_chance).sum())


def zero_test(value: float, se_null: float) -> Significance:
    """The z test of kappa = 0; without P, with a note, if the standard error is 0 or NaN."""
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
    """Reasons for a missing figure, or to distrust one."""
    constant = [
        f"{reader} gave {levels[int(margin.argmax())]!r} only"
        for reader, margin in zip(readers, (counts.sum(axis=1), counts.sum(axis=0)), strict=True)
        if margin.max() == counts.sum()
    ]
    warnings = []
    if constant:
        effect = "kappa is undefined" if np.isnan(value) else "kappa is 0"
        warnings.append(f"{' and '.join(constant)}: {effect}, however often they agree.")
    if value > 1 - ROUNDING:
        warnings.append("Perfect agreement: the standard error is 0 and the interval one point.")
    elif high > 1:
        warnings.append("The interval passes 1, the highest kappa: so few cases are not normal.")
    return warnings
