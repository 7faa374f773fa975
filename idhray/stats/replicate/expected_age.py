"""What a Gaussian age model from printed means and SDs would do, without a single patient.

Source: Liu et al. 2020, tables 5 and 6.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from idhray.stats.age import AgeModel
from idhray.stats.replicate.liu_cohort import class_sizes, mean_sd, pooled_mean_sd
from idhray.stats.replicate.typed import typed

AGES = np.linspace(-150.0, 300.0, 90_001)  # years; far beyond both tails
SOURCES = {"TCGA": "Table 5", "local": "Table 6"}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How well an age model does on patients whose ages follow its own Gaussians."""

    sensitivity: float
    specificity: float
    auc_age: float
    """Of age itself, the younger the likelier mutant."""
    auc_posterior: float
    """Of P(mutant | age), which with two roots is not the order of age."""

    def accuracy(self, n_mutant: int, n_wildtype: int) -> float:
        """At these class sizes."""
        right = self.sensitivity * n_mutant + self.specificity * n_wildtype
        return right / (n_mutant + n_wildtype)


def age_model(cohort: str, *, shared: bool = False, empirical: bool = False) -> AgeModel:
    """The model that the printed means and SDs of a cohort make (`TCGA`, `local`, `combined`).

    Args:
        shared: One variance for both classes, pooled within them.
        empirical: Priors as frequent as the classes, else equal.
    """
    wildtype, mutant = (_summary(cohort, name) for name in ("wildtype", "mutant"))
    w, m = wildtype[0], mutant[0]
    sds = [wildtype[2], mutant[2]]
    if shared:
        pooled = ((w - 1) * sds[0] ** 2 + (m - 1) * sds[1] ** 2) / (w + m - 2)
        sds = [float(np.sqrt(pooled))] * 2
    return AgeModel(
        mean_mutant=mutant[1],
        sd_mutant=sds[1],
        n_mutant=m,
        mean_wildtype=wildtype[1],
        sd_wildtype=sds[0],
        n_wildtype=w,
        prior_mutant=m / (m + w) if empirical else 0.5,
        shared_variance=shared,
        missing=0,
    )


def expected(model: AgeModel) -> Expected:
    """Sensitivity and specificity at even odds, and both areas, by the model's own Gaussians."""
    log_odds = model.log_odds(AGES)
    mutant, wildtype = (
        _weights(mean, sd)
        for mean, sd in (
            (model.mean_mutant, model.sd_mutant),
            (model.mean_wildtype, model.sd_wildtype),
        )
    )
    order = np.argsort(log_odds)
    below = np.cumsum(wildtype[order]) - wildtype[order] / 2
    distance = model.mean_wildtype - model.mean_mutant
    return Expected(
        sensitivity=share_called_mutant(model, model.mean_mutant, model.sd_mutant),
        specificity=1 - share_called_mutant(model, model.mean_wildtype, model.sd_wildtype),
        auc_age=float(stats.norm.cdf(distance / np.hypot(model.sd_mutant, model.sd_wildtype))),
        auc_posterior=float((mutant[order] * below).sum()),
    )


def share_called_mutant(model: AgeModel, mean: float, sd: float, below: float = np.inf) -> float:
    """The share of a Gaussian, up to age `below`, where the log odds are positive."""
    edges = [-np.inf, *(root for root in model.roots() if root < below), below]
    return sum(
        float(stats.norm.cdf(high, mean, sd) - stats.norm.cdf(low, mean, sd))
        for low, high in pairwise(edges)
        if float(model.log_odds(_inside(low, high))) > 0
    )


def _summary(cohort: str, name: str) -> tuple[int, float, float]:
    """Patients, mean age and SD of one class."""
    place = ("wildtype", "mutant").index(name)
    rows = {r["source"]: r for r in typed("liu2020_table56") if r["kind"] == "mean±SD"}
    found = [
        (class_sizes(source)[place], *mean_sd(rows[source][name])) for source in SOURCES.values()
    ]
    if cohort in SOURCES:
        return found[list(SOURCES).index(cohort)]
    sizes, means, sds = zip(*found, strict=True)
    return sum(sizes), *pooled_mean_sd(sizes, means, sds)


def _weights(mean: float, sd: float) -> NDArray[np.float64]:
    density = stats.norm.pdf(AGES, mean, sd)
    return np.asarray(density / density.sum())


def _inside(low: float, high: float) -> float:
    """A point between two edges, one of which may be infinite."""
    if np.isinf(low) and np.isinf(high):
        return 0.0
    return high - 1 if np.isinf(low) else low + 1 if np.isinf(high) else (low + high) / 2
