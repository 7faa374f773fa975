"""Pixel similarity: sees a copy through shifts, turns, brightness and noise, and nothing else."""

import numpy as np
import pytest

from idhray.errors import ConfigError, TableError
from idhray.fidelity.similarity import nearest_by_pixels, similarity_of_pairs
from tests.fidelity.made_up_copies import changed, smooth


@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("how", ["shifted", "brightened", "noisy", "mirrored", "turned"])
def test_a_changed_copy_finds_its_original(how, side):
    """Of 40 images, whatever the change; above 64 px both levels of the search take part."""
    images = smooth(40, side)
    found = nearest_by_pixels(changed(images[:10], how), images, "dihedral")

    assert (found.reference == np.arange(10)).all()
    assert found.correlation.min() > 0.9


def test_a_whole_shift_of_large_images_is_undone_to_the_pixel():
    """At 96 px three pixels are two at the size of the search; the last step is at full size."""
    images = smooth(3, 96)
    found = nearest_by_pixels(np.roll(images, (3, -5), axis=(1, 2)), images)

    assert found.shift_px.tolist() == [[3, -5]] * 3
    assert found.ssim == pytest.approx(np.ones(3))
    assert found.correlation == pytest.approx(np.ones(3), abs=1e-6)


def test_a_mirrored_copy_is_found_only_where_mirroring_is_asked_for():
    """A generator that saw no mirror images cannot copy into one."""
    images = smooth(20)
    mirrored = changed(images, "mirrored")

    assert nearest_by_pixels(mirrored, images, "none").correlation.max() < 0.8
    found = nearest_by_pixels(mirrored, images, "mirror")
    assert found.correlation.min() > 0.999
    assert (found.symmetry == 1).all()


def test_independent_images_are_far_from_alike():
    """Else every image were a copy."""
    assert nearest_by_pixels(smooth(20, seed=1), smooth(40, seed=2)).correlation.max() < 0.8


def test_images_of_the_same_patient_can_be_left_out():
    """They are near-copies by nature."""
    images = smooth(6).repeat(2, axis=0)
    patients = np.arange(12) // 2
    found = nearest_by_pixels(images, images, apart=(patients, patients))

    assert (found.reference // 2 != patients).all()
    alone = nearest_by_pixels(images, images, apart=(patients * 0, patients * 0))
    assert (alone.reference == -1).all()


def test_given_pairs_are_compared_as_the_search_compares_them():
    """A pair found by features gets the same figures as one found by pixels."""
    queries, references = smooth(8, seed=1), smooth(30, seed=2)
    found = nearest_by_pixels(queries, references, "mirror")
    pairs = similarity_of_pairs(queries, references, found.reference, "mirror")

    assert pairs.correlation == pytest.approx(found.correlation)
    assert pairs.ssim == pytest.approx(found.ssim)


def test_the_search_finds_what_comparing_all_pairs_finds():
    """Screening in principal components must lose no close pair."""
    references = smooth(30, seed=2)
    queries = changed(references[:6], "noisy")
    found = nearest_by_pixels(queries, references)
    every = np.stack(
        [similarity_of_pairs(queries, references, np.full(6, k)).correlation for k in range(30)]
    )

    assert found.correlation == pytest.approx(every.max(0))


def test_constant_images_are_like_nothing():
    """Rather than a division by zero; and a null channel changes nothing."""
    images = smooth(4)
    black = np.zeros_like(images)
    null = np.concatenate([images, black[..., :1]], axis=-1)

    found = nearest_by_pixels(black, images)
    assert (found.correlation == 0).all()
    assert np.isfinite(found.ssim).all()
    assert (nearest_by_pixels(black, black).correlation == 0).all()
    a, b = nearest_by_pixels(images, images[::-1]), nearest_by_pixels(null, null[::-1])
    assert a.correlation == pytest.approx(b.correlation, abs=1e-6)
    assert a.ssim == pytest.approx(b.ssim)


@pytest.mark.parametrize("side", [1, 2, 5, 17])
def test_small_images_of_one_channel_can_be_compared(side):
    """Odd sizes and sides below the search's must not crash."""
    images = np.random.default_rng(0).integers(0, 256, (5, side, side, 1), np.uint8)

    assert np.isfinite(nearest_by_pixels(images, images, "dihedral").correlation).all()


@pytest.mark.parametrize(
    ("queries", "references", "symmetry", "error", "said"),
    [
        (smooth(2), smooth(2, 16), "none", TableError, "same size"),
        (smooth(2), smooth(2, channels=1), "none", TableError, "same size"),
        (smooth(0), smooth(2), "none", TableError, "not none"),
        (smooth(2) / 255, smooth(2), "none", TableError, "uint8"),
        (smooth(2)[:, :20], smooth(2)[:, :20], "dihedral", ConfigError, "square"),
        (smooth(2), smooth(2), "rotated", ConfigError, "none, mirror or dihedral"),
    ],
)
def test_what_cannot_be_compared_is_refused(queries, references, symmetry, error, said):
    """In one line."""
    with pytest.raises(error, match=said) as caught:
        nearest_by_pixels(queries, references, symmetry)

    assert "\n" not in str(caught.value)
