"""The gate: fails a copying and a collapsed generator, passes a healthy one."""

import json

import numpy as np
import pytest

from idhray.errors import ConfigError, LeakageError, TableError
from idhray.fidelity.copies.pair_picture import closest_pairs, pair_picture
from idhray.fidelity.copies.search import EmbeddedImages
from idhray.fidelity.gate import copies_gate
from idhray.fidelity.gate_settings import CopySettings
from tests.fidelity.made_up_copies import changed, features, generated, patients_set, smooth

MIRROR = (CopySettings(), "mirror")


@pytest.fixture(scope="module")
def train():
    return patients_set(25, "t", seed=0)


@pytest.fixture(scope="module")
def held_out():
    return patients_set(12, "h", seed=1)


@pytest.fixture(scope="module")
def healthy(train, held_out):
    return copies_gate(generated(smooth(40, seed=5)), train, held_out, *MIRROR)


def test_a_healthy_generator_passes(healthy):
    """Fresh draws of the same process, the real control with them."""
    assert healthy.passed
    assert healthy.reasons == ()
    assert healthy.figures["copies"] == 0
    assert healthy.figures["copy_share_of_held_out"] == 0
    assert healthy.figures["c_t"]["p_patients"] > 0.01


@pytest.mark.parametrize("how", ["shifted", "mirrored", "brightened"])
def test_a_copying_generator_is_caught(train, held_out, how):
    """It returns training images, changed a little; every one is named with its patient."""
    gate = copies_gate(generated(changed(train.images[::3], how)), train, held_out, *MIRROR)

    assert not gate.passed
    assert "25 of 25 generated images (100.0%) are copies" in gate.reasons[0]
    assert [row["patient"] for row in gate.images] == [f"t{k}" for k in range(25)]
    assert all("pixels" in row["by"] for row in gate.images)


def test_a_few_copies_are_listed_though_the_gate_passes(train, held_out):
    """They are left out of what is made; the generator may stay."""
    images = np.concatenate([smooth(40, seed=5), train.images[30:31]])
    settings = CopySettings(max_copy_share=0.05)
    gate = copies_gate(generated(images), train, held_out, settings, "mirror")

    assert gate.passed
    assert [row["index"] for row in gate.images if row["copy"]] == [40]
    assert gate.images[40]["nearest"] == "30"
    assert gate.images[40]["feature_distance"] == 0
    assert gate.images[40]["ssim"] == pytest.approx(1)


def test_a_collapsed_generator_fails_by_diversity(train, held_out):
    """Three fresh images again and again, with a little noise."""
    images = changed(smooth(3, seed=5).repeat(12, axis=0), "noisy")
    gate = copies_gate(generated(images), train, held_out, *MIRROR)

    assert not gate.passed
    assert gate.figures["copies"] == 0
    assert all("Vendi" in r or "mean distance" in r or "near-dup" in r for r in gate.reasons)


def test_images_that_only_look_alike_to_the_features_are_no_near_duplicates(train, held_out):
    """Blurred images have features near each other; a generator that blurs is not a collapsed one.

    Half of the images get the features of another one, as an extractor that is blind to them gives.
    """
    images, single = smooth(40, seed=5), train.subset(np.arange(0, 75, 3))
    found = features(images)
    found[::2] = found[1::2] + 0.01
    blind = copies_gate(EmbeddedImages(images, found), single, held_out, *MIRROR)
    repeated = images.copy()
    repeated[::2] = changed(images[1::2], "noisy")
    twice = copies_gate(generated(repeated), single, held_out, *MIRROR)

    assert blind.passed
    assert blind.figures["diversity"]["generated"]["near_duplicates"] == 0
    assert twice.figures["diversity"]["generated"]["near_duplicates"] > 0.5
    assert "near-duplicate" in " ".join(twice.reasons)


def test_constant_images_fail(train, held_out):
    """A dead generator copies nothing; it has no diversity."""
    gate = copies_gate(generated(np.full_like(train.images[:9], 7)), train, held_out, *MIRROR)

    assert not gate.passed
    assert "mean distance" in gate.reasons[0]


def test_the_artifact_is_json_and_complete(healthy):
    """NaN and infinity are no JSON."""
    told = json.loads(json.dumps(healthy.as_dict(), allow_nan=False))

    assert set(told) == {"passed", "reasons", "notes", "figures", "images", "settings"}
    assert told["settings"]["max_copy_share"] == 0.02
    assert len(told["images"]) == 40
    assert set(told["images"][0]) == {
        *("index", "copy", "by", "nearest", "patient"),
        *("feature_distance", "correlation", "ssim"),
    }


def test_without_held_out_patients_the_gate_says_what_it_could_not_do(train):
    """Copies and diversity are judged all the same."""
    gate = copies_gate(generated(smooth(20, seed=5)), train, None, *MIRROR)

    assert gate.passed
    assert gate.figures["c_t"] is None
    assert any("No held-out patients" in note for note in gate.notes)


def test_one_training_patient_is_judged_by_held_out_ones(train, held_out):
    """How near different patients are can still be seen."""
    one = train.subset(np.arange(3))
    gate = copies_gate(generated(changed(one.images, "shifted")), one, held_out, *MIRROR)

    assert gate.figures["copies"] == 3
    assert any("One training patient" in note for note in gate.notes)


def test_one_patient_in_all_is_refused(train):
    """Nothing says how near an innocent image may come."""
    one = train.subset(np.arange(3))
    with pytest.raises(TableError, match="second patient"):
        copies_gate(generated(smooth(5)), one, None, *MIRROR)


def test_few_images_get_figures_or_a_note(train, held_out):
    """Two generated images are no sample, but no crash either."""
    gate = copies_gate(generated(smooth(2, seed=5)), train, held_out, *MIRROR)

    assert any("C_T" in note for note in gate.notes)


def test_a_held_out_patient_that_was_trained_on_is_refused(train):
    """It would hide copying."""
    with pytest.raises(LeakageError, match="t0"):
        copies_gate(generated(smooth(5)), train, train.subset(np.arange(6)), *MIRROR)


def test_training_images_without_patients_are_refused(train):
    """All references are between patients."""
    with pytest.raises(TableError, match="patients of the training images"):
        copies_gate(
            generated(smooth(5)), EmbeddedImages(train.images, train.features), None, *MIRROR
        )


def test_images_of_another_size_are_refused(train):
    """In one line."""
    with pytest.raises(TableError, match="same size"):
        copies_gate(generated(smooth(5, side=16)), train, None, *MIRROR)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantile", 1.5),
        ("max_copy_share", float("nan")),
        ("min_c_t", 1.0),
        ("cells", 0),
    ],
)
def test_settings_out_of_range_are_refused(field, value):
    """By name."""
    with pytest.raises(ConfigError, match=field):
        CopySettings(**{field: value})


def test_the_picture_shows_copies_first_and_turned_back(train, held_out):
    """Generated, neighbor, difference: of an exact mirror copy the difference is black."""
    images = np.concatenate([smooth(3, seed=5), changed(train.images[6:7], "mirrored")])
    gate = copies_gate(generated(images), train, held_out, *MIRROR)
    shown = closest_pairs(gate.copies, 2)
    picture = pair_picture(images, train.images, gate.copies, shown)

    assert shown[0] == 3
    assert picture.shape == (32, 2 * (3 * 32 + 8) + 12, 3)
    np.testing.assert_array_equal(picture[:, :32, :2], train.images[6])
    np.testing.assert_array_equal(picture[:, 36:68, :2], train.images[6])
    assert (picture[:, 72:104] == 0).all()
    with pytest.raises(TableError, match="one pair or more"):
        pair_picture(images, train.images, gate.copies, shown[:0])


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_pictures_are_rgb_whatever_the_channels(channels):
    """One is gray; of four three are shown."""
    images = smooth(8, channels=channels)
    names = [f"p{k}" for k in range(8)]
    train = EmbeddedImages(images, features(images), names)
    gate = copies_gate(generated(images[:2]), train, None, CopySettings())

    assert pair_picture(images[:2], images, gate.copies, np.arange(2)).shape[-1] == 3
