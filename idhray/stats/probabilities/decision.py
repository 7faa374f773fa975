"""Decision curves: net benefit of acting on a model, compared with treating everyone or no one.

"Treat" stands for any action on patients who are called mutant. A threshold of 20% means that one
missed mutant is as bad as four wildtypes treated in vain. Net benefit is the number of mutants
treated minus the wildtypes treated, weighted by that exchange rate, per patient.

Letters: N patients, T thresholds. Source: Vickers and Elkin 2006 (Med Decis Making 26:565).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from idhray.stats.probabilities.logits import probabilities_of
from idhray.stats.sample import SampleError, Scored


@dataclass(frozen=True, kw_only=True)
class NetBenefit:
    """A point of the curve. Treating no one has a net benefit of 0 at every threshold."""

    threshold: float
    """Patients with a probability at or above it are treated."""
    model: float
    treat_all: float
    avoided_per_100: float
    """Treatments that the model saves per 100 patients, compared with treating all. A missed
    mutant costs (1 - t) / t of them. Below 0, treating all is better."""


def decision_curve(sample: Scored, thresholds: Sequence[float]) -> tuple[NetBenefit, ...]:
    """The net benefit of a model and of treating all: TP / N - FP / N x t / (1 - t).

    It takes the probabilities at face value, so check their calibration first.

    Args:
        thresholds: The values of t, above 0 and below 1.

    Raises:
        SampleError: a probability is outside 0..1, or a threshold is out of range.
    """
    p = probabilities_of(sample)
    cuts = np.asarray(thresholds, dtype=np.float64)
    if cuts.ndim != 1 or not len(cuts) or not ((cuts > 0) & (cuts < 1)).all():
        raise SampleError(f"decision thresholds must lie between 0 and 1, got {cuts.tolist()}")
    odds = cuts / (1 - cuts)
    mutant = sample.labels == 1
    share = mutant.mean()
    weights = np.where(mutant, share / mutant.sum(), (1 - share) / (~mutant).sum())  # (N,), sum 1
    treated = p[:, None] >= cuts  # (N, T)
    benefit = np.where(mutant[:, None], 1.0, -odds) * weights[:, None]
    model, treat_all = (treated * benefit).sum(axis=0), benefit.sum(axis=0)
    return tuple(
        NetBenefit(
            threshold=float(cuts[t]),
            model=float(model[t]),
            treat_all=float(treat_all[t]),
            avoided_per_100=float(100 * (model[t] - treat_all[t]) / odds[t]),
        )
        for t in range(len(cuts))
    )
