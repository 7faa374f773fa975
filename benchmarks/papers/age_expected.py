"""Expected performance of a Gaussian age model, computed from its means and SDs alone.

It serves to plan, and to check whether printed results are as good as the printed ages allow: Liu
et al. 2020 give means and standard deviations in tables 5 and 6, and the results in table 3.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats
from scipy.integrate import quad

from idhray.stats.probabilities.age import AgeModel

TEST_MUTANT, TEST_WILDTYPE = 18, 16
"""Patients of the test set of Liu et al. 2020; they weight the accuracy."""
_REACH = 12.0  # standard deviations; nobody lies beyond


@dataclass(frozen=True, kw_only=True)
class ExpectedPerformance:
    """Means over patients drawn from the model's own two Gaussians."""

    sensitivity: float
    """Mutants whose P(mutant) is 1/2 or more, with the model's prior."""
    specificity: float
    accuracy: float
    """Accuracy with the class sizes of the test set of Liu et al. 2020."""
    auc_by_age: float
    """AUC of age itself: mutants are younger, or older if the means say so."""
    auc_by_posterior: float
    """AUC of P(mutant); it differs if the odds turn at an age that patients have."""


def expected_performance(model: AgeModel) -> ExpectedPerformance:
    """Sensitivity, specificity, accuracy and AUC in closed form; the second AUC by an integral."""
    sensitivity = share_called_mutant(model, model.mean_mutant, model.sd_mutant)
    specificity = 1 - share_called_mutant(model, model.mean_wildtype, model.sd_wildtype)
    correct = TEST_MUTANT * sensitivity + TEST_WILDTYPE * specificity
    distance = abs(model.mean_wildtype - model.mean_mutant)
    return ExpectedPerformance(
        sensitivity=sensitivity,
        specificity=specificity,
        accuracy=correct / (TEST_MUTANT + TEST_WILDTYPE),
        auc_by_age=float(stats.norm.cdf(distance / np.hypot(model.sd_mutant, model.sd_wildtype))),
        auc_by_posterior=_auc_by_posterior(model),
    )


def share_called_mutant(model: AgeModel, mean: float, sd: float, below: float = np.inf) -> float:
    """Share of a Gaussian at ages at which mutant is at least as likely as wildtype.

    Args:
        below: Highest age that is counted; the share is still that of all ages.
    """
    ends = [mean - _REACH * sd, *model.roots(), min(mean + _REACH * sd, below)]
    ends = sorted(np.clip(ends, ends[0], ends[-1]))
    share = 0.0
    for low, high in pairwise(ends):
        if model.log_odds((low + high) / 2) >= 0:
            share += stats.norm.cdf(high, mean, sd) - stats.norm.cdf(low, mean, sd)
    return float(share)


def _auc_by_posterior(model: AgeModel) -> float:
    """P(a mutant has higher odds than a wildtype) + half of P(equal odds), over wildtype ages."""
    mean, sd = model.mean_wildtype, model.sd_wildtype
    ends = mean - _REACH * sd, mean + _REACH * sd
    breaks = [age for age in (model.turning_point(), mean) if ends[0] < age < ends[1]]
    area, _ = quad(
        lambda age: stats.norm.pdf(age, mean, sd) * _mutants_above(model, age),
        *ends,
        points=sorted(breaks),
        limit=200,
        epsabs=1e-11,
        epsrel=1e-11,
    )
    return float(area)


def _mutants_above(model: AgeModel, age: float) -> float:
    """Share of mutants with higher odds than a patient of this age; equal odds count half.

    The odds are a parabola. Ages nearer to its turning point have higher odds if it is the maximum,
    and lower odds if it is the minimum. Without a turning point, younger ages have higher odds if
    mutants are younger.
    """
    turn = model.turning_point()
    if np.isnan(turn):
        if model.mean_mutant == model.mean_wildtype:
            return 0.5
        younger = float(stats.norm.cdf(age, model.mean_mutant, model.sd_mutant))
        return younger if model.mean_mutant < model.mean_wildtype else 1 - younger
    ends = turn + np.array([-1, 1]) * abs(age - turn)
    nearer = float(np.diff(stats.norm.cdf(ends, model.mean_mutant, model.sd_mutant))[0])
    return nearer if model.sd_mutant < model.sd_wildtype else 1 - nearer
