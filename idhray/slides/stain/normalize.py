"""Stain normalization: a slide's colors mapped to a fixed target, fitted on its own tissue.

Macenko's and Vahadane's methods find the slide's two stains and give them the target's colors and
strengths; Reinhard's sets the means and deviations of its colors. A slide that a method cannot be
fitted to keeps its colors, and is counted: made-up ones would look like biology.
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
"""The channel that each stain absorbs the most."""
Recolor = Callable[[RGB], RGB]

MIN_PIXELS = 1000
MAX_CLIPPED_FRACTION = 0.05
"""Of pixels with a channel near 0, which no longer tells how much stain there is; real slides had
0.6 % at most, garish pictures 9 %, whose nuclei came out red or green."""
MIN_ANGLE, MAX_ANGLE = 8.0, 50.0
"""Degrees between the two stains: 11 to 35 in real H&E; noise of 2 gray values spreads one stain
over some 6."""
MAX_FROM_TARGET = 40.0
"""Degrees between a stain and the target's; real H&E was up to 30 away."""
MAX_SCALE = 5.0
"""The most that a stain is strengthened or weakened."""
_STEP_PX = 4  # every fourth pixel each way of a tile is looked at
_STRONG = 99  # percentile of a stain's concentration. Source: Macenko 2009 and Vahadane 2016


class Stains(NamedTuple):
    """Two stains: their colors, and how strong they get."""

    vectors: Vectors
    strongest: NDArray[np.float64]  # (2,)


def tissue_pixels(
    tile: RGB, count: int, random: np.random.Generator, *, min_object_px: int
) -> NDArray[np.uint8]:
    """At most `count` pixels (n, 3) of a tile's tissue, without ink, drawn at random."""
    some = tile[::_STEP_PX, ::_STEP_PX]
    found = some[tissue_mask(some, min_object_px=min_object_px // _STEP_PX**2)]
    return found[random.permutation(len(found))[:count]]


def fit_stain(pixels: NDArray[np.uint8], method: StainMethod, target: StainTarget) -> Recolor:
    """The function that maps images of a slide to the target.

    Args:
        pixels: (n, 3) tissue of the slide, of many places.
        method: Macenko's, Vahadane's or Reinhard's.
        target: What to map to.

    Raises:
        SlideError: the pixels are too few, show no two stains of H&E, or do not let the method
            settle; says which.
    """
    _check_count(len(pixels))
    clipped = float((pixels.min(axis=1) <= DARKEST).mean())
    if clipped > MAX_CLIPPED_FRACTION:
        raise SlideError(f"{clipped:.0%} of its tissue is black in a channel")
    if method == "reinhard":
        wanted = LabStatistics(np.asarray(target.lab_mean), np.asarray(target.lab_sd))
        return partial(transfer, source=lab_statistics(pixels), target=wanted)
    reference = target_stains(target)
    return partial(restain, source=find_stains(pixels, method, reference), target=reference)


def target_stains(target: StainTarget) -> Stains:
    """The target's stains, their vectors brought to unit length."""
    vectors = np.array([target.hematoxylin, target.eosin])
    return Stains(
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.asarray(target.strongest)
    )


def find_stains(pixels: NDArray[np.uint8], method: StainMethod, reference: Stains) -> Stains:
    """The stains of a slide; see `fit_stain`.

    Args:
        reference: Where Vahadane's search starts, and what plausible stains lie near.
    """
    densities = stained_densities(pixels)
    _check_count(len(densities))
    if method == "macenko":
        vectors = macenko_vectors(densities)
    else:
        vectors = vahadane_vectors(densities, reference.vectors)
    _check_plausible(vectors, reference.vectors)
    # Of all pixels: leaving out the palest and the darkest would depend on how strong stains are.
    found = concentrations(*density_planes(pixels), vectors)
    strongest = np.percentile(found, _STRONG, axis=1).astype(np.float64)
    for name, strong, wanted in zip(STAINS, strongest, reference.strongest, strict=True):
        if not wanted / MAX_SCALE <= strong <= wanted * MAX_SCALE:
            raise SlideError(f"{name} has a strength of {strong:.2f}, the target {wanted:.2f}")
    return Stains(vectors, strongest)


def restain(image: RGB, source: Stains, target: Stains) -> RGB:
    """The image with the target's stains in place of the source's, in the same proportions.

    Colors that neither stain explains are lost: blood becomes eosin, ink what is nearest.
    """
    found = concentrations(*density_planes(image), source.vectors)
    strengths = target.strongest / source.strongest
    mix = (target.vectors * strengths[:, None]).astype(np.float32)
    stained = np.empty_like(image)
    for c in range(3):
        light = np.exp(-mix[0, c] * found[0] - mix[1, c] * found[1])
        stained[..., c] = np.rint(light * np.float32(GLASS))
    return stained


def _check_count(count: int) -> None:
    if count < MIN_PIXELS:
        raise SlideError(f"{count} pixels of stained tissue, at least {MIN_PIXELS} are needed")


def _check_plausible(vectors: Vectors, reference: Vectors) -> None:
    """Two stains that can be told apart, and are those of H&E by all that one can see."""
    apart = _degrees(vectors[0], vectors[1])
    if not MIN_ANGLE <= apart <= MAX_ANGLE:
        raise SlideError(f"its two stains are {apart:.0f} degrees apart, not two of H&E")
    for name, most, right in zip(STAINS, vectors.argmax(axis=1), ABSORBED, strict=True):
        if CHANNELS[most] not in right:
            raise SlideError(f"its {name} absorbs {CHANNELS[most]} the most, not {right}")
    for name, vector, wanted in zip(STAINS, vectors, reference, strict=True):
        if (off := _degrees(vector, wanted)) > MAX_FROM_TARGET:
            raise SlideError(f"its {name} is {off:.0f} degrees from the target's, not that stain")


def _degrees(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Between two unit vectors."""
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))
