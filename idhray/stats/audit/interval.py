"""An estimate with its interval and P in print, and what standard error each of them means.

All is done on the scale on which a Wald interval is symmetric: the beta itself, the log of an odds
ratio, hazard ratio or relative risk. What is printed is a span (`printed_number`), and so is all
that follows from it.
"""

from dataclasses import dataclass
from math import inf, log
from typing import Literal

from scipy import stats

from idhray.stats.audit.printed_number import PrintedNumber, PrintedP, Span
from idhray.stats.audit.reported import RATIOS, ReportedRow

Z95 = float(stats.norm.ppf(0.975))
Z_PRINTED = (1.959, 1.9605)
"""What software and calculators take for it: 1.96, 1.959964, the root of 3.84."""
PROFILE_LEAN = 1.5  # so much longer on one side is usual for a profile-likelihood interval
FAR_RATIO, FAR_GAP = 1.5, 0.25  # of z; Wald, score and likelihood-ratio tests differ by less
FAR_FACTOR = 3.0  # of P

Agreement = Literal["yes", "significance", "no"]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Spans of an estimate and of the ends of its 95% interval, on the scale of the beta."""

    estimate: Span
    low: Span
    high: Span
    printed: tuple[float, float, float]
    """Estimate, low and high as they stand there."""

    def standard_error(self) -> float:
        """What the printed ends mean."""
        return (self.printed[2] - self.printed[1]) / 2 / Z95

    def symmetric(self) -> bool:
        """Whether both sides may be equally long."""
        low, high = self.low[0] + self.high[0], self.low[1] + self.high[1]
        return low <= 2 * self.estimate[1] and 2 * self.estimate[0] <= high

    def half(self) -> Span:
        """Half its width; from the shorter to the longer side where it is not symmetric."""
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
        """How many times longer, at least, the side away from 0 is; below 1: the one towards 0."""
        left = self.estimate[0] - self.low[1], self.estimate[1] - self.low[0]
        right = self.high[0] - self.estimate[1], self.high[1] - self.estimate[0]
        away, towards = (right, left) if sum(self.estimate) > 0 else (left, right)
        if away[0] > towards[1]:
            return away[0] / towards[1] if towards[1] > 0 else inf
        return away[1] / towards[0] if towards[0] > 0 else 0.0

    def excludes_zero(self) -> bool | None:
        """Whether it does; None where that depends on the rounding."""
        if self.low[0] > 0 or self.high[1] < 0:
            return True
        return False if self.low[1] < 0 < self.high[0] else None


def interval_of(row: ReportedRow, scale: str) -> Interval | None:
    """The interval of a row, read on one of the scales; None where it cannot be one of it.

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
    """The logarithm; minus infinity for what has none."""
    return log(value) if value > 0 else -inf


def holds_estimate(row: ReportedRow) -> bool:
    """Whether the ends are in order, with the estimate between them."""
    return row.estimate is None or in_order(row.estimate, row.low, row.high)


def in_order(
    estimate: PrintedNumber, low: PrintedNumber | None, high: PrintedNumber | None
) -> bool:
    """Whether low <= estimate <= high, as far as the printed digits say."""
    if low is None or high is None:
        return True
    return low.may_be_below(estimate) and estimate.may_be_below(high) and low.may_be_below(high)


def z_of_p(p: PrintedP) -> Span:
    """The |z| of a two-sided P: infinite for 0."""
    low, high = p.span()
    return float(stats.norm.isf(high / 2)), float(stats.norm.isf(low / 2))


def p_of_z(z: float) -> float:
    """Two-sided."""
    return float(2 * stats.norm.sf(abs(z)))


def agreement(interval: Interval, p: PrintedP) -> Agreement:
    """Whether an interval and a P mean the same standard error.

    Returns:
        `yes` where rounding, or a longer side on one end, explains all; `significance` where the
        test is another than the interval's and crosses .05; `no` where z differs by half or more.
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
    """Whether P is another than the interval's by a factor of 3, and z by .25 beyond rounding.

    That is less than a contradiction: likelihood-ratio, score and exact tests do it as well.
    """
    smaller, larger = sorted((interval.z(), z_of_p(p)), key=lambda span: span[0])
    if larger[0] - smaller[1] <= FAR_GAP:
        return False
    printed = float(p.number.value) or p.span()[1]
    meant = implied_p(interval)
    return max(printed, meant) >= FAR_FACTOR * min(printed, meant)


def implied_p(interval: Interval) -> float:
    """Wald's P of an estimate with the standard error that its printed interval means."""
    se = interval.standard_error()
    return p_of_z(interval.printed[0] / se) if se else 0.0
