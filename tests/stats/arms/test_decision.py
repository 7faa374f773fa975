"""The answer follows from intervals, controls and design; each reason against it counts."""

from dataclasses import replace

import pytest

from idhray.errors import ConfigError
from idhray.stats.arms.contrasts import ArmContrast
from idhray.stats.arms.decision import PlannedPart, decide, planned_part
from idhray.stats.arms.predictions import arm_predictions
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.sentences import reasons
from idhray.stats.mrmc.contrast import contrast

RULE = DecisionRule(
    primary="synthetic:60",
    controls=("duplicate:60", "more-real:60"),
    generators="per fold and repeat",
)
SE = 0.01


def judged(difference, duplicate=0.05, more_real=0.05, *, se=SE, folds=5, repeats=3):
    """Contrasts with these differences; by patients alone, so that the interval is +-1.96 SE."""
    values = {"real": difference, "duplicate:60": duplicate, "more-real:60": more_real}
    return [
        ArmContrast(
            arm="synthetic:60",
            baseline=name,
            role="primary" if name == "real" else "control",
            repeats=tuple(range(1, repeats + 1)),
            contrast=contrast(value, 0.0, se**2, folds=folds, repeats=repeats),
            fold_means=None,
            variance_ratio=1.0,
        )
        for name, value in values.items()
    ]


def answer(contrasts, rule=RULE, *, folds=5, unfinished="", fewest=20):
    """The decision on all repeats."""
    plan = PlannedPart(judged=contrasts[0].repeats, later=(), unfinished=unfinished)
    return decide(contrasts, rule, plan, folds=folds, fewest=fewest)


@pytest.mark.parametrize(
    ("generators", "folds", "confidence", "expected"),
    [
        ("per fold and repeat", 1, 0.975, "cannot tell"),
        ("per fold and repeat", 5, 0.95, "helps"),
        ("per fold", 5, 0.975, "cannot tell"),
        ("one", 1, 0.95, "helps"),
    ],
)
def test_a_claim_that_rests_on_few_generators_needs_the_wider_interval(
    generators, folds, confidence, expected
):
    """.021 is 2.1 SE: outside the 95% interval of z, inside the 97.5% interval."""
    contrasts = judged(0.021, folds=folds, repeats=5)
    decision = answer(contrasts, replace(RULE, generators=generators), folds=folds)

    assert (decision.confidence, decision.answer) == (confidence, expected)
    sentences = " ".join(reasons(decision, contrasts[0].contrast))
    assert ("the 97.5% interval decides" in sentences) == (confidence == 0.975)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ((0.05, 0.03, 0.04), "helps"),
        ((0.05, 0.01, 0.04), "cannot tell"),
        ((0.05, 0.03, 0.01), "cannot tell"),
        ((-0.05, 0.0, 0.0), "hurts"),
        ((0.0, 0.0, 0.0), "no relevant difference"),
        ((0.01, 0.0, 0.0), "cannot tell"),
    ],
)
def test_help_needs_all_intervals_above_zero(differences, expected):
    """Baseline and both controls (intersection-union); 90 % inside .02 is equivalence."""
    decision = answer(judged(*differences, se=0.01 if differences[0] else 0.005))

    assert decision.answer == expected


def test_controls_are_sorted_into_beaten_and_not_beaten():
    """The sentence says which is which."""
    decision = answer(judged(0.05, 0.03, 0.01))

    assert decision.beaten == ("duplicate:60",)
    assert decision.not_beaten == ("more-real:60",)
    assert any("not above more-real:60" in reason for reason in decision.no_help)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"controls": ("more-real:60",)}, "duplicate"),
        ({"equal_steps": False}, "different numbers of optimizer steps"),
        ({"exploratory": "primary was synthetic:30"}, "changed after results"),
        ({"controls": (*RULE.controls, "duplicate:90")}, "duplicate:90 could not be judged"),
    ],
)
def test_no_help_without_controls_equal_steps_or_a_fixed_primary(change, reason):
    """Each alone is enough; a harm is said all the same."""
    rule = replace(RULE, **change)

    assert answer(judged(0.05), rule).answer == "cannot tell"
    assert any(reason in each for each in answer(judged(0.05), rule).no_help)
    assert answer(judged(-0.05), rule).answer == "hurts"


def test_a_left_out_control_with_its_reason_does_not_stop_help():
    """All slices of an MRI cohort are in use: no further real images exist."""
    rule = replace(RULE, controls=("duplicate:60",), absent_controls={"more-real:60": "0 of 30"})

    assert answer(judged(0.05)[:2], rule).answer == "helps"


@pytest.mark.parametrize(
    ("folds", "repeats", "verdict"), [(1, 4, False), (1, 5, True), (2, 2, False), (2, 3, True)]
)
def test_a_verdict_needs_repeats(folds, repeats, verdict):
    """5 with one fold, 3 with more; below that the reason has both numbers."""
    decision = answer(judged(0.05, folds=folds, repeats=repeats), folds=folds)

    assert (decision.answer == "helps") == verdict
    if not verdict:
        assert f"has {repeats}" in decision.no_verdict[0]


def test_no_variance_is_no_claim():
    """Two arms that order all pairs alike, or perfect scores."""
    decision = answer(judged(0.05, se=0.0))

    assert decision.answer == "cannot tell"
    assert "no variance" in decision.no_verdict[0]


def test_equivalence_is_kept_beside_help():
    """Helps, but by less than the margin."""
    decision = answer(judged(0.01, 0.01, 0.01, se=0.004))

    assert (decision.answer, decision.equivalent) == ("helps", True)


@pytest.mark.parametrize(
    ("generators", "folds", "claim", "over_fold_means"),
    [
        ("per fold and repeat", 5, "such images", False),
        ("per fold", 5, "such images", True),
        ("per fold", 4, "these images", False),
        ("one", 5, "these images", False),
        ("unknown", 5, "these images", False),
    ],
)
def test_the_claim_is_as_wide_as_the_generators(generators, folds, claim, over_fold_means):
    """One generator says nothing of others."""
    decision = answer(judged(0.05, folds=folds), replace(RULE, generators=generators), folds=folds)

    assert (decision.claim, decision.over_fold_means) == (claim, over_fold_means)


def test_only_planned_repeats_decide(experiment):
    """Repeats that came later, or after the choice of the arm, are separate."""
    predictions = arm_predictions(experiment({"real": 0.0, "synthetic:60": 0.1}, repeats=5))
    plan = planned_part(predictions, replace(RULE, planned_repeats=3))
    fresh = planned_part(predictions, replace(RULE, repeats=(4, 5)))
    short = planned_part(predictions, replace(RULE, planned_repeats=6, planned_folds=5))

    assert (plan.judged, plan.later, plan.unfinished) == ((1, 2, 3), (4, 5), "")
    assert (fresh.judged, fresh.later) == ((4, 5), ())
    listed = planned_part(predictions, replace(RULE, repeats=(1, 2, 3)))
    assert (listed.judged, listed.later) == ((1, 2, 3), (4, 5))
    assert short.unfinished == "5 of 6 planned repeats and 3 of 5 planned folds"


def test_a_planned_repeat_that_lacks_an_arm_is_not_finished(experiment):
    """A verdict of the trainings that happen to exist is one of the luckiest stopping point."""
    rows = experiment({"real": 0.0, "synthetic:60": 0.1}, repeats=5)
    rows = rows[(rows["arm"] != "synthetic:60") | (rows["repeat"] < 5) | (rows["fold"] > 1)]
    predictions = arm_predictions(rows)

    planned = planned_part(predictions, replace(RULE, planned_repeats=5))
    assert planned.unfinished == "4 of 5 planned repeats"
    assert not planned_part(predictions, RULE).unfinished


def test_an_unfinished_protocol_decides_only_if_it_may_stop():
    """The stopping rule looks at widths: here trainings add nothing, so more would not help."""
    stopping = replace(RULE, stopping=True)

    assert answer(judged(0.05), unfinished="3 of 5 planned repeats").answer == "cannot tell"
    assert answer(judged(0.05), stopping, unfinished="3 of 5 planned repeats").answer == "helps"


@pytest.mark.parametrize(
    "values",
    [
        {"margin": 0.0},
        {"baseline": "synthetic:60"},
        {"controls": ("real",)},
        {"absent_controls": {"duplicate:60": "none"}},
    ],
)
def test_contradictory_rules_are_refused(values):
    """A rule is fixed before results, so its slips must show at once."""
    with pytest.raises(ConfigError):
        replace(RULE, **values)


def test_equivalence_needs_eight_test_patients_of_a_class_in_every_fold():
    """With 6 + 6 a fold, a difference as large as the margin passed for none in up to 8 %."""
    contrasts = judged(0.0, 0.0, 0.0, se=0.001)

    assert answer(contrasts).answer == "no relevant difference"
    assert answer(contrasts, fewest=7).answer == "cannot tell"


def test_with_a_generator_per_fold_both_tests_must_agree():
    """T over fold means alone erred upward where the luck of trainings was large."""
    rule = replace(RULE, generators="per fold")
    wide, narrow = (contrast(0.05, 0.0, se**2, folds=5, repeats=3) for se in (0.1, 0.01))
    agreeing, torn = (
        [replace(item, contrast=other, fold_means=narrow) for item in judged(0.05, 0.03, 0.04)]
        for other in (narrow, wide)
    )

    assert answer(agreeing, rule).answer == "helps"
    assert answer(torn, rule).answer == "cannot tell"


def test_help_needs_further_real_images_or_the_reason_for_their_absence():
    """The cheapest rival of a generator is a knife; who has none left must say so."""
    contrasts = [each for each in judged(0.05, 0.03) if "more-real" not in each.baseline]
    duplicate_only = replace(RULE, controls=("duplicate:60",))
    explained = replace(duplicate_only, absent_controls={"more-real:60": "all slices are in use"})

    assert answer(contrasts, duplicate_only).answer == "cannot tell"
    assert "more-real" in answer(contrasts, duplicate_only).no_help[0]
    assert answer(contrasts, explained).answer == "helps"
