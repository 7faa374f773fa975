"""Readers, treatments and cases: against R's MRMCaov, a slow plain version and sums by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from idhray.stats.mrmc.area_covariance import areas_with_covariance
from idhray.stats.mrmc.obuchowski_rockette import MrmcDesign, obuchowski_rockette
from idhray.stats.sample import SampleError

BLOCKS = {
    "random_readers_random_cases": MrmcDesign(),
    "fixed_readers_random_cases": MrmcDesign(readers="fixed"),
    "random_readers_fixed_cases": MrmcDesign(cases="fixed"),
}


def cube(table):
    """Labels (N,) and ratings (T, R, N) of a tidy table."""
    wide = table.pivot(index=["treatment", "reader"], columns="case", values="rating")
    t, r = (wide.index.get_level_values(level).nunique() for level in (0, 1))
    labels = table.drop_duplicates("case").set_index("case")["truth"].loc[wide.columns]
    return labels.to_numpy(), wide.to_numpy(dtype=float).reshape(t, r, -1)


def made_up(t=3, r=4, n=30, seed=0):
    """Ratings 1 to 5 with ties; case difficulty is shared."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    skill = rng.normal(1, 0.3, size=(t, r, 1))
    latent = rng.normal(size=n) + skill * labels + rng.normal(size=(t, r, n))
    return labels, np.clip(np.round(latent + 2.5), 1, 5)


def slow_jackknife(labels, ratings):
    """Areas without one case at a time, by comparing all pairs."""

    def area(row, cases):
        wins = [
            1.0 if row[i] > row[j] else 0.5 if row[i] == row[j] else 0.0
            for i in cases
            for j in cases
            if labels[i] == 1 and labels[j] == 0
        ]
        return np.mean(wins)

    n = len(labels)
    rows = ratings.reshape(-1, n)
    pseudo = np.array(
        [[area(row, [c for c in range(n) if c != left]) for row in rows] for left in range(n)]
    )
    return np.cov(pseudo.T, ddof=1) * (n - 1) ** 2 / n


@pytest.mark.parametrize("covariance", ["DeLong", "jackknife"])
@pytest.mark.parametrize("block", BLOCKS)
def test_vandyke_is_mrmcaov(mrmc_reference, block, covariance):
    """All figures of MRMCaov 0.3.0 on the published readings of Van Dyke et al."""
    labels, ratings = cube(mrmc_reference("vandyke.csv"))
    answer = mrmc_reference("vandyke.json")[covariance][block]
    result = obuchowski_rockette(
        labels, ratings, covariance=covariance.lower(), design=BLOCKS[block]
    )

    assert result.equality.ms_treatment == pytest.approx(answer["equality"][0]["MS(T)"], abs=1e-9)
    check_equality(result.equality, answer["equality"][0])
    check_estimate(result.differences[0, 1], answer["differences"][0])
    for mean, expected in zip(result.means, answer["means"], strict=True):
        check_estimate(mean, expected)
    check_components(result.components, answer["components"])


def check_equality(equality, answer):
    statistic = answer.get("F", answer.get("X2"))
    assert equality.statistic == pytest.approx(statistic, rel=1e-9)
    assert equality.df1 == answer.get("df1", answer.get("df"))
    assert equality.df2 == pytest.approx(answer.get("df2", np.inf), rel=1e-9)
    assert equality.p == pytest.approx(answer["p-value"], abs=1e-9)
    assert equality.denominator == pytest.approx(
        answer.get("Denominator", answer.get("MS(T:R)")), abs=1e-9
    )


def check_estimate(estimate, answer):
    figures = (estimate.value, estimate.se, estimate.ci_low, estimate.ci_high)
    expected = (answer["Estimate"], answer["StdErr"], *answer["CI"])
    assert figures == pytest.approx(expected, abs=1e-9)
    assert estimate.df == pytest.approx(answer.get("df", np.inf), rel=1e-9)
    if "p-value" in answer:
        assert estimate.t == pytest.approx(answer.get("t", answer.get("z")), abs=1e-9)
        assert estimate.p == pytest.approx(answer["p-value"], abs=1e-9)


def check_components(components, answer):
    if not answer:
        assert components is None
        return
    rows = {row["_row"]: row for row in answer}
    names = {"reader": "reader", "treatment:reader": "treatment_reader", "Error": "error"}
    names |= {f"Cov{i}": f"cov{i}" for i in (1, 2, 3)}
    for row, name in names.items():
        assert getattr(components, name) == pytest.approx(rows[row]["Estimate"], abs=1e-9)
    assert components.correlations == pytest.approx(
        [rows[f"Cov{i}"]["Correlation"] for i in (1, 2, 3)], abs=1e-9
    )


def test_the_jackknife_leaves_out_case_by_case():
    """Components give the areas without a case in one step; loops must agree."""
    labels, ratings = made_up(t=2, r=2, n=14)
    _, fast = areas_with_covariance(labels, ratings.reshape(4, -1), "jackknife")

    assert fast == pytest.approx(slow_jackknife(labels, ratings), abs=1e-12)


@pytest.mark.parametrize("covariance", ["delong", "jackknife"])
def test_three_treatments_and_four_readers_by_loops(covariance):
    """Mean squares, covariances and the F test from double loops over areas."""
    labels, ratings = made_up()
    t, r = 3, 4
    result = obuchowski_rockette(labels, ratings, covariance=covariance)
    areas, sigma = areas_with_covariance(labels, ratings.reshape(t * r, -1), covariance)
    kinds = {(True, False): [], (False, True): [], (False, False): [], (True, True): []}
    for (a, (i, j)), (b, (k, m)) in itertools.product(
        enumerate(itertools.product(range(t), range(r))), repeat=2
    ):
        kinds[i == k, j == m].append(sigma[a, b])
    cov2, cov3 = np.mean(kinds[True, False]), np.mean(kinds[False, False])
    table = areas.reshape(t, r)
    grand, rows, columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    ms_t = r * sum((row - grand) ** 2 for row in rows) / (t - 1)
    ms_tr = sum(
        (table[i, j] - rows[i] - columns[j] + grand) ** 2 for i in range(t) for j in range(r)
    ) / ((t - 1) * (r - 1))
    denominator = ms_tr + r * max(cov2 - cov3, 0)
    df2 = denominator**2 / (ms_tr**2 / ((t - 1) * (r - 1)))

    assert result.areas == pytest.approx(table)
    assert result.components.error == pytest.approx(np.mean(kinds[True, True]))
    assert result.components.cov1 == pytest.approx(np.mean(kinds[False, True]))
    assert result.equality.statistic == pytest.approx(ms_t / denominator)
    assert result.equality.p == pytest.approx(stats.f.sf(ms_t / denominator, t - 1, df2))
    assert set(result.differences) == {(0, 1), (0, 2), (1, 2)}
    assert result.differences[0, 2].se == pytest.approx(np.sqrt(2 / r * denominator))


def test_two_readers_and_four_cases_by_hand():
    """Areas 1, 3/4 under the first treatment and 1/2, 1/2 under the second.

    Treatment means 7/8 and 1/2, reader means 3/4 and 5/8, grand mean 11/16. MS(T) = 2 x 2 x
    (3/16)^2 = 9/64; the residuals are +-1/16, so MS(T:R) = 4/256 = 1/64. With fixed cases
    F = 9 on 1 and 1 df, whose P is 1 - 2/pi arctan 3; the difference is 3/8, its error 1/8.
    """
    labels = np.array([1, 1, 0, 0])
    ratings = np.array([[[4, 3, 2, 1], [4, 2, 3, 1]], np.zeros((2, 4))], dtype=float)
    result = obuchowski_rockette(labels, ratings, design=MrmcDesign(cases="fixed"))

    assert (result.squares.treatment, result.squares.treatment_reader) == (9 / 64, 1 / 64)
    assert result.equality.statistic == pytest.approx(9)
    assert result.equality.p == pytest.approx(1 - 2 / np.pi * np.arctan(3))
    assert (result.differences[0, 1].value, result.differences[0, 1].se) == (3 / 8, 1 / 8)


def test_one_treatment_has_a_mean_and_no_test():
    """Readers of a single modality are the common case in a pilot."""
    labels, ratings = made_up(t=1)
    result = obuchowski_rockette(labels, ratings)

    assert result.equality is None
    assert result.differences == {}
    assert result.means == obuchowski_rockette(*made_up(t=1)).means
    assert np.isfinite([result.components.reader, result.components.cov2]).all()


def test_one_reader_must_be_fixed():
    """One reader says nothing of other readers; over cases the comparison is DeLong's."""
    labels, ratings = made_up(t=2, r=1)
    result = obuchowski_rockette(labels, ratings, design=MrmcDesign(readers="fixed"))
    _, sigma = areas_with_covariance(labels, ratings.reshape(2, -1), "delong")
    contrast = sigma[0, 0] + sigma[1, 1] - 2 * sigma[0, 1]

    assert result.differences[0, 1].se == pytest.approx(np.sqrt(contrast))
    with pytest.raises(SampleError, match="one reader is no sample"):
        obuchowski_rockette(labels, ratings)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("readers", ["random", "fixed"])
def test_equal_readings_give_no_p(seed, readers):
    """A variance of 0 supports no claim, nor does what rounding leaves of it."""
    labels, ratings = made_up(t=2, seed=seed)
    same = np.repeat(ratings[:1], 2, axis=0)
    result = obuchowski_rockette(labels, same, design=MrmcDesign(readers=readers))

    assert result.differences[0, 1].value == 0
    assert np.isnan([result.differences[0, 1].p, result.equality.p]).all()


def test_bad_ratings_are_refused():
    """Each message says what to change."""
    labels, ratings = made_up()

    with pytest.raises(SampleError, match="every reader must rate every case"):
        obuchowski_rockette(labels, np.where(ratings == 1, np.nan, ratings))
    with pytest.raises(SampleError, match="both fixed"):
        MrmcDesign(readers="fixed", cases="fixed")
    with pytest.raises(SampleError, match="1 mutant"):
        obuchowski_rockette(np.array([1, 0, 0]), ratings[:, :, :3])
    with pytest.raises(SampleError, match="delong or jackknife"):
        obuchowski_rockette(labels, ratings, covariance="bootstrap")
