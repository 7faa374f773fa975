"""What can be measured of a tumor on one slice: the eye of the simulated reader.

A slice is (height, width, 3) uint8, brain only, front side up: CE-T1w, FLAIR, null. Brightness is
told in multiples of the brain's median, so that the window of the slice hardly matters. Nothing
here knows the truth; a slice without a tumor, or of noise, gives measures too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure, morphology

from idhray.errors import TableError
from idhray.images import RGB

Map = NDArray[np.float32]  # (height, width)
Mask = NDArray[np.bool_]  # (height, width)

FOV_MM = 240.0
"""Side of what a slice shows."""

# Multiples of the brain's median; see tests/phantom/test_mri_image_reader.py for what they reach.
LESION = 1.40  # FLAIR
ENHANCING = 1.22  # CE-T1w
DARK = 0.55  # CE-T1w
NOT_FLUID = 0.85  # FLAIR
LEAST_LESION_MM2 = 60.0


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Of the largest FLAIR lesion of a slice."""

    ahead: float
    """Where its core lies: 1 at the brain's front edge, -1 at its back edge."""
    aside: float
    """0 in the midline, 1 at the brain's side."""
    strength: float
    """CE-T1w of the brightest tenth of what enhances."""
    node_mm2: float
    """The largest piece that enhances, its holes filled."""
    compact: float
    """Share of the hull of that piece that it fills."""
    hollow: float
    """Share of the core, its holes filled, that is holes."""
    necrosis_mm2: float
    """Dark on CE-T1w, yet no fluid on FLAIR."""
    solidity: float
    """Share of the lesion's hull that is lesion."""
    edge_mm: float
    """Width of its margin on FLAIR."""


def measures(image: RGB, fov_mm: float = FOV_MM) -> Measures:
    """The measures of one slice.

    Raises:
        TableError: `image` is not (height, width, 3) uint8.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise TableError(f"a slice is (height, width, 3) uint8, got {image.shape} {image.dtype}")
    pixel_mm = fov_mm / image.shape[0]
    brain = brain_mask(image)
    t1ce, flair = (_relative(image[..., i], brain, pixel_mm) for i in (0, 1))
    lesion = lesion_mask(flair, brain, pixel_mm)
    if not lesion.any():  # a reader must say something: the brightest fiftieth of the brain
        lesion = brain & (flair >= np.quantile(flair[brain], 0.98))
    bright = _enhancing(t1ce, lesion, pixel_mm)
    core = ndimage.binary_fill_holes(bright)
    node = _largest(core)
    dark = (t1ce < DARK) & (flair > NOT_FLUID) & _grown(lesion, -3, pixel_mm)
    area = pixel_mm**2
    ahead, aside = _place(core if core.sum() * area > 60 else lesion, brain)
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


def brain_mask(image: RGB) -> Mask:
    """What is not background; all, where nothing is."""
    mask = ndimage.binary_opening(image[..., :2].max(axis=-1) > 20)
    mask = ndimage.binary_fill_holes(_largest(mask))
    return mask if mask.sum() >= 0.02 * mask.size else np.ones_like(mask)


def lesion_mask(flair: Map, brain: Mask, pixel_mm: float) -> Mask:
    """Where relative FLAIR is bright, in one piece with its larger satellites; may be empty."""
    bright = (flair > LESION) & _grown(brain, -4, pixel_mm)
    pieces = measure.label(ndimage.binary_opening(bright))
    sizes = np.bincount(pieces.ravel()) * pixel_mm**2
    sizes[0] = 0
    least = max(0.2 * sizes.max(initial=0), LEAST_LESION_MM2)
    kept = np.isin(pieces, np.flatnonzero(sizes >= least))
    return np.asarray(ndimage.binary_fill_holes(kept))


def lesion_mm2(image: RGB, fov_mm: float = FOV_MM) -> float:
    """Area of the FLAIR lesion on one slice; 0 where there is none."""
    pixel_mm = fov_mm / image.shape[0]
    brain = brain_mask(image)
    flair = _relative(image[..., 1], brain, pixel_mm)
    return float(lesion_mask(flair, brain, pixel_mm).sum() * pixel_mm**2)


def _relative(channel: NDArray[np.uint8], brain: Mask, pixel_mm: float) -> Map:
    """Brightness per median of the brain, smoothed where pixels are small."""
    values = channel.astype(np.float32)
    sigma = 1.2 / pixel_mm
    if sigma > 0.5:
        values = ndimage.gaussian_filter(values, sigma)
    return values / np.float32(max(float(np.median(values[brain])), 1.0))


def _enhancing(t1ce: Map, lesion: Mask, pixel_mm: float) -> Mask:
    bright = (t1ce > ENHANCING) & _grown(lesion, 2, pixel_mm)
    pieces = measure.label(bright)
    sizes = np.bincount(pieces.ravel()) * pixel_mm**2
    sizes[0] = 0
    return np.isin(pieces, np.flatnonzero(sizes >= 20))


def _place(core: Mask, brain: Mask) -> tuple[float, float]:
    """(ahead, aside) of the middle of `core` in the box around the brain."""
    rows, columns = (np.flatnonzero(brain.any(axis=axis)) for axis in (1, 0))
    y, x = (float(places.mean()) for places in np.nonzero(core))
    height, width = (max(float(np.ptp(places)), 1.0) for places in (rows, columns))
    middle_y, middle_x = (float(p[0] + p[-1]) / 2 for p in (rows, columns))
    return 2 * (middle_y - y) / height, abs(2 * (x - middle_x) / width)


def _edge_mm(flair: Map, lesion: Mask, brain: Mask, pixel_mm: float) -> float:
    """The geometric mean of two estimates, away from the brain's own edge: the area of pixels of
    middling FLAIR per length of the edge, and the contrast per slope at the edge."""
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
    middling = free & (outside < 14) & (inside < 14) & (level > 0.25) & (level < 0.75)
    by_area = float(middling.sum() * pixel_mm / border.sum())
    smooth = ndimage.gaussian_filter(level, 1.5 / pixel_mm)
    slope = np.hypot(*np.gradient(smooth, pixel_mm))
    reach = 1.01 * max(pixel_mm, 2)
    edge = free & (outside <= reach) & (inside <= reach)
    return float(np.sqrt(by_area / max(float(np.median(slope[edge])), 1e-3)))


def _grown(mask: Mask, by_mm: float, pixel_mm: float) -> Mask:
    """The mask and what lies so near to it; or, where negative, without its edge."""
    if by_mm >= 0:
        return np.asarray(ndimage.distance_transform_edt(~mask) * pixel_mm <= by_mm)
    return np.asarray(ndimage.distance_transform_edt(mask) * pixel_mm > -by_mm)


def _largest(mask: Mask) -> Mask:
    pieces = measure.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(pieces == sizes.argmax()) if sizes.any() else mask


def _solidity(mask: Mask) -> float:
    if mask.sum() < 3:
        return 1.0
    hull: Any = morphology.convex_hull_image(mask)
    return float(mask.sum() / max(hull.sum(), 1))
