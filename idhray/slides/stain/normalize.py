"""Stain normalization: a slide's colors mapped to a fixed target, fitted on the slide's tissue.

The methods of Macenko and Vahadane find the slide's two stains and give them the target's colors
and strengths; Reinhard's method sets the means and deviations of its colors. A slide that a method
cannot be fitted to keeps its colors and is counted: invented colors would look like biology.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError
from idhray.images import RGB
from idhray.slides.stain.lab import LabStatistics, lab_statistics, transfer
from idhray.slides.stain.target import StainTarget
from idhray.slides.stain.vectors import (
    DARKEST,
    GLASS,
    Vectors,
    concentrations,
    density_planes,
    macenko_vectors,
    stained_densities,
    vahadane_vectors,
)
from idhray.slides.tissue.mask import tissue_mask

StainMethod = Literal["macenko", "vahadane", "reinhard"]
STAIN_METHODS: tuple[str, ...] = get_args(StainMethod)
STAINS = ("hematoxylin", "eosin")
CHANNELS = ("red", "green", "blue")
ABSORBED = ("red or green", "green")
"""Channels that each stain may absorb the most."""
Recolor = Callable[[RGB], RGB]

MIN_PIXELS = 1000
MAX_CLIPPED_FRACTION = 0.05
"""Largest fraction of pixels with a channel near 0, which does not show the amount of stain. Real
slides had 0.6 % at most; garish pictures with 9 % got red or green nuclei."""
MIN_ANGLE, MAX_ANGLE = 8.0, 50.0
"""Degrees between the two stains. Real H&E has 11 to 35; noise of 2 gray values spreads a single
stain over about 6."""
MAX_FROM_TARGET = 40.0
"""Largest angle in degrees between a stain and the target's; real H&E had up to 30."""
MAX_SCALE = 5.0
"""Largest factor by which a stain is strengthened or weakened."""
_STEP_PX = 4  # pixels of a tile that are used: every fourth, across and down
_STRONG = 99  # percentile of a stain's concentration. Source: Macenko 2009 and Vahadane 2016


class Stains(NamedTuple):
    """Two stains: their colors and their largest strengths."""

    vectors: Vectors
    strongest: NDArray[np.float64]  # (2,)


def tissue_pixels(
    tile: RGB,
    count: int,
    random: np.random.Generator,
    *,
    min_object_px: int,
    green_limit: int | None = None,
) -> NDArray[np.uint8]:
    """At most `count` pixels (n, 3) of a tile's tissue, without ink, drawn at random."""
    reduced_tile = tile[::_STEP_PX, ::_STEP_PX]
    mask = tissue_mask(
        reduced_tile, min_object_px=min_object_px // _STEP_PX**2, green_limit=green_limit
    )
    pixels = reduced_tile[mask]
    return pixels[random.permutation(len(pixels))[:count]]


def fit_stain(pixels: NDArray[np.uint8], method: StainMethod, target: StainTarget) -> Recolor:
    """Function that maps images of a slide to the target.

    Args:
        pixels: Tissue pixels (n, 3) from many places of the slide.
        method: Method of Macenko, Vahadane or Reinhard.
        target: Colors to map to.

    Raises:
        SlideError: there are too few pixels, they do not show the two stains of H&E, or the method
            does not converge; the message says which.
    """
    _check_count(len(pixels))
    clipped = float((pixels.min(axis=1) <= DARKEST).mean())
    if clipped > MAX_CLIPPED_FRACTION:
        raise SlideError(f"{clipped:.0%} of its tissue is black in a channel")
    if method == "reinhard":
        statistics = LabStatistics(np.asarray(target.lab_mean), np.asarray(target.lab_sd))
        return partial(transfer, source=lab_statistics(pixels), target=statistics)
    reference = target_stains(target)
    return partial(restain, source=find_stains(pixels, method, reference), target=reference)


def target_stains(target: StainTarget) -> Stains:
    """Stains of the target, with vectors of unit length."""
    vectors = np.array([target.hematoxylin, target.eosin])
    return Stains(
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.asarray(target.strongest)
    )


def find_stains(pixels: NDArray[np.uint8], method: StainMethod, reference: Stains) -> Stains:
    """Stains of a slide; see `fit_stain`.

    Args:
        pixels: Tissue pixels (n, 3).
        method: Method of Macenko or Vahadane.
        reference: Stains at which Vahadane's search starts; plausible stains are near them.
    """
    densities = stained_densities(pixels)
    _check_count(len(densities))
    if method == "macenko":
        vectors = macenko_vectors(densities)
    else:
        vectors = vahadane_vectors(densities, reference.vectors)
    _check_plausible(vectors, reference.vectors)
    # All pixels count: without the palest and darkest, the result would depend on stain strength.
    amounts = concentrations(*density_planes(pixels), vectors)
    strongest = np.percentile(amounts, _STRONG, axis=1).astype(np.float64)
    for name, strong, target in zip(STAINS, strongest, reference.strongest, strict=True):
        if not target / MAX_SCALE <= strong <= target * MAX_SCALE:
            raise SlideError(f"{name} has a strength of {strong:.2f}, the target {target:.2f}")
    return Stains(vectors, strongest)


def restain(image: RGB, source: Stains, target: Stains) -> RGB:
    """Image with the target's stains instead of the source's, in the same proportions.

    Colors that neither stain explains are lost: blood becomes eosin, ink becomes the nearest mix.
    """
    amounts = concentrations(*density_planes(image), source.vectors)
    strengths = target.strongest / source.strongest
    mix = (target.vectors * strengths[:, None]).astype(np.float32)
    stained = np.empty_like(image)
    for c in range(3):
        light = np.exp(-mix[0, c] * amounts[0] - mix[1, c] * amounts[1])
        stained[..., c] = np.rint(light * np.float32(GLASS))
    return stained


def _check_count(count: int) -> None:
    if count < MIN_PIXELS:
        raise SlideError(f"{count} pixels of stained tissue, at least {MIN_PIXELS} are needed")


def _check_plausible(vectors: Vectors, reference: Vectors) -> None:
    """Refuse two stains that cannot be distinguished or cannot be those of H&E."""
    apart = _degrees(vectors[0], vectors[1])
    if not MIN_ANGLE <= apart <= MAX_ANGLE:
        raise SlideError(f"its two stains are {apart:.0f} degrees apart, not two of H&E")
    for name, most, expected in zip(STAINS, vectors.argmax(axis=1), ABSORBED, strict=True):
        if CHANNELS[most] not in expected:
            raise SlideError(f"its {name} absorbs {CHANNELS[most]} the most, not {expected}")
    for name, vector, target in zip(STAINS, vectors, reference, strict=True):
        if (off := _degrees(vector, target)) > MAX_FROM_TARGET:
            raise SlideError(f"its {name} is {off:.0f} degrees from the target's, not that stain")


def _degrees(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Angle between two unit vectors."""
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))
