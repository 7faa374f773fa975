"""Phantom glioma, drawn from a patient's features so that each is visible on a slice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from idhray.phantom.mri import canvas as c
from idhray.phantom.mri.fields import (
    HeadMap,
    HeadPoints,
    HeadVector,
    ellipsoid,
    inside,
    smooth_noise,
)
from idhray.phantom.mri.patients import MriPatient

CLEAR_MM = 2.0  # width of a clear margin
INDISTINCT_MM = 17.0
PLACES: dict[str, Sequence[tuple[HeadVector, HeadVector]]] = {
    "frontal_insula": (
        ((22, 34, 8), (36, 48, 38)),  # frontal lobe
        ((34, 8, 2), (39, 16, 10)),  # insula
    ),
    "thalamus_brainstem": (
        ((9, -19, 6), (13, -13, 11)),  # thalamus
        ((0, -27, -26), (4, -24, -18)),  # pons
    ),
    "other": (
        ((40, -40, -16), (46, -26, -6)),  # temporal lobe
        ((26, -58, 24), (40, -40, 42)),  # parietal lobe
        ((20, -66, 4), (30, -56, 14)),  # occipital lobe
    ),
}
"""Corners of the boxes for a tumor's center, on the right side. The lobes and nuclei of each level
are ours; Park reports the level only."""


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """One tumor: position, size and features."""

    center: HeadVector
    """Head coordinates, mm."""
    core_mm: float
    """Radius of the core, which enhances or has an enhancing wall."""
    reach_mm: float
    """Extent of the FLAIR signal beyond the core."""
    stretch: HeadVector
    """Factors of the axes, about 1."""
    turn: float
    """Direction of satellites in the axial plane, radians."""
    enhancement: str
    necrosis: bool
    edema: bool
    """True if edema dominates the surroundings, not tumor."""
    clear: bool
    """True if the margin is clear."""


def draw_lesion(random: np.random.Generator, patient: MriPatient) -> Lesion:
    """Draw position and size of a tumor, which depend on the features only."""
    boxes = PLACES[patient.location]
    low, high = boxes[int(random.integers(len(boxes)))]
    x, y, z = random.uniform(low, high).tolist()
    deep = 0.75 if patient.location == "thalamus_brainstem" else 1.0
    edema = patient.surrounding == "edema"
    core = float(random.uniform(*(14, 17) if patient.enhancement == "nodular" else (17, 21)))
    return Lesion(
        center=(x if patient.side == "right" else -x, y, z),
        core_mm=deep * core,
        reach_mm=deep * float(random.uniform(*(24, 31) if edema else (5, 9))),
        stretch=tuple(random.uniform(0.9, 1.1, 3).tolist()),
        turn=float(random.uniform(0, 2 * np.pi)),
        enhancement=patient.enhancement,
        necrosis=patient.necrosis == "yes",
        edema=edema,
        clear=patient.margin == "clear",
    )


def displaced(points: HeadPoints, lesion: Lesion) -> HeadPoints:
    """Coordinates of the anatomy, which a mass displaces away from its center."""
    away = [p - np.float32(m) for p, m in zip(points, lesion.center, strict=True)]
    scale = np.float32(1 / (1.6 * lesion.core_mm))
    pull = np.exp(-sum((a * scale) ** 2 for a in away)) * np.float32(-0.35)
    x, y, z = (p + a * pull for p, a in zip(points, away, strict=True))
    return x, y, z


def paint_lesion(
    canvas: c.Canvas,
    points: HeadPoints,
    lesion: Lesion,
    brain: HeadMap,
    *,
    random: np.random.Generator,
    voxel_mm: float,
) -> HeadMap:
    """Paint the tumor over the brain.

    Args:
        canvas: Canvas to paint on.
        points: Head coordinates.
        lesion: Tumor to paint.
        brain: Depth in the brain; the tumor stays inside.
        random: Random numbers of the texture.
        voxel_mm: Width of soft edges.

    Returns:
        Share of the tumor in every voxel.
    """
    shape = brain.shape
    coarse = smooth_noise(random, shape, 7 / voxel_mm)
    fine = smooth_noise(random, shape, 4.5 / voxel_mm)
    radius = _radius(points, lesion)
    within = inside(brain - 2, 2 * voxel_mm)
    core = np.float32(lesion.core_mm) * (1 + np.float32(0.07) * coarse) - radius
    # Edema spreads in the axial plane, so that the slice with the most edema shows the core.
    height = 1.15 * lesion.core_mm / (lesion.core_mm + lesion.reach_mm)
    spread = np.float32(lesion.core_mm) - _radius(points, lesion, height)
    swollen = within * _surrounding(canvas, core, spread, lesion, coarse=coarse, voxel_mm=voxel_mm)
    canvas.paint(swollen, c.EDEMA if lesion.edema else c.TUMOR)
    if lesion.edema:
        canvas.paint(within * inside(core + 2, 3), c.TUMOR)
    painted = within * _paint_core(canvas, points, lesion, core, fine=fine, within=within)
    return np.asarray(np.maximum(swollen, painted))


def _radius(points: HeadPoints, lesion: Lesion, height: float = 1) -> HeadMap:
    x, y, z = lesion.stretch
    away = zip(points, lesion.center, (x, y, z * height), strict=True)
    return np.asarray(
        np.sqrt(sum(((p - np.float32(m)) / np.float32(s)) ** 2 for p, m, s in away)),
        dtype=np.float32,
    )


def _surrounding(
    canvas: c.Canvas,
    core: HeadMap,
    spread: HeadMap,
    lesion: Lesion,
    *,
    coarse: HeadMap,
    voxel_mm: float,
) -> HeadMap:
    """Share of each voxel with increased FLAIR signal, 0 to 1."""
    soft = max(CLEAR_MM if lesion.clear else INDISTINCT_MM, voxel_mm)
    if not lesion.edema:
        return inside(core + np.float32(lesion.reach_mm), soft)
    # Edema has fingers: its reach varies by direction, and cortex stays free.
    reach = spread + np.float32(lesion.reach_mm) * (1 + np.float32(0.3) * coarse)
    paths = canvas.edema
    if not lesion.clear:
        paths = ndimage.uniform_filter(paths, max(round(10 / voxel_mm), 1))
    return np.asarray(inside(reach, soft) * np.clip(paths * np.float32(1.1), 0, 1))


def _paint_core(
    canvas: c.Canvas,
    points: HeadPoints,
    lesion: Lesion,
    core: HeadMap,
    *,
    fine: HeadMap,
    within: HeadMap,
) -> HeadMap:
    paint = {"rim": _paint_rim, "nodular": _paint_nodular, "patch": _paint_patches}
    return paint[lesion.enhancement](canvas, points, lesion, core, fine=fine, within=within)


def _paint_rim(
    canvas: c.Canvas,
    points: HeadPoints,
    lesion: Lesion,
    core: HeadMap,
    *,
    fine: HeadMap,
    within: HeadMap,
) -> HeadMap:
    """Paint a ring around a large dark core."""
    filled = inside(core, 2)
    wall = np.float32(0.29 * lesion.core_mm) + np.float32(0.7) * fine
    hollow = inside(core - wall, 2)
    canvas.paint(within * filled, c.ENHANCING)
    canvas.paint(within * hollow, c.NECROSIS if lesion.necrosis else c.TUMOR)
    return filled


def _paint_nodular(
    canvas: c.Canvas,
    points: HeadPoints,
    lesion: Lesion,
    core: HeadMap,
    *,
    fine: HeadMap,
    within: HeadMap,
) -> HeadMap:
    """Paint a solid bright node with a satellite; necrosis is a small hole in it."""
    satellite = ellipsoid(points, _aside(lesion, 0.85), (0.5 * lesion.core_mm,) * 3)
    filled = inside(np.maximum(core + np.float32(0.8) * fine, satellite), 2)
    canvas.paint(within * filled, c.ENHANCING)
    if lesion.necrosis:
        radius = 0.44 * lesion.core_mm
        hole = ellipsoid(points, _aside(lesion, -0.15), (radius, radius, 1.4 * radius))
        canvas.paint(within * inside(hole, 2), c.NECROSIS)
    return filled


def _paint_patches(
    canvas: c.Canvas,
    points: HeadPoints,
    lesion: Lesion,
    core: HeadMap,
    *,
    fine: HeadMap,
    within: HeadMap,
) -> HeadMap:
    """Paint faint spots in part of the tumor; necrosis is a dark pocket without a ring."""
    filled = inside(core + 2, 3)
    canvas.paint(within * filled, c.TUMOR)
    canvas.paint(within * inside(core, 4) * inside(fine - np.float32(0.45), 0.5), c.PATCHY)
    if lesion.necrosis:
        radius = 0.42 * lesion.core_mm
        pocket = ellipsoid(points, _aside(lesion, 0.35), (radius, radius, 1.4 * radius))
        canvas.paint(within * inside(pocket, 2), c.NECROSIS)
    return filled


def _aside(lesion: Lesion, cores: float) -> HeadVector:
    """Position at a distance of `cores` core radii from the center, in the axial plane."""
    x, y, z = lesion.center
    off = cores * lesion.core_mm
    return (x + off * np.cos(lesion.turn), y + off * np.sin(lesion.turn), z)
