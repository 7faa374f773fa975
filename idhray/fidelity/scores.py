"""All fidelity metrics of one sample of features against another.

Shapes: N generated, M real images, F features.
"""

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from idhray.errors import TableError
from idhray.fidelity.frechet import frechet_distance
from idhray.fidelity.kernel import kernel_distance
from idhray.fidelity.manifold import manifold_scores
from idhray.fidelity.settings import FidelitySettings

METRICS = (
    "fid",
    "kid",
    "kid_subset_mean",
    "kid_subset_sd",
    "precision",
    "recall",
    "density",
    "coverage",
)


@dataclass(frozen=True)
class MetricValues:
    """Value of every metric, with notes."""

    values: dict[str, float]
    """Metric -> value, for all METRICS; NaN if it cannot be computed."""
    notes: dict[str, str]
    """Metric -> note, only for metrics that need one."""


def score(
    generated: Tensor, real: Tensor, settings: FidelitySettings, chance: np.random.Generator
) -> MetricValues:
    """FID, KID, precision, recall, density and coverage.

    Args:
        generated: (N, F).
        real: (M, F).
        settings: Neighbors and subsets; images are not subsampled here.
        chance: Generator that draws KID's subsets.

    Raises:
        TableError: F differs, a side has fewer than two images, or a feature is not finite.
    """
    x, y = _checked(generated, "generated"), _checked(real, "real")
    if x.shape[1] != y.shape[1]:
        raise TableError(
            f"generated images have {x.shape[1]} features, real ones {y.shape[1]}; use one "
            "extractor for both"
        )
    kid = kernel_distance(
        x, y, subsets=settings.subsets, subset_size=settings.subset_size, chance=chance
    )
    values = {
        "fid": frechet_distance(x, y),
        "kid": kid.value,
        "kid_subset_mean": kid.subset_mean,
        "kid_subset_sd": kid.subset_sd,
        **_shares(x, y, settings.neighbours),
    }
    return MetricValues(values, _notes(x, y, settings, kid.subset_size))


def _checked(features: Tensor, origin: str) -> Tensor:
    if features.ndim != 2 or len(features) < 2 or features.shape[1] < 1:
        raise TableError(
            f"fidelity needs features of 2 or more {origin} images, got {tuple(features.shape)}"
        )
    if n_wrong := int((~features.isfinite()).any(dim=1).sum()):
        raise TableError(
            f"{n_wrong} of {len(features)} {origin} images have features that are not finite"
        )
    return features.double()


def _shares(x: Tensor, y: Tensor, k: int) -> dict[str, float]:
    names = ("precision", "recall", "density", "coverage")
    if min(len(x), len(y)) <= k:
        return dict.fromkeys(names, math.nan)
    scores = manifold_scores(x, y, k)
    return {name: getattr(scores, name) for name in names}


def _notes(x: Tensor, y: Tensor, settings: FidelitySettings, subset_size: int) -> dict[str, str]:
    notes = {}
    n, k = min(len(x), len(y)), settings.neighbours
    if n <= x.shape[1]:
        notes["fid"] = (
            f"{n} images, {x.shape[1]} features: covariance singular, FID biased upwards; "
            "compare it with the floor only"
        )
    if subset_size != settings.subset_size:
        few = f"subsets of {subset_size}, as there are {n} images"
        notes |= {"kid_subset_mean": few, "kid_subset_sd": few}
    if n <= k:
        few = f"{k} neighbors need {k + 1} or more images, got {n}"
        notes |= dict.fromkeys(("precision", "recall", "density", "coverage"), few)
    return notes
