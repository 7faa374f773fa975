"""The window of a volume is that of its brain."""

import numpy as np
import pytest

from idhray.errors import MriError
from idhray.mri.intensity import stripped, window, windowed
from idhray.mri.volume import Volume


def made(values):
    voxels = np.asarray(values, dtype=np.float32).reshape(-1, 1, 1)
    return Volume(name="flair of p1", voxels=voxels, affine=np.eye(4))


def brain_of(volume, lowest=0.0):
    return volume.voxels > lowest


def test_percentiles_are_those_of_the_brain():
    """Fat and eyes outside are brighter than any brain and would darken it."""
    volume = made([0] * 500 + list(range(1, 102)) + [9000] * 400)
    brain = brain_of(volume) & (volume.voxels < 9000)

    assert window(volume, brain, 1, 99) == pytest.approx((2, 100))


def test_limits_become_black_and_white_and_beyond_is_clipped():
    """Negative voxels, as an earlier resampling leaves, too."""
    volume = windowed(made([-5, 10, 20, 30, 99]), (10, 30))

    assert volume.voxels.ravel() == pytest.approx([0, 0, 0.5, 1, 1])
    assert volume.voxels.dtype == np.float32


def test_units_change_nothing():
    """A scanner's scale and offset mean nothing, z-scores with negative values included."""
    values = np.random.default_rng(0).normal(300, 50, 1000)
    volume, scaled = made(values), made(values / 50 - 6)
    brain = np.ones((1000, 1, 1), dtype=np.bool_)
    a, b = (windowed(v, window(v, brain, 0.5, 99.5)).voxels for v in (volume, scaled))

    assert a == pytest.approx(b, abs=1e-4)


def test_a_constant_brain_is_refused():
    """Nothing divides by zero, and nothing black goes into training."""
    volume = made([0, 0, 7, 7, 7])

    with pytest.raises(MriError, match="flair of p1: the brain is 7 from percentile"):
        window(volume, brain_of(volume), 0.5, 99.5)


def test_stripping_leaves_the_brain_as_it_is():
    """And 0 elsewhere."""
    volume = made([5, 6, 7])

    assert stripped(volume, volume.voxels > 5).voxels.ravel().tolist() == [0, 6, 7]
