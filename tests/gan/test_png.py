"""Generated images are stored without loss, in files that other programs read."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from idhray.gan.png import png_of
from idhray.images import decode, encode


@pytest.mark.parametrize(
    "shape", [(4, 4), (7, 5), (16, 16, 3), (3, 9, 3), (1, 1), (1, 3, 3)], ids=str
)
def test_two_decoders_read_the_pixels_back(shape):
    """Gray and color, one row too; Pillow and libpng check every sum."""
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = png_of(image)

    with Image.open(io.BytesIO(data)) as picture:
        picture.verify()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), image)
    np.testing.assert_array_equal(np.asarray(imagecodecs.png_decode(data)).reshape(shape), image)


def test_a_smooth_image_needs_no_more_room_than_before():
    """Differences of rows are small numbers."""
    x = np.linspace(0, 6, 64)
    smooth = (127 + 100 * np.sin(x[:, None] + x)).astype(np.uint8)
    image = np.stack([smooth] * 3, axis=-1)
    rows = image[1:3]  # not contiguous with its base's start

    assert len(png_of(image)) < 1.2 * len(encode(image))
    np.testing.assert_array_equal(decode(png_of(rows)), rows)
