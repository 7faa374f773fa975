"""Pixel similarity: sees a copy through shifts, turns, brightness and noise, and nothing else."""

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError, TableError
from idhray.fidelity.copies import pixel_index, similarity
from idhray.fidelity.copies.pixel_index import PixelIndex
from idhray.fidelity.copies.similarity import nearest_by_pixels, similarity_of_pairs, ssim_of_pairs
from tests.fidelity import plain_similarity
from tests.fidelity.made_up_copies import changed, smooth


def mixed(count, side, channels=3, seed=0):
    """Images to be searched in, and queries: copies changed in all ways, and fresh images."""
    references = smooth(count, side, channels, seed)
    hows = ("shifted", "brightened", "noisy", "mirrored", "turned")
    copies = [changed(references[2 * k : 2 * k + 2], how) for k, how in enumerate(hows)]
    return np.concatenate([*copies, smooth(4, side, channels, seed + 1)]), references


@pytest.mark.parametrize(
    ("side", "symmetry"),
    [
        (32, "none"),
        (32, "dihedral"),
        (64, "mirror"),
        (96, "none"),
        (128, "dihedral"),
        (256, "mirror"),
    ],
)
def test_the_search_says_what_a_plain_one_says(side, symmetry):
    """Reference, symmetry and shift are the same, and the figures to 1e-5."""
    queries, references = mixed(20, side)
    index = PixelIndex(references)
    found = nearest_by_pixels(queries, index, symmetry)
    place, r, ssim, number, dy, dx = plain_similarity.nearest(queries, references, symmetry)

    assert found.reference.tolist() == place.tolist()
    assert found.symmetry.tolist() == number.tolist()
    assert found.shift_px.tolist() == np.stack([dy, dx], 1).tolist()
    assert found.correlation == pytest.approx(r, abs=1e-5)
    assert ssim_of_pairs(queries, index, found) == pytest.approx(ssim, abs=1e-5)


@pytest.mark.parametrize("shape", [(64, 96), (100, 70), (300, 200)])
def test_the_search_of_oblong_images_says_what_a_plain_one_says(shape):
    """Rows and columns are reduced, shifted and mirrored by different numbers."""
    references = smooth(20, 300, 2)[:, : shape[0], : shape[1]]
    queries = changed(references[:6], "mirrored")
    found = nearest_by_pixels(queries, PixelIndex(references), "mirror")
    place, r, _, number, dy, dx = plain_similarity.nearest(queries, references, "mirror")

    assert found.reference.tolist() == place.tolist()
    assert found.symmetry.tolist() == number.tolist()
    assert found.shift_px.tolist() == np.stack([dy, dx], 1).tolist()
    assert found.correlation == pytest.approx(r, abs=1e-5)


def test_patients_and_blocks_change_nothing(monkeypatch):
    """The nearest of other patients, found in blocks of 5 queries and 7 references."""
    images = smooth(30)
    patients = np.arange(30) // 3
    place, r, *_ = plain_similarity.nearest(images, images, "mirror", (patients, patients))
    for module, name, size in (
        (similarity, "_QUERIES", 5),
        *((pixel_index, name, 7) for name in ("_BLOCK", "_REFERENCES", "_QUERIES")),
    ):
        monkeypatch.setattr(module, name, size)
    found = nearest_by_pixels(images, PixelIndex(images), "mirror", (patients, patients))

    assert found.reference.tolist() == place.tolist()
    assert found.correlation == pytest.approx(r, abs=1e-5)


def test_equal_references_give_the_first():
    """Of twenty equal images, more than are looked at closely, one always has the same name."""
    images = smooth(2)
    index = PixelIndex(images[[0] * 20 + [1]])
    found = nearest_by_pixels(images, index)

    assert found.reference.tolist() == [0, 20]
    assert nearest_by_pixels(images * 0, index).reference.tolist() == [0, 0]


def test_a_set_too_large_to_keep_details_of_gives_the_same(monkeypatch):
    """They are made anew from the reduced images, or from the images themselves."""
    for side in (64, 128):
        queries, references = mixed(24, side)
        kept = nearest_by_pixels(queries, PixelIndex(references), "mirror")
        with monkeypatch.context() as patch:
            patch.setattr(pixel_index, "_DETAILS_BYTES", 0)
            anew = nearest_by_pixels(queries, PixelIndex(references), "mirror")

        assert anew.reference.tolist() == kept.reference.tolist()
        assert anew.correlation == pytest.approx(kept.correlation, abs=1e-6)


def test_memory_of_an_index_is_what_is_said(monkeypatch):
    """Up to 39 kB an image in color; beyond 0.5 GB of that 26 kB, or 1 kB at 64 px."""
    most = {side: _bytes(smooth(100, side, 3)) for side in (64, 256)}
    monkeypatch.setattr(pixel_index, "_DETAILS_BYTES", 0)
    least = {side: _bytes(smooth(100, side, 3)) for side in (64, 256)}

    assert all(100 * 37_000 < number < 100 * 39_000 for number in most.values())
    assert 100 * 300 < least[64] < 100 * 1100
    assert 100 * 24_000 < least[256] < 100 * 26_000


def _bytes(images):
    """Of all tensors but the axes, whose number does not grow."""
    index = PixelIndex(images)
    nearest_by_pixels(images[:1], index)
    tensors = [t for n, t in vars(index).items() if isinstance(t, torch.Tensor) and n != "_axes"]
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("how", ["shifted", "brightened", "noisy", "mirrored", "turned"])
def test_a_changed_copy_finds_its_original(how, side):
    """Of 40 images, whatever the change; above 64 px both levels of the search take part."""
    images = smooth(40, side)
    found = nearest_by_pixels(changed(images[:10], how), PixelIndex(images), "dihedral")

    assert (found.reference == np.arange(10)).all()
    assert found.correlation.min() > 0.9


def test_a_whole_shift_of_large_images_is_undone_to_the_pixel():
    """At 96 px three pixels are two at the size of the search; the last step is at full size."""
    images = smooth(3, 96)
    shifted, index = np.roll(images, (3, -5), axis=(1, 2)), PixelIndex(images)
    found = nearest_by_pixels(shifted, index)

    assert found.shift_px.tolist() == [[3, -5]] * 3
    assert ssim_of_pairs(shifted, index, found) == pytest.approx(np.ones(3), abs=1e-5)
    assert found.correlation == pytest.approx(np.ones(3), abs=1e-6)


def test_a_mirrored_copy_is_found_only_where_mirroring_is_asked_for():
    """A generator that saw no mirror images cannot copy into one."""
    images = smooth(20)
    mirrored, index = changed(images, "mirrored"), PixelIndex(images)

    assert nearest_by_pixels(mirrored, index, "none").correlation.max() < 0.8
    found = nearest_by_pixels(mirrored, index, "mirror")
    assert found.correlation.min() > 0.999
    assert (found.symmetry == 1).all()


def test_independent_images_are_far_from_alike():
    """Else every image were a copy."""
    found = nearest_by_pixels(smooth(20, seed=1), PixelIndex(smooth(40, seed=2)))

    assert found.correlation.max() < 0.8


def test_images_of_the_same_patient_can_be_left_out():
    """They are near-copies by nature."""
    images = smooth(6).repeat(2, axis=0)
    patients, index = np.arange(12) // 2, PixelIndex(images)
    found = nearest_by_pixels(images, index, patients=(patients, patients))

    assert (found.reference // 2 != patients).all()
    alone = nearest_by_pixels(images, index, patients=(patients * 0, patients * 0))
    assert (alone.reference == -1).all()
    assert (alone.correlation == 0).all()
    assert (ssim_of_pairs(images, index, alone) == 0).all()


def test_given_pairs_are_compared_as_the_search_compares_them():
    """A pair found by features gets the same figures as one found by pixels."""
    queries, index = smooth(8, seed=1), PixelIndex(smooth(30, seed=2))
    found = nearest_by_pixels(queries, index, "mirror")
    pairs = similarity_of_pairs(queries, index, found.reference, "mirror")

    assert pairs.correlation == pytest.approx(found.correlation)
    assert pairs.shift_px.tolist() == found.shift_px.tolist()


def test_the_search_finds_what_comparing_all_pairs_finds():
    """Screening in principal components must lose no close pair."""
    references = smooth(30, seed=2)
    queries, index = changed(references[:6], "noisy"), PixelIndex(references)
    found = nearest_by_pixels(queries, index)
    every = np.stack(
        [similarity_of_pairs(queries, index, np.full(6, k)).correlation for k in range(30)]
    )

    assert found.correlation == pytest.approx(every.max(0))


def test_constant_images_are_like_nothing():
    """Rather than a division by zero; and a null channel changes nothing."""
    images = smooth(4)
    black = np.zeros_like(images)
    null = np.concatenate([images, black[..., :1]], axis=-1)

    index = PixelIndex(images)
    found = nearest_by_pixels(black, index)
    assert (found.correlation == 0).all()
    assert np.isfinite(ssim_of_pairs(black, index, found)).all()
    assert (nearest_by_pixels(black, PixelIndex(black)).correlation == 0).all()
    indexes = PixelIndex(images[::-1]), PixelIndex(null[::-1])
    a, b = nearest_by_pixels(images, indexes[0]), nearest_by_pixels(null, indexes[1])
    assert a.correlation == pytest.approx(b.correlation, abs=1e-6)
    alike = ssim_of_pairs(images, indexes[0], a), ssim_of_pairs(null, indexes[1], b)
    assert alike[0] == pytest.approx(alike[1])


@pytest.mark.parametrize("side", [1, 2, 5, 17])
def test_small_images_of_one_channel_can_be_compared(side):
    """Odd sizes and sides below the search's must not crash."""
    images = np.random.default_rng(0).integers(0, 256, (5, side, side, 1), np.uint8)
    index = PixelIndex(images)
    found = nearest_by_pixels(images, index, "dihedral")

    assert np.isfinite(found.correlation).all()
    assert np.isfinite(ssim_of_pairs(images, index, found)).all()


@pytest.mark.parametrize(
    ("queries", "references", "symmetry", "error", "said"),
    [
        (smooth(2), smooth(2, 16), "none", TableError, "same size"),
        (smooth(2), smooth(2, channels=1), "none", TableError, "same size"),
        (smooth(0), smooth(2), "none", TableError, "not empty"),
        (smooth(2), smooth(0), "none", TableError, "not empty"),
        (smooth(2) / 255, smooth(2), "none", TableError, "uint8"),
        (smooth(2), smooth(2) / 255, "none", TableError, "uint8"),
        (smooth(2)[:, :20], smooth(2)[:, :20], "dihedral", ConfigError, "square"),
        (smooth(2), smooth(2), "rotated", ConfigError, "none, mirror or dihedral"),
    ],
)
def test_what_cannot_be_compared_is_refused(queries, references, symmetry, error, said):
    """In one line."""
    with pytest.raises(error, match=said) as caught:
        nearest_by_pixels(queries, PixelIndex(references), symmetry)

    assert "\n" not in str(caught.value)
