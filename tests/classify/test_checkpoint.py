"""Checkpoints: what is written comes back, and what is broken says so."""

import pytest
import torch

from idhray.classify.aggregate import mutant_probabilities
from idhray.classify.backbones import build_network
from idhray.classify.checkpoint import (
    load_card,
    load_model,
    load_training,
    model_card,
    save_model,
    save_training,
)
from idhray.classify.trainer import fit_classifier
from idhray.errors import StorageError
from idhray.generator_records import GeneratorRecord, patients_hash
from tests.classify.made_up import image_set, tiny

TRAIN, VAL = image_set(6, 4), image_set(4, 1, first=50)
SETTINGS = tiny(epochs=2)


@pytest.fixture(scope="module")
def state():
    return fit_classifier(TRAIN, None, VAL, SETTINGS, seed=7)


@pytest.fixture
def folder(tmp_path, state):
    generators = [GeneratorRecord.of("g", "mutant", ["P000", "X"])]
    card = model_card(state, TRAIN, None, VAL, SETTINGS, seed=7, generators=generators)
    save_training(str(tmp_path), state)
    save_model(str(tmp_path), state, card)
    return tmp_path


def test_a_model_predicts_as_before(folder, state):
    """And its card lists the patients that it must not be tested on."""
    network, card = load_model(str(folder))
    before = build_network(SETTINGS, seed=0)
    before.load_state_dict(state.best)
    expected = mutant_probabilities(before, VAL)

    assert mutant_probabilities(network, VAL).tolist() == expected.tolist()
    assert (card.settings, card.seed, card.n_synthetic) == (SETTINGS, 7, 0)
    assert card.history == state.history
    assert card.trained_on == patients_hash(f"P{n:03d}" for n in range(6))
    assert card.val_patients == ["P050", "P051", "P052", "P053"]
    assert card.generator_patients == ["P000", "X"]


def test_a_trained_model_is_a_weights_file(folder):
    """`--weights` takes it, to train on with other images."""
    path = str(folder / "weights.safetensors")
    network = build_network(tiny(weights=path), seed=1)
    trained, _ = load_model(str(folder))

    assert torch.equal(network.network.fc.weight, trained.network.fc.weight)


def test_training_is_resumed_from_disk(folder, state):
    """An epoch saved and loaded is the epoch."""
    loaded = load_training(str(folder))
    again = fit_classifier(TRAIN, None, VAL, SETTINGS, seed=7, state=loaded)

    assert again.history == state.history
    assert all(torch.equal(again.best[name], state.best[name]) for name in state.best)


def test_a_new_folder_has_nothing_to_resume(tmp_path):
    """None, not an error: the first run has nothing to resume either."""
    assert load_training(str(tmp_path)) is None


def test_an_unfinished_training_is_no_model(tmp_path, state):
    """The card comes last."""
    save_training(str(tmp_path), state)

    with pytest.raises(StorageError, match=r"no model.json, so the training is not finished"):
        load_card(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("model.json", b"{", "model.json: not JSON"),
        ("model.json", b"{}", "model.json: not the card of a classifier"),
        ("weights.safetensors", b"\0" * 9, "weights.safetensors: not the weights that"),
    ],
)
def test_a_broken_model_is_refused(folder, name, data, message):
    """Which file, and what is wrong with it."""
    (folder / name).write_bytes(data)

    with pytest.raises(StorageError, match=message):
        load_model(str(folder))


@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_truncated_training_is_refused(folder, keep):
    """A full disk cuts files anywhere."""
    path = folder / "training.pt"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(StorageError, match=r"training.pt: cannot resume from this file"):
        load_training(str(folder))
