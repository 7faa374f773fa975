"""Axes come in any order and direction, and every voxel keeps its place in the patient."""

from itertools import permutations, product

import numpy as np
import pytest

from idhray.errors import MriError
from idhray.mri.transform import transform_points
from idhray.mri.volume import (
    Volume,
    canonical,
    canonical_mask,
    check_mask,
    cropped,
    mask_box,
    mask_ml,
    mask_points_mm,
    mask_volume,
    padded,
)
from tests.mri.head import grid

SHAPE = (4, 5, 6)
ALL_48 = [
    "".join(letters) for pairs in permutations(("RL", "AP", "SI")) for letters in product(*pairs)
]


def made(affine, shape=SHAPE, fill=None):
    voxels = np.random.default_rng(0).random(shape) if fill is None else np.full(shape, fill)
    return Volume(name="t1ce of p1", voxels=voxels.astype(np.float32), affine=affine)


@pytest.mark.parametrize("tilt", [(0, 0, 0), (12, -8, 15)], ids=["straight", "oblique"])
def test_any_order_of_axes_becomes_right_anterior_superior(tilt):
    """And each voxel stays where it was: a marker on the left stays on the left."""
    assert len(ALL_48) == 48
    for axes in ALL_48:
        volume = made(grid((1, 2, 3), SHAPE, axes, tilt))
        upright = canonical(volume)
        mask = volume.voxels == volume.voxels[1, 2, 3]
        place = transform_points(volume.affine, np.array([[1], [2], [3]]))
        index = np.argwhere(canonical_mask(mask, volume)).T

        assert (np.diag(upright.affine)[:3] > 0).all()
        assert np.abs(upright.affine[:3, :3]).argmax(axis=0).tolist() == [0, 1, 2]
        assert upright.voxels[tuple(index)] == volume.voxels[1, 2, 3]
        assert transform_points(upright.affine, index) == pytest.approx(place)
        assert canonical(upright).voxels.tobytes() == upright.voxels.tobytes()


def test_spacing_follows_its_axis():
    """Slices of 5 mm are along k here, and along j once the scan was sagittal and turned."""
    volume = made(grid((5, 1, 2), SHAPE, "AIR"))

    assert volume.spacing_mm == pytest.approx((5, 1, 2))
    assert canonical(volume).spacing_mm == pytest.approx((2, 5, 1))
    assert canonical(volume).voxels.shape == (6, 4, 5)


def test_milliliters_count_the_size_of_voxels():
    """3 voxels of 2 x 3 x 5 mm."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[1, 1:4, 2] = True

    assert mask_ml(mask, made(grid((2, 3, 5), SHAPE, "LPS"))) == pytest.approx(0.09)


def test_a_few_points_of_a_mask_are_from_all_over_it(monkeypatch):
    """Every 80th of 20 x 20 x 20 would lie in one plane."""
    volume = made(grid((1, 1, 1), (20, 20, 20)), (20, 20, 20))
    mask = np.ones((20, 20, 20), dtype=np.bool_)

    assert mask_points_mm(mask, volume).shape == (3, 8000)
    monkeypatch.setattr("idhray.mri.volume.MAX_POINTS", 100)
    few = mask_points_mm(mask, volume)
    assert few.shape == (3, 100)
    assert few.mean(axis=1) == pytest.approx([0, 0, 0], abs=2)
    assert few.std(axis=1) == pytest.approx([20 / 12**0.5] * 3, rel=0.2)
    assert np.array_equal(few, mask_points_mm(mask, volume))


def test_a_crop_keeps_every_voxel_in_its_place():
    """Registration works on the box of the brain, in the millimeters of the whole."""
    volume = made(grid((1, 2, 3), SHAPE, "PIL", (10, 5, 0)))
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[1:3, 2, 3:6] = True
    box, inside = cropped(volume, mask)

    assert [edge.tolist() for edge in mask_box(mask)] == [[1, 2, 3], [2, 2, 5]]
    assert box.voxels.shape == inside.shape == (2, 1, 3)
    assert inside.all()
    assert transform_points(box.affine, np.zeros((3, 1))) == pytest.approx(
        transform_points(volume.affine, np.array([[1], [2], [3]]))
    )


def test_a_margin_is_had_where_there_are_voxels():
    """And not at the edge of the scan."""
    volume = made(grid((1, 2, 3), SHAPE))
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[0, 2, 3] = True
    box, inside = cropped(volume, mask, margin=2)

    assert np.array_equal(box.voxels, volume.voxels[0:3, 0:5, 1:6])
    assert np.argwhere(inside).tolist() == [[0, 2, 2]]
    assert transform_points(box.affine, np.array([[0], [2], [2]])) == pytest.approx(
        transform_points(volume.affine, np.array([[0], [2], [3]]))
    )


def test_padding_and_masks_keep_every_voxel_in_its_place():
    """Zeros around a volume, and a mask as a volume of its own box."""
    volume = made(grid((1, 2, 3), SHAPE, "PIL", (10, 5, 0)))
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[1, 2:4, 3] = True
    inside, wide = mask_volume(mask, volume), padded(volume)

    assert inside.voxels.tolist() == [[[1], [1]]]
    assert np.array_equal(wide.voxels[1:-1, 1:-1, 1:-1], volume.voxels)
    assert wide.voxels.sum() == pytest.approx(volume.voxels.sum())
    place = transform_points(volume.affine, np.array([[1], [2], [3]]))
    assert transform_points(inside.affine, np.zeros((3, 1))) == pytest.approx(place)
    assert transform_points(wide.affine, np.array([[2], [3], [4]])) == pytest.approx(place)


@pytest.mark.parametrize(
    ("voxels", "affine", "message"),
    [
        pytest.param(np.zeros((2, 2, 2, 1), "f4"), np.eye(4), r"\(2, 2, 2, 1\)", id="4-D"),
        pytest.param(np.zeros((2, 2, 0), "f4"), np.eye(4), r"\(2, 2, 0\)", id="empty"),
        pytest.param(np.zeros((2, 2, 2)), np.eye(4), "float64", id="float64"),
        pytest.param(np.full((2, 2, 2), np.nan, "f4"), np.eye(4), "not finite", id="NaN"),
        pytest.param(np.full((2, 2, 2), np.inf, "f4"), np.eye(4), "not finite", id="infinity"),
        pytest.param(np.zeros((2, 2, 2), "f4"), np.eye(3), "4 x 4", id="3 x 3 affine"),
        pytest.param(np.zeros((2, 2, 2), "f4"), np.full((4, 4), np.nan), "4 x 4", id="NaN affine"),
        pytest.param(np.zeros((2, 2, 2), "f4"), np.diag([1.0, 1, 0, 1]), "no place", id="flat"),
        pytest.param(
            np.zeros((2, 2, 2), "f4"),
            np.eye(4) + 0.1 * np.eye(4, k=1),
            "not orthogonal",
            id="sheared",
        ),
    ],
)
def test_what_is_no_volume_is_refused_by_name(voxels, affine, message):
    """Later steps rely on it: a NaN would spread, a shear is no rigid motion."""
    with pytest.raises(MriError, match=f"^t1ce of p1: .*{message}"):
        Volume(name="t1ce of p1", voxels=voxels, affine=affine)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        pytest.param(np.zeros(SHAPE, np.bool_), "empty", id="empty"),
        pytest.param(np.ones((6, 5, 4), np.bool_), r"\(6, 5, 4\) bool", id="another grid"),
        pytest.param(np.ones(SHAPE), "float64", id="not bool"),
    ],
)
def test_a_mask_must_be_one_of_its_volume(mask, message):
    """The empty mask of a failed extraction must not pass for a brain."""
    with pytest.raises(MriError, match=f"t1ce of p1: its mask is .*{message}"):
        check_mask(made(np.eye(4)), mask)
