"""Areas, their intervals and their differences: against R, a slow plain version, closed forms."""

import numpy as np
import pytest

from idhray.stats.roc.area import (
    DELONG,
    DELONG_TRAININGS,
    EXACT,
    EXACT_DIFFERENCE,
    auc,
    auc_difference,
    auc_with_ci,
)
from idhray.stats.roc.delong import delong_covariance
from idhray.stats.roc.intervals import exact_auc_interval
from idhray.stats.sample import SampleError, Scored

TRUTH = [1, 1, 1, 1, 0, 0, 0, 0]
PERFECT = [0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1]


def noisy(rng, repeats, labels, shift=1.0):
    """Scores with many ties, higher for mutants."""
    return np.round(rng.normal(size=(repeats, len(labels))) + shift * np.array(labels), 1)


def slow_delong(truth, a, b):
    """Both areas and their covariance by comparing every mutant with every wildtype."""
    mutants = [i for i, y in enumerate(truth) if y == 1]
    wildtypes = [i for i, y in enumerate(truth) if y == 0]

    def wins(score, i, j):
        return 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0

    def areas_per(score):
        by_mutant = [sum(wins(score, i, j) for j in wildtypes) / len(wildtypes) for i in mutants]
        by_wildtype = [sum(wins(score, i, j) for i in mutants) / len(mutants) for j in wildtypes]
        return by_mutant, by_wildtype

    def covariance(u, v):
        mean_u, mean_v = sum(u) / len(u), sum(v) / len(v)
        spread = sum((x - mean_u) * (y - mean_v) for x, y in zip(u, v, strict=True))
        return spread / (len(u) - 1) / len(u)

    of_a, of_b = areas_per(a), areas_per(b)
    total = covariance(of_a[0], of_b[0]) + covariance(of_a[1], of_b[1])
    return sum(of_a[0]) / len(mutants), sum(of_b[0]) / len(mutants), total


def test_areas_and_intervals_are_those_of_proc(reference):
    """pROC 1.18.0, on 36 score vectors with and without ties; the exact interval is MedCalc's."""
    for case in reference("roc"):
        found = auc_with_ci(Scored(case["y"], case["score"]))
        exact = exact_auc_interval(found.auc, len(case["y"]))

        assert found.auc == pytest.approx(case["auc"], abs=1e-6), case["id"]
        assert found.se**2 == pytest.approx(case["delong_var"], abs=1e-6), case["id"]
        assert exact == pytest.approx(case["medcalc_binomial_exact"], abs=1e-6), case["id"]
        expected = case["delong_ci"] if found.ci_method == DELONG else exact
        assert (found.ci_low, found.ci_high) == pytest.approx(expected, abs=1e-6), case["id"]


def test_paired_delong_is_that_of_r_proc_roc_test(reference):
    """roc.test(paired=TRUE, method="delong") gives the same difference, interval and P."""
    for case in (one for one in reference("roc_test") if one["paired"]):
        found = auc_difference(case["y"], case["a"], case["b"])
        covariance = delong_covariance(Scored(case["y"], [case["a"], case["b"]]))

        assert found.difference == pytest.approx(case["diff"], abs=1e-6)
        assert found.statistic == pytest.approx(case["statistic"], abs=1e-6)
        assert found.p == pytest.approx(case["p"], rel=1e-6)
        assert found.se_patients == pytest.approx(case["diff_se"], abs=1e-6)
        assert (found.ci_low, found.ci_high) == pytest.approx(case["diff_ci"], abs=1e-6)
        assert np.diag(covariance) == pytest.approx([case["var1"], case["var2"]], abs=1e-6)
        assert covariance[0, 1] == pytest.approx(case["cov"], abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_delong_equals_the_plain_double_loop(seed):
    """Midranks are only a fast way to count pairs, ties included."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation([1] * 7 + [0] * 9)
    a, b = noisy(rng, 2, truth)
    area_a, area_b, covariance = slow_delong(truth, a, b)

    assert auc(Scored(truth, a)) == pytest.approx(area_a, abs=1e-12)
    assert auc(Scored(truth, b)) == pytest.approx(area_b, abs=1e-12)
    assert delong_covariance(Scored(truth, [a, b]))[0, 1] == pytest.approx(covariance, abs=1e-12)


def test_ties_count_half():
    """Two mutants and two wildtypes, one pair tied: 3.5 of 4 pairs."""
    assert auc(Scored([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1])) == 3.5 / 4


@pytest.mark.parametrize(
    ("scores", "area", "low", "high"),
    [
        # Clopper-Pearson for 8 of 8 is .025^(1/8); 4 of 8 is the textbook .157 to .843.
        pytest.param(PERFECT, 1.0, 0.025 ** (1 / 8), 1.0, id="perfect"),
        pytest.param(PERFECT[::-1], 0.0, 0.0, 1 - 0.025 ** (1 / 8), id="always wrong"),
        pytest.param([0.5] * 8, 0.5, 0.15701, 0.84299, id="constant"),
    ],
)
def test_no_variance_gives_the_exact_interval_and_says_so(scores, area, low, high):
    """DeLong's interval would be one point: certainty from eight patients."""
    found = auc_with_ci(Scored(TRUTH, scores))

    assert found.auc == area
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=1e-5)
    assert found.ci_method == EXACT


def test_a_single_patient_of_a_class_gives_the_exact_interval():
    """Its spread is unknown, so there is no DeLong variance."""
    found = auc_with_ci(Scored([1, 0, 0, 0], [0.5, 0.6, 0.4, 0.1]))

    assert found.ci_method == EXACT
    assert found.ci_high - found.ci_low > 0.5


def test_two_perfect_models_do_not_differ_for_certain():
    """Both at 1.0 on eight patients: the difference is 0, its interval far from one point."""
    found = auc_difference(TRUTH, PERFECT, PERFECT)

    assert (found.difference, found.p, found.ci_method) == (0.0, 1.0, EXACT_DIFFERENCE)
    assert "variance of the difference is 0" in found.notes[0]
    assert found.ci_low == pytest.approx(-(1 - 0.025 ** (1 / 8)))
    assert found.ci_high == pytest.approx(1 - 0.025 ** (1 / 8))


def test_perfect_against_constant_has_an_interval_but_no_p():
    """A DeLong P would be 0 here, whatever the number of patients."""
    found = auc_difference(TRUTH, PERFECT, [0.5] * 8)

    assert found.difference == 0.5
    assert np.isnan(found.p)
    assert "variance of the difference is 0" in found.notes[0]
    assert found.ci_low < 0.5 < found.ci_high


def test_identical_repeats_are_one():
    """The same training three times is no more evidence than once."""
    rng = np.random.default_rng(3)
    one, other = noisy(rng, 2, TRUTH)
    single, thrice = auc_with_ci(Scored(TRUTH, one)), auc_with_ci(Scored(TRUTH, [one] * 3))
    plain, repeated = (auc_difference(TRUTH, [one] * n, [other] * n) for n in (1, 3))

    assert (thrice.ci_low, thrice.ci_high) == pytest.approx((single.ci_low, single.ci_high))
    assert thrice.sd_repeats == pytest.approx(0, abs=1e-12)
    assert (repeated.ci_low, repeated.p) == pytest.approx((plain.ci_low, plain.p))


def test_the_mean_over_repeats_has_the_mean_covariance():
    """The variance of a mean of R areas is the mean of their R by R DeLong covariances."""
    rng = np.random.default_rng(4)
    labels = [1] * 12 + [0] * 10
    scores = noisy(rng, 3, labels)
    found = auc_with_ci(Scored(labels, scores))

    assert found.auc == pytest.approx(np.mean([auc(Scored(labels, row)) for row in scores]))
    assert found.se**2 == pytest.approx(delong_covariance(Scored(labels, scores)).mean())


def test_the_difference_of_means_adds_the_variance_between_trainings():
    """Patients by DeLong's contrast of all six areas; trainings by the spread of each three."""
    rng = np.random.default_rng(5)
    labels = [1] * 12 + [0] * 10
    new, old = noisy(rng, 3, labels, 1.5), noisy(rng, 3, labels)
    found = auc_difference(labels, new, old)
    contrast = np.array([1 / 3] * 3 + [-1 / 3] * 3)
    patients = contrast @ delong_covariance(Scored(labels, np.vstack([new, old]))) @ contrast
    trainings = sum(
        np.var([auc(Scored(labels, row)) for row in side], ddof=1) / 3 for side in (new, old)
    )

    assert found.ci_method == DELONG_TRAININGS
    assert found.se_patients**2 == pytest.approx(patients)
    assert found.se_trainings**2 == pytest.approx(trainings)
    assert found.statistic == pytest.approx(found.difference / np.sqrt(patients + trainings))
    half = (found.ci_high - found.ci_low) / 2
    assert half == pytest.approx(1.959964 * np.sqrt(patients + trainings), rel=1e-6)


def test_the_order_of_patients_changes_nothing():
    """Neither the area nor the interval may depend on the rows' order."""
    rng = np.random.default_rng(6)
    labels = np.array([1] * 9 + [0] * 8)
    scores = noisy(rng, 2, labels)
    order = rng.permutation(17)
    one, other = (
        auc_with_ci(Scored(labels, scores)),
        auc_with_ci(Scored(labels[order], scores[:, order])),
    )

    assert (other.auc, other.ci_low) == pytest.approx((one.auc, one.ci_low), abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "scores", "message"),
    [
        pytest.param([1, 1, 1], [0.1, 0.2, 0.3], "3 mutant and 0 wildtype", id="mutants only"),
        pytest.param([0, 0], [0.1, 0.2], "0 mutant and 2 wildtype", id="wildtypes only"),
        pytest.param([0, 1], [0.1, np.nan], "1 of 2 scores are NaN", id="NaN"),
        pytest.param([0, 1], [0.1, 0.2, 0.3], "2 labels", id="unequal lengths"),
        pytest.param([0, 2], [0.1, 0.2], "labels must be", id="third class"),
        pytest.param([], [], "0 mutant", id="nobody"),
    ],
)
def test_what_has_no_area_is_refused(truth, scores, message):
    """A figure for such patients would be made up."""
    with pytest.raises(SampleError, match=message):
        auc_with_ci(Scored(truth, scores))
