"""Thresholds: against pROC's coords, with the ties that it can lose, and on other patients."""

import numpy as np
import pytest

from idhray.stats.accuracy.rates import accuracy_at
from idhray.stats.roc.youden import operating_points, youden_optima, youden_optimum
from idhray.stats.sample import SampleError, Scored

# "Two best thresholds" of the reference vectors: made up, J = .5 at 4.5 and at 6.5.
TRUTH = [1, 1, 0, 1, 0, 0, 1, 0]
SCORES = [8, 7, 6, 5, 4, 3, 2, 1]


def test_points_are_those_of_proc_coords_all(reference):
    """Every threshold, half-way between two scores, with its sensitivity and specificity."""
    for case in reference("roc"):
        points = operating_points(Scored(case["y"], case["score"]))

        for name in ("threshold", "sensitivity", "specificity"):
            found = [getattr(point, name) for point in points]
            expected = [float(value) for value in case["all"][name]]  # "-Inf", "Inf"
            assert found == pytest.approx(expected, abs=1e-6), case["id"]


def test_optima_are_those_of_proc_coords_best(reference):
    """All that pROC reports; a tie that it loses to rounding besides must be as good."""
    for case in reference("roc"):
        tied = youden_optima(Scored(case["y"], case["score"]))
        for column in ("threshold", "sensitivity", "specificity", "tp", "tn"):
            values = [getattr(point, column) for point in tied]
            for expected in case["youden"][column]:
                assert min(abs(value - expected) for value in values) < 1e-6, case["id"]
        index = [point.sensitivity + point.specificity for point in tied]
        assert index == pytest.approx([index[0]] * len(tied), abs=1e-12), case["id"]


def test_all_tied_optima_are_reported():
    """3 + 3 of 4 and 4 at 4.5, 2 + 4 at 6.5: pROC gives both."""
    tied = youden_optima(Scored(TRUTH, SCORES))

    assert [point.threshold for point in tied] == [4.5, 6.5]
    assert [(point.tp, point.fn, point.fp, point.tn) for point in tied] == [
        (3, 1, 1, 3),
        (2, 2, 0, 4),
    ]


def test_a_tie_that_floating_point_hides_is_found():
    """Errors 1/10 + 2/10 and 3/10 + 0/10 are equal fractions, but not equal sums."""
    truth = [1] * 7 + [1] * 2 + [0] * 2 + [1] + [0] * 8
    scores = [4] * 7 + [3] * 4 + [0] * 9

    assert 1 / 10 + 2 / 10 != 3 / 10
    assert [(point.fn, point.fp) for point in youden_optima(Scored(truth, scores))] == [
        (1, 2),
        (3, 0),
    ]


def test_of_tied_optima_the_one_nearest_to_the_corner_is_used():
    """.75 and .75 before .5 and 1: the two error rates are most alike."""
    assert youden_optimum(Scored(TRUTH, SCORES)).threshold == 4.5


def test_of_two_as_near_the_higher_specificity_is_used():
    """1 and .5 against .5 and 1: mirrored, so specificity decides."""
    sample = Scored([1, 0, 1, 0], [4, 3, 2, 1])

    assert [point.threshold for point in youden_optima(sample)] == [1.5, 3.5]
    assert youden_optimum(sample).threshold == 3.5


@pytest.mark.parametrize("seed", range(5))
def test_optima_equal_the_plain_search(seed):
    """Every threshold tried in turn, on scores with many ties."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation([1] * 7 + [0] * 9)
    scores = np.round(rng.normal(size=16) + truth)
    cuts = [-np.inf, *(np.unique(scores)[:-1] + np.diff(np.unique(scores)) / 2), np.inf]

    def index(cut):
        right = accuracy_at(Scored(truth, scores), cut)
        return right.sensitivity.value + right.specificity.value

    best = max(index(cut) for cut in cuts)
    expected = [cut for cut in cuts if index(cut) > best - 1e-9]

    assert [point.threshold for point in youden_optima(Scored(truth, scores))] == expected


def test_a_threshold_is_fixed_on_one_set_and_judged_on_another():
    """4.5 from the first eight patients; of four others one mutant and one wildtype are right."""
    threshold = youden_optimum(Scored(TRUTH, SCORES)).threshold
    found = accuracy_at(Scored([1, 1, 0, 0], [4.6, 4.4, 4.6, 4.4]), threshold)

    assert (found.sensitivity.count, found.specificity.count) == (1, 1)
    assert found.threshold == 4.5


def test_a_threshold_between_neighboring_numbers_still_cuts():
    """Their mean rounds to the lower one, which would then be called mutant."""
    low = 1.0
    high = np.nextafter(low, 2)
    found = youden_optimum(Scored([0, 0, 1, 1], [low, low, high, high]))

    assert (found.tp, found.tn) == (2, 2)
    sample = Scored([0, 0, 1, 1], [low, low, high, high])
    assert accuracy_at(sample, found.threshold).accuracy.value == 1


def test_a_score_without_worth_calls_all_patients_wildtype():
    """Constant scores: call all alike, with J = 0 either way."""
    found = youden_optimum(Scored([1, 0, 0], [0.5, 0.5, 0.5]))

    assert found.threshold == np.inf
    assert (found.sensitivity, found.specificity) == (0, 1)


@pytest.mark.parametrize(
    ("truth", "scores", "message"),
    [
        pytest.param([1, 1], [0.1, 0.2], "0 wildtype", id="one class"),
        pytest.param([1, 0], [0.1, np.nan], "NaN", id="NaN"),
        pytest.param([1, 0], [[0.1, 0.2], [0.1, 0.2]], "one training", id="repeats"),
    ],
)
def test_what_has_no_threshold_is_refused(truth, scores, message):
    """One line that says what is wrong."""
    with pytest.raises(SampleError, match=message):
        youden_optimum(Scored(truth, scores))
