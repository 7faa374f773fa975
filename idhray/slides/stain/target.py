"""Target of stain normalization: published numbers, not taken from any slide of a study.

No patient's colors therefore depend on another patient's, and no test patient influences training.
"""

import math
from dataclasses import dataclass

from idhray.errors import ConfigError

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class StainTarget:
    """Colors of a slide after stain normalization.

    Source of the stain vectors and concentrations: `HERef` and `maxCRef` of M. Veta's
    implementation of Macenko et al. 2009 (github.com/mitkovetta/staining-normalization,
    normalizeStaining.m, 2013), the H&E reference that most software has adopted. They apply to
    optical densities by the natural logarithm, with glass at 240.
    Source of the color statistics: the region of slide TCGA-A2-A3XS-DX1 (breast) that Amgad et al.
    2019 (Bioinformatics 35:3461) normalized their slides to, as tabulated in HistomicsTK's examples
    of Reinhard's method: natural logarithms of cone responses, channels of 0 to 255.
    """

    hematoxylin: Triple = (0.5626, 0.7201, 0.4062)
    """Direction of hematoxylin's optical density: red, green, blue."""
    eosin: Triple = (0.2159, 0.8012, 0.5581)
    """Direction of eosin's optical density."""
    strongest: tuple[float, float] = (1.9705, 1.0308)
    """99th percentile of the concentrations of hematoxylin and eosin."""
    lab_mean: Triple = (8.74108109, -0.12440419, 0.0444982)
    """Means of l, alpha and beta of tissue, for Reinhard's method."""
    lab_sd: Triple = (0.6135447, 0.10989545, 0.0286032)
    """Standard deviations of l, alpha and beta."""

    def __post_init__(self) -> None:
        for name in ("hematoxylin", "eosin"):
            vector = getattr(self, name)
            if min(vector) < 0 or not 0.98 <= math.hypot(*vector) <= 1.02:
                raise ConfigError(f"{name} must be three parts of a unit vector, got {vector}")
        if self.hematoxylin[0] <= self.eosin[0]:
            raise ConfigError(
                "hematoxylin must absorb more red than eosin, got "
                f"{self.hematoxylin[0]:g} and {self.eosin[0]:g}; are they exchanged?"
            )
        for name in ("strongest", "lab_sd"):
            if not min(getattr(self, name)) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")
