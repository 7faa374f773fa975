"""DiffAugment's policy against its definition."""

import numpy as np
import pytest
import torch

from idhray.gan.augment.config import PRESETS, AugmentSettings
from idhray.gan.augment.diffaugment import cutout_mask, diff_augmented, shifted
from tests.gan.augmented import noise, only

RGB = PRESETS["zhao2020"]
CHANNELS = AugmentSettings(mode="diffaugment")
COLOR_ONLY = {"integer_shift": False, "cutout": False}


def colored(image, draws, settings):
    """Without moving or cutting."""
    settings = AugmentSettings(**{**vars(settings), **COLOR_ONLY})
    return diff_augmented(image, draws, settings)[0].numpy()


def test_color_is_brightness_then_saturation_then_contrast():
    """-0.5..0.5 is added; 0..2 from the pixel's gray; 0.5..1.5 from the image's mean."""
    image, draws = noise(1, 3, 6, 6), only(uniform={"saturation": 0.8})
    x = image[0].numpy() + (draws.brightness[0, 0, 0].item() - 0.5)
    gray = x.mean(axis=0)
    x = gray + 1.6 * (x - gray)
    expected = x.mean() + (x - x.mean()) * (draws.contrast[0, 0, 0].item() + 0.5)

    np.testing.assert_allclose(colored(image, draws, RGB), expected, atol=1e-5)


def test_saturation_and_contrast_keep_the_mean():
    """They spread values about it."""
    image, draws = noise(1, 3, 6, 6), only()
    settings = AugmentSettings(**{**vars(RGB), "brightness": False})

    assert colored(image, draws, settings).mean() == pytest.approx(image.mean().item(), abs=1e-6)


def test_contrasts_are_changed_apart():
    """Each channel by its own amounts about its own mean; none shows in another."""
    image, draws = noise(1, 2, 6, 6), only(channels=2)
    result = colored(image, draws, CHANNELS)

    for k in range(2):
        x = image[0, k].numpy() + (draws.brightness[0, 0, k].item() - 0.5)
        expected = x.mean() + (x - x.mean()) * (draws.contrast[0, 0, k].item() + 0.5)
        np.testing.assert_allclose(result[k], expected, atol=1e-5)


def test_geometry_alone_leaves_colors():
    """Stains are not to be learnt from augmentation."""
    image = noise(1, 3, 6, 6)
    settings = AugmentSettings(mode="diffaugment", pipeline="geometry")

    assert np.array_equal(colored(image, only(), settings), image[0].numpy())


def test_translation_moves_by_an_eighth_at_most_and_gray_enters():
    """Of 16 px: 2 right, 1 up."""
    image = noise(1, 2, 16, 16)
    expected = np.zeros((2, 16, 16), np.float32)
    expected[:, :15, 2:] = image[0, :, 1:, :14]

    moved = shifted(image, only(uniform={"shift_x": 0.9999, "shift_y": 0.2}))
    assert np.array_equal(moved[0].numpy(), expected)


@pytest.mark.parametrize(
    ("x", "y", "rows", "columns"),
    [
        pytest.param(0.5, 0.5, slice(4, 12), slice(4, 12), id="inside"),
        pytest.param(0.0, 0.5, slice(4, 12), slice(0, 4), id="over the left edge"),
        pytest.param(0.5, 0.999, slice(11, 16), slice(4, 12), id="over the lower edge"),
    ],
)
def test_cutout_is_a_square_of_half_the_side(x, y, rows, columns):
    """Its center is any pixel, so at an edge less is cut."""
    expected = np.ones((16, 16), bool)
    expected[rows, columns] = False

    mask = cutout_mask(only(uniform={"cutout_x": x, "cutout_y": y}), 16)
    assert np.array_equal(mask[0].numpy(), expected)


def test_cut_pixels_are_gray_and_get_no_gradient():
    """The others keep theirs."""
    image = noise(3, 2, 8, 8).requires_grad_()
    draws = only(size=3, channels=2)
    settings = AugmentSettings(mode="diffaugment", pipeline="geometry", integer_shift=False)
    result = diff_augmented(image, draws, settings)
    (slope,) = torch.autograd.grad(result.sum(), image)
    mask = cutout_mask(draws, 8)[:, None].expand_as(image)

    assert torch.equal(slope, mask.float())
    assert torch.equal(result, torch.where(mask, image, torch.zeros(())))
    assert (~mask).any()
