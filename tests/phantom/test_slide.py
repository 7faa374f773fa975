"""A made-up slide opens as an Aperio one, and is what its mask and truth say."""

import io
from dataclasses import replace

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from idhray.errors import ConfigError
from idhray.phantom.layout import MAP_PX
from idhray.phantom.patients import PhantomSettings, phantom_patients
from idhray.phantom.render import bands
from idhray.phantom.slide import make_scene, make_slide

SMALL = PhantomSettings(width_px=1300, height_px=1000, pen_fraction=0, fold_fraction=0)
MARKED = replace(SMALL, width_px=2048, height_px=2048, pen_fraction=1, fold_fraction=1)
PATIENT = phantom_patients(1, SMALL, seed=0)[0]


@pytest.fixture(scope="module")
def slide():
    """One small slide without marks."""
    return make_slide(PATIENT, 0, SMALL, seed=0)


@pytest.fixture(scope="module")
def marked():
    """Scene, level 0 and mask of a slide with a fold, and all three pens partly on glass."""
    for seed in range(100):
        scene = make_scene(PATIENT, 0, MARKED, seed)
        pens = scene.marks.pens
        if len(pens) == 3 and all(ink_on_glass(scene, name).sum() > 20 for name in pens):
            usable = scene.layout.tissue & scene.marks.usable(scene.layout.tissue.shape)
            return scene, np.concatenate(list(bands(scene))), usable
    raise AssertionError("no slide of 100 has three pens partly on glass")


def ink_on_glass(scene, name):
    """Map cells under full ink of one color and nothing else."""
    others = [ink for other, ink in scene.marks.pens.items() if other != name]
    alone = np.all([ink == 0 for ink in others], axis=0)
    return (scene.marks.pens[name] > 150) & alone & (scene.layout.border < -0.05)


def opened(data, tmp_path):
    """OpenSlide on the bytes."""
    path = tmp_path / "phantom.svs"
    path.write_bytes(data)
    return openslide.OpenSlide(str(path))


def mask_of(slide):
    """The mask as (height, width) bool."""
    return np.asarray(Image.open(io.BytesIO(slide.mask_png))) > 0


def shrunk(image):
    """Level 0 at the mask's scale, int16 (channels are subtracted)."""
    return np.asarray(Image.fromarray(image).reduce(MAP_PX)).astype(np.int16)


@pytest.mark.parametrize(("power", "mpp"), [(20, "0.5"), (40, "0.25")])
def test_openslide_reads_it_as_aperio(tmp_path, power, mpp):
    """The reader finds vendor, power, resolution and the levels 1, 4, 16 of a real SVS."""
    settings = replace(SMALL, objective_power=power)
    with opened(make_slide(PATIENT, 0, settings, seed=0).svs, tmp_path) as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        assert slide.properties["openslide.objective-power"] == str(power)
        assert slide.properties["openslide.mpp-x"] == mpp
        assert slide.level_dimensions == ((1300, 1000), (325, 250), (81, 62))
        assert "thumbnail" in slide.associated_images


def test_tifffile_finds_the_same_levels(slide):
    """Readers on tifffile take page 2 for the thumbnail, as in a real SVS."""
    with tifffile.TiffFile(io.BytesIO(slide.svs)) as tiff:
        shapes = [level.shape for level in tiff.series[0].levels]

        assert tiff.is_svs
        assert shapes == [(1000, 1300, 3), (250, 325, 3), (62, 81, 3)]


def test_the_file_holds_the_pixels_drawn(slide, tmp_path):
    """A wrong color space or tile order would still open; JPEG may cost a few gray values."""
    drawn = np.concatenate(list(bands(make_scene(PATIENT, 0, SMALL, seed=0)))).astype(np.int16)
    with opened(slide.svs, tmp_path) as file:
        read = np.asarray(file.read_region((0, 0), 0, (1300, 1000)).convert("RGB"))
        small = np.asarray(file.read_region((0, 0), 1, (325, 250)).convert("RGB"))

    mean = np.asarray(Image.fromarray(drawn.astype(np.uint8)).reduce(4)).astype(np.int16)

    assert np.abs((read - drawn).mean(axis=(0, 1))).max() < 1
    assert np.abs(read - drawn).mean() < 6
    assert np.abs(small - mean).mean() < 8


def test_bands_join_without_a_seam():
    """Drawn in bands of any height, the slide is the same, whatever nucleus crosses a border."""
    scene = make_scene(PATIENT, 0, MARKED, seed=0)
    coarse, fine = (np.concatenate(list(bands(scene, rows))) for rows in (1024, 256))

    np.testing.assert_array_equal(coarse, fine)


def test_the_seed_decides_the_bytes(slide):
    """No date and no library version enters the file."""
    again, other = (make_slide(PATIENT, 0, SMALL, seed=seed) for seed in (0, 1))

    assert again == slide
    assert other.svs != slide.svs


def test_slides_of_a_patient_differ_and_share_the_parameters():
    """Two slides are two cuts through one tumor."""
    settings = replace(SMALL, slides_per_patient=2)
    first, second = (make_slide(PATIENT, index, settings, seed=0) for index in (0, 1))

    assert first.svs != second.svs
    assert first.name != second.name
    assert first.truth["density_per_mm2"] == second.truth["density_per_mm2"]


def test_without_effect_the_class_changes_no_byte():
    """The strictest null case: relabel a patient, and file and mask stay as they were."""
    settings = replace(SMALL, effect=0)
    wild, mutant = (
        make_slide(replace(PATIENT, idh=idh), 0, settings, seed=0) for idh in ("wildtype", "mutant")
    )

    assert wild.svs == mutant.svs
    assert wild.mask_png == mutant.mask_png


def test_wildtype_tissue_is_denser_in_the_pixels():
    """The effect reaches the image: the same patient as wildtype has more dark pixels."""
    settings = replace(SMALL, effect=2)
    dark = {}
    for idh in ("wildtype", "mutant"):
        scene = make_scene(replace(PATIENT, idh=idh), 0, settings, seed=0)
        dark[idh] = np.mean(np.concatenate(list(bands(scene)))[..., 0] < 120)

    assert dark["wildtype"] > 2 * dark["mutant"]


def test_truth_tells_what_was_drawn(slide):
    """Where nothing is dead, the nuclei counted are those asked for, but for chance."""
    truth = slide.truth
    viable = 1 - truth["drawn_necrosis_fraction"]

    assert truth["idh"] == PATIENT.idh
    assert truth["drawn_density_per_mm2"] / viable == pytest.approx(
        truth["density_per_mm2"], rel=0.5
    )
    assert 0.3 < truth["usable_fraction"] <= truth["tissue_fraction"] < 0.95


def test_the_mask_agrees_with_the_image(slide):
    """Under it green is darker than 200, outside white; nuclei straddle one cell of the border."""
    image = shrunk(np.concatenate(list(bands(make_scene(PATIENT, 0, SMALL, seed=0)))))
    mask = mask_of(slide)[: image.shape[0], : image.shape[1]]
    green = image[: mask.shape[0], : mask.shape[1], 1]

    assert mask_of(slide).shape == (63, 82)  # 1000 and 1300 over 16, rounded up
    assert np.mean(green[mask] < 200) > 0.95
    assert np.mean(green[~ndimage.binary_dilation(mask)] > 225) > 0.95


def test_the_background_is_white(marked):
    """Far from tissue and ink the slide is empty glass: about 243, hardly any noise."""
    scene, image, _ = marked
    inks = np.max(list(scene.marks.pens.values()), axis=0)
    empty = (scene.layout.border < -0.15) & (ndimage.maximum_filter(inks, 3) == 0)
    pixels = image[np.kron(empty, np.ones((MAP_PX, MAP_PX), dtype=bool))]

    assert np.abs(pixels.mean(axis=0) - 242).max() < 5
    assert pixels.std(axis=0).max() < 3


def test_pens_have_their_colors(marked):
    """On empty glass each ink is brightest in its own channel, and darkens the other two."""
    scene, image, _ = marked
    small = shrunk(image)
    for channel, name in enumerate(("red", "green", "blue")):
        pixels = small[ink_on_glass(scene, name)]

        assert np.mean(pixels.argmax(axis=1) == channel) > 0.95
        assert np.median(np.delete(pixels, channel, axis=1)) < 150


def test_the_fold_is_gray_and_darker(marked):
    """Its channels agree, so that the shadow filter of Liu's pipeline has something to find."""
    scene, image, usable = marked
    inks = np.max(list(scene.marks.pens.values()), axis=0)
    small = shrunk(image)
    fold = small[(scene.marks.fold == 200) & (inks == 0) & scene.layout.tissue]

    assert np.median(np.ptp(fold, axis=1)) < 15
    assert fold.mean() < small[usable].mean() - 20


def test_ink_and_fold_are_not_usable_tissue(marked):
    """The mask is the tissue fit for analysis: a tile taken under ink is an error."""
    scene, _, usable = marked

    assert not usable[scene.marks.fold > 100].any()
    for ink in scene.marks.pens.values():
        assert not usable[ink > 100].any()
    assert usable.sum() < scene.layout.tissue.sum()


def test_a_missing_slide_is_refused():
    """Index 1 is the second slide of a patient who has one."""
    with pytest.raises(ConfigError, match="slide_index must be 0 to 0"):
        make_slide(PATIENT, 1, SMALL, seed=0)
