"""The Gaussian age model that printed means and SDs make, without a single patient.

Source: Liu et al. 2020, tables 5 and 6.
"""

import numpy as np

from idhray.stats.probabilities.age import AgeModel
from idhray.stats.replicate.liu_cohort import class_sizes, mean_sd, pooled_mean_sd
from idhray.stats.replicate.typed import typed

SOURCES = {"TCGA": "Table 5", "local": "Table 6"}


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
