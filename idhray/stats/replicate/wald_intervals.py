"""Printed intervals of logistic coefficients, and the rules that may have made them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, sqrt

from scipy import stats

from idhray.stats.audit.printed_number import PrintedP, Span, printed_p
from idhray.stats.replicate.typed import Row, number_in
from idhray.stats.sample import SampleError

Z = float(stats.norm.ppf(0.975))
RULES: dict[str, Callable[[float, int], float]] = {
    "1.96*SE": lambda se, n: Z * se,
    "1.96*SE/sqrt(n)": lambda se, n: Z * se / sqrt(n),
    "SE": lambda se, n: se,
    "SE/sqrt(n)": lambda se, n: se / sqrt(n),
    "1.96*SE/n": lambda se, n: Z * se / n,
}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A printed estimate with its interval, P and what they say about the standard error."""

    row: Row
    low: float
    high: float
    beta: float
    slack: float
    """By how much rounding may have moved the half-width."""
    se: Span
    """Standard errors that the printed beta and P allow (Wald); from 0 for `P < 0.001`."""

    @property
    def half(self) -> float:
        """Half of the printed width."""
        return (self.high - self.low) / 2

    @property
    def n(self) -> int:
        """Patients and synthetic cases of the model."""
        return int(self.row["n"])

    @property
    def centered(self) -> bool:
        """Whether the estimate lies in the middle, as far as rounding lets one see."""
        allowed = self.slack + float(number_in(self.row["estimate"]).unit) / 2
        return abs((self.low + self.high) / 2 - self.beta) <= allowed + 1e-9

    def follows(self, rule: str) -> bool:
        """Whether the printed half-width is what the rule makes of some allowed standard error."""
        low, high = (RULES[rule](se, self.n) for se in self.se)
        overlap = low <= self.half + self.slack and self.half - self.slack <= high
        return self.centered and self.high > self.low and overlap

    def with_sign(self, *, low: float, high: float) -> "Interval":
        """The same with other ends."""
        return replace(self, low=low, high=high)


def interval_of(row: Row) -> Interval:
    """A row of the table as numbers."""
    ends = [number_in(row[name]) for name in ("low", "high")]
    low, high = (float(end.value) for end in ends)
    return Interval(
        row=row,
        low=low,
        high=high,
        beta=float(number_in(row["estimate"]).value),
        slack=sum(float(end.unit) for end in ends) / 4,
        se=_standard_errors(row),
    )


def _standard_errors(row: Row) -> Span:
    estimate, p = number_in(row["estimate"]), p_in(row["p"])
    size, half = abs(float(estimate.value)), float(estimate.unit) / 2
    if p.relation == "<":
        return 0.0, (size + half) / float(stats.norm.isf(float(p.number.value) / 2))
    unit = float(p.number.unit) / 2
    lowest, highest = float(p.number.value) - unit, min(float(p.number.value) + unit, 1.0)
    z_most, z_least = (float(stats.norm.isf(max(q, 0.0) / 2)) for q in (lowest, highest))
    return max(size - half, 0.0) / z_most, (size + half) / z_least if z_least > 0 else inf


def p_in(text: str) -> PrintedP:
    """A printed P value.

    Raises:
        SampleError: the text is none; the typed table has a slip.
    """
    found = printed_p(text)
    if found is None:
        raise SampleError(f"{text!r} is no P value; correct the typed table")
    return found
