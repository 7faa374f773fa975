"""The rule by which an experiment is decided, fixed before its results exist."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from idhray.errors import ConfigError
from idhray.stats.sample import CONFIDENCE

Generators = Literal["per fold and repeat", "per fold", "one", "unknown"]
Epochs = Literal["fixed", "chosen on validation", "unknown"]

MIN_REPEATS_ONE_FOLD, MIN_REPEATS_FOLDS = 5, 3
"""Fewest repeats of a verdict with one fold, and with two or more: with fewer, the variance
between trainings is too uncertain (at 2 repeats of one split the half width is .39)."""
MIN_FOLDS_OF_MEANS = 5
"""Fewest folds of a t test over fold means, which judges one generator per fold."""
FEW_UNITS_CONFIDENCE = 0.975
"""Confidence of the interval that decides where a claim rests on few independent generators."""
MIN_OF_A_CLASS = 8
"""Fewest test patients of a class in every fold before equivalence is claimed. With 6 + 6 patients
a fold, simulated studies with a true difference of .08 said "less than .08" in 4 to 8 %."""


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """The primary contrast of an experiment and what its verdict needs."""

    primary: str
    """The arm that is judged, such as `synthetic:600`; empty if no arm is compared."""
    baseline: str = "real"
    """The arm without added images."""
    controls: tuple[str, ...] = ()
    """Further arms that the primary arm must beat, such as `duplicate:600`, `more-real:600`."""
    absent_controls: Mapping[str, str] = field(default_factory=dict)
    """Control that was left out -> the reason, with its number."""
    margin: float = 0.02
    """Differences in AUC this small are irrelevant."""
    generators: Generators = "unknown"
    """Trainings of the generators: a pair for each fold and repeat, for each fold, or one in
    all."""
    equal_steps: bool = True
    """The primary arm and its controls ran the same number of optimizer steps."""
    baseline_steps_differ: bool = False
    """The baseline ran another number of optimizer steps than these, as in Liu et al. 2020."""
    repeats: tuple[int, ...] | None = None
    """Repeats that are judged; all if None. Trainings that chose the primary arm must not judge
    it."""
    exploratory: str = ""
    """Reason of a primary contrast that was changed after results: it never says "helps"."""
    unblinded: str = ""
    """Day since which areas of the arms were shown before all trainings were done; empty if they
    were not."""
    failed_gates: tuple[str, ...] = ()
    """Generators that failed their gate and were allowed."""
    ancestry: tuple[str, ...] = ()
    """Sentences on weights and generators whose own patients or images are unknown."""
    planned_repeats: int | None = None
    """Repeats of the protocol. Later ones give a second, descriptive estimate."""
    planned_folds: int | None = None
    """Folds of the protocol."""
    stopping: bool = False
    """The protocol allows fewer repeats once the intervals hardly narrow any more."""
    epochs: Epochs = "unknown"
    """Source of each training's epoch."""

    def __post_init__(self) -> None:
        if not 0 < self.margin < 0.5:
            raise ConfigError(f"margin must lie between 0 and 0.5, got {self.margin}")
        if self.primary == self.baseline:
            raise ConfigError(f"primary and baseline are the same arm, {self.primary}")
        if {self.primary, self.baseline} & set(self.controls):
            raise ConfigError("controls must be other arms than the primary and the baseline")
        if both := sorted(set(self.controls) & set(self.absent_controls)):
            raise ConfigError(f"control {both[0]} cannot be judged and left out")


def needed_repeats(folds: int) -> int:
    """Fewest repeats of a verdict: 5 with one fold, 3 with more."""
    return MIN_REPEATS_ONE_FOLD if folds == 1 else MIN_REPEATS_FOLDS


def deciding_confidence(folds: int, generators: str) -> float:
    """Confidence of the two-sided interval that must exclude 0 before "helps" or "hurts" is said.

    It is .95. A claim about such images rests on few independent generators where one fold has one
    for each repeat, or five or more folds have one each. Their luck skews the difference: in
    simulated studies without an effect the 95% interval said "helps" in up to 4.7 % (generator SD
    .25 in d'), the 97.5% interval in up to 3.2 %, with 2,000 studies for each design.
    """
    of_means = generators == "per fold" and folds >= MIN_FOLDS_OF_MEANS
    few = of_means or (folds == 1 and generators == "per fold and repeat")
    return FEW_UNITS_CONFIDENCE if few else CONFIDENCE
