"""Each geometric transform against NumPy or SciPy on one image."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from idhray.gan.augment.config import AugmentSettings
from idhray.gan.augment.geometry import interpolating, moved, rotation_probability
from tests.gan.augmented import P, chance, noise, only, smooth

SETTINGS = AugmentSettings(mode="ada", quarter_turns=True)


def by_scipy(image, matrix, shift=(0.0, 0.0)):
    """(S, S) whose pixel at x is `image` at matrix^-1 (x - shift), from the center; (x, y)."""
    inverse = np.linalg.inv(np.asarray(matrix))
    offset = -inverse @ np.asarray(shift)
    rows = inverse[::-1, ::-1]  # SciPy counts (y, x)
    center = np.full(2, (len(image) - 1) / 2)
    return ndimage.affine_transform(
        image, rows, center + offset[::-1] - rows @ center, order=3, mode="reflect"
    )


def turn(degrees):
    """Rotation from x to y; on the screen clockwise."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def changed(image, *transforms, **numbers):
    """The one image after these transforms alone."""
    return moved(image, only(*transforms, channels=image.shape[1], **numbers), P, SETTINGS)[0]


@pytest.mark.parametrize(("u", "flipped"), [(0.2, True), (0.7, False)])
def test_an_image_is_flipped_left_to_right_half_of_the_time(u, flipped):
    """When it is its turn, a coin still decides: both are as likely."""
    image = noise(1, 2, 8, 8)
    expected = np.flip(image[0].numpy(), 2) if flipped else image[0].numpy()

    assert np.array_equal(changed(image, "x_flip", uniform={"x_flip": u}), expected)


@pytest.mark.parametrize(("u", "turns"), [(0.1, 0), (0.3, 1), (0.6, 2), (0.9, 3)])
def test_quarter_turns_move_pixels_only(u, turns):
    """Clockwise, bit for bit."""
    image = noise(1, 2, 8, 8)
    expected = np.rot90(image[0].numpy(), -turns, axes=(1, 2))

    assert np.array_equal(changed(image, "quarter_turns", uniform={"quarter_turns": u}), expected)


def test_whole_shifts_reach_an_eighth_and_mirror_what_enters():
    """Of 16 px: 2 to the right, 1 up (0.2 is 0.6 of 2 px in the other direction, rounded)."""
    image = noise(1, 1, 16, 16)
    padded = np.pad(image[0, 0].numpy(), 2, mode="symmetric")
    result = changed(image, "integer_shift", uniform={"shift_x": 0.9999, "shift_y": 0.2})

    assert np.array_equal(result[0], padded[3:19, 0:16])


def test_copies_come_in_the_paper_s_order():
    """Flip, then turn, then shift."""
    image = noise(1, 1, 16, 16)
    uniform = {"x_flip": 0.2, "quarter_turns": 0.3, "shift_x": 0.9999, "shift_y": 0.5}
    result = changed(image, "x_flip", "quarter_turns", "integer_shift", uniform=uniform)
    turned = np.rot90(np.fliplr(image[0, 0].numpy()), -1)

    assert np.array_equal(result[0], np.pad(turned, 2, mode="symmetric")[2:18, 0:16])


SIZE = 2**0.2  # one standard deviation


@pytest.mark.parametrize(
    ("transform", "uniform", "normal", "matrix", "shift"),
    [
        pytest.param("scale", {}, {"scale": 1.0}, np.eye(2) * SIZE, (0, 0), id="larger"),
        pytest.param("scale", {}, {"scale": -2.0}, np.eye(2) / SIZE**2, (0, 0), id="smaller"),
        pytest.param("rotation", {"rotation": 0.6}, {}, turn(36), (0, 0), id="before"),
        pytest.param(
            "second_rotation", {"second_rotation": 0.4}, {}, turn(-36), (0, 0), id="after"
        ),
        pytest.param(
            "anisotropy", {}, {"anisotropy": 1.0}, np.diag([SIZE, 1 / SIZE]), (0, 0), id="wider"
        ),
        pytest.param(
            "fractional_shift", {}, {"shift_x": 0.3, "shift_y": -0.8}, np.eye(2), (1.2, -3.2),
            id="shifted by 0.3 and -0.8 of an eighth of 32 px",
        ),
    ],
)  # fmt: skip
def test_interpolating_transforms_are_those_of_scipy(transform, uniform, normal, matrix, shift):
    """Directions, sizes, and the edges' mirror images; splines differ from it by some percent."""
    image = smooth(32)
    result = changed(image, transform, uniform=uniform, normal=normal)

    np.testing.assert_allclose(result[0], by_scipy(image[0, 0].numpy(), matrix, shift), atol=0.02)


def test_all_come_in_the_paper_s_order():
    """Flip, turn, scale, rotation, anisotropic scale, rotation, shift; each matters."""
    image = smooth(32)
    uniform = {"x_flip": 0.1, "quarter_turns": 0.3, "rotation": 0.55, "second_rotation": 0.4}
    normal = {"scale": 0.5, "anisotropy": 1.0, "shift_x": 0.3, "shift_y": -0.2}
    transforms = (
        "x_flip", "quarter_turns", "scale", "rotation", "anisotropy", "second_rotation",
        "fractional_shift",
    )  # fmt: skip
    result = changed(image, *transforms, uniform=uniform, normal=normal)
    matrix = np.diag([-1, 1])
    for step in (turn(90), np.eye(2) * SIZE**0.5, turn(18), np.diag([SIZE, 1 / SIZE]), turn(-36)):
        matrix = step @ matrix

    expected = by_scipy(image[0, 0].numpy(), matrix, (1.2, -0.8))
    np.testing.assert_allclose(result[0], expected, atol=0.03)


def test_a_switch_turns_its_transform_off():
    """Even with p = 1, and leaves the others what they were."""
    image, draws = noise(4, 3, 16, 16), only(size=4)
    off = AugmentSettings(
        mode="ada", x_flip=False, integer_shift=False, scale=False, rotation=False,
        anisotropy=False, fractional_shift=False,
    )  # fmt: skip

    assert torch.equal(moved(image, draws, torch.tensor(1.0), off), image)
    for name in ("x_flip", "integer_shift", "scale", "rotation", "anisotropy", "fractional_shift"):
        on = AugmentSettings(**{**vars(off), name: True})
        assert not torch.equal(moved(image, draws, torch.tensor(1.0), on), image)


def test_p_is_the_probability_of_any_rotation():
    """Before, after, or both: 1 - (1 - q)^2 = p."""
    p = torch.tensor([0.0, 0.36, 0.75, 1.0])

    torch.testing.assert_close(rotation_probability(p), torch.tensor([0.0, 0.2, 0.5, 1.0]))


def test_images_are_interpolated_only_when_they_must_be():
    """Copying transforms keep the finest detail, so the others may not blur images they leave."""
    settings = AugmentSettings(mode="ada")
    p = torch.tensor(0.3)
    many = only(size=20000)._replace(gates=torch.rand(20000, 13, generator=chance()))
    share = interpolating(many, p, settings).float().mean()

    # Scale, any rotation, anisotropic scale, and shift each stay away with probability 0.7.
    assert share == pytest.approx(1 - 0.7**4, abs=0.01)
    assert interpolating(only("x_flip", "integer_shift"), P, settings).tolist() == [False]
