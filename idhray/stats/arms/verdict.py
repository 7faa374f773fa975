"""The answer of an experiment in plain sentences, with all that speaks against it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.stats.arms.contrasts import ArmContrast
from idhray.stats.arms.decision import ArmAnswer, Decision, PlannedPart, deciding_test
from idhray.stats.arms.detectable import detectable_gain, detectable_margin, error_variance
from idhray.stats.arms.names import CONTROLS, arm_name, arm_words
from idhray.stats.arms.patients_worth import PatientsWorth
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.mrmc.contrast import Contrast
from idhray.stats.text import p_text, printed, signed


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
    sentences = [_opening(decision, test, rule)]
    if test is not None:
        sentences += [_basis(decision, test, by_arm, rule, counts), *_accuracy(by_arm, rule, test)]
    sentences += _against_controls(decision, contrasts, rule)
    sentences += _reasons(decision, test)
    sentences += _scope(decision, rule, folds)
    if decision.answer == "helps" and worth is not None:
        sentences.append(worth.sentence)
    if not decision.no_verdict:
        sentences += _could_have_shown(sizes, by_arm, rule)
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


def _detectable(test: Contrast | None, decision: Decision) -> tuple[float, float]:
    variance = error_variance(test, over_fold_means=decision.over_fold_means) if test else None
    if variance is None:
        return np.nan, np.nan
    return detectable_gain(variance), detectable_margin(variance)


def _opening(decision: Decision, test: Contrast | None, rule: DecisionRule) -> str:
    images = arm_words(rule.primary)
    claim = decision.claim.capitalize()
    margin = printed(rule.margin)
    exploratory = "Exploratory: " if rule.exploratory else ""
    if decision.answer == "cannot tell" or test is None:
        return f"{exploratory}This cohort cannot tell whether {images} help."
    if decision.answer == "no relevant difference":
        return (
            f"{exploratory}No relevant difference: adding {images} changes the area under the ROC "
            f"curve (AUC) by less than {margin} either way. The statement is about "
            f"{decision.claim}."
        )
    verb, change = ("help", "raises") if decision.answer == "helps" else ("hurt", "lowers")
    least = min(abs(test.ci_low), abs(test.ci_high))
    text = (
        f"{exploratory}{claim} {verb}: adding {images} {change} the area under the ROC curve (AUC) "
        f"by at least {_exact(least)}"
    )
    return text + (f", but by less than {margin}." if decision.equivalent else ".")


def _basis(
    decision: Decision,
    test: Contrast,
    arms: pd.DataFrame,
    rule: DecisionRule,
    counts: dict[str, int],
) -> str:
    """Patients, folds, repeats, and the difference with its interval."""
    method = "t test over fold means" if decision.over_fold_means else "trainings as readers"
    interval = _interval(test)
    if test.method != "none":
        interval += f", {p_text(test.p)}, {method}"
    before, after = (
        f"{printed(arms.loc[arm, 'auc'])}" if arm in arms.index else "-"
        for arm in (rule.baseline, rule.primary)
    )
    design = (
        "held out once"
        if test.folds == 1
        else f"each tested in one of {test.folds} folds (areas are means over folds)"
    )
    repeats = "1 repeat" if test.repeats == 1 else f"{test.repeats} repeats"
    return (
        f"On {counts['n']} patients ({counts['n_mutant']} mutant, {counts['n_wildtype']} "
        f"wildtype), {design}, with {repeats} of the training, the AUC was {before} with arm "
        f"{rule.baseline} and {after} with {rule.primary}: a difference of "
        f"{_exact_signed(test.difference)} ({interval})."
    )


def _accuracy(arms: pd.DataFrame, rule: DecisionRule, test: Contrast) -> list[str]:
    """Accuracy, sensitivity and specificity of both arms; a contradiction to the area is named."""
    if not {rule.baseline, rule.primary} <= set(arms.index):
        return []
    before, after = arms.loc[rule.baseline], arms.loc[rule.primary]
    parts = [
        f"{name} {printed(before[name])} to {printed(after[name])}"
        for name in ("accuracy", "sensitivity", "specificity")
    ]
    sentences = [f"At its threshold the classifier went from {', '.join(parts)}."]
    change = float(after["accuracy"] - before["accuracy"])
    if change * test.difference < 0:
        words = ("rose", "fell") if test.difference > 0 else ("fell", "rose")
        sentences.append(
            f"The two point different ways: the AUC {words[0]} by "
            f"{printed(abs(test.difference))} and accuracy {words[1]} by {printed(abs(change))}."
        )
    return sentences


def _against_controls(
    decision: Decision, contrasts: Sequence[ArmContrast], rule: DecisionRule
) -> list[str]:
    """Controls that were beaten and not beaten, and those that do not exist."""
    controls = {item.baseline: item for item in contrasts if item.role == "control"}
    verbs = {"was above": decision.beaten, "was not above": decision.not_beaten}
    if decision.no_verdict:
        verbs = {"differs, as a description only, from": (*decision.beaten, *decision.not_beaten)}
    sentences = []
    for verb, names in verbs.items():
        parts = [_control(name, deciding_test(controls[name], rule)) for name in names]
        if parts:
            sentences.append(f"{rule.primary} {verb} {' and '.join(parts)}.")
    sentences += [
        f"Control {name} was left out: {reason}." for name, reason in rule.absent_controls.items()
    ]
    kinds = {arm_name(name).kind for name in (*rule.controls, *rule.absent_controls)}
    if absent := [kind for kind in CONTROLS if kind not in kinds]:
        words = " and ".join(f"{kind} ({arm_words(kind)})" for kind in absent)
        sentences.append(f"No comparison with {words}.")
    return sentences


def _control(name: str, test: Contrast) -> str:
    """A control in words, with the difference of the primary arm from it."""
    return f"{name} ({arm_words(name)}: {_exact_signed(test.difference)}, {_interval(test)})"


def _interval(test: Contrast) -> str:
    if test.method == "none":
        return "no interval"
    return f"95% CI {_exact_signed(test.ci_low)} to {_exact_signed(test.ci_high)}"


def _exact(value: float) -> str:
    """Three decimals; a number that these would print as 0 has one significant digit."""
    text = printed(value)
    return text if value == 0 or text.strip("0.") else f"{value:.1g}"


def _exact_signed(value: float) -> str:
    """The same with a sign."""
    if not np.isfinite(value) or value == 0:
        return signed(value)
    return ("+" if value > 0 else "\u2212") + _exact(abs(value))


def _reasons(decision: Decision, test: Contrast | None) -> list[str]:
    """Reasons why no verdict is given, or why a higher area is not called help."""
    sentences = []
    if decision.no_verdict:
        sentences.append(f"No verdict: {'; '.join(decision.no_verdict)}.")
    higher = test is not None and test.ci_low > 0
    if higher and decision.no_help and not decision.no_verdict:
        sentences.append(
            f"The AUC is above the baseline's, but this is not called help: "
            f"{'; '.join(decision.no_help)}."
        )
    return sentences


def _scope(decision: Decision, rule: DecisionRule, folds: int) -> list[str]:
    """Generators, cohorts, gates, steps and amendments that limit the statement."""
    origin = {
        "per fold and repeat": "every fold and repeat had generators of its own",
        "per fold": "the repeats of a fold shared their generators",
        "one": "all trainings shared their generators",
        "unknown": "the trainings of the generators are not recorded",
    }[rule.generators]
    cohort = "this one" if folds == 1 else "this one's folds"
    sentences = [
        f"The statement is about {decision.claim} ({origin}), trained on cohorts such as {cohort}."
    ]
    if rule.failed_gates:
        sentences.append(
            f"Generators that failed their gate and were allowed: {', '.join(rule.failed_gates)}."
        )
    if not rule.equal_steps:
        sentences.append("The arms ran different numbers of optimizer steps.")
    if rule.baseline_steps_differ:
        sentences.append(
            f"Arm {rule.baseline} ran another number of optimizer steps than {rule.primary} and "
            "its controls, so that the contrast with it mixes images and steps."
        )
    if rule.exploratory:
        sentences.append(
            f"The primary contrast was changed after results ({rule.exploratory}): this is "
            "exploratory, and a claim needs a new protocol with fresh seeds."
        )
    return sentences


def _could_have_shown(
    sizes: tuple[float, float], arms: pd.DataFrame, rule: DecisionRule
) -> list[str]:
    """Gain and margin that this experiment shows with 80% power."""
    gain, margin = sizes
    if not np.isfinite(gain):
        return []
    text = (
        f"With these patients, folds and repeats a true gain of {printed(gain)} is found with 80% "
        f"power, and equivalence can be shown within {printed(margin)}."
    )
    if rule.baseline in arms.index and gain > 1 - arms.loc[rule.baseline, "auc"]:
        text += " Even a perfect classifier might not have shown a clear gain here."
    return [text]


def later_sentence(later: Sequence[int], test: Contrast | None, plan: PlannedPart) -> str:
    """A second, descriptive estimate from all repeats, where some came after the planned ones."""
    if not later or test is None:
        return ""
    return (
        f"{len(later)} repeats came after the {len(plan.judged)} planned ones and decide nothing; "
        f"over all {test.repeats} repeats the difference is {signed(test.difference)} (95% CI "
        f"{signed(test.ci_low)} to {signed(test.ci_high)})."
    )
