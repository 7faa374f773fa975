"""Trainings as readers by fold: against R's MRMCaov, a slow plain version, sums by hand."""

import numpy as np
import pytest
from scipy import stats

from idhray.stats.mrmc.split_plot import (
    FoldScores,
    combined_contrast,
    fold_components,
    fold_contrast,
)
from idhray.stats.sample import SampleError

DESIGNS = ("one_split", "five_folds", "eight_folds_ties", "imbalanced")


def folds_of(table, baseline="real"):
    """FoldScores of a tidy table of fold, repeat, arm, case, truth, p_mutant, by fold."""
    folds = {}
    for fold, rows in table.groupby("fold"):
        sides = {
            arm: part.pivot(index="repeat", columns="case", values="p_mutant")
            for arm, part in rows.groupby("arm")
        }
        (arm,) = set(sides) - {baseline}
        labels = rows.drop_duplicates("case").set_index("case")["truth"]
        folds[fold] = FoldScores(
            labels=labels.loc[sides[arm].columns].to_numpy(),
            scores=sides[arm].to_numpy(),
            baseline=sides[baseline].to_numpy(),
        )
    return folds


def made_up(*, patients=(9, 12, 10), repeats=3, seed=0, digits=1):
    """Folds with many ties; patient difficulty is shared by both arms and all repeats."""
    rng = np.random.default_rng(seed)
    folds = []
    for n in patients:
        labels = np.arange(n) % 2
        difficulty = rng.normal(size=n) + labels
        noise = rng.normal(size=(2, repeats, n))
        scores, baseline = np.round(difficulty + noise, digits)
        folds.append(FoldScores(labels=labels, scores=scores, baseline=baseline))
    return folds


def slow_parts(fold):
    """d_kr of all repeats, S2_k and Cov_k of one fold, by loops over patients and repeats."""
    mutants, wildtypes = (np.flatnonzero(fold.labels == group) for group in (1, 0))

    def gain(r, i, j):
        wins = [
            1.0 if side[r][i] > side[r][j] else 0.5 if side[r][i] == side[r][j] else 0.0
            for side in (fold.scores, fold.baseline)
        ]
        return wins[0] - wins[1]

    repeats = range(len(fold.scores))
    by_mutant = [[np.mean([gain(r, i, j) for j in wildtypes]) for i in mutants] for r in repeats]
    by_wildtype = [[np.mean([gain(r, i, j) for i in mutants]) for j in wildtypes] for r in repeats]
    d = [np.mean(row) for row in by_mutant]
    pairs = [(r, s) for r in repeats for s in repeats if r != s]
    covariances = [
        sum(np.cov(side[r], side[s])[0, 1] / len(side[r]) for side in (by_mutant, by_wildtype))
        for r, s in pairs
    ]
    return d, np.var(d, ddof=1), np.mean(covariances)


@pytest.mark.parametrize("design", DESIGNS)
def test_contrasts_over_folds_are_those_of_mrmcaov(mrmc_reference, design):
    """MRMCaov 0.3.0 by fold, then summed over folds; made-up predictions with ties."""
    folds = folds_of(mrmc_reference(f"{design}.csv"))
    answer = mrmc_reference("folds.json")[design]
    result = fold_contrast(list(folds.values()))

    assert result.folds == len(answer["folds"])
    assert (result.difference, result.se, result.df, result.t) == pytest.approx(
        (answer["difference"], answer["standard_error"], answer["df"], answer["t"]), abs=1e-9
    )
    assert (result.p, result.ci_low, result.ci_high) == pytest.approx(
        (answer["p_value"], answer["lower"], answer["upper"]), abs=1e-9
    )


@pytest.mark.parametrize("design", DESIGNS)
def test_the_contrast_of_each_fold_is_that_of_mrmcaov(mrmc_reference, design):
    """With one fold the analysis is Obuchowski and Rockette's, and so are its parts."""
    folds = folds_of(mrmc_reference(f"{design}.csv"))

    for answer in mrmc_reference("folds.json")[design]["folds"]:
        result = fold_contrast([folds[answer["fold"]]])
        names = ("difference", "standard_error", "df", "p_value", "lower", "upper")
        figures = (result.difference, result.se, result.df, result.p, result.ci_low, result.ci_high)
        assert figures == pytest.approx([answer[name] for name in names], abs=1e-9, rel=1e-9)
        assert result.variance_trainings * result.repeats == pytest.approx(2 * answer["MS_TR"])
        assert result.patients_covariance == pytest.approx(
            2 * (answer["Cov2"] - answer["Cov3"]), abs=1e-12
        )


@pytest.mark.parametrize("seed", range(6))
def test_a_slow_plain_version_gives_the_same(seed):
    """Loops over pairs of patients and pairs of repeats, and the formula as it is written."""
    folds = made_up(seed=seed)
    result = fold_contrast(folds)
    k, r = 3, 3
    d, s2, cov = zip(*map(slow_parts, folds), strict=True)
    trainings, patients = sum(s2) / (r * k**2), sum(cov) / k**2
    variance = trainings + max(0, patients)
    df = variance**2 / (trainings**2 / (k * (r - 1)))
    low, high = stats.t.interval(0.95, df, np.mean(d), np.sqrt(variance))

    assert result.difference == pytest.approx(np.mean(d), abs=1e-12)
    assert (result.variance_trainings, result.patients_covariance) == pytest.approx(
        (trainings, patients), abs=1e-12
    )
    assert (result.se, result.df) == pytest.approx((np.sqrt(variance), df), rel=1e-10)
    assert (result.ci_low, result.ci_high) == pytest.approx((low, high), abs=1e-10)
    assert result.p == pytest.approx(2 * stats.t.sf(abs(np.mean(d)) / np.sqrt(variance), df))


def test_two_repeats_of_four_patients_by_hand():
    """Arm: areas 1 and 3/4; baseline: 1/2 and 1/2.

    d = 1/2 and 1/4, so S2 = 1/32 and S2 / R = 1/64. Components of d: mutants (1/2, 1/2) and
    (1/2, 0), wildtypes (1/2, 1/2) and (1/2, 0): the first repeat does not vary over patients,
    so Cov = 0 and V = 1/64, with df = R - 1 = 1. t = (3/8) / (1/8) = 3.
    """
    fold = FoldScores(
        labels=np.array([1, 1, 0, 0]),
        scores=np.array([[4.0, 3.0, 2.0, 1.0], [4.0, 2.0, 3.0, 1.0]]),
        baseline=np.zeros((2, 4)),
    )
    result = fold_contrast([fold])

    assert (result.difference, result.se, result.df, result.t) == pytest.approx(
        (3 / 8, 1 / 8, 1, 3)
    )
    assert result.p == pytest.approx(
        1 - 2 / np.pi * np.arctan(3)
    )  # Student's t of 1 df is Cauchy's
    assert result.method == "t"


def test_the_covariance_is_truncated_once_over_all_folds():
    """Fold by fold, negative estimates would be lost and positive ones not: too wide."""
    parts = [fold_contrast([fold]).patients_covariance for fold in made_up(seed=1, repeats=2)]
    result = fold_contrast(made_up(seed=1, repeats=2))

    assert min(parts) < 0 < max(parts)
    assert result.patients_covariance == pytest.approx(sum(parts) / 9)
    assert result.variance_patients == max(0, result.patients_covariance)


def test_trainings_that_do_not_vary_are_judged_by_z():
    """With S2 = 0 the contrast is DeLong's, whose statistic is normal."""
    (fold,) = made_up(patients=(30,), repeats=1)
    twice = FoldScores(
        labels=fold.labels,
        scores=np.repeat(fold.scores, 2, axis=0),
        baseline=np.repeat(fold.baseline, 2, axis=0),
    )
    result = fold_contrast([twice])

    assert (result.method, result.df) == ("z", np.inf)
    assert result.p == pytest.approx(2 * stats.norm.sf(abs(result.difference / result.se)))
    assert result.interval(0.9) == pytest.approx(
        stats.norm.interval(0.9, result.difference, result.se)
    )


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param([[0.0, 0, 0, 0]] * 2, id="equal arms"),
        pytest.param([[2.0, 2, 1, 1]] * 2, id="a perfect arm"),
        pytest.param([[2.0, 1, 1, 1], [1.0, 2, 1, 1]], id="negative covariance"),
    ],
)
def test_no_variance_means_no_claim(scores):
    """An interval of one point would claim any difference."""
    fold = FoldScores(
        labels=np.array([1, 1, 0, 0]), scores=np.array(scores), baseline=np.zeros((2, 4))
    )
    result = fold_contrast([fold])

    assert (result.method, result.se) == ("none", 0)
    assert np.isnan([result.df, result.t, result.p, result.ci_low, result.ci_high]).all()
    assert np.isnan([*result.interval(0.9), result.p_above(0), result.p_within(0.02)]).all()


def test_a_covariance_of_zero_leaves_no_rounding_behind():
    """A rest of 1e-19 would pass for a variance, and any difference for certain.

    The deviations of the repeats are orthogonal in thirds, which no binary number holds.
    """
    shifted = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]]) / 3 + 0.2
    result = combined_contrast([[(shifted, np.full((2, 3), 0.2))]], [1])

    assert result.method == "none"


def test_one_repeat_has_no_variance_between_trainings():
    """The difference stands, and nothing is claimed from it."""
    result = fold_contrast(made_up(repeats=1))

    assert np.isfinite(result.difference)
    assert result.method == "none"
    assert np.isnan([result.se, result.variance_trainings, result.p, result.ci_low]).all()


def test_one_sided_tests_agree_with_the_intervals():
    """A claim at 5 % a side holds exactly if the 90 % interval allows it."""
    result = fold_contrast(made_up(seed=3, patients=(30, 30)))
    low, high = result.interval(0.9)

    assert result.p_above(low) == pytest.approx(0.05)
    assert result.p_below(high) == pytest.approx(0.05)
    assert result.p_within(max(-low, high)) == pytest.approx(0.05)
    assert 2 * min(result.p_above(0), result.p_below(0)) == pytest.approx(result.p)


def test_weights_of_arms_combine_them_repeat_by_repeat():
    """A trend is the same linear combination of contrasts against the baseline."""
    folds = made_up(patients=(20, 24), seed=5)
    pairs = [[fold_components(f.labels, s, fold=1) for s in (f.scores, f.baseline)] for f in folds]
    twice = combined_contrast(pairs, (2, -2))
    single = fold_contrast(folds)

    assert (twice.difference, twice.se) == pytest.approx((2 * single.difference, 2 * single.se))
    assert (twice.df, twice.p) == pytest.approx((single.df, single.p))


def test_bad_folds_are_refused_by_number():
    """The message says which fold, and what it lacks."""
    first, second, _ = made_up()
    lone = FoldScores(
        labels=np.array([1, 0, 0]), scores=np.zeros((3, 3)), baseline=np.zeros((3, 3))
    )
    short = FoldScores(labels=first.labels, scores=first.scores[:2], baseline=first.baseline[:2])
    unequal = FoldScores(labels=first.labels, scores=first.scores, baseline=first.baseline[:2])
    missing = FoldScores(labels=first.labels, scores=first.scores * np.nan, baseline=first.baseline)

    with pytest.raises(SampleError, match="fold 2: 1 mutant and 2 wildtype"):
        fold_contrast([first, lone])
    with pytest.raises(SampleError, match="same number of repeats"):
        fold_contrast([second, short])
    with pytest.raises(SampleError, match="fold 1: arms differ"):
        fold_contrast([unequal])
    with pytest.raises(SampleError, match="fold 1: scores are NaN"):
        fold_contrast([missing])
    with pytest.raises(SampleError, match="one fold or more"):
        fold_contrast([])
