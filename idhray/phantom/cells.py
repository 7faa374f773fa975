"""Positions of the cells and vessels of one slide, as a list of stamps to paste."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idhray.phantom.appearance import Appearance
from idhray.phantom.layout import MAP_PX, Layout
from idhray.phantom.nuclei import ANGLES, VESSEL_RADII_UM, VESSEL_SHAPES, Stamp, Stamps
from idhray.phantom.texture import SlideMap

CAPILLARIES_PER_MM2 = 6.0
DEBRIS_PER_MM2 = 700.0  # in dead tissue

SlidePoints = NDArray[np.float64]  # (count, 2): x, y in level-0 pixels


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Stamps and their positions: (count,) arrays, sorted by y."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    stamp: NDArray[np.int64]
    """Index into `all_stamps`."""
    tumor_count: int
    nest_count: int


def all_stamps(stamps: Stamps) -> list[Stamp]:
    """Stamps of a slide as one list."""
    return [*stamps.walls, *stamps.tumor, *stamps.endothelium, *stamps.debris]


def place_cells(
    random: np.random.Generator, layout: Layout, look: Appearance, stamps: Stamps, mpp: float
) -> Cells:
    """Place tumor nuclei by crowding, debris in dead tissue, and vessels in viable tissue."""
    tumor = _scattered(random, layout.crowding, look.density_per_mm2, mpp)
    dead = np.where(layout.tissue, layout.necrosis, 0)
    debris = _scattered(random, dead, DEBRIS_PER_MM2, mpp)
    viable = ((layout.border > 0.1) & (layout.necrosis < 0.5)).astype(np.float32)
    capillaries = _scattered(random, viable, CAPILLARIES_PER_MM2, mpp)
    nests = _scattered(random, viable, look.proliferating_vessels_per_mm2, mpp)
    walls, endothelium, angles = _rings(random, capillaries, nests, mpp)
    tumor = tumor[~_near(tumor, walls, 9 / mpp)]

    first = np.cumsum([0, len(stamps.walls), len(stamps.tumor), len(stamps.endothelium)])
    stamp = np.concatenate(
        [
            first[0] + walls[:, 2].astype(np.int64),
            first[1] + random.integers(len(stamps.tumor), size=len(tumor)),
            first[2] + angles,
            first[3] + random.integers(len(stamps.debris), size=len(debris)),
        ]
    )
    points = np.concatenate([walls[:, :2], tumor, endothelium, debris])
    x, y = np.rint(points).astype(np.int64).T
    order = np.argsort(y, kind="stable")
    return Cells(
        x=x[order],
        y=y[order],
        stamp=stamp[order],
        tumor_count=len(tumor),
        nest_count=len(nests),
    )


def _scattered(
    random: np.random.Generator, crowding: SlideMap, per_mm2: float, mpp: float
) -> SlidePoints:
    """Points at a density of `per_mm2` times `crowding`: a jittered grid, thinned.

    Unlike independent points, these rarely overlap.
    """
    most = max(float(crowding.max()), 1e-6)
    pitch = 1000 / mpp / np.sqrt(per_mm2 * most)
    rows, columns = (int(np.ceil(side * MAP_PX / pitch)) for side in crowding.shape)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    points = (grid + random.uniform(-0.1, 1.1, size=grid.shape)) * pitch
    chance = random.random(len(points)) * most
    x, y = np.floor(points / MAP_PX).astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (x < crowding.shape[1]) & (y < crowding.shape[0])
    points, chance, x, y = points[inside], chance[inside], x[inside], y[inside]
    return np.asarray(points[chance < crowding[y, x]])


def _rings(
    random: np.random.Generator,
    capillaries: SlidePoints,
    nests: SlidePoints,
    mpp: float,
) -> tuple[NDArray[np.float64], SlidePoints, NDArray[np.int64]]:
    """Vessels as rings of endothelial nuclei around a wall.

    A capillary is one ring; a proliferating nest is four to eight crowded rings.

    Returns:
        Walls (x, y, index into Stamps.walls), endothelial nuclei (x, y), and the index of each
        nucleus into Stamps.endothelium.
    """
    sizes = np.concatenate(
        [np.ones(len(capillaries), dtype=np.int64), random.integers(4, 9, size=len(nests))]
    )
    centers = np.repeat(np.concatenate([capillaries, nests]), sizes, axis=0)
    is_capillary = np.repeat(sizes == 1, sizes)
    spread = np.where(is_capillary, 0, 14 / mpp)[:, None]
    centers = centers + spread * random.standard_normal(centers.shape)
    kind = random.integers(len(VESSEL_RADII_UM) * VESSEL_SHAPES, size=len(centers))
    radius = kind // VESSEL_SHAPES
    ring_um = VESSEL_RADII_UM[radius] + 2.5
    gap_um = np.where(is_capillary, 11.0, 6.0)
    count = np.maximum(np.rint(2 * np.pi * ring_um / gap_um).astype(np.int64), 2)
    turn = random.uniform(0, 2 * np.pi, size=count.sum())
    start = np.repeat(np.cumsum(count) - count, count)
    step = 2 * np.pi / np.repeat(count, count)
    theta = (np.arange(count.sum()) - start) * step + 0.25 * step * np.cos(turn)
    arm = np.repeat(ring_um / mpp, count) * random.uniform(0.9, 1.25, size=count.sum())
    nuclei = np.repeat(centers, count, axis=0)
    nuclei = nuclei + arm[:, None] * np.stack([np.cos(theta), np.sin(theta)], axis=1)
    angles = np.rint((theta / np.pi + 0.5) * ANGLES).astype(np.int64) % ANGLES  # along the ring
    return np.column_stack([centers, kind]), nuclei, angles


def _near(points: SlidePoints, walls: NDArray[np.float64], reach_px: float) -> NDArray[np.bool_]:
    """True for points in the same square of side twice `reach_px` as the center of a wall."""
    occupied = {(int(x), int(y)) for x, y in walls[:, :2] // (2 * reach_px)}
    return np.array([(int(x), int(y)) in occupied for x, y in points // (2 * reach_px)], dtype=bool)
