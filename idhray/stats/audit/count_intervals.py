"""Which methods give the interval that is printed beside the counts of a contrast.

Programs take 1.96, 1.959964 or the root of 3.84 for z, which a printed end may tell: 143.31 with
1.96 is 143.30 with 1.959964. So it is asked which z each printed end means.
"""

from collections.abc import Callable
from functools import partial
from math import isfinite

from idhray.stats.audit.contrasts import (
    WALD,
    exact_interval,
    likelihood_root,
    profile_forms,
    wald_forms,
)
from idhray.stats.audit.interval import Z_PRINTED, log_or_below
from idhray.stats.audit.printed_number import PrintedNumber, Span
from idhray.stats.audit.reported import RATIOS, ReportedRow
from idhray.stats.audit.slips import on_scale


def fitting_intervals(row: ReportedRow) -> list[str]:
    """The methods that give both printed ends, with the same z; only Wald's where it does."""
    if row.contrast is None or row.low is None or row.high is None:
        return []
    low, high = (_on_beta_scale(end, row.scale) for end in (row.low, row.high))
    roots: dict[str, Callable[[float], float]] = {
        name: partial(_wald_root, *form) for name, form in wald_forms(row.contrast).items()
    }
    for name, added in profile_forms(row.contrast).items():
        roots[name] = partial(likelihood_root, row.contrast, added=added)
    found = []
    for name, root in roots.items():
        if _same_z(low, high, root):
            found.append(name)
        if WALD in found:
            return found
    for name, ends in exact_interval(row.contrast).items():
        values = [on_scale(end, row.scale) for end in ends]
        if _reads(row.low, values[0]) and _reads(row.high, values[1]):
            found.append(name)
    return found


def _on_beta_scale(end: PrintedNumber, scale: str) -> Span:
    low, high = end.span()
    return (log_or_below(low), log_or_below(high)) if scale in RATIOS else (low, high)


def _wald_root(beta: float, se: float, value: float) -> float:
    return (value - beta) / se


def _same_z(low: Span, high: Span, root: Callable[[float], float]) -> bool:
    """Whether some usual z puts one end into `low` and the other into `high`."""
    least = max(Z_PRINTED[0], -root(low[1]), root(high[0]))
    most = min(Z_PRINTED[1], -root(low[0]), root(high[1]))
    return least <= most


def _reads(number: PrintedNumber, value: float) -> bool:
    return isfinite(value) and number.reading(value) is not None
