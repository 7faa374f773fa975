"""A row of reported results: its cells, the figures that follow from them, and quotations."""

from dataclasses import dataclass, field

from idhray.stats.audit.printed_number import PrintedNumber, PrintedP

NAMES = ("set", "row", "source", "group", "scale", "threshold")
CASES = ("n", "n_mutant", "n_wildtype")
SHARES = ("sensitivity", "specificity", "accuracy", "ppv", "npv", "auc", "auc_low", "auc_high")
NUMBERS = ("estimate", "low", "high")
FIGURES = (*CASES, *SHARES, "accuracy_count", *NUMBERS, "p", "counts")
COLUMNS = (*NAMES, *FIGURES)
BETA, ODDS_RATIO = "beta", "odds ratio"
HAZARD_RATIO, RELATIVE_RISK = "hazard ratio", "relative risk"
RATIOS = (ODDS_RATIO, HAZARD_RATIO, RELATIVE_RISK)
"""Scales whose logarithm has the Wald interval."""
SCALES = {
    **{scale: scale for scale in (BETA, *RATIOS)},
    "or": ODDS_RATIO,
    "hr": HAZARD_RATIO,
    "rr": RELATIVE_RISK,
    "risk ratio": RELATIVE_RISK,
}
"""Spelling of a scale, in small letters and with spaces -> its name."""

CountTable = tuple[tuple[int, ...], ...]  # (levels, groups)


@dataclass(frozen=True, kw_only=True)
class ReportedRow:
    """One row of reported results; None or "" stands for an empty cell."""

    line: int
    row: str
    set: str = ""
    source: str = ""
    group: str = ""
    scale: str = ""
    threshold: str = ""
    n: int | None = None
    n_mutant: int | None = None
    n_wildtype: int | None = None
    sensitivity: PrintedNumber | None = None
    specificity: PrintedNumber | None = None
    accuracy: PrintedNumber | None = None
    accuracy_count: tuple[int, int] | None = None
    ppv: PrintedNumber | None = None
    npv: PrintedNumber | None = None
    auc: PrintedNumber | None = None
    auc_low: PrintedNumber | None = None
    auc_high: PrintedNumber | None = None
    estimate: PrintedNumber | None = None
    low: PrintedNumber | None = None
    high: PrintedNumber | None = None
    p: PrintedP | None = None
    counts: CountTable | None = None

    @property
    def cases(self) -> int | None:
        """n, or the sum of both classes if only they are reported."""
        if self.n is None and self.n_mutant is not None and self.n_wildtype is not None:
            return self.n_mutant + self.n_wildtype
        return self.n

    @property
    def mutants(self) -> int | None:
        """n_mutant, or n less the wildtypes."""
        return self.n_mutant if self.n_mutant is not None else self._others(self.n_wildtype)

    @property
    def wildtypes(self) -> int | None:
        """n_wildtype, or n less the mutants."""
        return self.n_wildtype if self.n_wildtype is not None else self._others(self.n_mutant)

    def _others(self, one_class: int | None) -> int | None:
        """Patients of the other class."""
        if self.n is None or one_class is None or one_class > self.n:
            return None
        return self.n - one_class

    @property
    def known_scale(self) -> str:
        """The scale, or "" if the rules do not know it."""
        return self.scale if self.scale in SCALES.values() else ""

    @property
    def odds_scale(self) -> str:
        """The scale, or "" if 2 x 2 counts do not give its estimate by logistic regression."""
        return self.scale if self.scale in (BETA, ODDS_RATIO) else ""

    @property
    def contrast(self) -> CountTable | None:
        """The counts of a level and its reference, 2 x 2, behind an estimate."""
        counts = self.counts
        return counts if counts and len(counts) == len(counts[0]) == 2 and self.estimate else None

    @property
    def tested_counts(self) -> CountTable | None:
        """The counts that P is the test of; None with an estimate, which P then belongs to."""
        return self.counts if self.estimate is None else None

    @property
    def p_of_counts(self) -> PrintedP | None:
        """P, or None with an estimate, which it then belongs to."""
        return self.p if self.estimate is None else None

    @property
    def p_of_area(self) -> PrintedP | None:
        """P, or None with an estimate or counts, which it then belongs to."""
        return self.p if self.estimate is None and self.counts is None else None

    @property
    def any_accuracy(self) -> object:
        """The accuracy, else its count."""
        return self.accuracy or self.accuracy_count

    @property
    def any_predictive(self) -> object:
        """The positive predictive value, else the negative one."""
        return self.ppv or self.npv

    @property
    def point_text(self) -> str:
        """The operating point, in words."""
        return f"sensitivity {quoted(self.sensitivity)}, specificity {quoted(self.specificity)}"

    @property
    def area_text(self) -> str:
        """The area with its interval, in words."""
        return f"AUC {quoted(self.auc)} ({quoted(self.auc_low)} to {quoted(self.auc_high)})"

    @property
    def estimate_text(self) -> str:
        """The estimate with its interval and P, in words."""
        interval = f" ({quoted(self.low)} to {quoted(self.high)})" if self.low and self.high else ""
        p = f", P {self.p.text}" if self.p else ""
        return f"{self.scale or 'estimate'} {quoted(self.estimate)}{interval}{p}"

    def has(self, *names: str) -> bool:
        """True if all of these are reported, or follow from reported figures."""
        return all(getattr(self, name) not in (None, "") for name in names)


def counts_text(counts: CountTable) -> str:
    """As in the file: `4/20; 76/18`."""
    return "; ".join("/".join(str(cell) for cell in level) for level in counts)


def with_article(scale: str) -> str:
    """The name of a scale with its article."""
    return f"an {scale}" if scale == ODDS_RATIO else f"a {scale}"


def quoted(number: PrintedNumber | None) -> str:
    """A number as it was printed, or a dash."""
    return number.text if number else "-"


@dataclass(frozen=True, kw_only=True)
class ReportedTable:
    """The rows of a file, and notices about columns and scales that are not read."""

    rows: tuple[ReportedRow, ...]
    notices: tuple[str, ...] = field(default=())
