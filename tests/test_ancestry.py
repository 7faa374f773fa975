"""Ancestors of a training, by the records beside their weights."""

import hashlib
import json

import numpy as np
import pytest

from idhray.ancestry import ancestor_of_model, ancestors_of_weights, joined_digests, joined_remarks
from idhray.errors import LeakageError
from idhray.fingerprints import packed_digests, unpacked_digests

WEIGHTS = b"weights"


@pytest.fixture
def checkpoint(tmp_path):
    card = {
        "train_patients": ["A"],
        "generator_patients": ["G"],
        "val_patients": ["V"],
        "image_digests": packed_digests([5, 7]),
        "weights_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    (tmp_path / "model.json").write_text(json.dumps(card))
    (tmp_path / "weights.safetensors").write_bytes(WEIGHTS)
    return tmp_path


def test_weights_with_a_record_beside_them_name_all_their_patients(checkpoint):
    """Those of its validation chose its epoch."""
    (source,) = ancestors_of_weights(f"{checkpoint}/weights.safetensors")

    assert source.patients == ("A", "G", "V")
    assert source.digests.tolist() == [5, 7]
    assert source.remarks == ()


def test_weights_of_another_model_are_refused(checkpoint):
    """The record would speak of the wrong patients."""
    (checkpoint / "weights.safetensors").write_bytes(b"others")

    with pytest.raises(LeakageError, match=r"not the weights that model.json describes"):
        ancestor_of_model(str(checkpoint))


def test_weights_without_a_record_are_unknown_and_stop_nothing(tmp_path):
    """Card, verdict and report say so; a named cohort is repeated."""
    path = str(tmp_path / "he.pth")
    (unknown,) = ancestors_of_weights(path)
    (tmp_path / "he.pth.json").write_text('{"pretraining": "slides of TCGA"}')
    (named,) = ancestors_of_weights(path)

    assert "training patients are unknown" in joined_remarks([unknown])[0]
    assert joined_remarks([named]) == [
        "Weights he.pth were pretrained on: slides of TCGA.",
        "Weights he.pth: training patients are unknown, so overlap cannot be excluded.",
    ]


@pytest.mark.parametrize("weights", ["imagenet", "random"])
def test_photographs_and_random_weights_have_no_patients(weights):
    """Nothing needs to be said."""
    assert ancestors_of_weights(weights) == []


def test_digests_of_ancestors_are_inherited(checkpoint):
    """A descendant of a descendant has seen these images, too."""
    source = ancestor_of_model(str(checkpoint))

    assert unpacked_digests(joined_digests(np.array([9, 7]), [source])).tolist() == [5, 7, 9]
