"""Park 2021, table 2, multivariable: the rule behind the printed "95% confidence intervals".

The coefficients need the patients. But beta and P fix the standard error, and that fixes the
interval: every rule that may have been used is tried on all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, nan, sqrt

from scipy import stats

from benchmarks.papers.cells import (
    Block,
    Cell,
    Row,
    Status,
    float_in,
    number_in,
    typed,
    unavailable,
)
from benchmarks.papers.park_features import contrast, feature_counts, splits
from idhray.stats.audit.contrasts import standard_error
from idhray.stats.audit.intervals import Z95, p_of_z
from idhray.stats.audit.printed_number import Span, shortly

RULES: dict[str, Callable[[float, int], float]] = {
    "1.96*SE": lambda se, n: Z95 * se,
    "1.96*SE/sqrt(n)": lambda se, n: Z95 * se / sqrt(n),
    "SE": lambda se, n: se,
    "SE/sqrt(n)": lambda se, n: se / sqrt(n),
    "1.96*SE/n": lambda se, n: Z95 * se / n,
}


@dataclass(frozen=True)
class WaldInterval:
    """A printed estimate with its interval; n is the number of cases of its model."""

    row: Row
    n: int
    beta: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of the printed width."""
        return (self.high - self.low) / 2

    @property
    def label(self) -> str:
        """Feature and model."""
        return self.row["row"].replace(" multivariable,", "")

    @property
    def bounded(self) -> bool:
        """True if P is a bound such as `<0.001`, which fixes no standard error."""
        return self.row["p"].startswith("<")

    def slack(self, *names: str) -> float:
        """Largest shift of the mean of these columns by rounding."""
        return sum(float(number_in(self.row[name]).unit) for name in names) / 2 / len(names)

    @property
    def centered(self) -> bool:
        """True if the estimate may lie in the middle before rounding."""
        allowed = self.slack("low", "high") + self.slack("estimate") + 1e-9
        return abs((self.low + self.high) / 2 - self.beta) <= allowed

    def standard_errors(self) -> Span:
        """Standard errors that the printed beta and P allow (Wald); from 0 for `P < 0.001`."""
        size, half, p = abs(self.beta), self.slack("estimate"), float_in(self.row["p"])
        if self.bounded:
            return 0.0, (size + half) / _z_of(p)
        weakest, strongest = _z_of(min(p + self.slack("p"), 1.0)), _z_of(p - self.slack("p"))
        return max(size - half, 0.0) / strongest, (size + half) / weakest if weakest > 0 else inf

    def follows(self, rule: str) -> bool:
        """True if the rule gives the printed half-width for some allowed standard error."""
        low, high = (RULES[rule](se, self.n) for se in self.standard_errors())
        slack = self.slack("low", "high")
        overlap = low <= self.half + slack and self.half - slack <= high
        return self.centered and self.high > self.low and overlap

    def likely_se(self, rule: str) -> float:
        """Standard error of beta and P as printed; of the interval if P is only a bound."""
        if self.bounded:
            return self.half / RULES[rule](1.0, self.n)
        return abs(self.beta) / _z_of(float_in(self.row["p"]))

    def true_interval(self, rule: str) -> str:
        """The 95% interval that beta and its standard error do give, and the odds ratio."""
        half = Z95 * self.likely_se(rule)
        low, high = self.beta - half, self.beta + half
        ratio, least, most = (shortly(exp(end)) for end in (self.beta, low, high))
        ends = f"{low:.2f} to {round(high, 2) + 0.0:.2f}"
        return f"a true one is {ends} (OR {ratio}, {least} to {most})"

    def mended(self, rule: str) -> str:
        """The interval with one sign changed, where it then follows the rule."""
        for low, high in ((-self.low, self.high), (self.low, -self.high)):
            if replace(self, low=low, high=high).follows(rule):
                return f"with the lost minus sign, {low:g}, {high:g} follows the rule"
        return ""


def _z_of(p: float) -> float:
    return float(stats.norm.isf(max(p, 0.0) / 2))


def interval_of(row: Row) -> WaldInterval:
    """A row of the table as numbers."""
    beta, low, high = (float_in(row[name]) for name in ("estimate", "low", "high"))
    return WaldInterval(row, int(row["n"]), beta, low, high)


def multivariable() -> Block:
    """21 intervals, the rule that most of them follow, and the faults of the others."""
    rows = [row for row in typed("park2021_table2") if row["analysis"] == "multivariable"]
    intervals = [interval_of(row) for row in rows]
    following = {rule: [i for i in intervals if i.follows(rule)] for rule in RULES}
    best = max(following, key=lambda rule: len(following[rule]))
    mended = [i for i in intervals if not i.follows(best) and i.mended(best)]
    terms, events = sum(row["model"] == "1" for row in rows), int(rows[0]["n_mutant"])
    findings, first = [], intervals[0]
    for rule, fitting in following.items():
        bounds = sum(i.bounded for i in fitting)
        end = f", {bounds} of them by a bound on P only." if bounds else "."
        findings.append(f"{rule}: {len(fitting)} of {len(rows)} intervals{end}")
    reason = "needs the joint distribution of the features, or the patients"
    return Block(
        'Table 2, multivariable: the "95% confidence intervals"',
        [
            *(_cell(interval, best, intervals) for interval in intervals),
            *(
                unavailable((f"all rows, model {m}", "beta and P"), f"{terms} of each", reason)
                for m in (1, 2, 3)
            ),
        ],
        [
            *findings,
            f"{len(following[best]) + len(mended)} of {len(rows)} follow {best}, {len(mended)} of "
            "them with a lost minus sign put back. Only 1.96*SE would be a 95% interval.",
            f"Read as a true 95% interval, {first.row['low']} to {first.row['high']} of "
            f"{first.label} would mean P {p_of_z(first.beta / (first.half / Z95)):.0e}, not "
            f"{first.row['p']}.",
            f"All {terms} terms stand in every model, so no stepwise elimination is visible; "
            f"models 1 and 2 have {events}/{terms} = {events / terms:.1f} events per term.",
        ],
    )


def _cell(interval: WaldInterval, rule: str, intervals: Sequence[WaldInterval]) -> Cell:
    row, beta, fits = interval.row, interval.beta, interval.follows(rule)
    outside = not interval.low <= beta <= interval.high
    status: Status = "match" if fits else "impossible" if outside else "mismatch"
    remark = interval.true_interval(rule) if fits else _faults(interval, rule, intervals)
    half, convention = RULES[rule](interval.likely_se(rule), interval.n), rule
    text = f"{beta - half:.3f}, {beta + half:.3f}"
    if interval.bounded:
        half, convention = nan, f"{rule}, at P {row['p']}"
        text = f"at most +-{RULES[rule](interval.standard_errors()[1], interval.n):.3f}"
    printed = f"{row['low']}, {row['high']}"
    return Cell(interval.label, "95% CI", printed, text, status, convention, remark, half)


def _faults(interval: WaldInterval, rule: str, intervals: Sequence[WaldInterval]) -> str:
    """Faults of an interval that does not follow the rule."""
    row = interval.row
    if mended := interval.mended(rule):
        return f"its lower end is above its upper one; {mended}"
    if not interval.low <= interval.beta <= interval.high:
        return f"does not contain its own estimate {row['estimate']}"
    if interval.bounded:
        levels = feature_counts()[row["variable"]]
        groups = splits(row, levels[row["level"]], levels[row["reference"]])
        literal, single = interval.half / Z95, standard_error(contrast(groups))
        assert literal < single
        return f"as a true interval, SE {literal:.2f} is below the univariable {single:.2f}"
    fault, feature = "not symmetric about the estimate", interval.label.split(",")[0]
    if interval.centered:
        p = p_of_z(interval.beta / (interval.half / RULES[rule](1.0, interval.n)))
        fault = f"the rule would mean P {shortly(p)}"
    for other in intervals:
        same = other is not interval and other.label.startswith(feature)
        if same and other.row["p"] == row["p"]:
            return f"{fault}; P {row['p']} is that of model {other.row['model']}"
    return f"{fault}; {interval.true_interval(rule)}"
