"""A row of reported results: its cells, the figures that follow from them, and quotations."""

from dataclasses import dataclass, field

from idhray.stats.audit.printed_number import PrintedNumber, PrintedP

NAMES = ("set", "row", "source", "group", "scale", "threshold", "compared_with")
CASES = ("n", "n_mutant", "n_wildtype")
MEANS = ("repeats", "folds")
SHARES_OF_1 = ("sensitivity", "specificity", "accuracy", "ppv", "npv", "auc")
SHARES = tuple(f"{name}{end}" for name in SHARES_OF_1 for end in ("", "_low", "_high"))
NUMBERS = ("estimate", "low", "high")
FIGURES = (*CASES, *SHARES, "accuracy_count", *NUMBERS, "p", "counts")
COLUMNS = (*NAMES, *MEANS, *FIGURES)
BETA, ODDS_RATIO = "beta", "odds ratio"
HAZARD_RATIO, RELATIVE_RISK = "hazard ratio", "relative risk"
EFFECT_RATIOS = (ODDS_RATIO, HAZARD_RATIO, RELATIVE_RISK)
POSITIVE_LR, NEGATIVE_LR = "positive likelihood ratio", "negative likelihood ratio"
LIKELIHOOD_RATIOS = (POSITIVE_LR, NEGATIVE_LR)
RATIOS = (*EFFECT_RATIOS, *LIKELIHOOD_RATIOS)
"""Scales whose logarithm has the Wald interval."""
KAPPA, MEAN_DIFFERENCE, AREA_DIFFERENCE = "kappa", "mean difference", "auc difference"
WITHIN_1 = (KAPPA, AREA_DIFFERENCE)
"""Scales from -1 to 1."""
SCALES = {
    **{scale: scale for scale in (BETA, *RATIOS, KAPPA, MEAN_DIFFERENCE, AREA_DIFFERENCE)},
    "or": ODDS_RATIO,
    "hr": HAZARD_RATIO,
    "rr": RELATIVE_RISK,
    "risk ratio": RELATIVE_RISK,
    **dict.fromkeys(("lr+", "plr"), POSITIVE_LR),
    **dict.fromkeys(("lr-", "nlr"), NEGATIVE_LR),
    **dict.fromkeys(("cohen's kappa", "weighted kappa"), KAPPA),
    **dict.fromkeys(("md", "difference"), MEAN_DIFFERENCE),
    "difference in auc": AREA_DIFFERENCE,
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
    compared_with: str = ""
    """Name of the row of the same set that P compares this one with."""
    repeats: int | None = None
    """Trainings on the same patients whose figures were averaged."""
    folds: int | None = None
    """Folds whose figures were averaged; n counts the patients of all."""
    n: int | None = None
    n_mutant: int | None = None
    n_wildtype: int | None = None
    sensitivity: PrintedNumber | None = None
    specificity: PrintedNumber | None = None
    accuracy: PrintedNumber | None = None
    accuracy_count: tuple[int, int] | None = None
    ppv: PrintedNumber | None = None
    npv: PrintedNumber | None = None
    sensitivity_low: PrintedNumber | None = None
    sensitivity_high: PrintedNumber | None = None
    specificity_low: PrintedNumber | None = None
    specificity_high: PrintedNumber | None = None
    accuracy_low: PrintedNumber | None = None
    accuracy_high: PrintedNumber | None = None
    ppv_low: PrintedNumber | None = None
    ppv_high: PrintedNumber | None = None
    npv_low: PrintedNumber | None = None
    npv_high: PrintedNumber | None = None
    auc: PrintedNumber | None = None
    auc_low: PrintedNumber | None = None
    auc_high: PrintedNumber | None = None
    estimate: PrintedNumber | None = None
    low: PrintedNumber | None = None
    high: PrintedNumber | None = None
    p: PrintedP | None = None
    counts: CountTable | None = None

    @property
    def runs(self) -> int:
        """Number of repeats in a mean; 1 if the column is empty."""
        return self.repeats or 1

    @property
    def is_mean(self) -> bool:
        """True if the figures are means over repeats or folds."""
        return self.runs * (self.folds or 1) > 1

    @property
    def one_fold(self) -> str:
        """Empty for means over folds: they are shares of no single number of patients."""
        return "" if (self.folds or 1) > 1 else "1"

    @property
    def one_training(self) -> str:
        """Empty for means over repeats or folds."""
        return "" if self.is_mean else "1"

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
    def likelihood_scale(self) -> str:
        """The scale, or "" if it is no likelihood ratio."""
        return self.scale if self.scale in LIKELIHOOD_RATIOS else ""

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
        """P, or None if it belongs to an estimate, to counts, or to a comparison of two rows."""
        other = self.estimate or self.counts or self.compared_with
        return None if other else self.p

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
        return self.interval_text("auc").replace("auc", "AUC")

    @property
    def mean_text(self) -> str:
        """` as a mean of 5 repeats`, or empty for a single training."""
        return f" as a mean of {self.runs} repeats" if self.runs > 1 else ""

    def interval_text(self, name: str) -> str:
        """A share with its interval, in words."""
        share, low, high = (quoted(getattr(self, f"{name}{end}")) for end in ("", "_low", "_high"))
        return f"{name} {share} ({low} to {high})"

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
