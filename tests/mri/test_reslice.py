"""Resampling against volumes whose value at any point is known."""

import numpy as np
import pytest
from scipy import ndimage

from idhray.mri.reslice import Grid, resliced
from idhray.mri.transform import rigid_transform, transform_points
from idhray.mri.volume import Volume
from tests.mri.head import grid

SLOPE = np.array([1.5, -2.0, 0.75])


def ramp(affine, shape=(30, 28, 20)):
    """A volume whose value is linear in RAS mm: linear interpolation has it exactly."""
    points = transform_points(affine, np.indices(shape).reshape(3, -1))
    voxels = (SLOPE @ points + 7).reshape(shape).astype(np.float32)
    return Volume(name="ramp", voxels=voxels, affine=affine)


def stack(pictures):
    values, covered = zip(*pictures, strict=True)
    return np.stack(values, axis=-1), np.stack(covered, axis=-1)


def points_of(target):
    return transform_points(target.affine, np.indices(target.shape).reshape(3, -1))


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_its_own_grid_gives_back_the_volume(interpolation):
    """Nothing is shifted by half a voxel, at the edges either."""
    affine = grid((1, 2, 5), (9, 8, 7), "PIR", (10, 5, -7))
    voxels = np.random.default_rng(0).normal(size=(9, 8, 7)).astype(np.float32)
    volume = Volume(name="noise", voxels=voxels, affine=affine)
    found, covered = stack(
        resliced(volume, Grid(affine=affine, shape=(9, 8, 7)), interpolation=interpolation)
    )

    assert found == pytest.approx(voxels, abs=1e-4)
    assert covered.all()


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("axes", ["RAS", "LPI", "SRA", "PIL"])
def test_a_ramp_is_read_where_registration_moved_it(axes, interpolation):
    """Voxel -> RAS -> moved -> slice, in one step: values are those of the place it came from."""
    volume = ramp(grid((2, 2.5, 4), (30, 28, 20), axes, (5, -10, 20), (3, 2, 1)))
    head = rigid_transform((3, -2, 4), np.radians((8, -5, 6)), (0, 0, 10))
    target = Grid(affine=grid((1.5, 1.5, 4), (10, 12, 3), "PLS", (2, 0, 1)), shape=(10, 12, 3))
    found, covered = stack(resliced(volume, target, head, interpolation))
    came_from = transform_points(np.linalg.inv(head), points_of(target))

    assert covered.all()
    assert found.ravel() == pytest.approx(SLOPE @ came_from + 7, abs=1e-2)


def test_half_a_voxel_beyond_the_last_center_is_covered():
    """A slice of 5 mm was acquired over 5 mm; beyond it there is nothing, and it reads 0."""
    volume = ramp(grid((1, 1, 5), (8, 8, 4)), (8, 8, 4))
    column = Grid(affine=grid((1, 1, 1), (1, 1, 26)), shape=(1, 1, 26))
    found, covered = stack(resliced(volume, column))
    heights = points_of(column)[2]

    assert covered.ravel().tolist() == (np.abs(heights) < 10).tolist()
    assert covered.sum() == 20
    assert (found[~covered] == 0).all()


def test_cubic_does_not_leave_the_range_of_the_volume():
    """Beside an edge a spline swings below 0, where no scan has values."""
    voxels = np.zeros((12, 4, 4), dtype=np.float32)
    voxels[6:] = 100
    volume = Volume(name="edge", voxels=voxels, affine=np.eye(4))
    line = Grid(affine=np.diag([0.1, 1, 1, 1]), shape=(110, 1, 1))
    ((found, _),) = resliced(volume, line, interpolation="cubic")
    places = np.zeros((3, 110))
    places[0] = np.arange(110) / 10
    swinging = ndimage.map_coordinates(voxels, places, order=3, mode="mirror")

    assert swinging.min() < -3
    assert swinging.max() > 103
    assert found[:, 0] == pytest.approx(np.clip(swinging, 0, 100), abs=1e-3)


def test_cubic_is_nearer_to_a_smooth_curve_than_linear():
    """Otherwise it would not be worth its time."""
    wave = np.sin(np.arange(40, dtype=np.float32) / 2)
    voxels = np.tile(wave[:, None, None], (1, 4, 4))
    volume = Volume(name="wave", voxels=voxels, affine=np.eye(4))
    line = Grid(affine=np.diag([0.3, 1, 1, 1]), shape=(130, 1, 1))
    error = {}
    for kind in ("linear", "cubic"):
        ((found, _),) = resliced(volume, line, interpolation=kind)
        away_from_ends = slice(40, 90)
        truth = np.sin(0.15 * np.arange(130))
        error[kind] = np.abs(found[:, 0] - truth)[away_from_ends].max()

    assert error["cubic"] < 0.1 * error["linear"]


def test_a_large_pixel_is_the_mean_of_its_area():
    """Single points of a checkerboard would be all black or all white."""
    board = (np.indices((24, 24, 8)).sum(axis=0) % 2).astype(np.float32)
    volume = Volume(name="board", voxels=board, affine=np.eye(4))
    affine = np.diag([4.0, 4, 1, 1])
    affine[:2, 3] = 1.5
    found, _ = stack(resliced(volume, Grid(affine=affine, shape=(6, 6, 8))))

    assert found == pytest.approx(0.5)


def test_a_thick_slice_is_the_mean_of_its_thickness():
    """As the scanner would have given it: slices 0 to 3 here have the mean 1.5."""
    voxels = np.tile(np.arange(8, dtype=np.float32), (5, 5, 1))
    volume = Volume(name="stairs", voxels=voxels, affine=np.eye(4))
    affine = np.diag([1.0, 1, 4, 1])
    affine[2, 3] = 1.5
    found, _ = stack(resliced(volume, Grid(affine=affine, shape=(5, 5, 2))))

    assert found[..., 0] == pytest.approx(1.5)
    assert found[..., 1] == pytest.approx(5.5)
