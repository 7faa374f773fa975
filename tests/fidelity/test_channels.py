"""What a network is shown of images whose channels are no colors."""

import numpy as np
import pytest

from idhray.errors import ConfigError, TableError
from idhray.fidelity.channels import MRI_CHANNELS, RGB_CHANNELS, channels_of, constant_channels

IMAGES = np.random.default_rng(0).integers(1, 256, (4, 5, 6, 3), dtype=np.uint8)
IMAGES[..., 2] = 0


def test_colors_stay_together():
    """Slides are shown as they are."""
    shown = channels_of(IMAGES, RGB_CHANNELS)

    assert list(shown) == ["RGB"]
    assert np.array_equal(shown["RGB"], IMAGES)


def test_mri_channels_are_shown_one_by_one_and_together():
    """Together, too, as channels that are perfect apart need not fit each other."""
    shown = channels_of(IMAGES, MRI_CHANNELS, constant_channels(IMAGES, MRI_CHANNELS))

    assert list(shown) == ["CE-T1w", "FLAIR", "CE-T1w + FLAIR"]
    assert np.array_equal(shown["FLAIR"], IMAGES[..., 1:2])
    assert np.array_equal(shown["CE-T1w + FLAIR"], IMAGES[..., [0, 1, 0]])


def test_only_a_channel_of_one_value_in_all_images_is_constant():
    """A channel that is flat in each image but differs between them has something to compare."""
    flat = IMAGES.copy()
    flat[..., 1] = np.arange(4, dtype=np.uint8)[:, None, None]

    assert constant_channels(flat, MRI_CHANNELS) == ("null",)


def test_one_channel_is_shown_once():
    """There is nothing to put together."""
    assert list(channels_of(IMAGES[..., :1], ("FLAIR",))) == ["FLAIR"]


@pytest.mark.parametrize(
    ("images", "names", "error", "message"),
    [
        (IMAGES[..., :2], MRI_CHANNELS, TableError, "2 channels, but 3 are named"),
        (IMAGES[..., :2], RGB_CHANNELS, TableError, "2 channels, but 1 are named"),
        (IMAGES / 255, RGB_CHANNELS, TableError, "float64"),
        (IMAGES[0], RGB_CHANNELS, TableError, r"\(5, 6, 3\)"),
        (IMAGES[:0], RGB_CHANNELS, TableError, r"\(0, 5, 6, 3\)"),
        (IMAGES * 0, RGB_CHANNELS, TableError, "one value only"),
        (IMAGES * 0, MRI_CHANNELS, TableError, "CE-T1w, FLAIR, null"),
        (IMAGES, ("A", "A", "B"), ConfigError, "A, A, B"),
        (IMAGES, (), ConfigError, "none"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, names, error, message):
    """In one line, before a network runs."""
    with pytest.raises(error, match=message):
        constant_channels(images, names)
