"""Tissue stays; glass, ink, folds and blur go, each with its reason."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from idhray.errors import SlideError
from idhray.slides.reader import Slide
from idhray.slides.tissue.density import densities, glass_color
from idhray.slides.tissue.robust import Reason, tissue_reasons
from idhray.slides.tissue.sheet import OUTLINE, TileBox, contact_sheet

SIDE = 200
INNER = np.s_[30:170, 30:170]
INKS = {
    "red": (205, 35, 55),
    "pink": (235, 130, 155),
    "green": (35, 130, 115),
    "blue": (40, 80, 160),
    "black": (40, 35, 38),
}


def stained(hematoxylin, eosin):
    """Pixels of two stains on glass of 244: Ruifrok & Johnston's vectors, (height, width, 3)."""
    vectors = np.array([[0.65, 0.70, 0.29], [0.27, 0.85, 0.45]])
    density = hematoxylin[..., None] * vectors[0] + eosin[..., None] * vectors[1]
    return np.rint(244 * np.exp(-density)).astype(np.uint8)


def amounts(seed=0, side=SIDE):
    """Hematoxylin and eosin of tissue in the middle of glass, textured like nuclei and fibers."""
    random = np.random.default_rng(seed)
    inside = np.zeros((side, side))
    inside[side * 3 // 20 : side * 17 // 20, side * 3 // 20 : side * 17 // 20] = 1
    h = inside * (0.35 + 0.08 * random.standard_normal((side, side)))
    e = inside * (0.35 + 0.05 * random.standard_normal((side, side)))
    return np.clip(h, 0, None), np.clip(e, 0, None)


def inked(image, where, ink):
    """The image with ink over it: ink absorbs as a stain does."""
    out = image.astype(float)
    out[where] *= np.array(ink) / 244
    return np.rint(out).astype(np.uint8)


def robust_mask(image, **settings):
    """Pixels that are tissue."""
    return tissue_reasons(image, **settings) == Reason.TISSUE


@pytest.fixture
def slide():
    return stained(*amounts())


def test_stained_tissue_is_found_whole_and_glass_is_not(slide):
    """Of the square all but at most its outermost pixels, and nothing outside."""
    reasons = tissue_reasons(slide)

    assert (reasons[INNER] == Reason.TISSUE).mean() > 0.995
    reasons[INNER] = Reason.BACKGROUND
    assert not reasons.any()


@pytest.mark.parametrize("level", [0, 5, 128, 200, 244, 255])
def test_an_even_picture_has_no_tissue(level):
    """Black, gray and white scans: Otsu has nothing to split there."""
    assert not robust_mask(np.full((50, 60, 3), level, np.uint8)).any()


def test_the_noise_of_glass_is_no_tissue():
    """Unguarded, Otsu's threshold would call half of it tissue."""
    noise = np.random.default_rng(1).normal(240, 3, (SIDE, SIDE, 3))

    assert not robust_mask(noise.astype(np.uint8)).any()


@pytest.mark.parametrize("strength", [0.4, 1.0, 1.6])
def test_a_picture_full_of_tissue_is_tissue(strength):
    """Unguarded, Otsu's threshold would call its pale half glass."""
    random = np.random.default_rng(2)
    h, e = strength * (0.4 + 0.08 * random.standard_normal((2, SIDE, SIDE)))

    assert robust_mask(stained(h, e)).mean() > 0.995


@pytest.mark.parametrize("noise", [0, 15])
def test_a_black_region_changes_nothing_away_from_it(slide, noise):
    """Not scanned, or a label blacked out: no tissue, no ink, and no part of the threshold."""
    bordered = slide.copy()
    bordered[:, :22] = np.random.default_rng(0).integers(0, noise + 1, (SIDE, 22, 3))
    reasons = tissue_reasons(bordered)

    assert not reasons[:, :24].any()
    assert np.array_equal(reasons[:, 26:], tissue_reasons(slide)[:, 26:])


@pytest.mark.parametrize("ink", INKS.values(), ids=INKS)
def test_a_stroke_beside_tissue_is_pen(slide, ink):
    """On glass all five inks are seen for what they are."""
    image = inked(slide, np.s_[5:20, 20:180], ink)
    reasons = tissue_reasons(image)

    assert (reasons[7:18, 22:178] == Reason.PEN).all()
    assert (reasons[INNER] == Reason.TISSUE).mean() > 0.99


@pytest.mark.parametrize("ink", INKS.values(), ids=INKS)
def test_a_stroke_that_crosses_tissue_goes_and_the_tissue_beside_it_stays(slide, ink):
    """Where the stains' hue is mixed in, the stroke is followed from where it is certain."""
    image = inked(slide, np.s_[90:105, 5:195], ink)
    reasons = tissue_reasons(image)

    assert (reasons[91:104, 30:170] == Reason.TISSUE).mean() < 0.02
    assert (reasons[91:104, 7:28] == Reason.PEN).all()
    assert (reasons[40:80, 35:165] == Reason.TISSUE).mean() > 0.99


def test_a_slide_of_nothing_but_ink_has_no_tissue():
    """The slide's own stain, which tells ink by difference, is missing."""
    image = np.full((SIDE, SIDE, 3), 244, np.uint8)
    for k, ink in enumerate(INKS.values()):
        image = inked(image, np.s_[10 + 38 * k : 40 + 38 * k, 10:190], ink)

    assert not robust_mask(image).any()


def test_out_of_focus_tissue_is_blur(slide):
    """The lower half seen through an unfocused lens; the border between the halves may be either.
    A sharp slide, and one blurred throughout, have nothing of it."""
    soft = ndimage.gaussian_filter(slide, (4, 4, 0))
    image = slide.copy()
    image[100:] = soft[100:]
    reasons = tissue_reasons(image)

    assert (reasons[120:160, 45:155] == Reason.BLUR).mean() > 0.95
    assert (reasons[35:85, 35:165] == Reason.TISSUE).mean() > 0.99
    assert not (tissue_reasons(soft) == Reason.BLUR)[40:160, 40:160].any()


def test_a_fold_is_twice_as_dark_and_narrow():
    """Two layers; a dense tumor as dark as they are, but broad, stays."""
    h, e = amounts()
    h[30:170, 60:66] *= 2.2
    e[30:170, 60:66] *= 2.2
    reasons = tissue_reasons(stained(h, e))
    assert (reasons[32:168, 60:66] == Reason.FOLD).mean() > 0.95
    assert (reasons[32:168, 75:165] == Reason.TISSUE).mean() > 0.99

    h, e = amounts(side=400)
    h[60:340, 60:150] *= 2.7
    reasons = tissue_reasons(stained(h, e))
    assert (reasons[80:320, 80:130] == Reason.TISSUE).mean() > 0.97


def test_dust_is_small_and_gray_dust_is_background(slide):
    """A colored speck beside the tissue; a gray one has no stain."""
    image = slide.copy()
    image[10:18, 10:18] = (210, 130, 170)
    image[180:190, 10:20] = (120, 120, 122)
    reasons = tissue_reasons(image)

    assert (reasons[11:17, 11:17] == Reason.SMALL).all()
    assert (reasons[180:190, 10:20] == Reason.BACKGROUND).all()


def test_vessels_are_filled_and_large_gaps_are_not(slide):
    """The limit is in um2: the same hole is small at 16 um per pixel and large at 32."""
    image = slide.copy()
    image[60:71, 60:71] = 244  # 0.031 mm2 at 16 um per pixel, 0.124 at 32
    image[100:130, 100:130] = 244

    assert robust_mask(image)[60:71, 60:71].all()
    assert not robust_mask(image, mpp=32.0)[62:69, 62:69].any()
    assert not robust_mask(image)[102:128, 102:128].any()


def test_uneven_light_changes_nothing(slide):
    """A third less light at one edge is no stain: it darkens all channels alike."""
    light = np.linspace(1, 0.7, SIDE)[None, :, None]
    mask = robust_mask((slide * light).astype(np.uint8))

    assert mask[INNER].mean() > 0.98
    mask[INNER] = False
    assert not mask.any()


def test_the_coverslip_s_edge_is_no_tissue(slide):
    """A dark gray line along the border of the picture."""
    image = slide.copy()
    image[:, 190:194] = (70, 72, 74)

    assert np.array_equal(robust_mask(image), robust_mask(slide))


def test_glass_is_measured_where_it_is_seen(slide):
    """A yellowish lamp; without any glass in view a common value stands in."""
    lamp = np.array([1.0, 0.98, 0.92])
    yellow = (slide * lamp).astype(np.uint8)

    assert glass_color(yellow) == pytest.approx(244 * lamp, abs=1)
    assert glass_color(np.full((9, 9, 3), 100, np.uint8)).tolist() == [244, 244, 244]
    assert densities(yellow).blue[0, 0] == pytest.approx(0, abs=0.01)
    assert robust_mask(yellow)[INNER].mean() > 0.99


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (7, 7)])
def test_tiny_pictures_give_a_mask(shape, monkeypatch):
    """A level of a broken pyramid can be this small."""
    monkeypatch.setattr("idhray.slides.tissue.robust.MIN_OBJECT_UM2", 0)
    random = np.random.default_rng(3)
    image = random.integers(0, 256, (*shape, 3), dtype=np.uint8)

    for one in (image, np.full((*shape, 3), (150, 80, 140), np.uint8)):
        mask = robust_mask(one)
        assert mask.shape == shape
        assert mask.dtype == np.bool_


def test_random_colors_give_a_mask():
    """Pictures of nothing: no warning, no crash."""
    image = np.random.default_rng(4).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    with np.errstate(all="raise"):
        reasons = tissue_reasons(image)

    assert set(np.unique(reasons)) <= {int(reason) for reason in Reason}


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((5, 5), np.uint8), id="gray"),
        pytest.param(np.zeros((5, 5, 4), np.uint8), id="RGBA"),
        pytest.param(np.zeros((5, 5, 3)), id="float"),
        pytest.param(np.zeros((0, 5, 3), np.uint8), id="empty"),
    ],
)
def test_other_arrays_are_refused(image):
    """In one line that says what came."""
    with pytest.raises(SlideError, match=r"^tissue needs .* uint8, got .*$"):
        tissue_reasons(image)


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("nan"), float("inf")])
def test_a_thumbnail_needs_a_resolution(mpp, slide):
    """Areas are in um2."""
    with pytest.raises(SlideError, match="mpp must be above 0"):
        tissue_reasons(slide, mpp=mpp)


def picture(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_rings_of_black_pen_and_arcs_of_red_and_green_go(real_data):
    """Places marked by eye on a real slide with three inks; and the tissue between them stays."""
    image = picture(real_data / "slides" / "pens" / "diagnostic-slide-thumb-rgb.png")
    reasons = tissue_reasons(image)

    arc = np.ptp(image[240:300, 448:], axis=-1) > 40  # pale red on glass
    assert (reasons[240:300, 448:][arc] == Reason.PEN).mean() > 0.9
    assert (reasons[460:475, 150:230] == Reason.PEN).mean() > 0.9  # green
    assert (reasons[image.max(axis=-1) < 70] != Reason.TISSUE).mean() > 0.98  # black
    assert (reasons[405:425, 260:330] == Reason.TISSUE).mean() > 0.97


def test_a_real_fold_goes(real_data):
    """A dark band of doubled tissue, between tissue of two sides that stays."""
    image = picture(real_data / "slides" / "pens" / "high-nuclei-score-red-pen-level1.png")
    reasons = tissue_reasons(image)

    assert (reasons[244:256, 20:60] == Reason.FOLD).mean() > 0.9
    assert (reasons[300:480, 20:300] == Reason.TISSUE).mean() > 0.97
    assert (reasons[0:60, 230:270] == Reason.PEN).mean() > 0.8


def test_strong_eosin_is_no_red_pen(real_data):
    """Its hue is that of thin red ink; the slide's other tissue tells them apart."""
    image = picture(real_data / "slides" / "pens" / "tcga-green-pen.png")
    reasons = tissue_reasons(image)

    assert (reasons[20:100, 5:60] == Reason.TISSUE).mean() > 0.9
    assert (reasons[140:240, 340:390] == Reason.PEN).mean() > 0.99
    assert (reasons[330:600, 420:] == Reason.TISSUE).mean() > 0.95


def test_glioma_and_lung_stay_whole(real_data, monkeypatch):
    """At 16 um per pixel, real tissue loses nothing to ink, folds or blur."""
    monkeypatch.setattr("idhray.slides.tissue.robust.MIN_OBJECT_UM2", 0)
    glioma = sorted((real_data / "he_glioma").glob("*.png"))
    lung = sorted((real_data / "he_patches").glob("*/*.jpeg"))[::20]
    for path, reduced in [(p, 16) for p in glioma] + [(p, 14) for p in lung]:
        image = np.asarray(Image.open(path).convert("RGB").reduce(reduced))

        assert robust_mask(image).mean() > 0.99, path.name


def test_skin_stays(real_data):
    """A whole small slide; dense epidermis is partly taken for a fold."""
    with Slide(str(real_data / "slides" / "CMU-1-Small-Region.svs")) as whole:
        image = whole.region(0, 0, (69, 92), 16.0)
    reasons = tissue_reasons(image)

    assert 0.33 < (reasons == Reason.TISSUE).mean() < 0.38
    assert (reasons == Reason.FOLD).mean() < 0.03
    assert not (reasons == Reason.PEN).any()


def test_the_contact_sheet_shows_outline_reasons_and_tiles(slide):
    """At the thumbnail's own scale a pixel can be followed through."""
    reasons = tissue_reasons(inked(slide, np.s_[5:20, 20:180], INKS["green"]))
    mask = reasons == Reason.TISSUE
    sheet = contact_sheet(slide, mask, [TileBox(60, 60, 64, 1)], reasons=reasons, side_px=SIDE)

    assert sheet.dtype == np.uint8
    assert sheet.shape[0] > SIDE
    assert sheet.shape[1] >= SIDE
    assert np.array_equal(sheet[45, 40], slide[45, 40])
    rows, columns = np.nonzero((sheet[:SIDE] == OUTLINE).all(axis=-1))
    assert rows.min() == pytest.approx(30, abs=1)
    assert columns.max() == pytest.approx(169, abs=1)
    assert (sheet[10, 60] != slide[10, 60]).any()
    assert (sheet[60, 60:124] < 60).all()
    plainer = contact_sheet(slide, mask, side_px=SIDE)
    assert np.array_equal(plainer[10, 60], slide[10, 60])


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (3, 2)])
def test_any_shape_has_a_contact_sheet(shape):
    """Strips and single pixels too."""
    sheet = contact_sheet(np.zeros((*shape, 3), np.uint8), np.ones(shape, np.bool_), side_px=100)

    assert sheet.ndim == 3


def test_layers_of_different_shapes_are_refused(slide):
    """A mask of another level would be drawn in the wrong place."""
    with pytest.raises(SlideError, match="one shape for all its layers"):
        contact_sheet(slide, np.ones((4, 4), np.bool_))
