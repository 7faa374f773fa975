"""Encode, decode, gray, CLAHE, gamma, resize."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from idhray.errors import TableError
from idhray.images import clahe, decode, encode, gamma, gray, image_cell, resize


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def tiff_bytes(pixels):
    """A TIFF of these pixels."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", metadata=None)
    return buffer.getvalue()


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


def saved(image, form, **options):
    """Bytes of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png_of_16_bits(image):
    """RGB of 16 bits; Pillow opens it as 8-bit RGB and drops the lower half."""
    return imagecodecs.png_encode(image.astype(np.uint16) * 16)


def test_pictures_of_other_tools_are_read_as_they_are_seen():
    """Transparent glass was whatever lay under it, and a turned photograph stayed turned."""
    image = resize(noise(4, 6, 3), 24)
    clear = np.full((24, 24), 255, np.uint8)
    clear[:, 16:] = 0
    seen = image.copy()
    seen[:, 16:] = 255
    under = image.copy()
    under[:, 16:] = (255, 0, 0)
    layers = [*Image.fromarray(under).split(), Image.fromarray(clear)]
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise by a quarter
    palette = Image.fromarray((clear > 0).astype(np.uint8)).convert("P")
    palette.putpalette([255, 0, 0, 10, 20, 30])

    np.testing.assert_array_equal(decode(saved(Image.merge("RGBA", layers), "PNG")), seen)
    gray_alpha = Image.merge("LA", [layers[0], layers[3]])
    assert (decode(saved(gray_alpha, "PNG"))[:, 16:] == 255).all()
    assert (decode(saved(palette, "PNG", transparency=0))[:, 16:] == 255).all()
    assert (decode(saved(palette, "PNG"))[:, 16:] == (255, 0, 0)).all()
    photograph = saved(Image.fromarray(image).rotate(90), "PNG", exif=turned)
    np.testing.assert_array_equal(decode(photograph), image)
    cmyk = saved(Image.fromarray(image).convert("CMYK"), "TIFF")
    assert np.abs(decode(cmyk).astype(int) - image).max() <= 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png_of_16_bits(noise(8, 8, 3)), "of 16 bits, must be 8-bit"),
        (tiff_bytes(noise(8, 8, 3).astype(np.uint16)), "of 16 bits, must be 8-bit"),
        (tiff_bytes(noise(2, 8, 8, 3)), "2 pages or frames"),
        (
            saved(
                Image.new("RGB", (8, 8)),
                "WEBP",
                save_all=True,
                append_images=[Image.new("RGB", (8, 8), "red")],
            ),
            "2 pages or frames",
        ),
        (saved(Image.new("LAB", (8, 8)), "TIFF"), "LAB, must be RGB or gray"),
        (imagecodecs.jpeg2k_encode(noise(8, 8, 3).astype(np.uint16)), "of 16 bits, must be 8-bit"),
        (b"P6\n# made up\n2 2\n65535\n" + bytes(24), "of 16 bits, must be 8-bit"),
    ],
)
def test_pixels_that_would_be_misread_are_refused(data, reason):
    """12 bits in 16 became nearly black, and only the first page was taken."""
    with pytest.raises(TableError, match=reason):
        decode(data)


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
