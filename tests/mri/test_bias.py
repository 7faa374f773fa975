"""Shading goes, and what is not shading stays."""

import numpy as np
import pytest

from idhray.errors import MriError
from idhray.mri.bias import bias_corrected
from idhray.mri.transform import transform_points
from idhray.mri.volume import Volume
from tests.mri.head import T1CE, WHITE, grid, scan, tissue

SHAPE = (21, 24, 15)


def shaded():
    """A head twice as bright on one side as on the other, with its noise."""
    volume, brain = scan(T1CE, grid((8, 8, 8), SHAPE, "LAS"), SHAPE)
    field = np.linspace(0.7, 1.4, SHAPE[0], dtype=np.float32)[:, None, None]
    noise = np.random.default_rng(0).normal(0, 2, SHAPE).astype(np.float32)
    voxels = np.maximum(volume.voxels * field + noise, 0)
    return Volume(name="t1ce of p1", voxels=voxels, affine=volume.affine), brain


def sides(volume):
    """White matter of the left half over that of the right."""
    label = tissue(transform_points(volume.affine, np.indices(SHAPE).reshape(3, -1))).reshape(SHAPE)
    middle = SHAPE[0] // 2
    halves = [np.arange(SHAPE[0]) > middle, np.arange(SHAPE[0]) < middle]
    left, right = (volume.voxels[(label == WHITE) & half[:, None, None]].mean() for half in halves)
    return left / right


def test_a_shaded_head_becomes_even():
    """White matter has one value again; the grid stays, axes in their order."""
    volume, brain = shaded()
    flat = bias_corrected(volume, brain)

    assert sides(volume) > 1.2
    assert sides(flat) == pytest.approx(1, abs=0.05)
    assert flat.voxels.shape == SHAPE
    assert flat.voxels.dtype == np.float32
    assert np.array_equal(flat.affine, volume.affine)


def test_it_is_the_same_each_time():
    """Several threads would add up in an order of their own."""
    volume, brain = shaded()

    assert bias_corrected(volume, brain).voxels.tobytes() == (
        bias_corrected(volume, brain).voxels.tobytes()
    )


def test_a_brain_without_positive_voxels_is_refused():
    """N4 fits logarithms; scans that were scaled to mean 0 have none for half of the brain."""
    volume, brain = shaded()
    negative = Volume(name="t1ce of p1", voxels=-volume.voxels, affine=volume.affine)

    with pytest.raises(MriError, match="t1ce of p1: no voxel of the brain is above 0"):
        bias_corrected(negative, brain)
