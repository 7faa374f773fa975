"""Sentences of a verdict: the answer, its numbers, its limits."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from idhray.stats.arms.contrasts import ArmContrast
from idhray.stats.arms.decision import Decision, PlannedPart, deciding_test
from idhray.stats.arms.names import CONTROLS, arm_name, arm_words
from idhray.stats.arms.rule import MIN_OF_A_CLASS, DecisionRule
from idhray.stats.mrmc.contrast import Contrast
from idhray.stats.sample import CONFIDENCE
from idhray.stats.text import NO_VARIANCE, p_text, percent, printed, signed, with_interval


def opening(decision: Decision, test: Contrast | None, rule: DecisionRule) -> str:
    """The answer and the claim."""
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
    least = min(abs(end) for end in test.interval(decision.confidence))
    text = (
        f"{exploratory}{claim} {verb}: adding {images} {change} the area under the ROC curve (AUC) "
        f"by at least {_exact(least)}"
    )
    return text + (f", but by less than {margin}." if decision.equivalent else ".")


def no_comparison(
    arms: pd.DataFrame, rule: DecisionRule, counts: dict[str, int], folds: int
) -> list[str]:
    """Sentences on the baseline alone: no verdict, and its area."""
    sentences = [f"No arm was compared with arm {rule.baseline}, so that there is no verdict."]
    if rule.baseline in arms.index:
        row = arms.loc[rule.baseline]
        repeats = "1 repeat" if row["repeats"] == 1 else f"{row['repeats']} repeats"
        sentences.append(
            f"On {counts['n']} patients ({counts['n_mutant']} mutant, {counts['n_wildtype']} "
            f"wildtype), {_design(folds)}, with {repeats} of the training, the AUC was "
            f"{with_interval(row.to_dict(), 'auc')} with arm {rule.baseline}."
        )
    return sentences


def _design(folds: int) -> str:
    if folds == 1:
        return "held out once"
    return f"each tested in one of {folds} folds (areas are means over folds)"


def basis(
    decision: Decision,
    test: Contrast,
    arms: pd.DataFrame,
    rule: DecisionRule,
    counts: dict[str, int],
) -> str:
    """Patients, folds, repeats, and the difference with its interval."""
    method = "t test over fold means" if decision.over_fold_means else "trainings as readers"
    interval = _interval(test, decision)
    if test.method != "none":
        interval += f", {p_text(test.p)}, {method}"
    before, after = (
        f"{printed(arms.loc[arm, 'auc'])}" if arm in arms.index else "-"
        for arm in (rule.baseline, rule.primary)
    )
    repeats = "1 repeat" if test.repeats == 1 else f"{test.repeats} repeats"
    return (
        f"On {counts['n']} patients ({counts['n_mutant']} mutant, {counts['n_wildtype']} "
        f"wildtype), {_design(test.folds)}, with {repeats} of the training, the AUC was "
        f"{before} with arm {rule.baseline} and {after} with {rule.primary}: a difference of "
        f"{_exact_signed(test.difference)} ({interval})."
    )


def accuracy(arms: pd.DataFrame, rule: DecisionRule, test: Contrast) -> list[str]:
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
    if round(change, 3) * round(test.difference, 3) < 0:  # as far as they are printed
        words = ("rose", "fell") if test.difference > 0 else ("fell", "rose")
        sentences.append(
            f"The two point different ways: the AUC {words[0]} by "
            f"{printed(abs(test.difference))} and accuracy {words[1]} by {printed(abs(change))}."
        )
    return sentences


def against_controls(
    decision: Decision, contrasts: Sequence[ArmContrast], rule: DecisionRule
) -> list[str]:
    """Controls that were beaten and not beaten, and those that do not exist."""
    controls = {item.baseline: item for item in contrasts if item.role == "control"}
    verbs = {"was above": decision.beaten, "was not above": decision.not_beaten}
    if decision.no_verdict:
        verbs = {"differs, as a description only, from": (*decision.beaten, *decision.not_beaten)}
    sentences = []
    for verb, names in verbs.items():
        parts = [_control(name, deciding_test(controls[name], rule), decision) for name in names]
        if parts:
            sentences.append(f"{rule.primary} {verb} {' and '.join(parts)}.")
    sentences += [
        f"Control {name} was left out: {reason}." for name, reason in rule.absent_controls.items()
    ]
    compared = [name for name in rule.controls if name in controls]
    kinds = {arm_name(name).kind for name in (*compared, *rule.absent_controls)}
    if absent := [kind for kind in CONTROLS if kind not in kinds]:
        words = " and ".join(f"{kind} ({arm_words(kind)})" for kind in absent)
        sentences.append(f"No comparison with {words}.")
    return sentences


def _control(name: str, test: Contrast, decision: Decision) -> str:
    """A control in words, with the difference of the primary arm from it."""
    interval = _interval(test, decision)
    return f"{name} ({arm_words(name)}: {_exact_signed(test.difference)}, {interval})"


def _interval(test: Contrast, decision: Decision) -> str:
    """The 95% interval, and the deciding one where that is another."""
    if test.method == "none":
        return "no interval"
    texts = []
    for confidence in dict.fromkeys((CONFIDENCE, decision.confidence)):
        low, high = test.interval(confidence)
        if low == high:
            return f"no interval, {NO_VARIANCE}"
        ends = f"{_exact_signed(low)} to {_exact_signed(high)}"
        texts.append(f"{percent(confidence)} CI {ends}")
    return ", ".join(texts)


def _exact(value: float) -> str:
    """Three decimals; a number that these would print as 0 has one significant digit."""
    text = printed(value)
    return text if value == 0 or text.strip("0.") else f"{value:.1g}"


def _exact_signed(value: float) -> str:
    """The same with a sign."""
    if not np.isfinite(value) or value == 0:
        return signed(value)
    return ("+" if value > 0 else "\u2212") + _exact(abs(value))


def reasons(decision: Decision, test: Contrast | None) -> list[str]:
    """Reasons why no verdict is given, or why a higher area is not called help."""
    sentences = []
    if decision.no_verdict:
        sentences.append(f"No verdict: {'; '.join(decision.no_verdict)}.")
    if test is None or test.method == "none":
        return sentences
    low, high = test.interval(decision.confidence)
    higher = low > 0
    if (test.ci_low > 0 or test.ci_high < 0) and low <= 0 <= high:
        sentences.append(
            f"The 95% interval excludes 0, but with {_few_units(test)} the "
            f"{percent(decision.confidence)} interval decides: the luck of few generators skews "
            "the difference."
        )
    if higher and decision.no_help and not decision.no_verdict:
        sentences.append(
            f"The AUC is above the baseline's, but this is not called help: "
            f"{'; '.join(decision.no_help)}."
        )
    return sentences


def _few_units(test: Contrast) -> str:
    return "one fold" if test.folds == 1 else "one generator for each fold"


def scope(decision: Decision, rule: DecisionRule, folds: int) -> list[str]:
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
    if rule.repeats and min(rule.repeats) > 1:
        sentences.append(
            f"Repeats before {min(rule.repeats)} chose the arm on validation and judge nothing."
        )
    if rule.failed_gates:
        sentences.append(
            f"Generators that failed their gate and were allowed: {', '.join(rule.failed_gates)}."
        )
    sentences += rule.ancestry
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
    if rule.unblinded:
        sentences.append(
            f"Areas of the arms were shown since {rule.unblinded}, before all trainings were done "
            "(--unblind): whoever saw them could have stopped at a lucky moment."
        )
    return sentences


def could_have_shown(
    sizes: tuple[float, float], arms: pd.DataFrame, rule: DecisionRule
) -> list[str]:
    """Gain and margin that this experiment shows with 80% power."""
    gain, margin = sizes
    if not np.isfinite(gain):
        return []
    equivalence = (
        f"equivalence can be shown within {printed(margin)}."
        if np.isfinite(margin)
        else f"equivalence is not judged: a fold has fewer than {MIN_OF_A_CLASS} test patients of "
        "a class."
    )
    text = (
        f"With these patients, folds and repeats a true gain of {printed(gain)} is found with 80% "
        f"power, and {equivalence}"
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
