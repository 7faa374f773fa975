"""Values between voxels, against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from idhray.mri.sampling import Trilinear, sampled


def test_it_is_scipys_linear_interpolation():
    """It replaces map_coordinates for speed only."""
    rng = np.random.default_rng(0)
    voxels = rng.random((7, 5, 6)).astype(np.float32)
    places = rng.uniform(0, [[6], [4], [5]], (3, 500)).astype(np.float32)
    expected = ndimage.map_coordinates(voxels, places, order=1)

    assert Trilinear(voxels)(*places) == pytest.approx(expected, abs=1e-5)


def test_values_fade_to_zero_over_one_voxel():
    """A brain at the edge of its scan has no step there, and nothing is read out of bounds."""
    at = np.array([-9, -1, -0.5, 0, 3, 3.25, 4, 1e6], dtype=np.float32)
    middle = np.ones_like(at)
    values = Trilinear(np.ones((4, 4, 4), dtype=np.float32))(at, middle, middle)

    assert values == pytest.approx([0, 0, 0.5, 1, 1, 0.75, 0, 0], abs=2e-3)


def test_points_are_carried_to_voxels():
    """The matrix maps points to indices, not the other way round."""
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    to_voxels = np.diag([0.5, 1.0, 1.0, 1.0])
    to_voxels[2, 3] = 1
    found = sampled(Trilinear(voxels), to_voxels, np.float32([[2], [1], [0]]))

    assert found == pytest.approx(voxels[1, 1, 1])
