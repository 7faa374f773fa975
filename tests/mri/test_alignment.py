"""Whether two channels show one brain."""

import numpy as np
import pytest

from idhray.mri.alignment import channel_information, outline_dice, shuffled_information


def brain(seed, shift=0):
    """A disc with a texture of its own, in both channels; the second shifted and inverted."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    texture = np.kron(rng.integers(40, 200, (16, 16)), np.ones((4, 4)))
    disc = (x - 32) ** 2 + (y - 32) ** 2 < 24**2
    first = np.where(disc, texture, 0)
    second = np.roll(np.where(disc, 255 - texture, 0), shift, axis=1)
    return np.dstack([first, second, np.zeros((64, 64))]).astype(np.uint8)


def test_one_outline_is_dice_1_and_a_shift_lowers_it():
    """24 px radius, shifted by 12: about two thirds of the disc is shared."""
    assert outline_dice(brain(0)) == pytest.approx(1, abs=0.02)
    assert 0.5 < outline_dice(brain(0, shift=12)) < 0.8


def test_information_does_not_mind_another_contrast_but_another_place():
    """FLAIR is no copy of CE-T1w; what counts is that one tells of the other."""
    assert channel_information(brain(1)) > 1.5
    assert channel_information(brain(1, shift=6)) < 1.3


def test_channels_of_different_brains_are_the_floor():
    """Two brains in the middle of the picture share their outline only."""
    images = [brain(seed) for seed in range(4)]
    own = np.mean([channel_information(one) for one in images])

    assert shuffled_information(images) < own - 0.2


def test_an_empty_image_has_no_figures():
    """A GAN may collapse to black."""
    empty = np.zeros((64, 64, 3), np.uint8)

    assert np.isnan(outline_dice(empty))
    assert np.isnan(channel_information(empty))
