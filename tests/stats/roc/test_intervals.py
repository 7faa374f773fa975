"""Intervals of an area without scores: against R and MedCalc, and against what papers print."""

import numpy as np
import pytest

from idhray.stats.roc.intervals import (
    exact_auc_interval,
    exact_difference_interval,
    hanley_mcneil_interval,
    hanley_mcneil_se,
)
from idhray.stats.sample import SampleError


def test_intervals_of_an_area_are_those_of_r(reference):
    """Hanley and McNeil's, not cut at 0 and 1, and MedCalc's; pROC's are in `test_area.py`."""
    for case in reference("roc"):
        m, w = sum(case["y"]), len(case["y"]) - sum(case["y"])
        intervals = {
            "hanley_mcneil_ci": hanley_mcneil_interval(case["auc"], m, w),
            "medcalc_binomial_exact": exact_auc_interval(case["auc"], m + w),
        }

        for name, interval in intervals.items():
            assert interval == pytest.approx(case[name], abs=1e-6), (case["id"], name)
        se = hanley_mcneil_se(case["auc"], m, w)
        assert se == pytest.approx(case["hanley_mcneil_se"], abs=1e-6), case["id"]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        pytest.param(
            hanley_mcneil_interval(0.75, 4, 4),
            (0.389574590595425, 1.11042540940457),
            id="Hanley-McNeil",
        ),
        pytest.param(
            exact_auc_interval(0.75, 8), (0.349144205587176, 0.968145973750056), id="MedCalc"
        ),
    ],
)
def test_two_intervals_of_one_area_are_those_of_r(interval, expected):
    """Eight patients, 12 of 16 pairs in the right order: R 4.2.2."""
    assert interval == pytest.approx(expected, abs=1e-12)


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
    ],
)
def test_what_has_no_interval_is_refused(call, message):
    """One line that names what was given."""
    with pytest.raises(SampleError, match=message):
        call()
