"""Estimates, their intervals and P values against the 2 x 2 counts they were computed from.

Programs take 1.96, 1.959964 or the root of 3.84 for z, and a printed end may tell which: 143.31
with 1.96 is 143.30 with 1.959964. So the rule for intervals computes the z that each printed end
means.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from math import exp, inf, isfinite

from idhray.stats.audit.contrasts import (
    CONDITIONAL,
    FIRTH,
    MAXIMUM,
    WALD,
    beta_intervals,
    betas,
    contrast_p_values,
    exact_interval,
    firth_p_values,
    likelihood_root,
    log_odds_ratio,
    profile_forms,
    standard_error,
    wald_forms,
)
from idhray.stats.audit.estimates import ESTIMATE_INTERVAL
from idhray.stats.audit.findings import Check, Finding, ReportedRows, Severity, each, finding
from idhray.stats.audit.intervals import Z_PRINTED, log_or_below
from idhray.stats.audit.printed_number import READING_TEXTS, PrintedNumber, Reading, Span, shortly
from idhray.stats.audit.reported import ODDS_RATIO, RATIOS, CountTable, ReportedRow, counts_text

ESTIMATE = "estimate follows from its counts"
INTERVAL = "interval follows from its counts"
P_VALUE = "P of an estimate follows from its counts"
_SEPARATED = 8.0  # betas beyond it are where software stopped on its way to infinity
_CLASSES = ("wildtype", "mutant")
_MOST_MOVED = 2  # patients


def on_scale(beta: float, scale: str) -> float:
    """A beta, or its odds ratio if that is the scale."""
    return exp(beta) if scale == ODDS_RATIO else beta


def estimates_from_counts(rows: ReportedRows, table: ReportedRows) -> Iterator[Finding]:
    """Log odds ratios that differ from maximum likelihood, or from the method of the table.

    A single row that fits Firth's or the conditional estimate only, among rows by maximum
    likelihood, fits by chance, or was fitted differently.
    """
    readings = {row.line: _readings(row) for row in rows}
    used = Counter(method for reading in readings.values() for method in reading)
    habit = max((MAXIMUM, CONDITIONAL, FIRTH), key=lambda method: used[method])
    for row in rows:
        reading = readings[row.line]
        if row.estimate is None or row.contrast is None or reading.get(MAXIMUM) == "rounded":
            continue
        values = _values(row)
        method = next((name for name in (MAXIMUM, habit, *reading) if name in reading), None)
        printed = f"{row.scale} {row.estimate.text} from {counts_text(row.contrast)}"
        if method is None or (method not in (MAXIMUM, habit) and MAXIMUM in values):
            severity, reason = _mismatch(row, row.contrast, values)
            if method is not None:
                severity = "suspicious"
                reason += f", {method} {shortly(values[method], 3)}, unlike the other rows"
            fits = slip(row, table)
            yield finding(row, ESTIMATE, severity, printed=printed, reason=reason, fits=fits)
        else:
            reason = f"{method}: {shortly(values[method], 4)}{_rounding(reading[method])}"
            yield finding(row, ESTIMATE, "remark", printed=printed, reason=reason)


def _values(row: ReportedRow) -> dict[str, float]:
    """Estimate by the name of its method, on the scale of the row."""
    assert row.contrast is not None
    estimates = {name: on_scale(beta, row.scale) for name, beta in betas(row.contrast).items()}
    if row.scale == ODDS_RATIO and log_odds_ratio(row.contrast) == -inf:
        estimates[MAXIMUM] = 0.0  # an odds ratio of 0 exists, its logarithm does not
    return estimates


def _readings(row: ReportedRow) -> dict[str, Reading]:
    """Methods that give the printed estimate -> its rounding."""
    if row.estimate is None:
        return {}
    readings = {name: row.estimate.reading(value) for name, value in _values(row).items()}
    return {name: reading for name, reading in readings.items() if reading}


def _rounding(reading: Reading | None) -> str:
    return "" if reading in ("rounded", None) else f"; {READING_TEXTS[reading]}"


def _mismatch(
    row: ReportedRow, counts: CountTable, values: dict[str, float]
) -> tuple[Severity, str]:
    """Severity and reason of an estimate that no usual method gives."""
    if MAXIMUM not in values:
        severity: Severity = "contradiction"
        if row.estimate and abs(row.estimate.value) > on_scale(_SEPARATED, row.scale):
            severity = "suspicious"
        reason = "with an empty cell the maximum-likelihood estimate is infinite or does not exist"
        return severity, f"{reason}; Firth's is {shortly(values[FIRTH])}"
    reason = f"the counts give {shortly(values[MAXIMUM])}"
    if row.scale == "beta":
        reason += f" (standard error {shortly(standard_error(counts))})"
    return "contradiction", reason


def p_from_counts(row: ReportedRow) -> Iterator[Finding]:
    """P values that neither Wald's test of the contrast nor a test of the same counts gives.

    A zero cell gives no finding: there Wald's P does not exist, and a penalized one may be printed.
    """
    if row.p is None or row.contrast is None:
        return
    of_counts = contrast_p_values(row.contrast)
    values = {**of_counts, **firth_p_values(row.contrast)}
    readings = {name: row.p.reading(p) for name, p in values.items()}
    if readings.get(WALD) == "rounded" or not isfinite(standard_error(row.contrast)):
        return
    method = next((name for name, reading in readings.items() if reading), None)
    printed = f"P {row.p.text} from {counts_text(row.contrast)}"
    if method is not None:
        reason = f"{method}: {shortly(values[method])}{_rounding(readings[method])}"
        yield finding(row, P_VALUE, "remark", printed=printed, reason=reason)
        return
    texts = (f"{name} {shortly(p)}" for name, p in of_counts.items())
    reason = f"the counts give {', '.join(texts)}"
    fits = f"Wald's would be printed {row.p.like(values[WALD])}"
    yield finding(row, P_VALUE, "contradiction", printed=printed, reason=reason, fits=fits)


def interval_from_counts(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that are not Wald's, profile-likelihood or exact, plain or of Firth's estimate."""
    if row.contrast is None or not (row.low and row.high):
        return
    fitting = fitting_intervals(row)
    if WALD in fitting:
        return
    yield finding(
        row,
        INTERVAL,
        "remark" if fitting else "contradiction",
        printed=f"{row.low.text} to {row.high.text} from {counts_text(row.contrast)}",
        reason=f"{fitting[0]} interval"
        if fitting
        else f"the counts give {_ends(row.contrast, row.scale)}",
    )


def _ends(counts: CountTable, scale: str) -> str:
    texts = (
        f"{name} {shortly(on_scale(low, scale))} to {shortly(on_scale(high, scale))}"
        for name, (low, high) in beta_intervals(counts).items()
    )
    return ", ".join(texts)


def fitting_intervals(row: ReportedRow) -> list[str]:
    """The methods that give both printed ends with the same z; only Wald's if it is one."""
    if row.contrast is None or row.low is None or row.high is None:
        return []
    low, high = (_on_beta_scale(end, row.scale) for end in (row.low, row.high))
    roots: dict[str, Callable[[float], float]] = {
        name: partial(_wald_root, *form) for name, form in wald_forms(row.contrast).items()
    }
    for name, added in profile_forms(row.contrast).items():
        roots[name] = partial(likelihood_root, row.contrast, added=added)
    fitting = []
    for name, root in roots.items():
        if _same_z(low, high, root):
            fitting.append(name)
        if WALD in fitting:
            return fitting
    for name, ends in exact_interval(row.contrast).items():
        values = [on_scale(end, row.scale) for end in ends]
        if _reads(row.low, values[0]) and _reads(row.high, values[1]):
            fitting.append(name)
    return fitting


def _on_beta_scale(end: PrintedNumber, scale: str) -> Span:
    low, high = end.span()
    return (log_or_below(low), log_or_below(high)) if scale in RATIOS else (low, high)


def _wald_root(beta: float, se: float, value: float) -> float:
    return (value - beta) / se


def _same_z(low: Span, high: Span, root: Callable[[float], float]) -> bool:
    """True if some usual z puts one end into `low` and the other into `high`."""
    least = max(Z_PRINTED[0], -root(low[1]), root(high[0]))
    most = min(Z_PRINTED[1], -root(low[0]), root(high[1]))
    return least <= most


def _reads(number: PrintedNumber, value: float) -> bool:
    return isfinite(value) and number.reading(value) is not None


def slip(row: ReportedRow, table: ReportedRows) -> str:
    """The first slip that gives the printed estimate and P, else one that gives the estimate."""
    if row.contrast is None or row.estimate is None:
        return ""
    only_estimate = ""
    for text, counts, may_miss_p in _slips(row, row.contrast, table):
        beta = log_odds_ratio(counts)
        if not isfinite(beta) or row.estimate.reading(on_scale(beta, row.scale)) is None:
            continue
        slip_text = f"{text} it is {shortly(on_scale(beta, row.scale), 3)}"
        p = contrast_p_values(counts)
        if row.p is None or any(row.p.reading(value) for value in p.values()):
            return slip_text
        if may_miss_p and not only_estimate:
            only_estimate = f"{slip_text}, but then P is {shortly(next(iter(p.values())))}"
    return only_estimate


def _slips(
    row: ReportedRow, counts: CountTable, table: ReportedRows
) -> Iterator[tuple[str, CountTable, bool]]:
    """Possible slips: (cause, counts with the slip, True if it is reported without its P)."""
    level, reference = counts
    yield "with level and reference exchanged", (reference, level), True
    for other, line in _levels_with(reference, row.cases, table).items():
        if other == level:
            continue
        yield f"for the level of row {line} against this one", (other, level), True
        yield f"for this level against that of row {line}", (level, other), True
    for i, name in enumerate(_CLASSES):
        exchanged = _with_class(counts, i, reference[i], level[i])
        yield f"with both {name} counts exchanged ({counts_text(exchanged)})", exchanged, True
    for moved in range(1, _MOST_MOVED + 1):
        for i, name in enumerate(_CLASSES):
            for step in (moved, -moved):
                shifted = _with_class(counts, i, level[i] + step, reference[i] - step)
                if min(min(cells) for cells in shifted) >= 0:
                    text = f"with {moved} {name} in the other level ({counts_text(shifted)})"
                    yield text, shifted, False


def _levels_with(
    reference: tuple[int, ...], cases: int | None, table: ReportedRows
) -> dict[tuple[int, ...], int]:
    """Levels of the same variable, known by the same reference -> their first row."""
    return {
        other.contrast[0]: other.line
        for other in reversed(table)
        if other.contrast and other.contrast[1] == reference and other.cases == cases
    }


def _with_class(counts: CountTable, i: int, level_count: int, reference_count: int) -> CountTable:
    level, reference = list(counts[0]), list(counts[1])
    level[i], reference[i] = level_count, reference_count
    return tuple(level), tuple(reference)


_NEEDS = ("contrast", "odds_scale")
CHECKS = (
    Check(rule=ESTIMATE, applies_to=("estimate",), needs=_NEEDS, find=estimates_from_counts),
    Check(rule=P_VALUE, applies_to=("estimate", "p"), needs=_NEEDS, find=each(p_from_counts)),
    Check(
        rule=INTERVAL,
        applies_to=ESTIMATE_INTERVAL,
        needs=_NEEDS,
        find=each(interval_from_counts),
    ),
)
