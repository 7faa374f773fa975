"""Intervals of an area by name: against pROC and MedCalc, and against what papers print."""

import numpy as np
import pytest
from scipy.special import expit, logit

from idhray.stats.roc.area import auc_with_ci
from idhray.stats.roc.intervals import (
    auc_interval,
    exact_auc_interval,
    exact_difference_interval,
    hanley_mcneil_interval,
    hanley_mcneil_se,
)
from idhray.stats.sample import SampleError

# "Two best thresholds" of the reference vectors: made up, 12 of 16 pairs in the right order.
TRUTH = [1, 1, 0, 1, 0, 0, 1, 0]
SCORES = [8, 7, 6, 5, 4, 3, 2, 1]


def test_all_intervals_are_those_of_r(reference):
    """pROC's ci.auc (also at 90% and on the logit scale), MedCalc's and Hanley and McNeil's."""
    names = {
        "delong_ci": ("delong", 0.95),
        "delong_ci_90": ("delong", 0.90),
        "logit_delong_ci": ("logit delong", 0.95),
        "hanley_mcneil_ci": ("hanley-mcneil", 0.95),
        "medcalc_binomial_exact": ("exact binomial", 0.95),
    }
    for case in reference("roc"):
        for name, (method, confidence) in names.items():
            found = auc_interval(case["y"], case["score"], method, confidence)
            expected = case[name] or [np.nan, np.nan]  # the logit of 1 is infinite

            assert found.auc == pytest.approx(case["auc"], abs=1e-6), case["id"]
            assert (found.ci_low, found.ci_high) == pytest.approx(
                expected, abs=1e-6, nan_ok=True
            ), (case["id"], name)
            if method in ("delong", "hanley-mcneil"):
                se = case[f"{method.replace('-', '_')}_se"]
                assert found.se == pytest.approx(se, abs=1e-6), (case["id"], name)


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [
        pytest.param("delong", 0.349924026970391, 1.0, id="DeLong"),
        pytest.param("logit delong", 0.262091484447611, 0.962033709291907, id="logit"),
        pytest.param("hanley-mcneil", 0.389574590595425, 1.11042540940457, id="Hanley-McNeil"),
        pytest.param("exact binomial", 0.349144205587176, 0.968145973750056, id="MedCalc"),
    ],
)
def test_four_intervals_of_one_area_are_those_of_proc_and_medcalc(method, low, high):
    """Eight patients: R 4.2.2 with pROC 1.18.0."""
    found = auc_interval(TRUTH, SCORES, method)

    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=1e-12)
    assert (found.auc, found.method) == (0.75, method)


@pytest.mark.parametrize(
    ("area", "low", "high"),
    [
        pytest.param(0.823, 0.681, 0.965, id="table 1, validation, ResNet50"),
        pytest.param(0.882, 0.765, 0.999, id="table 3, validation, age & image"),
        pytest.param(0.786, 0.632, 0.940, id="table 3, test, age"),
    ],
)
def test_hanley_mcneil_needs_only_the_printed_area(area, low, high):
    """Areas as Liu 2020 prints them, its 18 mutant and 16 wildtype patients."""
    found = hanley_mcneil_interval(area, 18, 16)

    assert found == pytest.approx((low, high), abs=5e-4)


def test_hanley_mcneil_is_the_variance_of_two_exponential_samples():
    """Its two conditional chances hold for exponential scores: 20,000 simulated cohorts."""
    rng = np.random.default_rng(0)
    mutant = rng.exponential(3.0, (20_000, 12, 1))  # P(mutant above wildtype) = 3 / 4
    wildtype = rng.exponential(1.0, (20_000, 1, 9))
    areas = (mutant > wildtype).mean(axis=(1, 2))

    assert hanley_mcneil_se(0.75, 12, 9) == pytest.approx(areas.std(), rel=0.02)


@pytest.mark.parametrize(
    ("area", "n", "low", "high"),
    [
        pytest.param(0.864, 118, 0.789, 0.920, id="model 1"),
        pytest.param(0.958, 118, 0.904, 0.986, id="model 2"),
        pytest.param(0.899, 156, 0.841, 0.942, id="model 3"),
    ],
)
def test_training_rows_of_park_2021_are_exact_binomial(area, n, low, high):
    """Table 3: area and interval as printed, all three to the third decimal."""
    assert exact_auc_interval(area, n) == pytest.approx((low, high), abs=1e-3)


def test_the_logit_interval_is_delongs_on_another_scale():
    """Delta method: the standard error of the logit is that of the area over A (1 - A)."""
    plain, other = (auc_interval(TRUTH, SCORES, name) for name in ("delong", "logit delong"))
    half = 1.959963984540054 * plain.se / (0.75 * 0.25)

    assert other.ci_low == pytest.approx(expit(logit(0.75) - half))
    assert other.ci_high == pytest.approx(expit(logit(0.75) + half))


def test_trainings_are_averaged_before_the_interval():
    """Three identical trainings have the interval of one."""
    one, three = (auc_interval(TRUTH, [SCORES] * n) for n in (1, 3))

    assert (three.ci_low, three.se) == pytest.approx((one.ci_low, one.se))
    assert one.ci_low == pytest.approx(auc_with_ci(TRUTH, SCORES).ci_low)


@pytest.mark.parametrize("method", ["delong", "logit delong"])
def test_an_interval_without_variance_says_so(method):
    """pROC gives one point for perfect scores; a reader must not take it for certainty."""
    found = auc_interval([1, 1, 0, 0], [4, 3, 2, 1], method)

    assert found.ci_low == pytest.approx(1.0 if method == "delong" else np.nan, nan_ok=True)
    assert "variance is 0" in found.notes[0]


def test_a_single_patient_of_a_class_has_no_delong_interval():
    """NaN with its reason, never a made-up width."""
    found = auc_interval([1, 0, 0], [3, 2, 5])

    assert np.isnan([found.ci_low, found.ci_high]).all()
    assert "single patient" in found.notes[0]


def test_an_interval_beyond_one_is_noted():
    """Hanley and McNeil's may pass 1; published tables cut it there."""
    assert "cut" in auc_interval(TRUTH, SCORES, "hanley-mcneil").notes[0]


def test_the_difference_of_two_exact_intervals_is_zou_and_donners():
    """Squares of the distances to the limits add up: 8 of 8 against 4 of 8."""
    low, high = exact_difference_interval((1.0, 8), (0.5, 8))

    assert high == pytest.approx(0.5 + (0.5 - 0.15701), abs=1e-5)
    assert low == pytest.approx(0.5 - np.hypot(1 - 0.025 ** (1 / 8), 0.84299 - 0.5), abs=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: hanley_mcneil_interval(86.4, 38, 80), "0..1; got 86.4", id="percent"),
        pytest.param(lambda: hanley_mcneil_se(0.8, 0, 80), "1 or more", id="no mutants"),
        pytest.param(lambda: exact_auc_interval(0.8, 0), "1 or more", id="nobody"),
        pytest.param(lambda: exact_auc_interval(np.nan, 9), "0..1; got nan", id="NaN"),
        pytest.param(lambda: exact_auc_interval(0.8, 9, 95), "confidence", id="95, not .95"),
        pytest.param(lambda: auc_interval(TRUTH, SCORES, "wald"), "'wald'", id="no such method"),
    ],
)
def test_what_has_no_interval_is_refused(call, message):
    """One line that names what was given."""
    with pytest.raises(SampleError, match=message):
        call()
