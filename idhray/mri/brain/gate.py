"""Plausibility gate of brain masks. Networks find a brain even in pure noise.

A mask that breaks a limit fails the study. Otherwise a mask of zeros, of all voxels, of the whole
head or of half a brain would train a network on scalp or on nothing.
"""

import math
from dataclasses import dataclass

import numpy as np

from idhray.errors import ConfigError, MriError
from idhray.mri.brain.extraction import BrainMask
from idhray.mri.mask import face_fractions, fill_holes, largest_component, most_frequent_value
from idhray.mri.transform import inverse, transform_points
from idhray.mri.volume import Volume, VolumeMask, mask_box, mask_ml, mask_points_mm


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """Limits of plausible masks of an adult's brain."""

    min_ml: float = 900.0
    max_ml: float = 2200.0
    """Largest plausible brain. Source: Yamada et al. 2023 (doi:10.1007/s00330-023-09632-x), table
    1, 133 adults: brain 1100 ml (SD 113), intracranial volume 1443 ml (SD 129). Masks lie between
    the two. The distance of the limits from these means is ours, for scans that cut the brain off
    and for large heads."""
    max_extent_mm: float = 210.0
    """Largest extent of the mask along any axis."""
    min_largest_fraction: float = 0.9
    """Smallest fraction of the mask in its largest component; other components are dropped."""
    max_hole_fraction: float = 0.1
    """Largest fraction of holes in the filled mask, such as ventricles; holes are filled."""
    min_face_fraction: float = 0.05
    """Fraction of a face of the volume from which on a mask counts as continuing beyond it."""
    max_faces: int = 3
    """Most faces that the brain may continue beyond; scans often cut it off above and below."""
    max_empty_fraction: float = 0.25
    """Largest fraction of the mask with exactly the value of the background."""
    min_contrast: float = 0.02
    """Smallest difference between the medians inside and outside the brain, divided by the range of
    the volume (percentiles 1 to 99). Noise has 0.00. Air is dark in every sequence. A tight box
    around the brain contains no air, but still has 0.03 (CE-T1w of a TCGA patient)."""
    max_volume_ratio: float = 1.35
    """Largest ratio of the brain volumes of CE-T1w and FLAIR, the larger divided by the smaller."""
    min_header_overlap: float = 0.3
    """Smallest Dice of the two brains by the headers' positions, before registration."""

    def __post_init__(self) -> None:
        """Refuse limits that every mask or no mask can meet.

        Raises:
            ConfigError: The message names the field, its value and the allowed values.
        """
        if not 0 <= self.min_ml < self.max_ml:
            raise ConfigError(f"min_ml {self.min_ml:g} must be below max_ml {self.max_ml:g}")
        for name in (
            "min_largest_fraction",
            "max_hole_fraction",
            "min_face_fraction",
            "max_empty_fraction",
            "min_header_overlap",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not 0 <= self.max_faces <= 6:
            raise ConfigError(f"max_faces must be 0 to 6, got {self.max_faces}")
        if not self.max_extent_mm > 0 or not self.max_volume_ratio >= 1:
            raise ConfigError("max_extent_mm must be above 0 and max_volume_ratio 1 or more")


@dataclass(frozen=True, kw_only=True)
class MaskFigures:
    """Figures of a mask and of the volume inside it."""

    covered_fraction: float
    """Fraction of the volume inside the mask."""
    ml: float
    extent_mm: tuple[float, float, float]
    largest_fraction: float
    hole_fraction: float
    face_fractions: tuple[float, ...]
    """First and last along i, j and k."""
    empty_fraction: float
    contrast: float


def checked_brain(volume: Volume, brain: BrainMask, settings: GateSettings) -> VolumeMask:
    """Largest component of a plausible brain mask, its holes filled.

    A mask of the method "none" is returned unchanged, because the settings ask for all voxels.

    Raises:
        MriError: The mask breaks limits; the message lists all of them.
    """
    if brain.method == "none":
        return brain.mask
    figures, repaired = measured_mask(volume, brain.mask)
    problems = mask_problems(figures, settings)
    if brain.method == "stripped":  # its mean may be scaled to 0, the value of the background
        problems = [problem for problem in problems if "brighter" not in problem]
    if problems:
        raise MriError(
            f"{volume.name}: implausible brain mask ({brain.method}): {'; '.join(problems)}; "
            "check the scan, or give a mask"
        )
    return repaired


def measured_mask(volume: Volume, mask: VolumeMask) -> tuple[MaskFigures, VolumeMask]:
    """Figures of a mask, and its largest component with holes filled.

    Most figures of an empty or full mask are 0.
    """
    covered = float(mask.mean())
    if covered in (0.0, 1.0):
        figures = MaskFigures(
            covered_fraction=covered,
            ml=mask_ml(mask, volume),
            extent_mm=(0.0, 0.0, 0.0),
            largest_fraction=covered,
            hole_fraction=0.0,
            face_fractions=(covered,) * 6,
            empty_fraction=0.0,
            contrast=0.0,
        )
        return figures, mask
    largest, fraction = largest_component(mask)
    repaired = fill_holes(largest)
    low, high = mask_box(largest)
    i, j, k = (high - low + 1) * volume.spacing_mm
    figures = MaskFigures(
        covered_fraction=covered,
        ml=mask_ml(largest, volume),
        extent_mm=(float(i), float(j), float(k)),
        largest_fraction=fraction,
        hole_fraction=1 - float(largest.sum() / repaired.sum()),
        face_fractions=tuple(face_fractions(mask)),
        empty_fraction=float((volume.voxels[mask] == most_frequent_value(volume.voxels)).mean()),
        contrast=_contrast(volume, mask),
    )
    return figures, repaired


def mask_problems(figures: MaskFigures, settings: GateSettings) -> list[str]:
    """One phrase for each limit that a mask breaks; empty for a plausible brain."""
    if figures.covered_fraction == 0:
        return ["it is empty"]
    if figures.covered_fraction == 1:
        return ["it marks every voxel"]
    beyond = sum(face >= settings.min_face_fraction for face in figures.face_fractions)
    sides = " x ".join(f"{side:.0f}" for side in figures.extent_mm)
    sentences = {
        f"{figures.ml:.0f} ml, must be {settings.min_ml:.0f} to {settings.max_ml:.0f}": not (
            settings.min_ml <= figures.ml <= settings.max_ml
        ),
        f"{sides} mm, each must be at most {settings.max_extent_mm:.0f}": (
            max(figures.extent_mm) > settings.max_extent_mm
        ),
        f"its largest component is {figures.largest_fraction:.0%} of it": (
            figures.largest_fraction < settings.min_largest_fraction
        ),
        f"{figures.hole_fraction:.0%} of it are holes": (
            figures.hole_fraction > settings.max_hole_fraction
        ),
        f"it continues beyond {beyond} of the 6 faces of the volume": beyond > settings.max_faces,
        f"{figures.empty_fraction:.0%} of it is empty background": (
            figures.empty_fraction > settings.max_empty_fraction
        ),
        f"it is hardly brighter than the rest (contrast {figures.contrast:.2f})": (
            figures.contrast < settings.min_contrast
        ),
    }
    return [sentence for sentence, broken in sentences.items() if broken]


def pair_problems(
    t1ce: Volume,
    t1ce_brain: VolumeMask,
    flair: Volume,
    flair_brain: VolumeMask,
    settings: GateSettings,
) -> list[str]:
    """One phrase for each limit that the brains of one patient's two scans break together.

    The overlap is that of the headers' positions, which may be off by centimeters;
    `Registration.overlap` is the overlap after registration.
    """
    ml, flair_ml = mask_ml(t1ce_brain, t1ce), mask_ml(flair_brain, flair)
    ratio = max(ml, flair_ml) / max(min(ml, flair_ml), 1e-9)
    overlap = header_overlap(t1ce, t1ce_brain, flair, flair_brain)
    sentences = {
        f"the brain has {ml:.0f} ml in CE-T1w and {flair_ml:.0f} in FLAIR": (
            ratio > settings.max_volume_ratio
        ),
        f"the brains of CE-T1w and FLAIR overlap by {overlap:.2f} only by their headers": (
            overlap < settings.min_header_overlap
        ),
    }
    return [sentence for sentence, broken in sentences.items() if broken]


def header_overlap(
    t1ce: Volume, t1ce_brain: VolumeMask, flair: Volume, flair_brain: VolumeMask
) -> float:
    """Dice of the two masks by the positions of their affines; 0 if one is empty."""
    ml, flair_ml = mask_ml(t1ce_brain, t1ce), mask_ml(flair_brain, flair)
    if not ml or not flair_ml:
        return 0.0
    voxel = np.rint(
        transform_points(inverse(flair.affine), mask_points_mm(t1ce_brain, t1ce))
    ).astype(int)
    inside = ((voxel >= 0) & (voxel < np.array(flair_brain.shape)[:, None])).all(axis=0)
    shared = flair_brain[tuple(voxel[:, inside])].sum() / voxel.shape[1]
    return float(2 * shared * ml / (ml + flair_ml))


def _contrast(volume: Volume, mask: VolumeMask) -> float:
    step = math.ceil((volume.voxels.size / 500_000) ** (1 / 3))  # enough for percentiles
    every_nth = (slice(None, None, step),) * 3
    values, inside = volume.voxels[every_nth], mask[every_nth]
    low, high = np.percentile(values, [1, 99])
    if not high > low or not inside.any() or inside.all():
        return 0.0
    return float((np.median(values[inside]) - np.median(values[~inside])) / (high - low))
