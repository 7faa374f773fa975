"""Slides of other stains come to look alike; slides that do not fit are refused with a reason."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from idhray.errors import ConfigError, SlideError
from idhray.slides.reader import Slide
from idhray.slides.stain.normalize import (
    STAIN_METHODS,
    Stains,
    find_stains,
    fit_stain,
    restain,
    target_stains,
    tissue_pixels,
)
from idhray.slides.stain.target import StainTarget
from idhray.slides.stain.vectors import GLASS
from tests.slides.made import PINK, WHITE, plain
from tests.slides.made_stain import EOSIN, HEMATOXYLIN, STAINS, amounts, degrees, picture, unit

TARGET = StainTarget()
REFERENCE = target_stains(TARGET)
OTHER = unit((0.55, 0.76, 0.34), (0.20, 0.88, 0.43))


def slide_of(stains, strengths=(1.0, 1.0), side=200, noise=0.5):
    """A picture (side, side, 3); the same tissue whatever its stains."""
    concentration = amounts(side * side) * np.reshape(strengths, (2, 1))
    return picture(concentration, stains, noise).reshape(side, side, 3)


@pytest.mark.parametrize("method", ["macenko", "vahadane"])
def test_slides_of_other_stains_come_to_look_alike(method):
    """The same tissue by two laboratories, 14 gray values apart, then less than 2.5."""
    one, two = slide_of(STAINS), slide_of(OTHER, (1.3, 0.7))
    pale = [fit_stain(s.reshape(-1, 3), method, TARGET)(s).astype(int) for s in (one, two)]

    assert np.abs(one.astype(int) - two).mean() > 13
    assert np.abs(pale[0] - pale[1]).mean() < 2.5


@pytest.mark.parametrize("method", ["macenko", "vahadane"])
def test_a_normalized_slide_has_the_targets_stains(method):
    """Fitted again it gives what it was mapped to."""
    slide = slide_of(STAINS)
    mapped = fit_stain(slide.reshape(-1, 3), method, TARGET)(slide)
    found = find_stains(mapped.reshape(-1, 3), method, REFERENCE)

    for mine, wanted in zip(found.vectors, REFERENCE.vectors, strict=True):
        assert degrees(mine, wanted) < 2
    assert found.strongest == pytest.approx(REFERENCE.strongest, rel=0.05)


def test_restaining_is_beer_lambert_with_other_numbers():
    """One pixel by hand: 0.5 of hematoxylin and 0.25 of eosin become twice and half as much."""
    pixel = picture(np.array([[0.5], [0.25]]), noise=0)[None]
    source = Stains(STAINS, np.array([1.0, 1.0]))
    found = restain(pixel, source, Stains(OTHER, np.array([2.0, 0.5])))

    assert found[0, 0] == pytest.approx(GLASS * np.exp(-1.0 * OTHER[0] - 0.125 * OTHER[1]), abs=1)


@pytest.mark.parametrize("method", ["macenko", "vahadane"])
def test_glass_stays_glass(method):
    """Without a cast, whatever the slide's stains are."""
    recolor = fit_stain(slide_of(OTHER).reshape(-1, 3), method, TARGET)
    glass = recolor(np.array([[[245] * 3, [250, 248, 252], [255] * 3]], np.uint8))

    assert (glass == GLASS).all()


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_a_patch_is_mapped_as_its_tile_is(method):
    """To the last bit: how many patches are cut must not change them."""
    slide = slide_of(STAINS)
    recolor = fit_stain(slide.reshape(-1, 3), method, TARGET)

    assert np.array_equal(recolor(slide)[13:77, 50:121], recolor(slide[13:77, 50:121]))


def one_stain(stain, noise=1.0):
    return picture(amounts(20_000)[:1], unit(stain), noise)


def two_stains(first, second, strengths=(1.0, 1.0)):
    return picture(amounts(20_000) * np.reshape(strengths, (2, 1)), unit(first, second))


UNFIT = {
    "few pixels": (picture(amounts(900)), "900 pixels of stained tissue, at least 1000"),
    "glass": (np.full((5000, 3), 236, np.uint8), "0 pixels of stained tissue"),
    "hematoxylin alone": (one_stain(HEMATOXYLIN), "degrees apart, not two of H&E|one stain alone"),
    "eosin alone": (one_stain(EOSIN), "degrees apart, not two of H&E"),
    "one gray": (np.full((5000, 3), 100, np.uint8), "same hue|one stain alone"),
    "green ink": (two_stains((0.9, 0.1, 0.4), EOSIN), r"stains are \d\d degrees apart"),
    "azure ink": (
        two_stains((0.96, 0.28, 0.05), EOSIN, (1.0, 0.2)),
        r"stains are \d\d degrees apart",
    ),
    "brown stain (DAB)": (
        two_stains(HEMATOXYLIN, (0.27, 0.37, 0.89)),
        "its eosin absorbs blue the most, not green",
    ),
    "black in a channel": (two_stains(HEMATOXYLIN, EOSIN, (2.2, 2.2)), "black in a channel"),
}


@pytest.mark.parametrize("method", ["macenko", "vahadane"])
@pytest.mark.parametrize(("pixels", "reason"), UNFIT.values(), ids=UNFIT)
def test_a_slide_that_does_not_fit_is_refused(pixels, reason, method):
    """It keeps its colors then; a made-up stain would pass for biology."""
    with pytest.raises(SlideError, match=reason):
        fit_stain(pixels, method, TARGET)


def test_a_stain_is_not_made_many_times_stronger():
    """A trace of hematoxylin, ten times stronger, would be noise of the scanner."""
    pixels = picture(amounts(20_000))

    with pytest.raises(SlideError, match=r"hematoxylin has a strength of 3\.\d\d, the target 20"):
        fit_stain(pixels, "macenko", replace(TARGET, strongest=(20.0, 1.0)))


def test_reinhard_needs_pixels_of_more_than_one_color():
    """The only things that can go wrong there."""
    for pixels, reason in [
        (picture(amounts(900)), "900 pixels"),
        (np.full((5000, 3), 100, np.uint8), "same color"),
        (UNFIT["black in a channel"][0], "black in a channel"),
    ]:
        with pytest.raises(SlideError, match=reason):
            fit_stain(pixels, "reinhard", TARGET)


def test_pixels_are_drawn_from_tissue_alone():
    """Half of the tile is glass, a corner green ink."""
    tile = plain(PINK, 256)
    tile[:, :128] = WHITE
    tile[:64, 192:] = (39, 84, 89)
    drawn = tissue_pixels(tile, 500, np.random.default_rng(0), min_object_px=100)
    all_there = tissue_pixels(tile, 10_000, np.random.default_rng(0), min_object_px=100)

    assert drawn.shape == (500, 3)
    assert (drawn == PINK).all()
    assert len(all_there) == (128 * 256 - 64 * 64) / 16


@pytest.mark.parametrize(
    "wrong",
    [
        {"hematoxylin": (0.5, 0.5, 0.5)},
        {"eosin": (-0.2, 0.8, 0.56)},
        {"hematoxylin": TARGET.eosin, "eosin": TARGET.hematoxylin},
        {"strongest": (0.0, 1.0)},
        {"lab_sd": (0.6, 0.1, 0.0)},
    ],
    ids=str,
)
def test_a_nonsense_target_is_refused(wrong):
    """Before a cohort is mapped to it."""
    with pytest.raises(ConfigError):
        replace(TARGET, **wrong)


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_real_slides_are_fitted_and_keep_their_order_of_darkness(method, real_data):
    """Skin by Aperio, a TCGA glioma: no fallback; nuclei stay the darkest, glass the brightest."""
    tiles = [np.asarray(Image.open(p)) for p in sorted((real_data / "he_glioma").glob("*.png"))]
    with Slide(str(real_data / "slides" / "CMU-1-Small-Region.svs")) as slide:
        tiles.append(slide.region(400, 600, (1024, 1024), 1.0))
    for tile in (tiles[0][..., :3], tiles[-1]):
        pixels = tissue_pixels(tile, 20_000, np.random.default_rng(0), min_object_px=500)
        mapped = fit_stain(pixels, method, TARGET)(tile)
        before, after = (image[::8, ::8].mean(axis=-1).ravel() for image in (tile, mapped))

        assert np.corrcoef(before, after)[0, 1] > 0.96
        assert after.std() > 0.5 * before.std()
