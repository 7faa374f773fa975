"""Images of other tools are looked at before they enter a table."""

import io

import numpy as np
import pytest
from PIL import Image

from idhray.errors import TableError
from idhray.exchange.sample import place_of, stored
from tests.exchange.made import picture, pixels


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("form", "ending"), [("PNG", "png"), ("JPEG", "jpg")])
def test_png_and_jpeg_go_in_as_they_are(form, ending):
    """Nothing is lost on the way."""
    data = saved(Image.fromarray(picture(0)), form)

    assert stored(data, 16) == (data, ending)


@pytest.mark.parametrize("form", ["TIFF", "BMP"])
def test_other_formats_become_png_pixel_for_pixel(form):
    """Readers of the table know JPEG and PNG."""
    data, ending = stored(saved(Image.fromarray(picture(1)), form), 16)

    assert ending == "png"
    assert (pixels(data) == picture(1)).all()


def test_a_picture_that_is_not_stored_as_it_is_seen_becomes_a_png():
    """Readers of the table need not know EXIF, alpha or CMYK."""
    image = Image.fromarray(picture(0))
    for odd, form in ((image.convert("RGBA"), "PNG"), (image.convert("CMYK"), "JPEG")):
        buffer = io.BytesIO()
        odd.save(buffer, form)
        data, ending = stored(buffer.getvalue(), 16)
        with Image.open(io.BytesIO(data)) as kind:
            assert (ending, kind.mode) == ("png", "RGB")


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.fromarray(np.zeros((16, 16), np.uint16)), "must be 8-bit"),
        (Image.fromarray(picture(0)[:8]), "is 16 x 8 px, not 16 x 16"),
    ],
)
def test_pixels_that_networks_misread_are_refused(image, reason):
    """16 bits are cut to 8."""
    with pytest.raises(TableError, match=reason):
        stored(saved(image, "PNG"), 16)


@pytest.mark.parametrize("data", [b"", b"text", saved(Image.fromarray(picture(0)), "PNG")[:300]])
def test_what_is_no_whole_image_is_refused(data):
    """A truncated PNG has a good header."""
    with pytest.raises(TableError, match="no whole image"):
        stored(data, 16)


def test_a_place_is_numbers_or_nothing():
    """JSON of others holds whatever; a table's columns do not."""
    nothing = dict.fromkeys(("x_l0", "y_l0", "size_l0", "height_l0", "mpp"))

    assert place_of({}) == {"slide": None, **nothing}
    assert place_of({"study": 7, "x_l0": 3.0, "mpp": 1}) == {
        "slide": "7",
        **nothing,
        "x_l0": 3,
        "mpp": 1.0,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("x_l0", "a"), ("y_l0", 0.5), ("mpp", float("nan")), ("size_l0", [1]), ("mpp", 10**400)],
)
def test_a_place_that_is_no_number_is_refused(name, value):
    """It becomes one row of the ledger; Arrow's error would stop the job."""
    with pytest.raises(TableError, match=f"its {name} is .*, not a"):
        place_of({name: value})
