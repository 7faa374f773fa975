"""Tissue stays, glass and pens go: on single colors, and on real slides."""

import numpy as np
import pytest
from PIL import Image

from idhray.errors import SlideError
from idhray.slides.reader import Slide
from idhray.slides.tissue.mask import (
    background_limit,
    channels,
    tissue_fraction,
    tissue_mask,
    without_small_objects,
)
from tests.slides.made import PINK, WHITE, plain

STAINED = {
    "eosin": (199, 103, 141),
    "deep eosin": (187, 99, 142),
    "pale neuropil": (215, 185, 210),
    "purple tissue": (157, 100, 155),
    "nucleus": (54, 16, 57),
    "dark nucleus": (45, 10, 52),
    "blue nucleus of a glioma": (60, 40, 110),
    "blue nucleus of a violet slide": (110, 90, 200),
    "pale hematoxylin": (180, 175, 215),
}
NOT_TISSUE = {
    "glass": (242, 241, 241),
    "shadow": (140, 139, 136),
    "black pen": (15, 1, 2),
    "black pen over tissue": (48, 17, 33),
    "purplish black pen": (74, 42, 67),
    "red pen": (197, 22, 26),
    "thin red pen": (217, 64, 86),
    "red pen over tissue": (161, 59, 82),
    "dark red pen": (83, 19, 33),
    "green pen": (39, 84, 89),
    "thin green pen": (115, 179, 166),
    "dark green pen over tissue": (24, 41, 62),
    "gray-green pen over tissue": (61, 64, 84),
    "blue pen": (40, 80, 160),
    "thin blue pen": (110, 160, 210),
    "navy pen": (25, 35, 120),
}


@pytest.mark.parametrize("color", STAINED.values(), ids=STAINED)
def test_stain_is_tissue(color):
    """Most are pixels of real slides; blue nuclei must not pass for blue pen."""
    assert tissue_mask(plain(color, 32)).all()


@pytest.mark.parametrize("color", NOT_TISSUE.values(), ids=NOT_TISSUE)
def test_glass_shadow_and_ink_are_not(color):
    """Red, green and black are pixels of real pen marks; the blue ones are made up."""
    assert not tissue_mask(plain(color, 32)).any()


@pytest.mark.parametrize(
    ("white", "limit"),
    [pytest.param(0.89, 200, id="enough is left"), pytest.param(0.95, 242, id="too little is")],
)
def test_the_background_limit_rises_on_empty_slides(white, limit):
    """Pale tissue on much glass: at 200 nothing of it would be left."""
    image = plain(WHITE, 100)
    image[int(white * 100) :] = (230, 195, 220)

    assert background_limit(image) == limit


@pytest.mark.parametrize("noise", [0, 15], ids=["blacked out", "not scanned"])
def test_black_beside_pale_tissue_is_neither_glass_nor_tissue(noise):
    """Black counted as not glass: the limit stayed at 200, and pale tissue beside it was lost."""
    image = plain(WHITE, 100)
    image[30:70, 30:70] = (230, 210, 225)
    bordered = image.copy()
    bordered[:, :25] = np.random.default_rng(0).integers(0, noise + 1, (100, 25, 3), dtype=np.uint8)

    assert background_limit(bordered) == background_limit(image) == 228
    assert np.array_equal(
        tissue_mask(bordered, min_object_px=50), tissue_mask(image, min_object_px=50)
    )


def test_the_limit_of_a_slide_holds_in_each_of_its_tiles():
    """In a tile of a pale slide, the dark nuclei alone kept the limit at 200."""
    tile = plain((230, 210, 225), 64)
    tile[::4, ::2] = STAINED["nucleus"]

    assert tissue_mask(tile, min_object_px=0).mean() < 0.2
    assert tissue_mask(tile, min_object_px=0, green_limit=228).all()


def test_tissue_of_another_method_sets_the_limit():
    """A tenth of dark tissue kept the limit at 200, and the pale rest gave no patch."""
    image = plain((230, 210, 225), 100)
    image[:15] = STAINED["deep eosin"]

    assert background_limit(image) == 200
    assert background_limit(image, np.ones((100, 100), dtype=np.bool_)) == 228


def test_the_image_is_filtered_the_same_in_bands():
    """The mask is made a few rows at a time; each pixel's fate is its own."""
    image = np.random.default_rng(0).integers(0, 200, (300, 500, 3), dtype=np.uint8)
    mask = tissue_mask(image, min_object_px=0)
    rows = [tissue_mask(image[k : k + 1], min_object_px=0)[0] for k in range(0, 300, 37)]

    assert np.array_equal(mask[::37], rows)
    assert 0.1 < mask.mean() < 0.9


def test_small_objects_go():
    """Dust and pen edges; the limit itself is kept."""
    image = plain(WHITE, 60)
    image[5:15, 5:15] = PINK
    image[30:39, 30:41] = PINK
    mask = tissue_mask(image, min_object_px=100)

    assert mask[5:15, 5:15].all()
    assert mask.sum() == 100
    assert not without_small_objects(mask, 101).any()


def test_a_fraction_is_of_the_square():
    """In pixels of the mask, rounded."""
    mask = np.zeros((10, 10), dtype=np.bool_)
    mask[:, :5] = True

    assert tissue_fraction(mask, 0, 0, 10) == 0.5
    assert tissue_fraction(mask, 2.9, 0, 4.1) == 0.5
    assert tissue_fraction(mask, 20, 0, 5) == 0.0


def test_other_arrays_are_refused():
    """A float image in 0..1 would be all tissue or none."""
    with pytest.raises(SlideError, match=r"tissue needs .* got \(4, 4\) float64"):
        tissue_mask(np.zeros((4, 4)))


def picture(path):
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        pytest.param("almost-white-1", 0, 0, id="glass"),
        pytest.param("no-tissue-red-pen", 0, 0.12, id="red and black ink, no tissue"),
        pytest.param("tcga-green-pen", 0.74, 0.79, id="a green stroke"),
        pytest.param("high-nuclei-score-red-pen-level1", 0.87, 0.91, id="a red stroke"),
        pytest.param("diagnostic-slide-thumb-rgb", 0.42, 0.46, id="three inks"),
        pytest.param("tissue-level0-4302-10273-4814-10785", 0.53, 0.58, id="pale tissue"),
    ],
)
def test_real_pens(real_data, name, least, most):
    """Looked at as overlays; the fractions are those of the masks that were right."""
    mask = tissue_mask(picture(real_data / "slides" / "pens" / f"{name}.png"))

    assert least <= mask.mean() <= most


def test_the_green_stroke_goes_and_the_tissue_beside_it_stays(real_data):
    """Whole areas of one real picture, marked by eye."""
    mask = tissue_mask(picture(real_data / "slides" / "pens" / "tcga-green-pen.png"))

    assert mask[140:240, 340:390].mean() < 0.01
    assert mask[330:600, 420:].mean() > 0.97


def test_the_rings_of_black_pen_go_and_the_tissue_in_between_stays(real_data):
    """The darkest ink is the likeliest to be taken for nuclei."""
    image = picture(real_data / "slides" / "pens" / "diagnostic-slide-thumb-rgb.png")
    mask = tissue_mask(image)
    ink = (channels(image)[0] < 60) & (channels(image)[2] < 60)

    assert mask[ink].mean() < 0.05
    assert mask[400:440, 220:330].mean() > 0.95


def test_glioma_stays_whole(real_data):
    """At the mask's 16 um per pixel no filter but the background takes anything of it."""
    for path in sorted((real_data / "he_glioma").glob("*.png")):
        image = np.asarray(Image.open(path).resize((64, 64), Image.Resampling.BOX))
        below = image[..., 1] <= 200

        assert tissue_mask(image, min_object_px=0)[below].mean() > 0.999


def test_lung_stains_stay(real_data):
    """Violet stains, bluer than any glioma here: inks of all colors together take 0.5 %."""
    paths = sorted((real_data / "he_patches").glob("*/*.jpeg"))[::20]
    images = np.concatenate([picture(path) for path in paths])
    below = (images[..., 1] <= 200) & (np.ptp(images, axis=-1) > 15)

    assert tissue_mask(images, min_object_px=0)[below].mean() > 0.995


def test_skin_stays(real_data):
    """A whole small slide; the teal surgical ink at its margin goes."""
    with Slide(str(real_data / "slides" / "CMU-1-Small-Region.svs")) as slide:
        image = slide.region(0, 0, (276, 370), 4.0)
    mask = tissue_mask(image)

    assert 0.30 < mask.mean() < 0.38
    assert not mask[:, :5].any()
