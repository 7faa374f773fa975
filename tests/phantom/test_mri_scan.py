"""Grids, poses and slices of the made-up scans."""

import nibabel as nib
import numpy as np
import pytest

from idhray.phantom.mri.scan import (
    FOV_MM,
    motion_about,
    random_motion,
    rotation_and_shift,
    sample_head,
    scan_grid,
    with_shading_and_noise,
)


def test_a_turn_is_right_handed():
    """90 degrees about z take x to y; the shift comes after."""
    matrix = rotation_and_shift(np.array([0, 0, 90.0]), np.array([0, 0, 5.0]))

    assert matrix @ [1, 0, 0, 1] == pytest.approx([0, 1, 5, 1])


def test_a_random_motion_stays_within_its_limits():
    """The truth records degrees and mm; tests of registration rely on their size."""
    for seed in range(20):
        motion = random_motion(np.random.default_rng(seed), 4, 5)
        degrees = np.degrees(np.arccos((np.trace(motion[:3, :3]) - 1) / 2))

        assert 1 - 1e-6 <= degrees <= 4 + 1e-6
        assert 1.25 <= np.linalg.norm(motion[:3, 3]) <= 5
        assert motion[:3, :3] @ motion[:3, :3].T == pytest.approx(np.eye(3))


def test_a_turn_about_a_center_leaves_it_where_it_is():
    """So that the recorded shift is that of the brain's center."""
    center = np.array([10.0, -20, 30])
    turned = motion_about(rotation_and_shift(np.array([5.0, 3, 2]), np.zeros(3)), center)

    assert turned @ [*center, 1] == pytest.approx([*center, 1])


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "LPS", "PSR"])
def test_a_grid_has_the_orientation_asked_for(orientation):
    """nibabel reads the same from the affine, and the field of view is centered."""
    shape, affine = scan_grid(orientation, (2, 2, 4), np.eye(4))
    middle = affine @ [*(np.array(shape) - 1) / 2, 1]

    assert "".join(nib.aff2axcodes(affine)) == orientation
    assert middle[:3] == pytest.approx([0, 0, 0])
    sides = np.abs(affine[:3, :3]) @ shape
    assert sides == pytest.approx(FOV_MM, abs=4)


def test_a_thick_slice_is_the_mean_of_its_parts():
    """A slope along z stays where it is: averaging must not shift it."""
    z = np.broadcast_to(np.arange(40, dtype=np.float32), (6, 6, 40)).copy()
    affine = np.diag([1.0, 1, 4, 1])
    affine[2, 3] = 1.5  # the middle of the head's first four points
    seen = sample_head(z, np.eye(4), (6, 6, 10), affine, thin_mm=1)

    assert seen[3, 3] == pytest.approx(np.arange(10) * 4 + 1.5)


def test_noise_is_that_of_a_magnitude_image():
    """Rician: never below 0, and above it where nothing is; its SD in tissue is the setting's."""
    image = np.zeros((40, 40, 40), dtype=np.float32)
    image[20:] = 100
    seen = with_shading_and_noise(np.random.default_rng(0), image, noise=0.02, voxel_mm=(3, 3, 3))
    still = with_shading_and_noise(np.random.default_rng(0), image, noise=0, voxel_mm=(3, 3, 3))

    assert seen.min() >= 0
    assert seen[:20].mean() == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.02)
    assert (seen - still)[20:].std() == pytest.approx(2, rel=0.05)
    assert still[20:].std() > 1  # the coil's shading
