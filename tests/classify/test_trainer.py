"""Training: it learns, repeats bit by bit, resumes exactly, and shares batches over workers."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from idhray.classify.aggregate import mutant_probabilities, patient_scores
from idhray.classify.backbones import bare_network
from idhray.classify.batches import batches, epoch_batches, rotated
from idhray.classify.dataset import ImageSet
from idhray.classify.trainer import SETTINGS_OF_VERSION_0_1, fit_classifier
from idhray.config import settings_hash
from idhray.distributed import Worker
from idhray.errors import ConfigError, SettingsChangedError, TableError, TrainingError
from tests.classify.made_up import image_set, tiny


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tiny convolutions are slower on many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


TRAIN, VAL = image_set(10, 4), image_set(4, 2, first=50)


def equal(first, second):
    """Whether two state dicts agree in every bit."""
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def test_dots_are_learnt_in_seconds():
    """New patients with three times the dots are told from the others."""
    train, val, test = image_set(20, 8), image_set(6, 5, first=50), image_set(16, 5, first=70)
    settings = tiny(epochs=5)
    state = fit_classifier(train, val, settings, seed=0)
    network = bare_network(settings)
    network.load_state_dict(state.best)
    scores = patient_scores(test, mutant_probabilities(network, test.pixels))

    assert scores["val_auc"] > 0.95
    assert [past["epoch"] for past in state.history] == [1, 2, 3, 4, 5]
    assert state.best_epoch == 1 + np.argmin([past["val_loss"] for past in state.history])


def test_the_same_seed_gives_the_same_bits():
    """And another seed another network."""
    first, again, other = (
        fit_classifier(TRAIN, VAL, tiny(epochs=1, dihedral=True), seed=seed).network
        for seed in (1, 1, 2)
    )

    assert equal(first, again)
    assert not equal(first, other)


def test_a_resumed_run_ends_as_an_unbroken_one():
    """Weights, optimizer, dropout, order and history go on where they stopped."""
    seen = []
    whole = fit_classifier(
        TRAIN,
        VAL,
        tiny(epochs=3),
        seed=1,
        on_epoch=lambda metrics, state: seen.append(copy.deepcopy(state)),
    )
    resumed = fit_classifier(TRAIN, VAL, tiny(epochs=3), seed=1, state=seen[0])

    assert len(seen) == 3
    assert equal(resumed.network, whole.network)
    assert equal(resumed.best, whole.best)
    assert resumed.history == whole.history


def test_the_learning_rate_decays_as_in_keras():
    """Step t, counted from 0 over all epochs, learns at rate / (1 + decay * t)."""
    state = fit_classifier(TRAIN, VAL, tiny(epochs=2, lr_decay=0.5), seed=1)

    # 40 images make 2 steps an epoch, so the last step is number 3.
    assert state.optimizer["param_groups"][0]["lr"] == pytest.approx(3e-3 / (1 + 0.5 * 3))


def test_a_finished_run_is_not_trained_further():
    """The same command again changes nothing."""
    done = fit_classifier(TRAIN, VAL, tiny(epochs=1), seed=1)
    again = fit_classifier(TRAIN, VAL, tiny(epochs=1), seed=1, state=done)

    assert again is done


def test_the_state_of_another_run_is_refused():
    """Other seed, settings or images: the result would be of neither."""
    state = fit_classifier(TRAIN, VAL, tiny(epochs=1), seed=1)
    other = ImageSet(TRAIN.pixels[::-1], TRAIN.labels, TRAIN.patients)

    for train, settings, seed in (
        (TRAIN, tiny(epochs=1), 2),
        (TRAIN, tiny(epochs=1, dropout=0.3), 1),
        (other, tiny(epochs=1), 1),
    ):
        with pytest.raises(SettingsChangedError, match="of another run"):
            fit_classifier(train, VAL, settings, seed=seed, state=state)


def test_a_state_of_version_0_1_is_continued_and_refused_by_its_hash():
    """It holds a hash of the settings of then, which a later setting must not change."""
    state = fit_classifier(TRAIN, VAL, tiny(epochs=1), seed=1)
    values = json.loads(state.identity)
    hashed = {name: values[name] for name in (*SETTINGS_OF_VERSION_0_1, "seed", "images")}
    old = replace(state, identity=settings_hash(hashed))

    assert fit_classifier(TRAIN, VAL, tiny(epochs=1), seed=1, state=old) is old
    with pytest.raises(SettingsChangedError, match="settings, seed or images"):
        fit_classifier(TRAIN, VAL, tiny(epochs=1, gamma=2.0), seed=1, state=old)


def test_the_last_epoch_is_kept_where_that_is_asked_for():
    """`select_by` decides which weights are predicted with."""
    state = fit_classifier(TRAIN, VAL, tiny(select_by="last_epoch"), seed=1)

    assert state.best_epoch == 2
    assert equal(state.best, state.network)


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_sees_the_same_batches(workers):
    """The shares of a step, put together, are the one worker's batch."""
    settings = tiny(dihedral=True)
    alone = batches(TRAIN, settings, 0, 1, worker=Worker())
    shares = [batches(TRAIN, settings, 0, 1, worker=Worker(r, workers)) for r in range(workers)]

    for (pixels, labels), *parts in zip(alone, *shares, strict=True):
        assert torch.equal(pixels, torch.cat([part[0] for part in parts]))
        assert torch.equal(labels, torch.cat([part[1] for part in parts]))


def test_an_incomplete_batch_is_left_out_and_comes_back():
    """40 images make two batches of 16; which eight are left out changes by epoch."""
    shown = [set(epoch_batches(40, tiny(), 0, epoch)[0].ravel()) for epoch in range(1, 9)]

    assert all(len(rows) == 32 for rows in shown)
    assert set().union(*shown) == set(range(40))


def test_the_eight_turns_differ_and_the_first_is_the_image():
    """Two by two pixels in order: four rotations, each with its mirror image."""
    image = np.arange(4, dtype=np.uint8).reshape(2, 2)

    assert np.array_equal(rotated(image, 0), image)
    assert len({rotated(image, turn).tobytes() for turn in range(8)}) == 8


def test_sets_that_cannot_be_trained_on_are_refused():
    """Before the first step, with what to do."""
    unlabeled = ImageSet(VAL.pixels, np.full_like(VAL.labels, -1), VAL.patients)

    with pytest.raises(ConfigError, match="40 training images do not fill one batch of 64"):
        fit_classifier(TRAIN, VAL, tiny(batch_size=64), seed=0)
    with pytest.raises(ConfigError, match="does not divide over 3 workers"):
        fit_classifier(TRAIN, VAL, tiny(), seed=0, worker=Worker(0, 3))
    with pytest.raises(TableError, match="no validation image has a label"):
        fit_classifier(TRAIN, unlabeled, tiny(), seed=0)


def test_a_loss_that_is_not_finite_stops_the_run():
    """A hundred epochs of nan would help nobody."""
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        fit_classifier(TRAIN, VAL, tiny(learning_rate=1e30), seed=0)
