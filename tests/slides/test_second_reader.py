"""The second reader gives the pixels of the first, and reads what that one cannot."""

import numpy as np
import pytest
import tifffile

from idhray.errors import SlideError
from idhray.slides import second_reader
from idhray.slides.direct import open_slide
from idhray.slides.reader import Slide, UnopenedError
from idhray.slides.second_reader import SecondSlide, refuse_other_pixels
from tests.slides.made import write_slide
from tests.slides.made_tiff import tissue

pytestmark = pytest.mark.skipif(
    not second_reader.is_installed(), reason="the optional package fastslide is not installed"
)


def test_both_readers_show_the_same_regions(tmp_path):
    """Inside, across an edge, and resampled from a level."""
    path = write_slide(tmp_path / "a.tiff", tissue(300, 260), 0.5, downsamples=(1, 4))

    with SecondSlide(path) as second, Slide(path) as first:
        assert (second.size_l0, second.mpp) == (first.size_l0, first.mpp)
        for place, size, mpp in (((40, 40), (64, 64), 0.5), ((-20, 200), (90, 90), 1.0)):
            expected = first.region(*place, size, mpp)
            np.testing.assert_array_equal(second.region(*place, size, mpp), expected)
        assert (
            np.abs(
                second.region(8, 8, (32, 30), 4.0).astype(int) - first.region(8, 8, (32, 30), 4.0)
            ).mean()
            < 2
        )
        refuse_other_pixels(second)


def test_a_slide_that_both_read_otherwise_is_refused(tmp_path, monkeypatch):
    """One of the two decodes it wrongly."""
    path = write_slide(tmp_path / "a.tiff", tissue(300, 260), 0.5)
    monkeypatch.setattr(
        SecondSlide, "_read", lambda self, plan: (np.zeros((256, 256, 3), np.uint8), (0, 0))
    )

    with pytest.raises(SlideError, match=r"^a\.tiff: OpenSlide and fastslide differ by \d+ of 255"):
        open_slide(path, second_reader="always")


def test_it_is_used_for_what_openslide_cannot_open(tmp_path):
    """JPEG 2000 in a plain TIFF; a file that neither opens keeps one line."""
    path, image = str(tmp_path / "a.tif"), tissue(256, 256)
    scale = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(path, image, tile=(64, 64), compression="webp", photometric="rgb", **scale)
    (tmp_path / "text.svs").write_text("patient,slide")

    with pytest.raises(UnopenedError, match="its blocks are WebP"):
        open_slide(path)
    with pytest.raises(SlideError, match=r"^text\.svs: neither OpenSlide nor fastslide opens it"):
        open_slide(str(tmp_path / "text.svs"), second_reader="unopened")


def test_a_real_slide_is_the_same_in_both(real_data):
    """Colors and places of an Aperio slide."""
    path = str(real_data / "slides" / "CMU-1-Small-Region.svs")
    with SecondSlide(path) as second, Slide(path) as first:
        assert (second.mpp, second.mpp_source) == (first.mpp, first.mpp_source)
        off = second.region(700, 900, (256, 256), 0.998).astype(int)
        off -= first.region(700, 900, (256, 256), 0.998)
        assert np.abs(off).mean() < 1
