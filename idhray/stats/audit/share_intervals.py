"""Intervals of sensitivity, specificity, accuracy and predictive values from k of n patients."""

from collections.abc import Iterator
from functools import lru_cache
from math import sqrt

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from idhray.stats.audit.findings import Finding, finding
from idhray.stats.audit.intervals import Z95, in_order, overlap
from idhray.stats.audit.printed_number import PrintedNumber, Span, shortly
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.audit.two_by_two import true_counts

PATIENTS_OF_SHARE = {
    "sensitivity": ("mutants",),
    "specificity": ("wildtypes",),
    "accuracy": ("cases",),
    "ppv": ("sensitivity", "specificity", "mutants", "wildtypes", "one_training"),
    "npv": ("sensitivity", "specificity", "mutants", "wildtypes", "one_training"),
}
"""Share -> figures that give the number of patients it is a share of."""
_PROGRAMS = {
    "Wald": "normal",
    "Wilson": "wilson",
    "exact binomial": "beta",
    "Agresti-Coull": "agresti_coull",
    "Jeffreys": "jeffreys",
}
_SLACK = 0.15  # of the width of Wilson's interval, by which a bootstrap may differ from all methods


def patients_of(name: str, row: ReportedRow) -> int | None:
    """Number of patients that a share is a share of; None if the row does not tell it."""
    if name not in ("ppv", "npv"):
        size: int | None = getattr(row, PATIENTS_OF_SHARE[name][0])
        return size
    counts, m, w = true_counts(row), row.mutants, row.wildtypes
    if counts is None or m is None or w is None or row.is_mean:
        return None
    (tp, tp_high), (tn, tn_high) = counts
    if tp != tp_high or tn != tn_high or tp.denominator * tn.denominator != 1:
        return None
    return int(tp + w - tn) if name == "ppv" else int(tn + m - tp)


@lru_cache(maxsize=4096)
def share_intervals(share: float, n: int) -> dict[str, Span]:
    """95% intervals of a share of n patients by the name of their method, within 0..1."""
    ends = {name: _ends(share, n, method) for name, method in _PROGRAMS.items()}
    return {**ends, "Wilson with continuity correction": _corrected_wilson(share, n)}


def _ends(share: float, n: int, method: str) -> Span:
    low, high = proportion_confint(share * n, n, 0.05, method=method)
    low, high = np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)
    return max(float(low), 0.0), min(float(high), 1.0)


def _corrected_wilson(share: float, n: int) -> Span:
    """Source: Newcombe 1998 (Stat Med 17:857), method 4."""

    def low(p: float) -> float:
        root = Z95 * sqrt(max(Z95**2 - 2 - 1 / n + 4 * p * (n * (1 - p) + 1), 0.0))
        return max((2 * n * p + Z95**2 - 1 - root) / (2 * (n + Z95**2)), 0.0) if p else 0.0

    return low(share), 1 - low(1 - share)


def _possible_shares(share: PrintedNumber, n: int, runs: int) -> Span:
    """Lowest and highest share behind a printed one."""
    if ks := share.counts(n * runs):
        return ks[0] / (n * runs), ks[-1] / (n * runs)
    low, high = share.span()
    return max(low, 0.0), min(high, 1.0)


def fitting_share_methods(name: str, row: ReportedRow) -> tuple[str, ...]:
    """The methods that give both printed ends for a number of patients that prints the share.

    For means of repeats it is the interval of the mean number of patients: repeats add none.
    """
    n, share = patients_of(name, row), getattr(row, name)
    low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
    if not (n and share and low and high and 0 <= share.value <= 1):
        return ()
    least, most = (share_intervals(end, n) for end in _possible_shares(share, n, row.runs))
    return tuple(
        method
        for method in least
        if overlap(low.span(), (least[method][0], most[method][0]))
        and overlap(high.span(), (least[method][1], most[method][1]))
    )


def off_share_interval(name: str, row: ReportedRow) -> Iterator[Finding]:
    """Intervals that no usual method gives; a remark if they are near those of the methods."""
    n, share = patients_of(name, row), getattr(row, name)
    low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
    if not (n and 0 <= share.value <= 1 and in_order(share, low, high)):
        return
    if fitting_share_methods(name, row):
        return
    ends = [share_intervals(end, n) for end in _possible_shares(share, n, row.runs)]
    slack = _SLACK * (ends[0]["Wilson"][1] - ends[0]["Wilson"][0])
    near = all(
        overlap(printed.span(), (min(values) - slack, max(values) + slack))
        for printed, values in (
            (low, [span[0] for of in ends for span in of.values()]),
            (high, [span[1] for of in ends for span in of.values()]),
        )
    )
    texts = [
        f"{method} {shortly(ends[0][method][0], 3)} to {shortly(ends[-1][method][1], 3)}"
        for method in ("Wald", "Wilson", "exact binomial")
    ]
    yield finding(
        row,
        f"{name} interval follows from its count",
        "remark" if near else "suspicious",
        printed=f"{row.interval_text(name)} of {n} patients",
        reason=f"it is none of {', '.join(texts)}",
        fits="a bootstrap interval" if near else _other_count(name, row, n),
    )


def _other_count(name: str, row: ReportedRow, n: int) -> str:
    """The number of patients whose interval it is, if any: probably another row's."""
    low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
    for k in range(n + 1) if n <= 1000 else ():
        for method, (least, most) in share_intervals(k / n, n).items():
            if low.reading(least) and high.reading(most):
                return f"the {method} interval of {k}/{n}"
    return "an interval of other patients, or not of 95%"
