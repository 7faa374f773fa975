"""The study's answer in words, in each of its forms."""

import numpy as np
import pytest

from idhray.stats.papers.liu.predictions import checked_predictions
from idhray.stats.papers.liu.sweep import sweep_table
from idhray.stats.papers.liu.verdict import study_verdict
from idhray.stats.text import p_text, signed


def answer(study, **how):
    """The verdict of a made-up study."""
    rows, _ = study(**how)
    return verdict_of(rows)


def verdict_of(rows):
    """The verdict of a table of predictions."""
    predictions = checked_predictions(rows)
    return study_verdict(sweep_table(predictions, "resnet50", 0.5), predictions, "resnet50")


def test_a_clear_gain_helps(study):
    """100 patients a set, from d' about 1.6 to well above 5."""
    found = answer(study, patients=100, gain=2)

    assert found.answer == "helps"
    assert found.ci_low > 0
    assert found.sentence.startswith(f"{found.n_synthetic:,} synthetic images help.")
    assert "100 test patients (50 mutant, 50 wildtype)" in found.sentence


def test_a_clear_loss_hurts_though_validation_would_not_have_it(study):
    """Validation prefers none; the best of the others is still judged, and said to be that."""
    found = answer(study, patients=100, gain=-1)

    assert found.answer == "hurts"
    assert found.ci_high < 0
    assert found.preferred_none
    assert "no synthetic count did better than none" in found.sentence


def test_a_small_cohort_cannot_tell_and_says_what_it_could_see(study):
    """The interval, and the smallest gain that a simulation of such studies shows."""
    found = answer(study, patients=120, gain=0.05)

    assert found.answer == "this cohort cannot tell"
    assert found.ci_low <= 0 <= found.ci_high
    assert "would usually go unseen" in found.sentence
    assert 0.02 < found.detectable < 0.2


def test_four_patients_of_each_class_could_have_shown_nothing(study):
    """One observed interval would promise a gain of about .3; the planner says none."""
    found = answer(study, patients=8, gain=0.3)

    assert np.isinf(found.detectable)
    assert "Even a perfect model might not have shown a clear gain here." in found.sentence


def test_one_training_each_cannot_tell(study):
    """The interval excludes zero, but another training might not have."""
    found = answer(study, patients=100, gain=2, repeats=1)

    assert found.ci_low > 0
    assert found.answer == "this cohort cannot tell"
    assert "single training" in found.sentence


def test_perfect_at_every_count_cannot_tell(study):
    """No variance anywhere; yet eight patients do not prove that nothing changed."""
    found = answer(study, patients=8, noise=0)

    assert (found.difference, found.p) == (0, 1)
    assert found.answer == "this cohort cannot tell"
    assert found.ci_low < -0.1 < 0.1 < found.ci_high


def test_without_synthetic_images_there_is_nothing_to_tell(study):
    """A baseline alone is a study too; its report must not fail."""
    rows, _ = study()
    found = verdict_of(rows[rows["n_synthetic"] == 0])

    assert found.answer == "this cohort cannot tell"
    assert "no model was trained with synthetic images" in found.sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0125, "+0.013"), (-0.5, "\u22120.500"), (-0.0001, "0.000"), (np.nan, "-")],
)
def test_differences_carry_their_sign(value, text):
    """A difference of "0.012" would leave its direction open, "-0.000" says nothing."""
    assert signed(value) == text


def test_p_values_are_never_zero():
    """Nor are they made up where there is none."""
    assert [p_text(p) for p in (0.0001, 0.0425)] == ["P < 0.001", "P = 0.043"]
    assert "no P" in p_text(float("nan"))
