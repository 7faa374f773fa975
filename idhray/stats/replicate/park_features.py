"""Park 2021: the counts of every feature behind the three models, and log odds ratios of them."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from idhray.stats.hypothesis.contingency import chi_square, g_test
from idhray.stats.replicate.typed import Pair, counts_in, typed
from idhray.stats.sample import SampleError

Split = tuple[int, int]  # one group's patients with the level, and with the reference
GROUP_NAMES = ("IDH-wild", "real IDH-mutant", "synthetic IDH-mutant")
MODELS = {1: (0, 1), 2: (0, 2), 3: (0, 1, 2)}  # of which groups a model is made, wildtype first


def feature_counts() -> dict[str, dict[str, Pair]]:
    """variable -> level -> (wild, real mutant, synthetic mutant) of the training set."""
    features: dict[str, dict[str, Pair]] = {}
    rows = {(row["variable"], row["contrast"]): row for row in typed("park2021_table1")}
    for (variable, contrast), row in rows.items():
        if contrast == "P*" and row["counts"]:
            real = counts_in(row["counts"])
            synthetic = counts_in(rows[variable, "P**"]["counts"])
            levels = row["levels"].split("; ")
            features[variable] = {
                level: (*both, made)
                for level, both, (_, made) in zip(levels, real, synthetic, strict=True)
            }
    return features


def splits(level: Pair, reference: Pair, model: int) -> list[Split]:
    """Per group of the model, wildtype first, the patients with the level and the reference."""
    return [(level[group], reference[group]) for group in MODELS[model]]


def two_by_two(groups: Sequence[Split]) -> list[list[int]]:
    """[[mutants, wildtypes] with the level, the same with the reference]; mutants are pooled."""
    wild, *mutants = groups
    return [[sum(group[i] for group in mutants), wild[i]] for i in (0, 1)]


def log_odds_ratio(groups: Sequence[Split]) -> tuple[float, float]:
    """Beta of a logistic regression on one level against one reference, and its standard error.

    The closed form log(ad/bc) and sqrt(1/a + 1/b + 1/c + 1/d) is exact: a model with one
    categorical predictor is saturated.

    Raises:
        SampleError: an empty cell, where the estimate is infinite.
    """
    (a, b), (c, d) = two_by_two(groups)
    if 0 in (a, b, c, d):
        raise SampleError(f"counts {a}, {b}; {c}, {d}: an empty cell makes beta infinite")
    return float(np.log(a * d / (b * c))), float(np.sqrt(1 / a + 1 / b + 1 / c + 1 / d))


def wald_p(groups: Sequence[Split]) -> float:
    """P of beta over its standard error."""
    beta, se = log_odds_ratio(groups)
    return float(2 * stats.norm.sf(abs(beta) / se))


def likelihood_ratio_p(groups: Sequence[Split]) -> float:
    """P of the likelihood-ratio test that level and reference are one level."""
    return g_test(two_by_two(groups)).p


def score_p(groups: Sequence[Split]) -> float:
    """P of the score test, which is Pearson's chi-square."""
    return chi_square(two_by_two(groups)).p
