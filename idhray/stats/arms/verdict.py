"""The answer of an experiment in plain sentences, with all that speaks against it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.stats.arms.contrasts import ArmContrast
from idhray.stats.arms.decision import ArmAnswer, Decision, deciding_test
from idhray.stats.arms.detectable import detectable_gain, detectable_margin, error_variance
from idhray.stats.arms.patients_worth import PatientsWorth
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.sentences import (
    accuracy,
    against_controls,
    basis,
    could_have_shown,
    no_comparison,
    opening,
    reasons,
    scope,
)
from idhray.stats.mrmc.contrast import Contrast


@dataclass(frozen=True, kw_only=True)
class ArmVerdict:
    """The primary contrast of an experiment in numbers and words."""

    answer: ArmAnswer
    sentence: str
    """The opening: the answer and the claim."""
    sentences: tuple[str, ...]
    """All sentences, the opening first."""
    primary: str
    baseline: str
    difference: float
    ci_low: float
    ci_high: float
    ci90_low: float
    ci90_high: float
    p: float
    detectable: float
    """Smallest true gain that this experiment finds with 80% power; NaN if unknown."""
    detectable_margin: float
    """Smallest margin within which it shows equivalence with 80% power; NaN if unknown."""
    folds: int
    repeats: int
    n_mutant: int
    n_wildtype: int

    @property
    def text(self) -> str:
        """All sentences as one paragraph."""
        return " ".join(self.sentences)


def arm_verdict(
    decision: Decision,
    contrasts: Sequence[ArmContrast],
    arms: pd.DataFrame,
    rule: DecisionRule,
    *,
    counts: dict[str, int],
    folds: int,
    worth: PatientsWorth | None = None,
) -> ArmVerdict:
    """The verdict in words.

    Args:
        decision: The answer.
        contrasts: As `arm_contrasts` returns them.
        arms: As `arm_table` returns them.
        rule: The rule of the decision.
        counts: n, n_mutant, n_wildtype.
        folds: K.
        worth: The gain in patients, where arms with fewer patients exist.
    """
    item = next((each for each in contrasts if each.role == "primary"), None)
    test = deciding_test(item, rule) if item else None
    sizes = _detectable(test, decision)
    by_arm = arms.set_index("arm") if len(arms) else arms
    if not rule.primary:
        return _without_comparison(decision, by_arm, rule, counts, folds)
    sentences = [opening(decision, test, rule)]
    if test is not None:
        sentences += [basis(decision, test, by_arm, rule, counts), *accuracy(by_arm, rule, test)]
    sentences += against_controls(decision, contrasts, rule)
    sentences += reasons(decision, test)
    sentences += scope(decision, rule, folds)
    if decision.answer == "helps" and worth is not None:
        sentences.append(worth.sentence)
    if not decision.no_verdict:
        sentences += could_have_shown(sizes, by_arm, rule)
    low, high = test.interval(0.9) if test else (np.nan, np.nan)
    return ArmVerdict(
        answer=decision.answer,
        sentence=sentences[0],
        sentences=tuple(sentences),
        primary=rule.primary,
        baseline=rule.baseline,
        difference=test.difference if test else np.nan,
        ci_low=test.ci_low if test else np.nan,
        ci_high=test.ci_high if test else np.nan,
        ci90_low=low,
        ci90_high=high,
        p=test.p if test else np.nan,
        detectable=sizes[0],
        detectable_margin=sizes[1],
        folds=folds,
        repeats=test.repeats if test else 0,
        n_mutant=counts["n_mutant"],
        n_wildtype=counts["n_wildtype"],
    )


def _without_comparison(
    decision: Decision,
    arms: pd.DataFrame,
    rule: DecisionRule,
    counts: dict[str, int],
    folds: int,
) -> ArmVerdict:
    """Figures of the baseline in words, where it is the only arm."""
    sentences = [*no_comparison(arms, rule, counts, folds), *rule.ancestry]
    nothing = float("nan")
    return ArmVerdict(
        answer=decision.answer,
        sentence=sentences[0],
        sentences=tuple(sentences),
        primary=rule.primary,
        baseline=rule.baseline,
        difference=nothing,
        ci_low=nothing,
        ci_high=nothing,
        ci90_low=nothing,
        ci90_high=nothing,
        p=nothing,
        detectable=nothing,
        detectable_margin=nothing,
        folds=folds,
        repeats=int(arms.loc[rule.baseline, "repeats"]) if rule.baseline in arms.index else 0,
        n_mutant=counts["n_mutant"],
        n_wildtype=counts["n_wildtype"],
    )


def _detectable(test: Contrast | None, decision: Decision) -> tuple[float, float]:
    if test is None:
        return np.nan, np.nan
    variance = error_variance(
        test, over_fold_means=decision.over_fold_means, confidence=decision.confidence
    )
    if variance is None:
        return np.nan, np.nan
    margin = detectable_margin(variance) if decision.equivalence_judged else np.nan
    return detectable_gain(variance), margin
