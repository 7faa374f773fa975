"""Proportions: against R, the counts of Liu's tables, and how they round."""

import numpy as np
import pytest

from idhray.stats.accuracy.rates import accuracy_at, proportion
from idhray.stats.sample import SampleError, Scored
from idhray.stats.text import printed


def test_intervals_are_those_of_r(reference):
    """binom.test (exact) and prop.test without correction (Wilson)."""
    for case in reference("binomial"):
        found = proportion(case["k"], case["n"])

        assert (found.exact_low, found.exact_high) == pytest.approx(case["ci_exact"], abs=1e-6)
        assert (found.wilson_low, found.wilson_high) == pytest.approx(case["ci_wilson"], abs=1e-6)


def test_sensitivity_specificity_and_accuracy_are_those_of_epir(reference):
    """The 2x2 tables of both papers, spelled out as patients."""
    for case in reference("diagnostic"):
        truth = [1] * (case["tp"] + case["fn"]) + [0] * (case["fp"] + case["tn"])
        called = [1] * case["tp"] + [0] * case["fn"] + [1] * case["fp"] + [0] * case["tn"]
        found = accuracy_at(Scored(truth, called), 0.5)

        for name, share in (
            ("sens", found.sensitivity),
            ("spec", found.specificity),
            ("acc", found.accuracy),
        ):
            wilson, exact = case[f"{name}_wilson"], case[f"{name}_exact"]
            assert share.value == pytest.approx(case[name], abs=1e-6)
            assert (share.wilson_low, share.wilson_high) == pytest.approx(wilson, abs=1e-6)
            assert (share.exact_low, share.exact_high) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize(
    ("tp", "tn", "sensitivity", "specificity", "accuracy"),
    [
        pytest.param(14, 13, "0.778", "0.813", "0.794", id="table 1, test, ResNet50"),
        pytest.param(15, 11, "0.833", "0.688", "0.765", id="table 1, validation, VGG19"),
        pytest.param(16, 13, "0.889", "0.813", "0.853", id="table 2, test, +3K"),
        pytest.param(15, 14, "0.833", "0.875", "0.853", id="table 2, test, +2K"),
        pytest.param(12, 9, "0.667", "0.563", "0.618", id="table 3, validation, age"),
        pytest.param(17, 13, "0.944", "0.813", "0.882", id="table 3, test, age & image"),
    ],
)
def test_cells_of_liu_2020_follow_from_their_counts(tp, tn, sensitivity, specificity, accuracy):
    """18 mutant and 16 wildtype patients; .8125 and .5625 are printed rounded up."""
    truth = [1] * 18 + [0] * 16
    scores = [0.9] * tp + [0.1] * (18 - tp) + [0.1] * tn + [0.9] * (16 - tn)
    found = accuracy_at(Scored(truth, scores), 0.5)

    assert printed(found.sensitivity.value) == sensitivity
    assert printed(found.specificity.value) == specificity
    assert printed(found.accuracy.value) == accuracy


def test_the_threshold_itself_is_mutant():
    """p >= threshold: a patient at exactly 0.5 is called mutant."""
    assert accuracy_at(Scored([1, 0], [0.5, 0.5]), 0.5).sensitivity.count == 1
    assert accuracy_at(Scored([1, 0], [0.5, 0.5]), 0.51).sensitivity.count == 0


def test_repeats_are_averaged_and_add_no_patients():
    """Right 4 and 2 of 4: the interval is that of 3 of 4, and the spread is reported."""
    found = accuracy_at(
        Scored([1, 1, 0, 0], [[0.9, 0.9, 0.1, 0.1], [0.9, 0.1, 0.9, 0.1]]), 0.5
    ).accuracy
    single = proportion(3, 4)

    assert (found.count, found.n) == (3, 4)
    assert (found.wilson_low, found.exact_high) == (single.wilson_low, single.exact_high)
    assert found.sd_repeats == pytest.approx(np.std([1, 0.5], ddof=1))


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 0.602365), (4, 0.397635, 1)])
def test_none_or_all_of_four_still_have_an_interval(count, low, high):
    """Clopper-Pearson of 0 of 4 reaches 1 - .025^(1/4)."""
    found = proportion(count, 4)

    assert (found.exact_low, found.exact_high) == pytest.approx((low, high), abs=1e-6)
    assert 0 <= found.wilson_low < found.wilson_high <= 1


def test_a_proportion_of_nobody_does_not_exist():
    """A predictive value where nobody is called mutant is NaN, not 0."""
    found = proportion(0, 0)

    assert np.isnan([found.value, found.wilson_low, found.exact_low, found.exact_high]).all()


def test_the_number_of_patients_may_differ_between_repeats():
    """Called mutant: 3 of 4 and 1 of 2. The mean table is 2 of 3."""
    found = proportion([3, 1], [4, 2])

    assert (found.count, found.n) == (2, 3)
    assert found.sd_repeats == pytest.approx(np.std([0.75, 0.5], ddof=1))


@pytest.mark.parametrize(("count", "n"), [(5, 4), (-1, 4), (np.nan, 4)])
def test_an_impossible_count_is_refused(count, n):
    """Misread tables have them."""
    with pytest.raises(SampleError, match="between 0 and n"):
        proportion(count, n)


def test_a_missing_threshold_is_refused():
    """Everybody would be called wildtype."""
    with pytest.raises(SampleError, match="threshold is NaN"):
        accuracy_at(Scored([1, 0], [0.5, 0.5]), float("nan"))


def test_halves_round_up_and_nothing_prints_as_a_dash():
    """`round(0.8125, 3)` is 0.812; the paper prints .813."""
    assert printed(13 / 16) == "0.813"
    assert printed(9 / 16) == "0.563"
    assert printed(1.0) == "1.000"
    assert printed(float("nan")) == "-"
