"""Near-duplicates between patients."""

import io

import numpy as np
import pytest
from PIL import Image

from idhray.errors import LeakageError
from idhray.fidelity.copies.near_duplicates import (
    PICTURE,
    candidate_pairs,
    near_duplicates,
    refuse_near_duplicates,
)
from idhray.fingerprints import forms_of_hashes
from idhray.images import decode
from idhray.table_fingerprints import FOLDER, table_fingerprints
from tests.classify.made_up import patch_row, write_patches
from tests.test_fingerprints import picture

ROLES = {"A": "train", "B": "train", "C": "test"}


def saved_again(image):
    """The image turned, and saved as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.rot90(image))).save(buffer, "JPEG", quality=70)
    return decode(buffer.getvalue())


@pytest.fixture
def folder(tmp_path):
    images = {"A": picture(0), "B": picture(1), "C": saved_again(picture(0))}
    rows = [patch_row(name, "mutant", ROLES[name], image) for name, image in images.items()]
    return write_patches(tmp_path, rows)


def test_an_image_that_was_turned_and_saved_again_is_found_and_refused(folder):
    """Neither its name nor the digest of its pixels tells."""
    pairs = near_duplicates(folder, table_fingerprints(folder))
    with pytest.raises(LeakageError, match=r"1 pairs of images of different patients .* A .* C "):
        refuse_near_duplicates(folder, pairs, ROLES, "the split")

    assert [pair.patients for pair in pairs] == [("A", "C")]
    assert pairs[0].is_confirmed
    assert Image.open(f"{folder}/{FOLDER}/{PICTURE}").size == (512, 256)
    assert near_duplicates(folder, table_fingerprints(folder)) == pairs


@pytest.mark.parametrize("roles", [{**ROLES, "C": "train"}, {**ROLES, "A": ""}, {"B": "test"}])
def test_pairs_that_no_held_out_patient_is_in_stop_nothing(folder, roles):
    """Two training patients tear nothing; a patient without a role is not used."""
    pairs = near_duplicates(folder, table_fingerprints(folder))

    refuse_near_duplicates(folder, pairs, roles, "the split")


def test_candidates_equal_those_of_a_comparison_of_all_pairs(folder):
    """The bands of the hash miss no pair within 3 bits."""
    rng = np.random.default_rng(0)
    images = table_fingerprints(folder)
    places = np.repeat(0, 120)
    many = images.take(places)
    hashes = rng.integers(1, 2**62, 40).astype(np.uint64)
    flips = np.uint64(1) << rng.integers(1, 60, (120, 2)).astype(np.uint64)
    flips[40:, 1] = 0  # copies differ in 1 to 3 bits
    many.perceptual[:] = np.tile(hashes, 3) ^ np.bitwise_xor.reduce(flips, axis=1)
    many.patients[:] = [f"{k % 50}"[:1] for k in range(120)]
    forms = forms_of_hashes(many.perceptual)
    differing = np.bitwise_count(forms[:, :, None] ^ many.perceptual).min(axis=0)
    differing = np.minimum(differing, differing.T)
    wanted_pairs = np.argwhere(
        np.triu((differing <= 3) & (many.patients[:, None] != many.patients), 1)
    )
    pairs, _ = candidate_pairs(many)

    assert len(pairs) > 5
    assert pairs.tolist() == wanted_pairs.tolist()
