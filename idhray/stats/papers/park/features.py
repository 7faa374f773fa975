"""Features of a tumor that readers assess on CE-T1w and FLAIR, with their names in tables.

Source: Park et al. 2021, Methods, "Morphologic assessment", and tables 1 and 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from idhray.stats.regression.design import Factor


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One morphologic category."""

    name: str
    """Column of READINGS."""
    label: str
    levels: Mapping[str, str]
    """Value in READINGS -> name in tables; the first level is the reference of every regression."""

    @property
    def factor(self) -> Factor:
        """The feature as a regression's predictor."""
        return Factor(name=self.name, levels=tuple(self.levels))


# The references are those of table 2. (Its location rows were fitted with frontal or insula as
# reference and signs dropped; see benchmarks/papers.)
FEATURES = (
    Feature(
        name="location",
        label="Tumor location",
        levels={
            "other": "Other",
            "frontal_insula": "Frontal or insula",
            "thalamus_brainstem": "Thalamus or brainstem",
        },
    ),
    Feature(name="necrosis", label="Necrosis", levels={"yes": "Yes", "no": "No"}),
    Feature(
        name="enhancement",
        label="Enhancement category",
        levels={"rim": "Rim enhancing", "nodular": "Thick nodular", "patch": "Patch enhancing"},
    ),
    Feature(
        name="surrounding",
        label="Surrounding high signal intensity",
        levels={"tumor": "Tumor dominant", "edema": "Edema dominant"},
    ),
    Feature(
        name="margin",
        label="Margin of non-enhancing lesion",
        levels={"indistinct": "Indistinct", "clear": "Clear"},
    ),
)
BY_NAME = {feature.name: feature for feature in FEATURES}
FEATURE_NAMES = tuple(BY_NAME)
