"""Phantom brain: hemispheres folded into gyri, ventricles, deep nuclei, cerebellum, stem.

Sizes are those of an average adult, by eye. Symmetric structures are computed from |x|; the warp of
each patient makes the sides differ.
"""

from dataclasses import dataclass

import numpy as np

from idhray.phantom.mri import canvas as c
from idhray.phantom.mri.fields import (
    HeadMap,
    HeadPoints,
    HeadVector,
    Noise,
    chain,
    ellipsoid,
    inside,
    noise_box,
)

CORTEX_MM = 3.0
STEM_KNOTS: list[tuple[HeadVector, float]] = [
    ((0, -16, -6), 15),
    ((0, -22, -26), 16),
    ((0, -34, -48), 9),
    ((0, -42, -90), 7),
]
LATERAL_VENTRICLE: list[tuple[HeadVector, float]] = [
    ((9, 33, 6), 3.5),
    ((8, 14, 16), 5.5),
    ((11, -14, 24), 5),
    ((21, -36, 16), 7),
    ((22, -58, 8), 3),
]
TEMPORAL_HORN: list[tuple[HeadVector, float]] = [
    ((22, -36, 12), 5),
    ((34, -24, -12), 2.5),
    ((31, -6, -19), 2),
]


@dataclass(frozen=True, kw_only=True)
class BrainLook:
    """Individual features of a patient's brain."""

    gyri: Noise
    """Noise whose zeros are the sulci."""
    depths: Noise
    """Noise of the depth of sulci."""
    veins: Noise
    atrophy: float
    """Width of sulci and ventricles: 0 young, 1 old."""


def brain_look(random: np.random.Generator, age: int) -> BrainLook:
    """Draw the features of one patient's brain."""
    return BrainLook(
        gyri=noise_box(random, 5.5),
        depths=noise_box(random, 14),
        veins=noise_box(random, 4),
        atrophy=float(np.clip((age - 40) / 45 + 0.2 * random.standard_normal(), 0, 1)),
    )


@dataclass(frozen=True, eq=False)
class BrainOutline:
    """Depth maps of the brain's parts, without folds."""

    lobes: HeadMap
    """Hemispheres, including the cistern that is cut out of their base."""
    cerebrum: HeadMap
    cerebellum: HeadMap
    stem: HeadMap

    @property
    def brain(self) -> HeadMap:
        """Depth in any part; positive inside the true brain mask."""
        return np.maximum(np.maximum(self.cerebrum, self.cerebellum), self.stem)


def brain_outline(points: HeadPoints) -> BrainOutline:
    """Parts of the brain at head coordinates."""
    x, y, z = points
    width = 1 - np.float32(0.0013) * y  # egg-shaped: broadest behind the middle
    ax = np.abs(x) / np.clip(width, 0.7, 1.2)
    low = np.float32(1.55) - np.float32(0.3) * np.clip((-y - 10) / 40, 0, 1)
    high = (z - np.float32(8)) * np.where(z > 8, np.float32(1), low)  # flat below
    egg = ellipsoid((ax, y, high), (0, -3, 0), (67, 87, 62), power=2.25)
    temporal = ellipsoid((ax, y, z), (41, -8, -18), (25, 45, 26), power=2.2)
    cistern = ellipsoid((ax, y, z), (0, 5, -32), (12, 15, 18))
    cerebellum = ellipsoid((ax, y, z), (23, -56, -40), (33, 31, 23), power=2.2)
    lobes = np.maximum(egg, temporal)
    cerebrum = np.maximum(np.minimum(egg, -cistern), temporal)
    return BrainOutline(lobes, cerebrum, cerebellum, chain((x, y, z), STEM_KNOTS))


def paint_brain(
    canvas: c.Canvas, outer: BrainOutline, points: HeadPoints, look: BrainLook, voxel_mm: float
) -> None:
    """Paint the brain into the fluid of its cavity.

    Args:
        canvas: Canvas to paint on.
        outer: Outline at the undistorted coordinates.
        points: Head coordinates, distorted where a mass displaces the brain.
        look: Individual features of the brain.
        voxel_mm: Width of soft edges.
    """
    x, y, z = points
    mirrored = (np.abs(x), y, z)
    canvas.paint(inside(outer.brain, voxel_mm), c.FLUID)
    _paint_cerebellum(canvas, outer, mirrored, voxel_mm)
    _paint_cerebrum(canvas, outer, points, look, voxel_mm)
    canvas.paint(inside(chain(points, STEM_KNOTS) - 1, voxel_mm), c.STEM)
    _paint_deep(canvas, mirrored, look, voxel_mm)


def _paint_cerebellum(
    canvas: c.Canvas, outer: BrainOutline, mirrored: HeadPoints, voxel_mm: float
) -> None:
    ax, y, z = mirrored
    depth = outer.cerebellum
    shells = np.hypot(y + np.float32(38), z + np.float32(34)) + np.float32(0.25) * ax
    folia = np.float32(0.5) + np.float32(0.5) * np.cos(shells * np.float32(2 * np.pi / 6))
    canvas.paint(inside(depth - 0.5, voxel_mm), c.CEREBELLUM)
    fissures = inside(depth - 3, 4) * inside(12 - depth, 6) * folia**2
    canvas.paint(np.float32(0.6) * fissures, c.FLUID)
    canvas.paint(inside(depth - 9 + 3 * folia, 2 * voxel_mm) * np.float32(0.9), c.WHITE)


def _paint_cerebrum(
    canvas: c.Canvas, outer: BrainOutline, points: HeadPoints, look: BrainLook, voxel_mm: float
) -> None:
    # The cerebellum lies below the tentorium.
    depth = np.minimum(outer.cerebrum, -outer.cerebellum)
    wide = np.float32(0.4 + 0.7 * look.atrophy)
    sulci = _sulci(outer.lobes, points, look)
    opening = np.float32(1.2 + look.atrophy) * np.exp(np.clip(-depth, -40, 0) / np.float32(5))
    cleft = np.minimum(np.minimum(sulci - opening, _midline(points)), _sylvian(points)) - wide
    cortex = np.minimum(depth - wide, cleft)
    canvas.paint(inside(cortex, voxel_mm), c.GRAY)
    canvas.paint(inside(cortex - CORTEX_MM, voxel_mm), c.WHITE)
    veins = inside(-cleft, voxel_mm) * inside(depth - 1, 2) * (look.veins.at(points) > 1.35)
    canvas.paint(np.float32(0.8) * veins, c.VESSEL)
    x = points[0]
    falx = inside(np.float32(0.9) - np.abs(x), 1) * (_midline(points) < 2) * (depth > 0)
    canvas.paint(np.float32(0.7) * falx, c.DURA)


def _sulci(depth: HeadMap, points: HeadPoints, look: BrainLook) -> HeadMap:
    """Distance to the nearest sulcus; sulci are sheets 8 to 22 mm deep."""
    center = np.array([0, -5, 8], dtype=np.float32)
    away = [p - m for p, m in zip(points, center, strict=True)]
    scaled = sum((a / np.float32(s)) ** 2 for a, s in zip(away, (67, 87, 62), strict=True))
    # The noise hardly changes along a ray, so that its zeros are sheets along rays.
    stretch = np.float32(0.55) + np.float32(0.45) / np.sqrt(np.maximum(scaled, np.float32(0.01)))
    noise = look.gyri.at((away[0] * stretch, away[1] * stretch, away[2] * stretch))
    spacing = abs(float(points[0][1, 0, 0] - points[0][0, 0, 0]))
    slope = np.sqrt(sum(g * g for g in np.gradient(noise, spacing)))
    sheet = np.abs(noise) / np.maximum(slope, np.float32(0.05))
    reach = np.float32(16) + np.float32(6) * look.depths.at(points)
    return np.asarray(np.hypot(sheet, np.maximum(depth - reach, 0)), dtype=np.float32)


def _midline(points: HeadPoints) -> HeadMap:
    """Distance to the interhemispheric fissure, which ends below at the corpus callosum."""
    x, _, _ = points
    joined = ellipsoid(points, (0, -6, 4), (60, 40, 27))
    return np.asarray(np.hypot(x, np.maximum(joined, 0)), dtype=np.float32)


def _sylvian(points: HeadPoints) -> HeadMap:
    """Distance to the Sylvian fissure: a lateral cleft, and the fluid over the insula."""
    x, y, z = points
    ax = np.abs(x)
    roof = z - (np.float32(-3) - np.float32(0.35) * (y - np.float32(5)))
    short = np.maximum(np.abs(y + np.float32(2)) - np.float32(28), 0)
    cleft = np.hypot(np.hypot(roof, np.maximum(np.float32(40) - ax, 0)), short)
    tall = np.maximum(np.abs(roof - np.float32(2)) - np.float32(11), 0)
    shallow = np.maximum(np.abs(y - np.float32(4)) - np.float32(20), 0)
    bowl = ax - np.float32(42) + np.float32(0.008) * (y - np.float32(4)) ** 2
    insula = np.hypot(np.hypot(bowl, tall), shallow)
    return np.asarray(np.minimum(cleft, insula) - np.float32(0.6), dtype=np.float32)


def _paint_deep(canvas: c.Canvas, mirrored: HeadPoints, look: BrainLook, voxel_mm: float) -> None:
    """Paint deep nuclei, then ventricles with their plexus."""
    nuclei = (
        ellipsoid(mirrored, (13, 16, 8), (6, 12, 9)),  # caudate head
        ellipsoid(mirrored, (26, 2, 3), (6.5, 17, 11)),  # lentiform
        ellipsoid(mirrored, (11, -16, 8), (9.5, 15, 9.5)),  # thalamus
    )
    canvas.paint(inside(np.maximum.reduce(nuclei), voxel_mm), c.DEEP_GRAY)
    more = np.float32(2.5 * look.atrophy - 0.8)
    ventricles = np.maximum.reduce(
        [
            chain(mirrored, LATERAL_VENTRICLE) + more,
            chain(mirrored, TEMPORAL_HORN) + more / 2,
            ellipsoid(mirrored, (0, -8, 2), (2.4, 14, 11)) + more / 3,  # third
            ellipsoid(mirrored, (0, -46, -34), (7, 6, 9)),  # fourth
        ]
    )
    canvas.paint(inside(ventricles, voxel_mm), c.FLUID)
    plexus = ellipsoid(mirrored, (21, -38, 16), (3, 6, 3.5))
    canvas.paint(inside(plexus, voxel_mm) * np.float32(0.8), c.PLEXUS)
