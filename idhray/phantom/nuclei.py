"""Stamps of cells: small drawn images of nuclei and vessels, pasted many times.

Stamps hold optical density in steps of OD_STEP. A nucleus darkens hematoxylin; the cytoplasm
around it darkens eosin, or a halo lightens it. Every tumor stamp exists in eight symmetries.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

OD_STEP = 0.01
Density = NDArray[np.uint8]  # (height, width), optical density in steps of OD_STEP

DIAMETER_UM = 9.0  # median of the tumor nuclei
SHAPES = 128
ANGLES = 24


@dataclass(frozen=True)
class Stamp:
    """Centered image to paste: darkening planes by maximum, the lightening plane by minimum."""

    hematoxylin: Density | None = None
    eosin_darken: Density | None = None
    lighten: Density | None = None
    """Upper limit of both stains."""

    def paste(self, h: Density, e: Density, x: int, y: int) -> None:
        """Paste onto the two stain planes, clipped at their borders."""
        if self.lighten is not None:
            _paste(np.minimum, self.lighten, h, x, y)
            _paste(np.minimum, self.lighten, e, x, y)
        if self.eosin_darken is not None:
            _paste(np.maximum, self.eosin_darken, e, x, y)
        if self.hematoxylin is not None:
            _paste(np.maximum, self.hematoxylin, h, x, y)


def _paste(ufunc: np.ufunc, stamp: Density, plane: Density, x: int, y: int) -> None:
    rows, columns = stamp.shape
    top, left = y - rows // 2, x - columns // 2
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + rows, plane.shape[0]), min(left + columns, plane.shape[1])
    if y0 < y1 and x0 < x1:
        target = plane[y0:y1, x0:x1]
        ufunc(target, stamp[y0 - top : y1 - top, x0 - left : x1 - left], out=target)


@dataclass(frozen=True)
class Stamps:
    """Stamps of one slide, by kind."""

    tumor: list[Stamp]
    endothelium: list[Stamp]
    """Elongated nuclei; stamp k has the angle pi * k / ANGLES."""
    debris: list[Stamp]
    """Small dark fragments of dead nuclei."""
    walls: list[Stamp]
    """Vessel walls with their lumen: VESSEL_SHAPES for each of VESSEL_RADII_UM."""


VESSEL_RADII_UM = np.array([2.5, 3.5, 4.5, 6.0, 8.0])
VESSEL_SHAPES = 6  # stamps of each radius


def make_stamps(
    random: np.random.Generator, pleomorphism: float, hematoxylin: float, eosin: float, mpp: float
) -> Stamps:
    """Draw the stamps of one slide.

    Args:
        random: Random numbers of the slide.
        pleomorphism: SD of the log diameter; the irregularity of outlines follows it.
        hematoxylin: Strength of the stain.
        eosin: Strength of the stain.
        mpp: Micrometers per pixel of the stamps.
    """
    diameters = DIAMETER_UM * np.exp(pleomorphism * random.standard_normal(SHAPES))
    diameters = np.clip(diameters, 4.5, 22)
    dark = np.clip(1.40 + 0.28 * random.standard_normal(SHAPES), 0.7, 2.1) * hematoxylin
    stretch = np.exp(np.abs(0.22 * random.standard_normal(SHAPES)))
    tumor = []
    for k in range(SHAPES):
        roughness = 0.45 * pleomorphism
        outline = _NucleusOutline(
            random, diameters[k] / mpp, stretch[k], roughness, np.pi * k / SHAPES
        )
        stamp = _cell(random, outline, dark[k], eosin, random.random())
        tumor += _symmetries(stamp)
    endothelium = [
        Stamp(
            _nucleus(
                random, _NucleusOutline(random, 7 / mpp, 1.7, 0.05, np.pi * k / ANGLES), hematoxylin
            )
        )
        for k in range(ANGLES)
    ]
    debris = [
        Stamp(
            _nucleus(random, _NucleusOutline(random, size / mpp, 1.2, 0.1, size), 1.5 * hematoxylin)
        )
        for size in random.uniform(1.5, 5, size=24)
    ]
    walls = [
        _vessel(random, radius / mpp, 2.5 / mpp, eosin)
        for radius in VESSEL_RADII_UM
        for _ in range(VESSEL_SHAPES)
    ]
    return Stamps(tumor, endothelium, debris, walls)


class _NucleusOutline:
    """Wobbly ellipse; `depth` gives the distance of each pixel inside its border."""

    def __init__(
        self,
        random: np.random.Generator,
        diameter_px: float,
        stretch: float,
        roughness: float,
        angle: float,
    ) -> None:
        self.radius = diameter_px / 2
        self.half = int(np.ceil(self.radius * stretch**0.5 * (1 + 3 * roughness))) + 2
        self.stretch, self.angle = stretch, angle
        self.waves = roughness * random.standard_normal(4) / np.array([1, 1.5, 3, 5])
        self.phases = random.uniform(0, 2 * np.pi, 4)

    def depth(self, *, grow_px: float = 0, half: int = 0) -> NDArray[np.float64]:
        """Depth map of side 2 * half + 1, positive inside; `grow_px` widens the outline."""
        half = half or self.half
        y, x = np.mgrid[-half : half + 1, -half : half + 1]
        u = (x * np.cos(self.angle) + y * np.sin(self.angle)) / self.stretch**0.5
        v = (y * np.cos(self.angle) - x * np.sin(self.angle)) * self.stretch**0.5
        theta = np.arctan2(v, u)
        wobble = sum(
            wave * np.cos((k + 2) * theta + phase)
            for k, (wave, phase) in enumerate(zip(self.waves, self.phases, strict=True))
        )
        return np.asarray(self.radius * (1 + wobble) + grow_px - np.hypot(u, v))


def _nucleus(random: np.random.Generator, outline: _NucleusOutline, dark: float) -> Density:
    """Nucleus with clumped chromatin, denser at the membrane, and an edge one pixel soft."""
    depth = outline.depth()
    side = depth.shape[0]
    clumps = random.standard_normal((max(side // 4, 2),) * 2).astype(np.float32)
    chromatin = np.asarray(Image.fromarray(clumps).resize((side, side), Image.Resampling.BICUBIC))
    rim = np.exp(-((depth / (0.18 * outline.radius) - 1) ** 2))
    od = dark * (1 + 0.16 * chromatin + 0.15 * rim) * np.clip(depth / 1.5 + 0.5, 0, 1)
    return _quantized(od)


def _cell(
    random: np.random.Generator, outline: _NucleusOutline, dark: float, eosin: float, kind: float
) -> Stamp:
    """Nucleus with pink cytoplasm, a clear halo, or neither, chosen by `kind` in 0..1."""
    nucleus = _nucleus(random, outline, dark)
    if kind < 0.35:
        grow = outline.radius * random.uniform(0.4, 1.1)
        body = outline.depth(grow_px=grow, half=outline.half + int(np.ceil(grow * 1.5)))
        # Off center, as in gemistocytes.
        body = np.roll(body, random.integers(-3, 4, size=2), axis=(0, 1))
        shade = eosin * random.uniform(0.55, 0.85)
        soft = np.clip(body / (0.5 * outline.radius), 0, 1)
        return Stamp(nucleus, eosin_darken=_quantized(shade * soft))
    if kind < 0.65:
        grow = random.uniform(0.3, 0.6) * outline.radius
        ring = outline.depth(grow_px=grow, half=outline.half + int(np.ceil(grow * 1.5)))
        # The halo is as dark as the stroma at its soft edge, and nearly clear inside.
        clear = 0.8 - random.uniform(0.45, 0.75) * np.clip(ring / grow, 0, 1)
        return Stamp(nucleus, lighten=_quantized(np.where(ring > 0, clear, 2.55)))
    return Stamp(nucleus)


def _vessel(random: np.random.Generator, radius_px: float, wall_px: float, eosin: float) -> Stamp:
    """Vessel with a pink wall and a lumen, empty or with red cells."""
    stretch, angle = random.uniform(1, 2), random.uniform(0, np.pi)
    depth = _NucleusOutline(random, 2 * radius_px, stretch, 0.08, angle).depth(
        grow_px=wall_px, half=int(np.ceil(radius_px * 1.6 + wall_px)) + 2
    )
    inside = np.clip((depth - wall_px) / 2, 0, 1)
    wall = np.clip(depth / 2, 0, 1) * (1 - inside)
    blood = 0.9 * eosin * inside if random.random() < 0.4 else 0.0
    return Stamp(
        lighten=_quantized(2.55 - 2.5 * inside),
        eosin_darken=_quantized(0.85 * eosin * wall + blood),
    )


def _symmetries(stamp: Stamp) -> list[Stamp]:
    planes = (stamp.hematoxylin, stamp.eosin_darken, stamp.lighten)
    turned = [[None if p is None else np.rot90(p, turns) for p in planes] for turns in range(4)]
    flipped = [[None if p is None else p[::-1] for p in planes] for planes in turned]
    return [Stamp(*planes) for planes in turned + flipped]


def _quantized(od: NDArray[np.float64] | NDArray[np.float32]) -> Density:
    return np.asarray(np.clip(od / OD_STEP, 0, 255), dtype=np.uint8)
