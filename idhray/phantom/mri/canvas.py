"""The two contrasts of the made-up head, painted tissue over tissue."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from idhray.phantom.mri.fields import Field


class Tissue(NamedTuple):
    """How bright a tissue is; white matter on CE-T1w is 100."""

    t1ce: float
    flair: float
    edema: float
    """How readily edema spreads in it, 0 to 1: along white matter, hardly into cortex."""


# Ours, after textbook pictures: CE-T1w with white brighter than gray matter and bright vessels,
# dura, fat; FLAIR with gray matter the brighter, fluid dark, flowing blood void.
AIR = Tissue(1, 1, 0)
FAT = Tissue(190, 150, 0)
MUSCLE = Tissue(72, 62, 0)
BONE = Tissue(16, 10, 0)
MARROW = Tissue(62, 36, 0)
FLUID = Tissue(26, 12, 0)
GRAY = Tissue(69, 86, 0.12)
WHITE = Tissue(100, 66, 1)
DEEP_GRAY = Tissue(82, 78, 0.7)
STEM = Tissue(92, 72, 0.9)
CEREBELLUM = Tissue(76, 80, 0.3)
DURA = Tissue(125, 55, 0)
VESSEL = Tissue(190, 18, 0)
PLEXUS = Tissue(170, 70, 0)

TUMOR = Tissue(68, 146, 1)
"""Without enhancement."""
EDEMA = Tissue(76, 128, 1)
ENHANCING = Tissue(205, 136, 1)
PATCHY = Tissue(140, 142, 1)
NECROSIS = Tissue(30, 112, 1)


@dataclass(frozen=True, eq=False)
class Canvas:
    """Maps of one head: brightness on CE-T1w and FLAIR, and how readily edema spreads."""

    t1ce: Field
    flair: Field
    edema: Field

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Self:
        """Air everywhere."""
        return cls(*(np.full(shape, value, dtype=np.float32) for value in AIR))

    def paint(self, weight: Field, tissue: Tissue) -> None:
        """Cover what is there by `tissue`, wholly where `weight` is 1, not at all where 0."""
        for layer, value in zip((self.t1ce, self.flair, self.edema), tissue, strict=True):
            np.add(layer, weight * (np.float32(value) - layer), out=layer)
