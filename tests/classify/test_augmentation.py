"""Classical augmentation: by the generator alone, plausible, and from the originals."""

import numpy as np
import pytest
from skimage.color import hed2rgb, rgb2hed

from idhray.chance import generator
from idhray.classify.augmentation import (
    augmented,
    augmented_images,
    intensity_jitter,
    rotated,
    stain_jitter,
)
from idhray.classify.dataset import load_images
from tests.classify.made_up import cohort, dots, patch_row, tiny, write_patches


def stained(side=16):
    """An RGB image of hematoxylin and eosin in varying amounts, nowhere saturated."""
    rng = generator(0, "stained")
    stains = np.zeros((side, side, 3))
    stains[..., :2] = rng.uniform(0.02, 0.08, (side, side, 2))
    return np.rint(255 * hed2rgb(stains)).astype(np.uint8)


def test_the_eight_turns_differ_and_the_first_is_the_image():
    """Two by two pixels in order: four rotations, each with its mirror image."""
    image = np.arange(4, dtype=np.uint8).reshape(2, 2)

    assert np.array_equal(rotated(image, 0), image)
    assert np.array_equal(rotated(image, 4), image[:, ::-1])
    assert len({rotated(image, turn).tobytes() for turn in range(8)}) == 8


@pytest.mark.parametrize("channels", [None, 2, 3])
def test_the_generator_alone_decides(channels):
    """The same image and seed give the same bits; another seed another image of its shape."""
    image = dots(1) if channels is None else np.stack([dots(1)] * channels, axis=-1)
    first, again, other = (
        augmented(image, np.random.default_rng(seed), slices=channels == 2) for seed in (1, 1, 2)
    )

    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


class Fixed:
    """A generator whose uniform numbers are given."""

    def __init__(self, *draws):
        self.draws = iter(draws)

    def uniform(self, low, high, size=None):
        return next(self.draws)


def test_stain_jitter_scales_the_stains_of_scikit_image():
    """Hematoxylin 1.2 times, eosin .9 times, in the space of `rgb2hed`; one gray level aside."""
    image = stained()
    jittered = stain_jitter(image, Fixed(np.array([1.2, 0.9, 1.0]), np.zeros(3)))
    expected = 255 * hed2rgb(rgb2hed(image) * [1.2, 0.9, 1.0])

    assert np.abs(jittered - expected).max() < 3
    assert np.array_equal(stain_jitter(image, Fixed(np.ones(3), np.zeros(3))), image)


def test_stain_jitter_leaves_glass_nearly_white():
    """The offset is at most .05 of optical density on each stain."""
    white = np.full((4, 4, 3), 255, np.uint8)

    assert min(stain_jitter(white, np.random.default_rng(s)).min() for s in range(20)) > 225


def test_intensity_jitter_is_gain_and_gamma():
    """255 gain (v / 255) ** gamma; what is black, as around a brain, stays black."""
    image = np.array([[0, 64, 255]], np.uint8)
    jittered = intensity_jitter(image, Fixed(0.9, 1.0))

    assert jittered.tolist() == [[0, round(255 * 0.9 * (64 / 255) ** 1.25), round(255 * 0.9)]]


def test_a_slice_is_mirrored_and_never_turned():
    """The upper half is marked, and stays the upper one."""
    image = np.zeros((8, 8, 2), np.uint8)
    image[:4, :2] = 200
    results = [augmented(image, np.random.default_rng(s), slices=True) for s in range(20)]

    assert all(result[:4].any() and not result[4:].any() for result in results)
    assert {bool(result[0, 0, 0]) for result in results} == {True, False}


def test_augmented_images_come_from_the_originals(tmp_path):
    """In color before they are turned to gray, each by its number; labels and patients stay."""
    images = load_images(cohort(tmp_path), "train", tiny())
    rows = images.view([3, 0, 3, 5])
    longer = augmented_images(rows, tiny(), seed=1)
    shorter = augmented_images(rows.take(slice(2)), tiny(), seed=1)

    assert np.array_equal(longer.pixels[:2], shorter.pixels)
    assert not np.array_equal(longer.pixels[0], longer.pixels[2])
    assert longer.labels.tolist() == rows.labels.tolist()
    assert longer.patients.tolist() == rows.patients.tolist()
    assert not np.array_equal(augmented_images(rows, tiny(), seed=2).pixels, longer.pixels)


def test_originals_are_found_by_part_and_row(tmp_path, monkeypatch):
    """Two parts; without any change the images are those of the table."""
    monkeypatch.setattr("idhray.classify.augmentation.augmented", lambda image, *_, **__: image)
    rows = [patch_row(p, "mutant", "train", dots(1, p, i)) for p in "AB" for i in range(3)]
    write_patches(tmp_path, rows[:3], "a")
    write_patches(tmp_path, rows[3:], "b")
    view = load_images(str(tmp_path), "train", tiny()).view([4, 0, 5, 2])

    copies = augmented_images(view, tiny(), seed=1)

    assert np.array_equal(copies.pixels, view.pixels(slice(None)))
