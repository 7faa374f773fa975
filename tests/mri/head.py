"""A made-up head whose every point is known, scanned on any grid: tests compare with the truth."""

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

from idhray.mri.transform import inverse, rigid_transform, transform_points
from idhray.mri.volume import Volume

AIR, WHITE, GRAY, VENTRICLE, LESION = range(5)
T1CE = (0.0, 100.0, 70.0, 20.0, 150.0)
FLAIR = (0.0, 60.0, 90.0, 10.0, 160.0)
LESION_MM = (30.0, 25.0, 20.0)
"""Right, anterior and superior of the center."""
LESION_RADII_MM = (16.0, 13.0, 14.0)


def ellipsoid(points, center, radii):
    """Which of (3, n) points lie in an ellipsoid."""
    offset = (points - np.array(center)[:, None]) / np.array(radii)[:, None]
    return (offset**2).sum(axis=0) < 1


def tissue(points):
    """The tissue at (3, n) RAS mm of the head: not alike on any two sides."""
    label = np.full(points.shape[1], AIR)
    label[ellipsoid(points, (0, 0, 0), (62, 78, 55))] = GRAY
    label[ellipsoid(points, (0, -4, 2), (52, 66, 46))] = WHITE
    label[ellipsoid(points, (-10, 8, 5), (8, 25, 12))] = VENTRICLE
    label[ellipsoid(points, (9, 10, 5), (6, 30, 14))] = VENTRICLE
    label[ellipsoid(points, (15, -45, -25), (30, 12, 6))] = GRAY
    label[ellipsoid(points, LESION_MM, LESION_RADII_MM)] = LESION
    return label


def grid(spacing_mm, shape, axes="RAS", tilt_degrees=(0, 0, 0), center_mm=(0, 0, 0)):
    """The affine of a grid round `center_mm` whose axes point as named, then tilted."""
    affine = np.eye(4)
    for axis, letter in enumerate(axes):
        row = next(k for k, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[:3, axis] = 0
        affine[row, axis] = spacing_mm[axis] * (1 if letter in "RAS" else -1)
    affine[:3, 3] = np.array(center_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return rigid_transform((0, 0, 0), np.radians(tilt_degrees), center_mm) @ affine


def scan(values, affine, shape, head=None, name="scan"):
    """A volume of the head and its brain mask.

    Args:
        values: Of each tissue.
        affine: Of the volume.
        shape: Of the volume.
        head: RAS mm of the head -> RAS mm of the scanner; the head lies straight when not given.
        name: Of the volume.
    """
    to_head = (np.eye(4) if head is None else inverse(head)) @ affine
    corner = np.indices(shape).reshape(3, -1)
    total, inside = 0.0, 0.0
    for offset in (-0.25, 0.25):  # two points along each diagonal: edges are partial volumes
        label = tissue(transform_points(to_head, corner + offset))
        total = total + np.array(values)[label] / 2
        inside = inside + (label != AIR) / 2
    voxels = total.reshape(shape).astype(np.float32)
    return Volume(name=name, voxels=voxels, affine=affine), (inside >= 0.5).reshape(shape)


def reordered(volume, mask, axes):
    """The same voxels in the same places, with axes that point as named, and the mask so too."""
    now = io_orientation(volume.affine)
    change = ornt_transform(now, axcodes2ornt(axes))
    affine = volume.affine @ inv_ornt_aff(change, mask.shape)
    voxels, inside = (
        np.ascontiguousarray(apply_orientation(array, change)) for array in (volume.voxels, mask)
    )
    return Volume(name=volume.name, voxels=voxels, affine=affine), inside


def pair(head=None, t1ce_axes="LAS", flair_axes="LAS"):
    """CE-T1w and its brain, FLAIR (in slices of 5 mm, tilted) and its brain."""
    shape, flair_shape = (80, 90, 48), (76, 84, 30)
    t1ce = scan(T1CE, grid((2, 2, 3), shape, t1ce_axes), shape, name="t1ce")
    tilted = grid((2, 2, 5), flair_shape, flair_axes, (6, -4, 3), (2, -3, 1))
    return *t1ce, *scan(FLAIR, tilted, flair_shape, head, name="flair")
