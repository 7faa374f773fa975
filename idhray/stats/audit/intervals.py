"""An estimate with its interval and P: the standard error of each, and causes of contradictions.

All is done on the scale on which a Wald interval is symmetric: the beta itself, the log of an odds
ratio, hazard ratio or relative risk. Printed numbers are spans (`printed_number`), and so is
all that follows from them.
"""

from dataclasses import dataclass, replace
from math import exp, inf, log, sqrt
from typing import Any, Literal

from scipy import stats

from idhray.stats.audit.printed_number import PrintedNumber, PrintedP, Span, shortly
from idhray.stats.audit.reported import BETA, RATIOS, ReportedRow

Z95 = float(stats.norm.ppf(0.975))
Z_PRINTED = (1.959, 1.9605)
"""Lowest and highest z that programs use for 95%: 1.96, 1.959964, the root of 3.84."""
PROFILE_LEAN = 1.5  # so much longer on one side is usual for a profile-likelihood interval
FAR_RATIO, FAR_GAP = 1.5, 0.25  # of z; Wald, score and likelihood-ratio tests differ by less
FAR_FACTOR = 3.0  # of P
_LEVELS = {
    "half its width is one standard error, not 1.96": 1.0,
    "it is a 90% interval": 1.644854,
    "it is a 99% interval": 2.575829,
}
_FEWEST_CASES = 10  # below, 1 / sqrt(n) is no distinct factor

Agreement = Literal["yes", "significance", "no"]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Spans of an estimate and of the ends of its 95% interval, on the scale of the beta."""

    estimate: Span
    low: Span
    high: Span
    printed: tuple[float, float, float]
    """Estimate, low and high as printed, without their spans."""

    def standard_error(self) -> float:
        """Standard error that the printed ends mean."""
        return (self.printed[2] - self.printed[1]) / 2 / Z95

    def symmetric(self) -> bool:
        """True if both sides may be equally long."""
        low, high = self.low[0] + self.high[0], self.low[1] + self.high[1]
        return low <= 2 * self.estimate[1] and 2 * self.estimate[0] <= high

    def half(self) -> Span:
        """Half of the width; from the shorter to the longer side if it is not symmetric."""
        if self.symmetric():
            return max(self.high[0] - self.low[1], 0) / 2, (self.high[1] - self.low[0]) / 2
        left = self.estimate[0] - self.low[1], self.estimate[1] - self.low[0]
        right = self.high[0] - self.estimate[1], self.high[1] - self.estimate[0]
        return max(min(left[0], right[0]), 0), max(left[1], right[1])

    def size(self) -> Span:
        """The absolute estimate."""
        low, high = self.estimate
        return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))

    def z(self) -> Span:
        """The absolute estimate in standard errors of the interval."""
        (least, most), (shortest, longest) = self.size(), self.half()
        return Z95 * least / longest if longest else inf, Z95 * most / shortest if shortest else inf

    def lean(self) -> float:
        """Length of the side away from 0 over the other, as near to 1 as rounding allows."""
        left = self.estimate[0] - self.low[1], self.estimate[1] - self.low[0]
        right = self.high[0] - self.estimate[1], self.high[1] - self.estimate[0]
        away, towards = (right, left) if sum(self.estimate) > 0 else (left, right)
        if away[0] > towards[1]:
            return away[0] / towards[1] if towards[1] > 0 else inf
        return away[1] / towards[0] if towards[0] > 0 else 0.0

    def excludes_zero(self) -> bool | None:
        """True or False; None if it depends on the rounding."""
        if self.low[0] > 0 or self.high[1] < 0:
            return True
        return False if self.low[1] < 0 < self.high[0] else None


def interval_of(row: ReportedRow, scale: str) -> Interval | None:
    """The interval of a row on one of the scales; None if it cannot be on that scale.

    The numbers must be in order: an interval that excludes its estimate means no standard error.
    """
    numbers = (row.estimate, row.low, row.high)
    if None in numbers or not holds_estimate(row):
        return None
    spans = [number.span() for number in numbers if number is not None]
    values = [float(number.value) for number in numbers if number is not None]
    if scale in RATIOS:
        if spans[0][0] <= 0 or spans[1][1] <= 0 or spans[2][0] <= 0:
            return None
        spans = [(log_or_below(low), log_or_below(high)) for low, high in spans]
        values = [log_or_below(value) for value in values]
    estimate, low, high = spans
    printed = values[0], values[1], values[2]
    return Interval(estimate=estimate, low=low, high=high, printed=printed)


def log_or_below(value: float) -> float:
    """The logarithm; minus infinity for 0 and below."""
    return log(value) if value > 0 else -inf


def holds_estimate(row: ReportedRow) -> bool:
    """True if the ends are in order, with the estimate between them."""
    return row.estimate is None or in_order(row.estimate, row.low, row.high)


def in_order(
    estimate: PrintedNumber, low: PrintedNumber | None, high: PrintedNumber | None
) -> bool:
    """True if low <= estimate <= high, as far as the printed digits tell."""
    if low is None or high is None:
        return True
    return low.may_be_below(estimate) and estimate.may_be_below(high) and low.may_be_below(high)


def z_of_p(p: PrintedP) -> Span:
    """The |z| of a two-sided P: infinite for 0."""
    low, high = p.span()
    return float(stats.norm.isf(high / 2)), float(stats.norm.isf(low / 2))


def p_of_z(z: float) -> float:
    """Two-sided P of a z."""
    return float(2 * stats.norm.sf(abs(z)))


def agreement(interval: Interval, p: PrintedP) -> Agreement:
    """Agreement of the standard errors that an interval and a P mean.

    Returns:
        `yes` if rounding, or a longer side on one end, explains all; `significance` if the test
        is another than the interval's and crosses .05; `no` if z differs by half or more.
    """
    of_interval, of_p = interval.z(), z_of_p(p)
    smaller, larger = sorted((of_interval, of_p), key=lambda span: span[0])
    if larger[0] <= smaller[1]:
        return "yes"
    if larger[0] > FAR_RATIO * smaller[1] and larger[0] - smaller[1] > FAR_GAP:
        return "no"
    excludes, (low, high) = interval.excludes_zero(), p.span()
    crossed = (excludes is True and low > 0.05) or (excludes is False and high < 0.05)
    return "significance" if crossed else "yes"


def apart(interval: Interval, p: PrintedP) -> bool:
    """True if P differs from the interval's by a factor of 3, and z by .25 beyond rounding.

    That is less than a contradiction: likelihood-ratio, score and exact tests do it as well.
    """
    smaller, larger = sorted((interval.z(), z_of_p(p)), key=lambda span: span[0])
    if larger[0] - smaller[1] <= FAR_GAP:
        return False
    printed = float(p.number.value) or p.span()[1]
    meant = implied_p(interval)
    return max(printed, meant) >= FAR_FACTOR * min(printed, meant)


def overlap(span: Span, ends: Span) -> bool:
    """True if two spans share a value; the ends of the second may be in either order."""
    return span[0] <= max(ends) and span[1] >= min(ends)


def implied_p(interval: Interval) -> float:
    """Wald's P of an estimate with the standard error that its printed interval means."""
    se = interval.standard_error()
    return p_of_z(interval.printed[0] / se) if se else 0.0


def error_of_p(interval: Interval, p: PrintedP) -> Span:
    """Standard error that an estimate and its P mean."""
    (least, most), (weakest, strongest) = interval.size(), z_of_p(p)
    return least / strongest if strongest else inf, most / weakest if weakest else inf


def half_in_errors(interval: Interval, p: PrintedP) -> Span:
    """Half the printed width in standard errors that follow from P; 1.96 if all is well."""
    (shortest, longest), (smallest, largest) = interval.half(), error_of_p(interval, p)
    return shortest / largest if largest else inf, longest / smallest if smallest else inf


def divided_by_sqrt_n(interval: Interval, p: PrintedP, n: int | None) -> bool:
    """True if half the width is 1.96 * SE / sqrt(n), with the SE of P.

    The standard error was then taken for a standard deviation. A P such as `<0.001` cannot tell.
    """
    if p.relation != "=" or n is None or n < _FEWEST_CASES or not interval.symmetric():
        return False
    low, high = half_in_errors(interval, p)
    return low <= Z_PRINTED[1] / sqrt(n) and Z_PRINTED[0] / sqrt(n) <= high


def diagnosis(row: ReportedRow, interval: Interval, p: PrintedP) -> str:
    """The cause of a contradiction between an interval and P, and the interval that P means."""
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
    """Another multiple of the standard error that an interval may be; empty if none is."""
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
    if scale != BETA:
        return text
    return f"{text} (odds ratio {ratio[0]}, {ratio[1]} to {ratio[2]})"


def lost_sign(row: ReportedRow) -> str:
    """The sign or order of ends that puts an estimate in the middle of its interval, if any."""
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
