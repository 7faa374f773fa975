"""Shapes and noise of the made-up head."""

import numpy as np
import pytest

from idhray.phantom.mri.fields import chain, ellipsoid, inside, noise_box, smooth_noise


def points(*places):
    """Points as fields: x, y, z of shape (n, 1, 1)."""
    return tuple(np.array(places, dtype=np.float32).T[:, :, None, None])


@pytest.mark.parametrize("power", [2, 2.5])
def test_depth_in_an_ellipsoid_is_mm_along_its_axes(power):
    """Positive inside, 0 on the surface, negative outside."""
    depth = ellipsoid(points((11, 2, 3), (9, 2, 3), (1, 27, 3)), (1, 2, 3), (10, 20, 30), power)

    assert depth.ravel() == pytest.approx([0, 2, -5], abs=1e-3)


def test_depth_in_a_chain_follows_its_radius():
    """From radius 2 to 4 over 10 mm: 3 in the middle; beyond its end it is a ball."""
    depth = chain(points((5, 0, 0), (5, 3, 0), (16, 0, 0)), [((0, 0, 0), 2), ((10, 0, 0), 4)])

    assert depth.ravel() == pytest.approx([3, 0, -2], abs=1e-4)


def test_inside_is_a_ramp():
    """Half at the surface, so that a mask at 0.5 has the shape's size."""
    depth = np.array([-2, -1, 0, 0.5, 2], dtype=np.float32)

    assert inside(depth, 2).tolist() == [0, 0, 0.5, 0.75, 1]


def test_noise_has_unit_spread_and_is_smooth():
    """Thresholds on noise (veins, patches) are in its SD."""
    noise = smooth_noise(np.random.default_rng(0), (60, 70, 80), 4)
    step = np.abs(np.diff(noise, axis=0)).mean()

    assert noise.shape == (60, 70, 80)
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(1, abs=0.1)
    assert step < 0.25


def test_noise_of_a_box_does_not_mirror_left_onto_right():
    """Else both hemispheres would have the same sulci."""
    noise = noise_box(np.random.default_rng(1), 5)
    x, y = (a.ravel() for a in np.meshgrid(np.arange(2, 60, 3), np.arange(-60, 60, 3)))
    right, left = (noise.at(points(*zip(s * x, y, 0 * x, strict=True))).ravel() for s in (1, -1))

    assert abs(np.corrcoef(right, left)[0, 1]) < 0.3
