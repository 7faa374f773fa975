"""The sentences name all that speaks against the answer, and the numbers behind it."""

from dataclasses import replace

import pandas as pd
import pytest

from idhray.stats.arms.decision import PlannedPart, decide
from idhray.stats.arms.patients_worth import patients_worth
from idhray.stats.arms.verdict import arm_verdict
from tests.stats.arms.test_decision import RULE, judged

COUNTS = {"n": 62, "n_mutant": 50, "n_wildtype": 12}
ARMS = pd.DataFrame(
    {
        "arm": ["real", "synthetic:60", "fewer-patients:0.5", "fewer-patients:0.75"],
        "auc": [0.790, 0.805, 0.760, 0.775],
        "accuracy": [0.769, 0.654, 0.7, 0.7],
        "sensitivity": [0.846, 0.538, 0.7, 0.7],
        "specificity": [0.692, 0.769, 0.7, 0.7],
    }
)


def verdict(contrasts, rule=RULE, *, arms=ARMS, folds=5):
    """The verdict of these contrasts."""
    plan = PlannedPart(judged=contrasts[0].repeats, later=(), unfinished="")
    decision = decide(contrasts, rule, plan, folds=folds, fewest=20)
    worth = patients_worth(arms, rule, 40)
    return arm_verdict(decision, contrasts, arms, rule, counts=COUNTS, folds=folds, worth=worth)


def test_help_says_by_how_much_what_it_beat_and_how_many_patients():
    """Patients, classes, folds, repeats, both controls."""
    text = verdict(judged(0.05, 0.03, 0.04)).text

    assert text.startswith(
        "Such images help: adding 60 synthetic images raises the area under the ROC curve (AUC) "
        "by at least 0.030."
    )
    for part in (
        "On 62 patients (50 mutant, 12 wildtype)",
        "5 folds",
        "3 repeats",
        "synthetic:60 was above duplicate:60",
        "more-real:60 (60 further real images of the training patients: +0.040",
        "trained on cohorts such as this one's folds",
        "worth about 10 of 40 training patients",
    ):
        assert part in text


def test_auc_and_accuracy_that_point_different_ways_are_named():
    """The headline of Liu et al. is accuracy; it fell from .769 to .654 while the AUC rose."""
    text = verdict(judged(0.015)).text

    assert "accuracy 0.769 to 0.654, sensitivity 0.846 to 0.538" in text
    assert "The two point different ways: the AUC rose by 0.015 and accuracy fell by 0.115." in text
    same = ARMS.assign(accuracy=[0.7, 0.8, 0.7, 0.7])
    assert "different ways" not in verdict(judged(0.015), arms=same).text


def test_a_gain_that_duplicates_give_too_is_not_called_help():
    """Reweighting must not be sold as synthesis."""
    text = verdict(judged(0.05, 0.01, 0.04)).text

    assert text.startswith("This cohort cannot tell whether 60 synthetic images help.")
    assert "was above more-real:60" in text
    assert "was not above duplicate:60" in text
    assert "this is not called help: it is not above duplicate:60" in text
    assert "worth about" not in text


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"exploratory": "n was 30"}, "Exploratory: "),
        (
            {"failed_gates": ("mutant, fold 2",)},
            "failed their gate and were allowed: mutant, fold 2",
        ),
        ({"equal_steps": False}, "The arms ran different numbers of optimizer steps."),
        ({"baseline_steps_differ": True}, "Arm real ran another number of optimizer steps"),
        ({"generators": "one"}, "about these images (all trainings shared their generators)"),
        (
            {
                "controls": ("duplicate:60",),
                "absent_controls": {"more-real:60": "118 of 300 further mutant images exist"},
            },
            "Control more-real:60 was left out: 118 of 300 further mutant images exist.",
        ),
        ({"controls": ("duplicate:60",)}, "No comparison with more-real"),
    ],
)
def test_each_limit_of_the_statement_is_said(change, part):
    """What a reviewer would ask for must not need asking."""
    assert part in verdict(judged(0.05), replace(RULE, **change)).text


def test_equivalence_and_small_help_name_the_margin():
    """A difference within the margin is said so, also beside help."""
    none = verdict(judged(0.001, se=0.005))
    small = verdict(judged(0.01, 0.01, 0.01, se=0.004))

    assert none.sentence.startswith("No relevant difference: adding 60 synthetic images changes")
    assert "by less than 0.020 either way" in none.sentence
    assert small.sentence.endswith("by at least 0.002, but by less than 0.020.")


def test_the_detectable_gain_is_that_of_the_test():
    """By patients alone: 0.01 (1.96 + 0.84), and 0.01 (1.645 + 1.28) for equivalence."""
    result = verdict(judged(0.005))

    assert result.detectable == pytest.approx(0.0280, abs=1e-4)
    assert result.detectable_margin == pytest.approx(0.0293, abs=1e-4)
    assert "a true gain of 0.028 is found with 80% power" in result.text
    assert "Even a perfect classifier" in verdict(judged(0.005, se=0.1)).text


def test_too_few_repeats_describe_and_name_the_number():
    """The difference stays; the verdict does not."""
    text = verdict(judged(0.05, repeats=2)).text

    assert "needs 3 complete repeats or more, and this experiment has 2" in text
    assert "a difference of +0.050" in text
    assert "80% power" not in text
    assert "differs, as a description only, from duplicate:60" in text


def test_a_tiny_number_is_not_printed_as_zero():
    """ "By at least 0.000" says nothing, and an interval above 0 must look like it."""
    text = verdict(judged(0.0199, 0.03, 0.0197)).text

    assert "by at least 0.0003" in text
    assert "95% CI +0.0001 to +0.039" in text
