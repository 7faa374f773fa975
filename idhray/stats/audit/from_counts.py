"""Estimates, their intervals and P values against the counts that they were computed from."""

from collections import Counter
from collections.abc import Iterator
from math import inf, isfinite

from idhray.stats.audit.contrasts import (
    CONDITIONAL,
    FIRTH,
    MAXIMUM,
    WALD,
    beta_intervals,
    betas,
    contrast_p_values,
    firth_p_values,
    log_odds_ratio,
    standard_error,
)
from idhray.stats.audit.count_intervals import fitting_intervals
from idhray.stats.audit.findings import Check, Finding, Rows, Severity, each, finding
from idhray.stats.audit.printed_number import shortly
from idhray.stats.audit.reported import ODDS_RATIO, Counts, ReportedRow
from idhray.stats.audit.slips import counts_text, on_scale, slip

ESTIMATE = "estimate follows from its counts"
INTERVAL = "interval follows from its counts"
P_VALUE = "P of an estimate follows from its counts"
_SEPARATED = 8.0  # betas beyond it are where software stopped on its way to infinity


def estimates_from_counts(rows: Rows, table: Rows) -> Iterator[Finding]:
    """Log odds ratios of 2 x 2 counts by maximum likelihood, or by what the table uses instead.

    A single row that fits Firth's or the conditional estimate only, among rows by maximum
    likelihood, fits by chance, or was fitted otherwise than the rest.
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
        said = f"{row.scale} {row.estimate.text} from {counts_text(row.contrast)}"
        if method is None or (method not in (MAXIMUM, habit) and MAXIMUM in values):
            severity, reason = _why_not(row, row.contrast, values)
            if method is not None:
                severity = "suspicious"
                reason += f", {method} {shortly(values[method], 3)}, unlike the other rows"
            yield finding(
                row, ESTIMATE, severity, printed=said, reason=reason, fits=slip(row, table)
            )
        else:
            cut = ", digits cut off" if reading[method] == "truncated" else ""
            reason = f"{method}: {shortly(values[method], 4)}{cut}"
            yield finding(row, ESTIMATE, "remark", printed=said, reason=reason)


def _values(row: ReportedRow) -> dict[str, float]:
    """Method -> the estimate that it gives, on the scale of the row."""
    assert row.contrast is not None
    found = {name: on_scale(beta, row.scale) for name, beta in betas(row.contrast).items()}
    if row.scale == ODDS_RATIO and log_odds_ratio(row.contrast) == -inf:
        found[MAXIMUM] = 0.0  # an odds ratio of 0 exists, its logarithm does not
    return found


def _readings(row: ReportedRow) -> dict[str, str]:
    """Method -> `rounded` or `truncated`: those that give the printed estimate."""
    if row.estimate is None:
        return {}
    found = {name: row.estimate.reading(value) for name, value in _values(row).items()}
    return {name: reading for name, reading in found.items() if reading}


def _why_not(row: ReportedRow, counts: Counts, values: dict[str, float]) -> tuple[Severity, str]:
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
    """Wald's P of the contrast, or that of a test of the same counts.

    Silent on a zero cell, where Wald's does not exist and a penalized one may have been printed.
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
        cut = ", digits cut off" if readings[method] == "truncated" else ""
        reason = f"{method}: {shortly(values[method])}{cut}"
        yield finding(row, P_VALUE, "remark", printed=printed, reason=reason)
        return
    texts = (f"{name} {shortly(p)}" for name, p in of_counts.items())
    reason = f"the counts give {', '.join(texts)}"
    fits = f"Wald's would be printed {row.p.like(values[WALD])}"
    yield finding(row, P_VALUE, "contradiction", printed=printed, reason=reason, fits=fits)


def interval_from_counts(row: ReportedRow) -> Iterator[Finding]:
    """Wald's, profile-likelihood or exact, plain or of Firth's penalized likelihood."""
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


def _ends(counts: Counts, scale: str) -> str:
    texts = (
        f"{name} {shortly(on_scale(low, scale))} to {shortly(on_scale(high, scale))}"
        for name, (low, high) in beta_intervals(counts).items()
    )
    return ", ".join(texts)


_NEEDS = ("contrast", "odds_scale")
CHECKS = (
    Check(rule=ESTIMATE, given=("estimate",), needs=_NEEDS, find=estimates_from_counts),
    Check(rule=P_VALUE, given=("estimate", "p"), needs=_NEEDS, find=each(p_from_counts)),
    Check(
        rule=INTERVAL,
        given=("estimate", "low", "high"),
        needs=_NEEDS,
        find=each(interval_from_counts),
    ),
)
