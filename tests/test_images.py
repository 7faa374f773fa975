"""Encode, decode, gray, CLAHE, gamma, resize."""

import io

import numpy as np
import pytest
from PIL import Image

from idhray.errors import TableError
from idhray.images import clahe, decode, encode, gamma, gray, image_cell, resize


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_png_is_lossless_and_jpeg_is_close():
    """Patches are kept as PNG, tiles as JPEG of quality 95."""
    image = resize(noise(8, 8, 3), 64)

    np.testing.assert_array_equal(decode(encode(image)), image)
    assert np.abs(decode(encode(image, "jpeg")).astype(int) - image).mean() < 8
    assert image_cell(image, "a", "jpeg")["path"] == "a.jpg"
    gray = decode(encode(image[..., 0], "jpeg"))  # decoded as RGB of three equal channels
    assert np.abs(gray.astype(int) - image[..., :1]).mean() < 8
    assert np.ptp(gray, axis=2).max() == 0


@pytest.mark.parametrize("data", [b"", b"no image", encode(noise(32, 32, 3))[:-40]])
def test_broken_images_are_a_clear_error(data):
    """Empty, foreign, truncated."""
    with pytest.raises(TableError, match="cannot be decoded"):
        decode(data)


@pytest.mark.parametrize(
    "image",
    [Image.fromarray(np.full((4, 4), 3000, np.uint16)), Image.new("F", (4, 4), 0.5)],
    ids=["16 bits", "float"],
)
def test_images_of_more_than_8_bits_are_refused(image):
    """Pillow would make the first white and the second black, without a word."""
    buffer = io.BytesIO()
    image.save(buffer, "TIFF")

    with pytest.raises(TableError, match="must be 8-bit"):
        decode(buffer.getvalue())


def test_shrinking_averages_areas():
    """A checkerboard becomes its mean, not one of its colors."""
    board = np.indices((8, 8)).sum(0) % 2 * np.uint8(200)

    assert set(resize(board.astype(np.uint8), 4).ravel()) == {100}
    same = noise(16, 16)
    assert resize(same, 16) is same


def test_gray_is_the_luma_of_itu_r_601():
    """299, 587 and 114 thousandths of red, green and blue."""
    primaries = np.eye(3, dtype=np.uint8)[None] * np.uint8(255)

    np.testing.assert_array_equal(gray(primaries), [[76, 150, 29]])


def test_clahe_widens_contrast_and_leaves_a_flat_image():
    """A pale patch uses more of the range afterwards; an even one has nothing to widen."""
    pale = (120 + noise(64, 64) // 16).astype(np.uint8)
    flat = np.full((64, 64), 7, np.uint8)

    assert clahe(pale).std() > 2 * pale.std()
    np.testing.assert_array_equal(clahe(flat), flat)


def test_gamma_is_a_power_on_the_unit_scale():
    """128 to the power 2 is a quarter of the range; the ends stay."""
    image = np.array([[0, 128, 255]], np.uint8)

    np.testing.assert_array_equal(gamma(image, 2.0), [[0, 64, 255]])
    np.testing.assert_array_equal(gamma(image, 1.0), image)
