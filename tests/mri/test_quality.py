"""The picture by which a person judges a patient."""

import numpy as np

from idhray.mri.quality import GREEN, ORANGE, PANEL_PX, SQUARE_PX, quality_picture
from idhray.mri.transform import rigid_transform
from idhray.mri.volume import Volume
from tests.mri.head import FLAIR, T1CE, grid, scan

SHAPE = (84, 92, 60)


def heads(head=None, axes="LPS", values=FLAIR):
    found = []
    for contrast, own, place in ((T1CE, "LAS", None), (values, axes, head)):
        volume, brain = scan(contrast, grid((2, 2, 2), SHAPE, own), SHAPE, place)
        voxels = volume.voxels / max(contrast)
        found += [Volume(name="scan", voxels=voxels, affine=volume.affine), brain]
    return found


def rows(picture):
    return [picture[k * PANEL_PX : (k + 1) * PANEL_PX].astype(int) for k in range(3)]


def test_it_has_three_rows_of_five_planes():
    """Registration is judged in all three directions."""
    picture = quality_picture(*heads(), np.eye(4))

    assert picture.shape == (3 * PANEL_PX, 5 * PANEL_PX, 3)
    assert picture.dtype == np.uint8
    for k in range(5):
        assert (picture[:, k * PANEL_PX : (k + 1) * PANEL_PX] > 0).any()


def test_squares_of_a_registered_pair_run_on():
    """The same contrast twice: the checkerboard is the picture, unless one of them was moved."""
    head = rigid_transform((6, 9, 4), (0.1, 0, 0.1), (0, 0, 0))
    errors = []
    for matrix in (np.linalg.inv(head), np.eye(4)):
        first, _, board = rows(quality_picture(*heads(head, values=T1CE), matrix))
        gray = np.ptp(first, axis=-1) == 0  # away from outline
        errors.append(np.abs(first - board)[gray].mean())

    assert errors[0] < 2
    assert errors[1] > 4 * errors[0]


def test_squares_come_from_the_two_in_turn():
    """A black FLAIR leaves every second square."""
    t1ce, brain, flair, own = heads()
    black = Volume(name="flair", voxels=np.zeros_like(flair.voxels), affine=flair.affine)
    *_, board = rows(quality_picture(t1ce, brain, black, own, np.eye(4)))
    center = PANEL_PX // 2 + SQUARE_PX // 2
    squares = [board[center, center + k * SQUARE_PX].max() > 0 for k in range(-2, 3)]

    assert squares in ([True, False] * 2 + [True], [False, True] * 2 + [False])


def test_outlines_are_those_of_the_two_brains():
    """Green is the CE-T1w's, in both rows; orange the FLAIR's, where the two differ."""
    t1ce, brain, flair, own = heads()
    own = own.copy()
    own[:, :, 30:] = False
    first, second, _ = rows(quality_picture(t1ce, brain, flair, own, np.eye(4)))
    is_green, is_orange = ((lambda row, c=c: (row == c).all(axis=-1)) for c in (GREEN, ORANGE))

    assert is_green(first).sum() == is_green(second).sum() > 500
    assert not is_orange(first).any()
    coronal = slice(3 * PANEL_PX, 4 * PANEL_PX)
    assert is_orange(second[:, coronal]).sum() > 30  # its flat top
