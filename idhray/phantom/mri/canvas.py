"""Canvas of the phantom head: its two contrasts, painted tissue over tissue."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from idhray.phantom.mri.fields import HeadMap


class Tissue(NamedTuple):
    """Brightness of a tissue; white matter on CE-T1w is 100."""

    t1ce: float
    flair: float
    edema: float
    """Spread of edema in the tissue, 0 to 1: easy in white matter, hardly into cortex."""


# Ours, after textbook images. CE-T1w: white matter brighter than gray; vessels, dura and fat
# bright. FLAIR: gray matter brighter than white; fluid dark; flowing blood void.
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
"""Tumor without enhancement."""
EDEMA = Tissue(76, 128, 1)
ENHANCING = Tissue(205, 136, 1)
PATCHY = Tissue(140, 142, 1)
NECROSIS = Tissue(30, 112, 1)


@dataclass(frozen=True, eq=False)
class Canvas:
    """Maps of one head: brightness on CE-T1w and FLAIR, and the spread of edema."""

    t1ce: HeadMap
    flair: HeadMap
    edema: HeadMap

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Self:
        """Canvas of air."""
        return cls(*(np.full(shape, value, dtype=np.float32) for value in AIR))

    def paint(self, weight: HeadMap, tissue: Tissue) -> None:
        """Blend `tissue` over the canvas, fully where `weight` is 1, not at all where it is 0."""
        for layer, value in zip((self.t1ce, self.flair, self.edema), tissue, strict=True):
            np.add(layer, weight * (np.float32(value) - layer), out=layer)
