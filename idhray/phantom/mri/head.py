"""Phantom head around the brain: fluid, dura, bone, scalp, and a simple face."""

import numpy as np

from idhray.phantom.mri import canvas as c
from idhray.phantom.mri.brain import BrainOutline
from idhray.phantom.mri.fields import HeadMap, HeadPoints, Noise, chain, ellipsoid, inside

CAVITY_MM = 1.5  # fluid between brain and dura
BONE_MM = 7.0
SCALP_MM = 5.0


def paint_head(
    canvas: c.Canvas, outer: BrainOutline, points: HeadPoints, texture: Noise, voxel_mm: float
) -> None:
    """Paint the head without the brain.

    Args:
        canvas: Canvas to paint on.
        outer: Outline of the brain.
        points: Head coordinates.
        texture: Texture of the muscles.
        voxel_mm: Width of soft edges.
    """
    x, y, z = points
    mirrored = (np.abs(x), y, z)
    vault = outer.brain + np.float32(CAVITY_MM)
    skin = np.maximum.reduce([vault + (BONE_MM + SCALP_MM), *_face(mirrored)])
    canvas.paint(inside(skin, voxel_mm), c.FAT)
    muscle = inside(skin - 5, voxel_mm) * inside(texture.at(points) + np.float32(0.8), 0.8)
    canvas.paint(muscle * inside(np.float32(5) - z, 20), c.MUSCLE)
    _paint_face(canvas, mirrored, voxel_mm)
    canvas.paint(inside(vault + BONE_MM, voxel_mm), c.BONE)
    marrow = np.abs(vault + np.float32(BONE_MM / 2 + 0.5))
    canvas.paint(np.float32(0.8) * inside(np.float32(1.3) - marrow, voxel_mm), c.MARROW)
    canvas.paint(inside(vault, voxel_mm), c.DURA)
    canvas.paint(inside(vault - 1, voxel_mm), c.FLUID)


def paint_sinuses(
    canvas: c.Canvas, outer: BrainOutline, points: HeadPoints, voxel_mm: float
) -> None:
    """Paint the venous sinuses over the brain's edge: sagittal and transverse."""
    x, y, z = points
    at_wall = np.float32(3) - np.abs(outer.brain + np.float32(0.5))
    upper = (z > 5) | ((z > -20) & (y < -60))
    sagittal = np.minimum(np.float32(4) - np.abs(x), at_wall)
    canvas.paint(inside(sagittal, voxel_mm) * upper, c.VESSEL)
    ax = np.abs(x)
    transverse = np.minimum(np.float32(3.5) - np.abs(z + np.float32(22)), at_wall)
    behind = (y < -38) & (ax < 58)
    canvas.paint(inside(transverse, voxel_mm) * behind, c.VESSEL)


def _face(mirrored: HeadPoints) -> list[HeadMap]:
    return [
        ellipsoid(mirrored, (0, 52, -58), (58, 50, 60), power=2.4),
        ellipsoid(mirrored, (0, 102, -48), (11, 16, 22)),  # nose
        chain(mirrored, [((0, -30, -60), 56), ((0, -40, -120), 58)]),
    ]


def _paint_face(canvas: c.Canvas, mirrored: HeadPoints, voxel_mm: float) -> None:
    orbit = ellipsoid(mirrored, (31, 62, -34), (19, 24, 18))
    canvas.paint(inside(orbit, voxel_mm), c.FAT)
    globe = ellipsoid(mirrored, (31, 74, -34), (12, 12, 12))
    canvas.paint(inside(globe, voxel_mm), c.DURA)
    canvas.paint(inside(globe - 2, voxel_mm), c.FLUID)
    nerve = chain(mirrored, [((31, 64, -34), 2.5), ((14, 34, -32), 2.5)])
    canvas.paint(inside(nerve, voxel_mm), c.MUSCLE)
    nose = ellipsoid(mirrored, (0, 66, -52), (15, 34, 26), power=2.5)
    septum = np.float32(2) - np.abs(mirrored[0])
    canvas.paint(inside(np.minimum(nose, -septum), voxel_mm), c.AIR)
    sinus = ellipsoid(mirrored, (30, 58, -66), (13, 16, 15))
    canvas.paint(inside(sinus, voxel_mm), c.AIR)
