"""Values between voxels, against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from idhray.mri.sampling import Trilinear, values_at


def test_it_is_scipys_linear_interpolation():
    """It replaces map_coordinates for speed only."""
    rng = np.random.default_rng(0)
    voxels = rng.random((7, 5, 6)).astype(np.float32)
    places = rng.uniform(-2, [[8], [6], [7]], (3, 500)).astype(np.float32)
    expected = ndimage.map_coordinates(voxels, places, order=1, mode="nearest")

    assert Trilinear(voxels)(*places) == pytest.approx(expected, abs=1e-5)


def test_a_voxel_has_its_own_value():
    """The last one of each axis too, which has none behind it."""
    voxels = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    places = np.indices((3, 4, 5)).reshape(3, -1).astype(np.float32)

    assert Trilinear(voxels)(*places) == pytest.approx(voxels.ravel(), abs=1e-6)


def test_a_single_slice_has_one_value_throughout():
    """There is no second one to interpolate to."""
    values = Trilinear(np.full((1, 4, 1), 7, dtype=np.float32))
    at = np.array([-1, 0, 0.5, 9], dtype=np.float32)

    assert values(at, at, at).tolist() == [7, 7, 7, 7]


def test_points_are_carried_to_voxels():
    """The matrix maps points to indices, not the other way round."""
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    to_voxels = np.diag([0.5, 1.0, 1.0, 1.0])
    to_voxels[2, 3] = 1
    found = values_at(Trilinear(voxels), to_voxels, np.float32([[2], [1], [0]]))

    assert found == pytest.approx(voxels[1, 1, 1])
