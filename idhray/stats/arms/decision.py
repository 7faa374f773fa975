"""The answer of an experiment: helps, hurts, no relevant difference, or cannot tell.

`helps` needs the interval above 0 against the baseline and against every control at equal steps. It
is the 95% interval; where a claim about such images rests on few generators, the 97.5% interval
(`rule.deciding_confidence`). `no relevant difference` needs the 90% interval inside the margin (two
one-sided tests). The reasons against an answer are part of the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from idhray.stats.arms.contrasts import ArmContrast
from idhray.stats.arms.early_stopping import may_stop
from idhray.stats.arms.names import CONTROLS, DUPLICATE, arm_name, arm_words
from idhray.stats.arms.predictions import ArmPredictions
from idhray.stats.arms.rule import (
    MIN_FOLDS_OF_MEANS,
    MIN_OF_A_CLASS,
    DecisionRule,
    deciding_confidence,
    needed_repeats,
)
from idhray.stats.mrmc.contrast import Contrast
from idhray.stats.text import percent, printed

ArmAnswer = Literal["helps", "hurts", "no relevant difference", "cannot tell", "no comparison"]
Claim = Literal["such images", "these images"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer and what speaks for and against it."""

    answer: ArmAnswer
    claim: Claim
    """`such images`: any images of generators trained like these. `these images`: no others."""
    over_fold_means: bool
    """The deciding test is t over fold means, because the repeats of a fold share a generator."""
    confidence: float
    """Confidence of the interval that decides between `helps`, `hurts` and neither."""
    equivalent: bool
    """The 90% interval lies inside the margin."""
    equivalence_judged: bool
    """Every fold has the test patients of both classes that a claim of equivalence needs."""
    beaten: tuple[str, ...]
    """Controls below the primary arm: the deciding interval lies above 0."""
    not_beaten: tuple[str, ...]
    """Controls that were judged and are not below it."""
    no_verdict: tuple[str, ...]
    """Reasons for which no answer but `cannot tell` is given."""
    no_help: tuple[str, ...]
    """Reasons for which `helps` is not said."""


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """The repeats of an experiment: those that are judged, and those that came later."""

    judged: tuple[int, ...]
    later: tuple[int, ...]
    unfinished: str
    """Parts of the plan without predictions; empty if there are none."""


def planned_part(predictions: ArmPredictions, rule: DecisionRule) -> PlannedPart:
    """The repeats that the rule judges; repeats after the last of these are descriptive."""
    eligible = predictions.repeats
    if rule.repeats is not None:
        eligible = tuple(r for r in eligible if r in rule.repeats)
    planned = rule.planned_repeats or len(eligible)
    lacking = []
    complete = _complete(predictions, rule, eligible)
    if complete < planned:
        lacking.append(f"{complete} of {planned} planned repeats")
    folds = len(predictions.folds)
    if rule.planned_folds and folds < rule.planned_folds:
        lacking.append(f"{folds} of {rule.planned_folds} planned folds")
    judged = eligible[:planned]
    later = tuple(r for r in predictions.repeats if judged and r > judged[-1])
    return PlannedPart(judged=judged, later=later, unfinished=" and ".join(lacking))


def _complete(predictions: ArmPredictions, rule: DecisionRule, repeats: Sequence[int]) -> int:
    """Number of repeats with all blocks that the verdict needs; all of them without a protocol."""
    if rule.planned_repeats is None:
        return len(repeats)
    arms = {rule.primary, rule.baseline, *rule.controls} & set(predictions.arms)
    return len(set(predictions.complete_repeats(arms)) & set(repeats))


def deciding_test(item: ArmContrast, rule: DecisionRule) -> Contrast:
    """The test that counts: over fold means with a generator per fold, else by fold.

    With one generator per fold its luck is shared by all repeats of the fold. A claim about such
    generators then needs folds as units, five or more.
    """
    if rule.generators == "per fold" and item.fold_means is not None:
        return item.fold_means
    return item.contrast


def deciding_tests(item: ArmContrast, rule: DecisionRule) -> tuple[Contrast, ...]:
    """The tests that must agree before anything is claimed; the reported one comes first.

    With few folds, t over fold means alone errs upward where luck is large: in simulated studies of
    200 to 400 patients without an effect (training SD .5, generator SD .25 in d', 5 folds, one
    generator per fold) it said "helps" in 2.9 to 3.9 %. Together with trainings as readers it was
    1.6 to 2.5 %.
    """
    reported = deciding_test(item, rule)
    return (reported,) if reported is item.contrast else (reported, item.contrast)


def decide(
    contrasts: Sequence[ArmContrast],
    rule: DecisionRule,
    plan: PlannedPart,
    *,
    folds: int,
    fewest: int,
) -> Decision:
    """The answer of the primary contrast and its controls.

    Args:
        contrasts: As `arm_contrasts` returns them.
        rule: The rule, fixed beforehand.
        plan: The repeats that are judged.
        folds: K.
        fewest: Fewest test patients of a class in a fold; equivalence needs `MIN_OF_A_CLASS`.
    """
    over_fold_means = rule.generators == "per fold" and folds >= MIN_FOLDS_OF_MEANS
    primary = next((item for item in contrasts if item.role == "primary"), None)
    controls = {item.baseline: item for item in contrasts if item.role == "control"}
    tests = {name: deciding_test(item, rule) for name, item in controls.items()}
    no_verdict = _no_verdict(primary, list(controls.values()), rule, plan, folds)
    confidence = deciding_confidence(folds, rule.generators)
    beaten = tuple(
        name
        for name, item in controls.items()
        if all(test.interval(confidence)[0] > 0 for test in deciding_tests(item, rule))
    )
    no_help = _no_help(rule, tests, beaten, folds, confidence)
    answer: ArmAnswer = "cannot tell" if rule.primary else "no comparison"
    equivalent = False
    if primary is not None and not no_verdict:
        judging = deciding_tests(primary, rule)
        equivalent = fewest >= MIN_OF_A_CLASS and all(
            test.interval(0.9)[0] > -rule.margin and test.interval(0.9)[1] < rule.margin
            for test in judging
        )
        intervals = [test.interval(confidence) for test in judging]
        answer = _answer(intervals, helps=not no_help, equivalent=equivalent)
    per_training = rule.generators == "per fold and repeat"
    return Decision(
        answer=answer,
        claim="such images" if per_training or over_fold_means else "these images",
        over_fold_means=over_fold_means,
        confidence=confidence,
        equivalent=equivalent,
        equivalence_judged=fewest >= MIN_OF_A_CLASS,
        beaten=beaten,
        not_beaten=tuple(name for name in tests if name not in beaten),
        no_verdict=no_verdict,
        no_help=no_help,
    )


def _answer(
    intervals: Sequence[tuple[float, float]], *, helps: bool, equivalent: bool
) -> ArmAnswer:
    if all(low > 0 for low, _ in intervals) and helps:
        return "helps"
    if all(high < 0 for _, high in intervals):
        return "hurts"
    return "no relevant difference" if equivalent else "cannot tell"


def _no_verdict(
    primary: ArmContrast | None,
    controls: Sequence[ArmContrast],
    rule: DecisionRule,
    plan: PlannedPart,
    folds: int,
) -> tuple[str, ...]:
    """Reasons for which this experiment only describes."""
    if not rule.primary:
        return (f"no arm was compared with {rule.baseline}",)
    if primary is None:
        return ("no repeat is complete in all folds for the primary arm and its baseline",)
    reasons = []
    test = deciding_test(primary, rule)
    needed = needed_repeats(folds)
    if test.repeats < needed:
        reasons.append(
            f"a verdict with {_counted(folds, 'fold')} needs {needed} complete repeats or more, "
            f"and this experiment has {test.repeats}"
        )
    elif test.method == "none":
        reasons.append("the difference has no variance, so that no interval exists")
    judged = [primary.contrast, *(item.contrast for item in controls)]
    if plan.unfinished and not (rule.stopping and may_stop(judged)):
        reasons.append(f"the protocol is not finished: {plan.unfinished} have predictions")
    return tuple(reasons)


def _no_help(
    rule: DecisionRule,
    tests: dict[str, Contrast],
    beaten: tuple[str, ...],
    folds: int,
    confidence: float,
) -> tuple[str, ...]:
    """Reasons for which a higher area is not called help."""
    reasons = []
    if rule.exploratory:
        reasons.append("the primary contrast was changed after results")
    trained = {arm_name(control).kind for control in rule.controls}
    explained = {arm_name(control).kind for control in rule.absent_controls} - {DUPLICATE}
    for kind in CONTROLS:
        if kind not in trained | explained:
            reasons.append(f"no arm {kind} ({arm_words(kind)}) is compared")
    if not rule.equal_steps:
        reasons.append("the arms ran different numbers of optimizer steps")
    for control in rule.controls:
        test = tests.get(control)
        if test is None or test.repeats < needed_repeats(folds) or test.method == "none":
            repeats = 0 if test is None else test.repeats
            reasons.append(
                f"{control} could not be judged ({_counted(repeats, 'complete repeat')})"
            )
        elif control not in beaten:
            low = test.interval(confidence)[0]
            sign = "+" if low > 0 else chr(0x2212)
            reasons.append(
                f"it is not above {control} (the {percent(confidence)} interval starts at "
                f"{sign}{printed(abs(low))})"
            )
    return tuple(reasons)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
