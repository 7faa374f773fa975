"""Cohen's kappa of a table of counts: agreement of two readers beyond what chance would bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from idhray.stats.accuracy.rates import printed
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import SampleError, z_of

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
ROUNDING = 1e-12


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
    half = z_of(confidence) * se
    observed, expected = _agreement_shares(counts, weights)
    return Kappa(
        name=f"Cohen's kappa, {'unweighted' if weights == 'none' else f'{weights} weights'}",
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
    if counts.sum() in np.diag(counts):
        return float("nan"), float("nan"), float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):  # a variance of 0 may come out as -1e-18
        found = cohens_kappa(counts, wt=None if weights == "none" else weights)
    se, se_null = (np.sqrt(max(float(v), 0.0)) for v in (found.var_kappa, found.var_kappa0))
    margins = [*counts.sum(axis=0), *counts.sum(axis=1)]
    if max(margins) == counts.sum():  # one reader's readings do not vary
        return float(found.kappa), float(se), 0.0
    return float(found.kappa), float(se), float(se_null)


def _agreement_shares(counts: NDArray[np.int64], weights: Weights) -> tuple[float, float]:
    size = len(counts)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / max(size - 1, 1)
    credit = {"none": np.eye(size), "linear": 1 - apart, "quadratic": 1 - apart**2}[weights]
    n = counts.sum()
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n**2
    return float((credit * counts).sum() / n), float((credit * by_chance).sum())


def zero_test(value: float, se_null: float) -> Significance:
    """The z test of kappa = 0; without P, and saying so, where the standard error is 0 or NaN."""
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
        effect = "kappa is undefined" if np.isnan(value) else "kappa is 0"
        said.append(f"{' and '.join(constant)}: {effect}, however often they agree.")
    if value > 1 - ROUNDING:
        said.append("Perfect agreement: the standard error is 0 and the interval one point.")
    elif high > 1:
        said.append("The interval passes 1, the highest kappa: so few cases are not normal.")
    return said
