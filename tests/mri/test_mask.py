"""Pieces, holes and edges, on masks small enough to draw."""

import numpy as np
from scipy import ndimage

from idhray.mri.mask import face_fractions, fill_holes, largest_component, most_frequent_value


def test_the_largest_piece_is_kept_and_its_share_told():
    """Voxels that touch at an edge only are two pieces."""
    mask = np.zeros((6, 5, 4), dtype=bool)
    mask[0:2, 0:3, 1] = True
    mask[2, 3, 1] = True  # touches the piece at an edge
    mask[5, 4, 3] = True

    piece, share = largest_component(mask)

    assert piece.sum() == 6
    assert share == 6 / 8
    assert largest_component(np.zeros((2, 2, 2), dtype=bool))[1] == 0


def test_holes_are_filled_as_scipy_fills_them():
    """Scipy's way is slow on a head of 50 million voxels."""
    rng = np.random.default_rng(0)
    for density in (0.2, 0.6, 0.8, 0.95):
        mask = rng.random((9, 8, 7)) < density

        np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))


def test_a_bay_that_reaches_a_face_is_no_hole():
    """The brain stem leaves through the lowest slice."""
    mask = np.ones((5, 5, 5), dtype=bool)
    mask[2, 2, :3] = False

    np.testing.assert_array_equal(fill_holes(mask), mask)


def test_faces_are_first_and_last_along_each_axis():
    """In the order i, j, k."""
    mask = np.zeros((4, 5, 10), dtype=bool)
    mask[0, :, :5] = True
    mask[:, 4, :2] = True

    assert face_fractions(mask) == [0.5, 0.04, 0.125, 0.275, 0.4, 0]


def test_the_commonest_value_is_the_background():
    """Whatever it is."""
    voxels = np.random.default_rng(0).random((50, 60, 70)).astype(np.float32)
    voxels[:20] = -1024

    assert most_frequent_value(voxels) == -1024
