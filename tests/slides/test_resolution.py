"""A region is the mean over its rectangle of tissue, whatever levels the file has.

The reference is computed in float64 from the picture that the slide was made from.
"""

import logging

import numpy as np
import pytest

from idhray.errors import SlideError
from idhray.slides.direct import DirectSlide
from idhray.slides.reader import Slide
from idhray.slides.resample import level_downsamples
from idhray.slides.resolution import _warn_once, resolution
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
    with pytest.raises(SlideError, match=r"^a\.svs: mpp is 0\.25 across and 0\.51 down"):
        resolution("a.svs", {X: "0.25", Y: "0.51"})

    assert resolution("a.svs", {X: "0.25", Y: "0.5"}) == (0.25, 0.5, "openslide.mpp")
    assert resolution("a.svs", {X: "0.5", Y: "0.5004"}) == (0.5002, 0.5002, "openslide.mpp")


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
        ({X: "0.25", Y: "0.25"}, {"mpp": 0.5}, "mpp of the manifest is 0.5, the file's is 0.25"),
        ({X: "0.25", Y: "0.25"}, {"mpp": 0.26}, None),
        ({X: "0.5", Y: "0.5", POWER: "40"}, {}, "mpp is 0.5, but objective power 40 would be 0.25"),
        ({X: "0.5", Y: "0.5"}, {"objective_power": 40}, "mpp is 0.5, but objective power 40"),
        ({X: "0.2527", Y: "0.2527", POWER: "40"}, {}, None),
        ({X: "0.455", Y: "0.455", POWER: "20"}, {}, None),
        ({X: "0.5", Y: "0.5", POWER: "unknown"}, {}, None),
    ],
)
def test_contradictions_are_said_in_one_line(caplog, properties, given, warning):
    """The choice is made by rule; but a slip in the manifest is a factor of two in every tile."""
    _warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="idhray"):
        for _ in range(2):
            resolution("a.svs", properties, **given)

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (warning is not None)
    assert all(line.startswith("a.svs: ") and warning in line and "\n" not in line for line in said)
