"""A region is the mean over its rectangle of tissue, whatever levels the file has.

The reference is computed in float64 from the picture that the slide was made from.
"""

import numpy as np
import pytest

from idhray.errors import SlideError
from idhray.slides.description import described
from idhray.slides.direct import DirectSlide
from idhray.slides.reader import Slide
from idhray.slides.resample import level_downsamples
from idhray.slides.resolution import resolution
from tests.slides.made import PINK, area_mean, plain, write_levels, write_slide

X, Y = "openslide.mpp-x", "openslide.mpp-y"
POWER = "openslide.objective-power"


def smooth(width: int, height: int, least_px: float, seed: int = 3) -> np.ndarray:
    """Waves in all directions, none shorter than `least_px`; `(height, width, 3) uint8`."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.full((height, width, 3), 128.0)
    for _ in range(12):
        angle, length = random.uniform(0, np.pi), least_px * random.uniform(1, 3)
        phase, amplitude = random.uniform(0, 2 * np.pi, 3), random.uniform(5, 12, 3)
        along = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length
        image += amplitude * np.cos(along[..., None] + phase)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def shrunk(image: np.ndarray, size: tuple[int, int], scale: tuple[float, float]) -> np.ndarray:
    """A level, as a scanner makes it."""
    return np.rint(area_mean(image, (0, 0), size, scale)).astype(np.uint8)


def cropped(image: np.ndarray, steps: int, up: bool = False) -> np.ndarray:
    """A level of exactly 1 / steps: what makes no whole pixel is left out, or filled up."""
    height, width = (-(-n // steps) if up else n // steps for n in image.shape[:2])
    return shrunk(image, (width, height), (steps, steps))


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """A level of any size, which shows all of level 0."""
    return shrunk(image, (width, height), (image.shape[1] / width, image.shape[0] / height))


WIDE, HIGH = 503, 607
PYRAMIDS = {
    "20x, one level": ((0.5, 0.5), lambda i: [i]),
    "20x, 0.499 um": ((0.499, 0.499), lambda i: [i, cropped(i, 4)]),
    "40x, level at 10x": ((0.25, 0.25), lambda i: [i, cropped(i, 4), cropped(i, 16)]),
    "40x, level at 20x only": ((0.25, 0.25), lambda i: [i, cropped(i, 2)]),
    "40x, levels 1 and 16 only": ((0.25, 0.25), lambda i: [i, cropped(i, 16)]),
    "40x, filled up": ((0.2527, 0.2527), lambda i: [i, cropped(i, 4, up=True)]),
    "40x, 3.96 and 3.99": ((0.25, 0.25), lambda i: [i, resized(i, 127, 152)]),
    "40x, 3.9 and 3.7": ((0.25, 0.25), lambda i: [i, resized(i, 129, 164)]),
    "10x": ((1.0, 1.0), lambda i: [i]),
    "twice as high as wide": ((0.25, 0.5), lambda i: [i]),
    "a third wider than high": ((0.4, 0.3), lambda i: [i, cropped(i, 2)]),
    "5 % higher, level at 10x": ((0.2437, 0.2558), lambda i: [i, cropped(i, 4)]),
    "level that squares them": ((0.25, 0.5), lambda i: [i, resized(i, 251, 607)]),
}


@pytest.mark.parametrize("reader", [Slide, DirectSlide])
@pytest.mark.parametrize("kind", PYRAMIDS)
def test_a_region_is_the_mean_of_its_rectangle(tmp_path, kind, reader):
    """Far from the corner, where a wrong downsample or a square pixel would be pixels off."""
    mpp_xy, levels = PYRAMIDS[kind]
    image = smooth(WIDE, HIGH, least_px=10 / min(mpp_xy))
    path = write_levels(tmp_path / "a.tiff", levels(image), mpp_xy)
    scale = tuple(1.0 / mpp for mpp in mpp_xy)
    size = (47, 39)
    corner = tuple(
        int(n - pixels * each - 5)
        for n, pixels, each in zip((WIDE, HIGH), size, scale, strict=True)
    )

    with reader(path) as slide:
        region = slide.region(*corner, size, 1.0)
        assert slide.mpp_xy == pytest.approx(mpp_xy, rel=1e-5)
        assert slide.extent_l0(size, 1.0) == pytest.approx(
            tuple(n * each for n, each in zip(size, scale, strict=True)), rel=1e-5
        )

    off = region - area_mean(image, corner, size, scale)
    moved = region - area_mean(image, tuple(c + 1 for c in corner), size, scale)
    assert np.abs(off).mean() < 0.6
    assert np.abs(off).max() < 4
    assert np.abs(moved).mean() > 2 * np.abs(off).mean()  # one pixel of level 0 would show


def test_downsamples_are_those_of_the_scanner():
    """The ratio of the sides is what rounding left of them; OpenSlide's mean adds to that."""
    cmu_1 = [(46000, 32914), (11500, 8228), (2875, 2057)]  # a real slide's
    odd = [(1000, 1000), (251, 249), (7, 7), (333, 333)]

    assert level_downsamples(cmu_1) == [(1, 1), (4, 4), (16, 16)]
    assert level_downsamples(odd) == [(1, 1), (1000 / 251, 1000 / 249), (128, 128), (3, 3)]


def test_pixels_that_are_far_from_square_are_refused():
    """One of the two fields is wrong then, and which of them cannot be told."""
    with pytest.raises(
        SlideError, match=r"^a\.svs: mpp of the file is 0\.25 across and 0\.51 down"
    ):
        resolution("a.svs", {X: "0.25", Y: "0.51"})

    assert resolution("a.svs", {X: "0.25", Y: "0.5"}) == (0.25, 0.5, "openslide.mpp", "")
    assert resolution("a.svs", {X: "0.5", Y: "0.5004"}) == (0.5002, 0.5002, "openslide.mpp", "")


def test_a_resolution_is_assumed_only_if_allowed(tmp_path):
    """And only where nobody else says it; the table shows it."""
    silent = write_slide(tmp_path / "silent.tiff", plain(PINK, 64), None)
    saying = write_slide(tmp_path / "saying.tiff", plain(PINK, 64), 0.25)

    for reader in (Slide, DirectSlide):
        with pytest.raises(SlideError, match="no mpp and no objective power"):
            reader(silent)
        with reader(silent, assume_mpp=0.5) as slide:
            assert (slide.mpp, slide.mpp_source) == (0.5, "assumed")
        with reader(silent, objective_power=40, assume_mpp=0.5) as slide:
            assert (slide.mpp, slide.mpp_source) == (0.25, "objective_power")
        with reader(saying, assume_mpp=0.5) as slide:
            assert (slide.mpp, slide.mpp_source) == (pytest.approx(0.25), "openslide.mpp")
    with pytest.raises(SlideError, match="assume_mpp is 0 um"):
        Slide(silent, assume_mpp=0)


@pytest.mark.parametrize(
    ("properties", "given", "warning"),
    [
        (
            {X: "0.25", Y: "0.25"},
            {"mpp": 0.5},
            "mpp of the manifest is 0.5 um, that of the file 0.25",
        ),
        ({X: "0.25", Y: "0.25"}, {"mpp": 0.26}, None),
        ({X: "0.5", Y: "0.5", POWER: "40"}, {}, "is 0.5 um, but objective power 40 would be 0.25"),
        ({X: "0.5", Y: "0.5"}, {"objective_power": 40}, "is 0.5 um, but objective power 40"),
        ({X: "0.2527", Y: "0.2527", POWER: "40"}, {}, None),
        ({X: "0.455", Y: "0.455", POWER: "20"}, {}, None),
        ({X: "0.5", Y: "0.5", POWER: "unknown"}, {}, None),
    ],
)
def test_contradictions_are_said_in_one_line(properties, given, warning):
    """The choice is made by rule; but a slip in the manifest is a factor of two in every tile."""
    text = resolution("a.svs", properties, **given).contradiction

    assert "\n" not in text
    assert (text == "") if warning is None else (warning in text)


TIFF = {"openslide.vendor": "generic-tiff"}


def tags(number, unit, text=""):
    """OpenSlide's properties of a plain TIFF."""
    both = {f"tiff.{axis}Resolution": str(number) for axis in "XY"}
    return {**TIFF, **both, "tiff.ResolutionUnit": unit, "tiff.ImageDescription": text}


@pytest.mark.parametrize(
    ("number", "unit"),
    [(n, "inch") for n in (72, 96, 150, 300, 1200, 2400, 4800, 9600, 1, 0)]
    + [(n, "centimeter") for n in (1, 28.3465, 100, 0, "nan", "inf", -20000, 20_000_000)]
    + [(1, "none"), (20000, "none")],
)
def test_tags_that_mean_nothing_count_as_absent(number, unit):
    """Encoders write 72 dots per inch where nobody told them; it made 353 um of a pixel."""
    properties = tags(number, unit)

    assert resolution("a", properties, assume_mpp=0.5)[2:] == ("assumed", "")
    assert resolution("a", properties, mpp=0.25)[0] == 0.25
    with pytest.raises(SlideError, match=r"^a: no .*or give --assume-mpp$"):
        resolution("a", properties)


@pytest.mark.parametrize(
    ("number", "unit", "mpp"),
    [(20000, "centimeter", 0.5), (50800, "inch", 0.5), (2500, "centimeter", 4.0)],
)
def test_plausible_tags_are_used(number, unit, mpp):
    """A slide whose tags are right needs nothing else."""
    assert resolution("a", tags(number, unit)).x == pytest.approx(mpp)
    assert resolution("a", tags(number, unit), assume_mpp=9).source == "openslide.mpp"


APERIO = "Converted from Aperio\n4096x4096 Q=90|AppMag = 40|MPP = 0.2525"
VIPS = "<property>\n<name>{}</name>\n<value type='gchararray'>{}</value></property>"
OME = '<OME><Image><Pixels SizeX="{}" SizeY="9" PhysicalSizeX="{}" {}/></Image></OME>'


@pytest.mark.parametrize(
    ("text", "mpp", "power"),
    [
        (APERIO, 0.2525, 40),
        ("Aperio|AppMag = 20|MPP = 0,4990", 0.499, 20),
        (VIPS.format("aperio.MPP", 0.25), 0.25, None),
        (VIPS.format("openslide.mpp-x", 0.25) + VIPS.format("openslide.mpp-y", 0.3), 0.25, None),
        (OME.format(9, 0.5, ""), 0.5, None),
        (OME.format(9, "500", 'PhysicalSizeXUnit="nm"'), 0.5, None),
        (OME.format(9, "5.0E-4", "PhysicalSizeXUnit='mm'"), 0.5, None),
        (OME.format(9, 0.5, 'PhysicalSizeXUnit="\u00b5m"'), 0.5, None),
        (OME.format(9, 0.5, 'PhysicalSizeXUnit="&#181;m"'), 0.5, None),
        (OME.format(9, 0.5, 'PhysicalSizeXUnit="pixel"'), None, None),
        (OME.format(4, 9.9, "") + OME.format(9, 0.5, ""), 0.5, None),
        ('<Objective ID="1" NominalMagnification="20.0"/>' + OME.format(9, 1, ""), 1, 20),
        ("mpp_x: 0.25, mpp_y: 0.25", 0.25, None),
        ("compressed 0.25mpp, compmpp = 3", None, None),
        ("MPP = nan|AppMag = 20", None, 20),
        ("", None, None),
    ],
)
def test_a_description_states_its_resolution(text, mpp, power):
    """Texts as Aperio, libvips, bioformats and QuPath write them."""
    found = described(text, (9, 9))

    assert (found.mpp and found.mpp[0], found.power) == (pytest.approx(mpp), power)


@pytest.mark.parametrize(
    ("properties", "expected", "contradiction"),
    [
        (tags(39604, "inch", APERIO), 0.2525, "a unit error (2.54); mpp of the ImageDescription"),
        (tags(3960.4, "centimeter", APERIO), 0.2525, "a unit error (10)"),
        (tags(20000, "centimeter", APERIO), 0.2525, "(20000 pixels per centimeter) 0.5; mpp of"),
        (tags(39604, "centimeter", APERIO), 0.2525, ""),
        (tags(72, "inch", APERIO), 0.2525, ""),
        (tags(20000, "centimeter", "MPP = 25"), 0.5, "is that of no microscope"),
        (tags(2, "none", "ImageJ=1.54\nunit=micron\n"), 0.5, ""),
        (tags(72, "inch", "AppMag = 20"), 0.5, ""),
    ],
)
def test_the_description_outranks_the_tags(properties, expected, contradiction):
    """libvips wrote inch for centimeter: tiles at 2.54 times the scale, without a word."""
    value = resolution("a", properties)

    assert value.x == pytest.approx(expected, rel=1e-3)
    assert contradiction in value.contradiction
    assert bool(value.contradiction) == bool(contradiction)
    assert resolution("a", properties, mpp=0.5).source == "manifest"
