"""Measures of a tumor on one slice, by which the simulated reader judges it.

A slice is (height, width, 3) uint8, brain only, anterior up: CE-T1w, FLAIR, null. Brightness is in
multiples of the brain's median, so that the window of the slice hardly matters. The truth is not
used; a slice without a tumor or a slice of noise has measures, too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure, morphology

from idhray.errors import TableError
from idhray.images import RGB

SliceMap = NDArray[np.float32]  # (height, width)
SliceMask = NDArray[np.bool_]  # (height, width)

FOV_MM = 240.0
"""Side of the field of view of a slice."""

# Multiples of the brain's median; tests/phantom/test_mri_image_reader.py measures the agreement.
LESION = 1.40  # FLAIR
ENHANCING = 1.22  # CE-T1w
DARK = 0.55  # CE-T1w
NOT_FLUID = 0.85  # FLAIR
LEAST_LESION_MM2 = 60.0


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Measures of the FLAIR lesion of a slice."""

    ahead: float
    """Anterior position of the core: 1 at the brain's front edge, -1 at its back edge."""
    aside: float
    """Lateral position of the core: 0 in the midline, 1 at the brain's side."""
    strength: float
    """CE-T1w of the brightest tenth of the enhancing pixels."""
    node_mm2: float
    """Area of the largest enhancing component, its holes filled."""
    compact: float
    """Solidity of that component: its area divided by that of its convex hull."""
    hollow: float
    """Share of holes in the filled core."""
    necrosis_mm2: float
    """Area that is dark on CE-T1w but not fluid on FLAIR."""
    solidity: float
    """Solidity of the lesion: its area divided by that of its convex hull."""
    edge_mm: float
    """Width of the lesion's margin on FLAIR."""


def measures(image: RGB) -> Measures:
    """Measures of one slice.

    Raises:
        TableError: `image` is not (height, width, 3) uint8.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise TableError(f"a slice is (height, width, 3) uint8, got {image.shape} {image.dtype}")
    pixel_mm = FOV_MM / image.shape[0]
    brain = brain_area(image)
    t1ce, flair = (_relative(image[..., i], brain, pixel_mm) for i in (0, 1))
    lesion = lesion_area(flair, brain, pixel_mm)
    if not lesion.any():  # a reader must answer: take the brightest fiftieth of the brain
        lesion = brain & (flair >= np.quantile(flair[brain], 0.98))
    bright = _enhancing(t1ce, lesion, pixel_mm)
    core = ndimage.binary_fill_holes(bright)
    node = _largest(core)
    dark = (t1ce < DARK) & (flair > NOT_FLUID) & _grown(lesion, -3, pixel_mm)
    area = pixel_mm**2
    ahead, aside = _position(core if core.sum() * area > 60 else lesion, brain)
    return Measures(
        ahead=ahead,
        aside=aside,
        strength=float(np.quantile(t1ce[bright], 0.9)) if bright.any() else 1.0,
        node_mm2=float(node.sum() * area),
        compact=_solidity(node),
        hollow=float((core & ~bright).sum() / max(core.sum(), 1)),
        necrosis_mm2=float(dark.sum() * area),
        solidity=_solidity(lesion),
        edge_mm=_edge_mm(flair, lesion, brain, pixel_mm),
    )


def brain_area(image: RGB) -> SliceMask:
    """Brain pixels of a slice; all pixels if there are hardly any."""
    mask = ndimage.binary_opening(image[..., :2].max(axis=-1) > 20)
    mask = ndimage.binary_fill_holes(_largest(mask))
    return mask if mask.sum() >= 0.02 * mask.size else np.ones_like(mask)


def lesion_area(flair: SliceMap, brain: SliceMask, pixel_mm: float) -> SliceMask:
    """FLAIR lesion: the largest bright component and larger satellites; may be empty."""
    bright = (flair > LESION) & _grown(brain, -4, pixel_mm)
    components = measure.label(ndimage.binary_opening(bright))
    sizes = np.bincount(components.ravel()) * pixel_mm**2
    sizes[0] = 0
    least = max(0.2 * sizes.max(initial=0), LEAST_LESION_MM2)
    large = np.isin(components, np.flatnonzero(sizes >= least))
    return np.asarray(ndimage.binary_fill_holes(large))


def _relative(channel: NDArray[np.uint8], brain: SliceMask, pixel_mm: float) -> SliceMap:
    """Brightness in multiples of the brain's median, smoothed if pixels are small."""
    values = channel.astype(np.float32)
    sigma = 1.2 / pixel_mm
    if sigma > 0.5:
        values = ndimage.gaussian_filter(values, sigma)
    return values / np.float32(max(float(np.median(values[brain])), 1.0))


def _enhancing(t1ce: SliceMap, lesion: SliceMask, pixel_mm: float) -> SliceMask:
    bright = (t1ce > ENHANCING) & _grown(lesion, 2, pixel_mm)
    components = measure.label(bright)
    sizes = np.bincount(components.ravel()) * pixel_mm**2
    sizes[0] = 0
    return np.isin(components, np.flatnonzero(sizes >= 20))


def _position(core: SliceMask, brain: SliceMask) -> tuple[float, float]:
    """Position (ahead, aside) of the center of `core` in the box around the brain."""
    rows, columns = (np.flatnonzero(brain.any(axis=axis)) for axis in (1, 0))
    y, x = (float(places.mean()) for places in np.nonzero(core))
    height, width = (max(float(np.ptp(places)), 1.0) for places in (rows, columns))
    middle_y, middle_x = (float(p[0] + p[-1]) / 2 for p in (rows, columns))
    return 2 * (middle_y - y) / height, abs(2 * (x - middle_x) / width)


def _edge_mm(flair: SliceMap, lesion: SliceMask, brain: SliceMask, pixel_mm: float) -> float:
    """Width of a lesion's margin, away from the brain's edge.

    The width is the geometric mean of two estimates: the area of pixels of intermediate FLAIR per
    length of the margin, and the contrast per slope at the margin.
    """
    inside = ndimage.distance_transform_edt(lesion) * pixel_mm
    outside = ndimage.distance_transform_edt(~lesion) * pixel_mm
    free = _grown(brain, -6, pixel_mm)
    border = free & lesion & (inside <= 1.01 * pixel_mm)
    if not border.any():
        return 0.0
    around = brain & (outside > 10) & (outside < 22)
    low = min(float(np.median(flair[around])), 1.1) if around.any() else 1.0
    contrast = max(float(np.median(flair[lesion])) - low, 0.1)
    level = (flair - low) / np.float32(contrast)
    intermediate = free & (outside < 14) & (inside < 14) & (level > 0.25) & (level < 0.75)
    by_area = float(intermediate.sum() * pixel_mm / border.sum())
    smooth = ndimage.gaussian_filter(level, 1.5 / pixel_mm)
    slope = np.hypot(*np.gradient(smooth, pixel_mm))
    reach = 1.01 * max(pixel_mm, 2)
    edge = free & (outside <= reach) & (inside <= reach)
    return float(np.sqrt(by_area / max(float(np.median(slope[edge])), 1e-3)))


def _grown(mask: SliceMask, by_mm: float, pixel_mm: float) -> SliceMask:
    """Mask grown by a distance, or shrunk if the distance is negative."""
    if by_mm >= 0:
        return np.asarray(ndimage.distance_transform_edt(~mask) * pixel_mm <= by_mm)
    return np.asarray(ndimage.distance_transform_edt(mask) * pixel_mm > -by_mm)


def _largest(mask: SliceMask) -> SliceMask:
    components = measure.label(mask)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return np.asarray(components == sizes.argmax()) if sizes.any() else mask


def _solidity(mask: SliceMask) -> float:
    if mask.sum() < 3:
        return 1.0
    hull: Any = morphology.convex_hull_image(mask)
    return float(mask.sum() / max(hull.sum(), 1))
