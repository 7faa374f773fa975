"""How an interval that contradicts its P probably came about."""

from dataclasses import replace
from math import exp, inf, sqrt
from typing import Any

from scipy import stats

from idhray.stats.audit.interval import Z95, Z_PRINTED, Interval, agreement, interval_of, z_of_p
from idhray.stats.audit.printed_number import PrintedNumber, PrintedP, Span, shortly
from idhray.stats.audit.reported import BETA, RATIOS, ReportedRow

_LEVELS = {
    "half its width is one standard error, not 1.96": 1.0,
    "it is a 90% interval": 1.644854,
    "it is a 99% interval": 2.575829,
}
_FEWEST_CASES = 10  # below, 1 / sqrt(n) is no distinct factor


def error_of_p(interval: Interval, p: PrintedP) -> Span:
    """The standard error that an estimate and its P mean."""
    (least, most), (weakest, strongest) = interval.size(), z_of_p(p)
    return least / strongest if strongest else inf, most / weakest if weakest else inf


def half_in_errors(interval: Interval, p: PrintedP) -> Span:
    """Half the printed width in standard errors that follow from P; 1.96 if all is well."""
    (shortest, longest), (smallest, largest) = interval.half(), error_of_p(interval, p)
    return shortest / largest if largest else inf, longest / smallest if smallest else inf


def divided_by_sqrt_n(interval: Interval, p: PrintedP, n: int | None) -> bool:
    """Whether half the width is 1.96 * SE / sqrt(n), the SE being that of P.

    As though the standard error were a standard deviation. A P such as `<0.001` cannot tell.
    """
    if p.relation != "=" or n is None or n < _FEWEST_CASES or not interval.symmetric():
        return False
    low, high = half_in_errors(interval, p)
    return low <= Z_PRINTED[1] / sqrt(n) and Z_PRINTED[0] / sqrt(n) <= high


def diagnosis(row: ReportedRow, interval: Interval, p: PrintedP) -> str:
    """What explains a contradiction between an interval and P, and the interval that P means."""
    z = float(stats.norm.isf(float(p.number.value) / 2))
    if p.relation != "=" or not 0 < z < inf:
        return ""
    se = abs(interval.printed[0]) / z
    if divided_by_sqrt_n(interval, p, row.cases):
        text = sqrt_n_text(row, interval, se)
    elif level := other_level(interval, p):
        text = level
    elif agreement(interval, _doubled(p)) == "yes":
        text = "P is one-sided"
    elif (
        row.scale in RATIOS
        and (beta := interval_of(row, BETA))
        and (divided_by_sqrt_n(beta, p, row.cases))
    ):
        return f"a beta: {diagnosis(replace(row, scale=BETA), beta, p)}"
    else:
        text = "no usual slip explains it"
    return f"{text}; P means a 95% interval of {wald_text(interval, se, row.scale)}"


def other_level(interval: Interval, p: PrintedP) -> str:
    """Which other multiple of the standard error an interval may be; empty if none is."""
    if p.relation != "=" or not interval.symmetric():
        return ""
    low, high = half_in_errors(interval, p)
    return next((name for name, m in _LEVELS.items() if low <= m <= high), "")


def sqrt_n_text(row: ReportedRow, interval: Interval, se: float) -> str:
    """The sentence on a standard error that was divided by sqrt(n)."""
    half, rule = Z95 * interval.standard_error(), Z95 * se / sqrt(row.cases or 1)
    log_of = " of its logarithm" if row.scale in RATIOS else ""
    return (
        f"half the width{log_of} is {shortly(half)}, and 1.96 * SE / sqrt({row.cases}) is "
        f"{shortly(rule)} with the SE of P: the standard error was divided by sqrt(n)"
    )


def wald_text(interval: Interval, se: float, scale: str) -> str:
    """The 95% interval of an estimate with that standard error, for a beta also as odds ratio."""
    beta = interval.printed[0]
    ends = [round(beta + side * Z95 * se, 9) for side in (-1, 1)]
    ratio = [shortly(exp(min(value, 700.0))) for value in (beta, *ends)]
    if scale in RATIOS:
        return f"{ratio[1]} to {ratio[2]}"
    text = f"{shortly(ends[0])} to {shortly(ends[1])}"
    return f"{text} (odds ratio {ratio[0]}, {ratio[1]} to {ratio[2]})"


def lost_sign(row: ReportedRow) -> str:
    """How an interval without its estimate becomes one that has it in the middle, if it does."""
    names = {"low": "the lower end", "high": "the upper end", "estimate": "the estimate"}
    for ends in (("low",), ("high",), ("low", "high"), ("estimate",)):
        changed: dict[str, Any] = {end: _negative(getattr(row, end)) for end in ends}
        restored = replace(row, **changed)
        interval = interval_of(restored, row.scale)
        if interval is None or not interval.symmetric() or row.scale in RATIOS:
            continue
        changed_ends = " and ".join(names[end] for end in ends)
        text = f"with the other sign of {changed_ends}: {replace(restored, p=None).estimate_text}"
        if row.p is not None and agreement(interval, row.p) == "no":
            text += f"; then {diagnosis(restored, interval, row.p)}"
        return text
    exchanged = replace(row, low=row.high, high=row.low)
    return "with the ends exchanged" if interval_of(exchanged, row.scale) else ""


def _negative(number: PrintedNumber) -> PrintedNumber:
    text = number.text[1:] if number.text.startswith("-") else f"-{number.text}"
    return replace(number, text=text, value=-number.value)


def _doubled(p: PrintedP) -> PrintedP:
    number = replace(p.number, value=2 * p.number.value, unit=2 * p.number.unit)
    return replace(p, number=number)
