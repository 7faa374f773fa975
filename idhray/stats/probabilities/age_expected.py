"""What a Gaussian age model can be expected to achieve, without a single patient.

For planning, and to see whether printed results are as good as the printed ages allow: Liu et al.
2020, tables 5 and 6, give means and standard deviations, table 3 the results.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats
from scipy.integrate import quad

from idhray.stats.probabilities.age import AgeModel

_REACH = 12.0  # standard deviations; nobody lies beyond


@dataclass(frozen=True, kw_only=True)
class ExpectedPerformance:
    """Means over patients drawn from the model's own two Gaussians."""

    sensitivity: float
    """Mutants whose P(mutant) is 1/2 or more, with the model's prior."""
    specificity: float
    accuracy: float
    """At the given numbers of mutant and wildtype patients."""
    auc_by_age: float
    """Of being younger (or older, as the means have it)."""
    auc_by_posterior: float
    """Of P(mutant); it differs where the odds turn at an age that patients have."""
    n_mutant: int
    n_wildtype: int


def expected_performance(
    model: AgeModel, n_mutant: int = 18, n_wildtype: int = 16
) -> ExpectedPerformance:
    """Sensitivity, specificity, accuracy and AUC in closed form; the second AUC by an integral.

    Args:
        n_mutant: Of the set to be judged; they weight the accuracy. Liu et al. had 18 and 16.
    """
    sensitivity = share_called_mutant(model, model.mean_mutant, model.sd_mutant)
    specificity = 1 - share_called_mutant(model, model.mean_wildtype, model.sd_wildtype)
    right = n_mutant * sensitivity + n_wildtype * specificity
    apart = abs(model.mean_wildtype - model.mean_mutant)
    return ExpectedPerformance(
        sensitivity=sensitivity,
        specificity=specificity,
        accuracy=right / (n_mutant + n_wildtype),
        auc_by_age=float(stats.norm.cdf(apart / np.hypot(model.sd_mutant, model.sd_wildtype))),
        auc_by_posterior=_auc_by_posterior(model),
        n_mutant=n_mutant,
        n_wildtype=n_wildtype,
    )


def share_called_mutant(model: AgeModel, mean: float, sd: float, below: float = np.inf) -> float:
    """The share of a Gaussian at ages where mutant is at least as likely as wildtype.

    Args:
        below: Only ages up to it; the share is still that of all ages.
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
    breaks = [one for one in (model.turning_point(), mean) if ends[0] < one < ends[1]]
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
    """The share of mutants with higher odds than a patient of this age, equal ones counting half.

    The odds are a parabola: an age is beaten by those nearer to the turning point, or farther from
    it if it is their minimum. Where they have no turning point, it is beaten by the younger ones
    if mutants are younger.
    """
    turn = model.turning_point()
    if np.isnan(turn) and model.mean_mutant == model.mean_wildtype:
        return 0.5
    if model.monotone or np.isnan(turn):
        younger = _share_younger(model, age)
        return younger if model.mean_mutant <= model.mean_wildtype else 1 - younger
    ends = turn + np.array([-1, 1]) * abs(age - turn)
    nearer = float(np.diff(stats.norm.cdf(ends, model.mean_mutant, model.sd_mutant))[0])
    return nearer if model.sd_mutant < model.sd_wildtype else 1 - nearer


def _share_younger(model: AgeModel, age: float) -> float:
    """Of mutants; ages that the model holds at its turning point are one age, and count half."""
    turn = model.turning_point()
    held_below = turn < model.mean_mutant
    past = age <= turn if held_below else age >= turn
    share = float(stats.norm.cdf(turn if past else age, model.mean_mutant, model.sd_mutant))
    if not past:
        return share
    return share / 2 if held_below else (1 + share) / 2
