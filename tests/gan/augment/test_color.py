"""Each transform of color against its definition, on one image."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from idhray.gan.augment.color import recolored
from idhray.gan.augment.config import PRESETS, AugmentSettings
from tests.gan.augmented import P, noise, only

RGB = PRESETS["karras2020"]
CHANNELS = AugmentSettings(mode="ada")


def changed(image, draws, settings=RGB):
    """(C, H, W) after what was drawn."""
    return recolored(image, draws, P, settings)[0].numpy()


def test_brightness_is_one_sum_of_a_fifth_of_a_normal_number():
    """The same for red, green and blue, so that no hue appears."""
    image, draws = noise(1, 3, 4, 4), only("brightness")
    expected = image[0].numpy() + 0.2 * draws.brightness[1, 0, 0].item()

    np.testing.assert_allclose(changed(image, draws), expected, atol=1e-6)


def test_contrast_stretches_about_middle_gray():
    """Twice or half is two standard deviations away."""
    image, draws = noise(1, 3, 4, 4), only("contrast")
    expected = image[0].numpy() * 2 ** (0.5 * draws.contrast[1, 0, 0].item())

    np.testing.assert_allclose(changed(image, draws), expected, rtol=1e-5)


@pytest.mark.parametrize(("u", "flipped"), [(0.2, True), (0.7, False)])
def test_luma_flip_mirrors_brightness_and_keeps_color(u, flipped):
    """The mean of the channels changes its sign, their differences stay."""
    image = noise(1, 3, 4, 4)
    mean = image[0].numpy().mean(axis=0)
    result = changed(image, only("luma_flip", uniform={"luma_flip": u}))

    np.testing.assert_allclose(result.mean(axis=0), -mean if flipped else mean, atol=1e-6)
    np.testing.assert_allclose(np.diff(result, axis=0), np.diff(image[0], axis=0), atol=1e-6)


def test_hue_is_a_rotation_about_the_axis_of_grays():
    """By SciPy's rotations."""
    image = noise(1, 3, 4, 4)
    angle = (2 * 0.8 - 1) * math.pi
    rotation = Rotation.from_rotvec(angle / math.sqrt(3) * np.ones(3))
    expected = rotation.apply(image[0].numpy().reshape(3, -1).T).T.reshape(3, 4, 4)

    result = changed(image, only("hue", uniform={"hue": 0.8}))
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_saturation_scales_distances_from_gray():
    """One standard deviation is twice as saturated."""
    image = noise(1, 3, 4, 4)
    mean = image[0].numpy().mean(axis=0)
    result = changed(image, only("saturation", normal={"saturation": 1.0}))

    np.testing.assert_allclose(result, mean + 2 * (image[0].numpy() - mean), atol=1e-6)


def test_colors_change_in_the_paper_s_order():
    """Brightness before contrast, and both before what mixes channels."""
    image = noise(1, 3, 4, 4)
    draws = only("brightness", "contrast", "luma_flip", uniform={"luma_flip": 0.1})
    b, c = draws.brightness[1, 0, 0].item(), draws.contrast[1, 0, 0].item()
    expected = (image[0].numpy() + 0.2 * b) * 2 ** (0.5 * c)
    expected -= 2 * expected.mean(axis=0)

    np.testing.assert_allclose(changed(image, draws), expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_every_contrast_has_its_own_brightness_and_no_other_s_pixels(channels):
    """CE-T1w and FLAIR are scaled by their scanners apart; one never shows in the other."""
    image, draws = noise(1, channels, 4, 4), only("brightness", "contrast", channels=channels)
    b, c = draws.brightness[1, 0].numpy(), draws.contrast[1, 0].numpy()
    expected = (image[0].numpy() + 0.2 * b[:, None, None]) * 2 ** (0.5 * c[:, None, None])

    np.testing.assert_allclose(changed(image, draws, CHANNELS), expected, rtol=1e-5, atol=1e-6)
    assert len(set(b)) == channels


def test_geometry_alone_leaves_colors():
    """Bit for bit, with all made."""
    image, draws = noise(1, 3, 4, 4), only("brightness", "contrast")
    settings = AugmentSettings(mode="ada", pipeline="geometry")

    assert torch.equal(recolored(image, draws, P, settings), image)


@pytest.mark.parametrize("name", ["brightness", "contrast", "luma_flip", "hue", "saturation"])
def test_a_switch_turns_its_transform_off(name):
    """Even when it is its turn, and even with others on."""
    image, draws = noise(1, 3, 4, 4), only(name, uniform={"luma_flip": 0.1})
    off = AugmentSettings(**{**vars(RGB), name: False})

    assert not torch.equal(recolored(image, draws, P, RGB), image)
    assert torch.equal(recolored(image, draws, P, off), image)
