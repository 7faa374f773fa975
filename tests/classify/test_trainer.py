"""Training: it learns, repeats bit by bit, resumes exactly, and shares batches over workers."""

import copy
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from idhray.classify.aggregate import mutant_probabilities, patient_scores
from idhray.classify.backbones import bare_network
from idhray.classify.batches import batches
from idhray.classify.slots import Schedule, slots_from
from idhray.classify.trainer import fit_classifier
from idhray.distributed import Worker
from idhray.errors import ConfigError, SettingsChangedError, TableError, TrainingError
from tests.classify.made_up import image_set, tiny, view_of


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tiny convolutions are slower on many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


TRAIN, VAL = image_set(10, 4), image_set(4, 2, first=50)
ADDED = image_set(10, 2, first=80)


def equal(first, second):
    """Whether two state dicts agree in every bit."""
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def test_dots_are_learnt_in_seconds():
    """New patients with three times the dots are told from the others."""
    train, val, test = image_set(20, 8), image_set(6, 5, first=50), image_set(16, 5, first=70)
    settings = tiny(epochs=5)
    state = fit_classifier(train, None, val, settings, seed=0)
    network = bare_network(settings)
    network.load_state_dict(state.best)
    scores = patient_scores(test, mutant_probabilities(network, test))

    assert scores["val_auc"] > 0.95
    assert [past["epoch"] for past in state.history] == [1, 2, 3, 4, 5]
    assert state.best_epoch == 1 + np.argmin([past["val_loss"] for past in state.history])


def test_the_same_seed_gives_the_same_bits():
    """And another seed another network."""
    first, again, other = (
        fit_classifier(TRAIN, None, VAL, tiny(epochs=1, dihedral=True), seed=seed).network
        for seed in (1, 1, 2)
    )

    assert equal(first, again)
    assert not equal(first, other)


def test_a_resumed_run_ends_as_an_unbroken_one():
    """Weights, optimizer, dropout, order and history go on where they stopped."""
    seen = []
    whole = fit_classifier(
        TRAIN,
        None,
        VAL,
        tiny(epochs=3),
        seed=1,
        on_epoch=lambda metrics, state: seen.append(copy.deepcopy(state)),
    )
    resumed = fit_classifier(TRAIN, None, VAL, tiny(epochs=3), seed=1, state=seen[0])

    assert len(seen) == 3
    assert equal(resumed.network, whole.network)
    assert equal(resumed.best, whole.best)
    assert resumed.history == whole.history


def test_the_learning_rate_decays_as_in_keras():
    """Step t, counted from 0 over all epochs, learns at rate / (1 + decay * t)."""
    state = fit_classifier(TRAIN, None, VAL, tiny(epochs=2, lr_decay=0.5), seed=1)

    # 40 images make 2 steps an epoch, so the last step is number 3.
    assert state.optimizer["param_groups"][0]["lr"] == pytest.approx(3e-3 / (1 + 0.5 * 3))


def test_a_finished_run_is_not_trained_further():
    """The same command again changes nothing."""
    done = fit_classifier(TRAIN, None, VAL, tiny(epochs=1), seed=1)
    again = fit_classifier(TRAIN, None, VAL, tiny(epochs=1), seed=1, state=done)

    assert again is done


def test_the_state_of_another_run_is_refused():
    """Other seed, settings or images: the result would be of neither."""
    state = fit_classifier(TRAIN, None, VAL, tiny(epochs=1), seed=1)
    other = view_of(TRAIN.images.pixels[::-1], TRAIN.labels, TRAIN.patients)

    for train, settings, seed in (
        (TRAIN, tiny(epochs=1), 2),
        (TRAIN, tiny(epochs=1, dropout=0.3), 1),
        (other, tiny(epochs=1), 1),
    ):
        with pytest.raises(SettingsChangedError, match="of another run"):
            fit_classifier(train, None, VAL, settings, seed=seed, state=state)


def test_a_state_of_an_older_schedule_is_refused_in_one_line():
    """Its first epochs showed the images in another order; version 0.1 wrote a hash only."""
    state = fit_classifier(TRAIN, None, VAL, tiny(epochs=1), seed=1)
    values = json.loads(state.identity)
    del values["schedule"]

    for identity in (json.dumps(values), "0123456789abcdef"):
        old = replace(state, identity=identity)
        with pytest.raises(SettingsChangedError, match="showed the images in another order"):
            fit_classifier(TRAIN, None, VAL, tiny(epochs=1), seed=1, state=old)


def test_the_last_epoch_is_kept_where_that_is_asked_for():
    """`select_by` decides which weights are predicted with."""
    state = fit_classifier(TRAIN, None, VAL, tiny(select_by="last_epoch"), seed=1)

    assert state.best_epoch == 2
    assert equal(state.best, state.network)


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("online", ["none", "classical"])
def test_any_number_of_workers_sees_the_same_batches(workers, online):
    """The shares of a step, put together, are the one worker's batch."""
    alone = first_batches(ADDED, 4, Worker(), online=online)
    shares = [first_batches(ADDED, 4, Worker(r, workers), online=online) for r in range(workers)]

    for whole, *parts in zip(alone, *shares, strict=True):
        assert torch.equal(whole.pixels, torch.cat([part.pixels for part in parts]))
        assert torch.equal(whole.labels, torch.cat([part.labels for part in parts]))


def first_batches(added, steps, worker, **changes):
    """Batches of the first steps of a training on TRAIN and added images, turned."""
    settings = tiny(dihedral=True, **changes)
    n_added = 0 if added is None else len(added)
    schedule = Schedule(n_real=len(TRAIN), n_added=n_added, batch_size=16, seed=0)
    slots = itertools.islice(slots_from(schedule), steps)
    return list(batches(TRAIN, added, slots, settings, seed=0, worker=worker))


@pytest.mark.parametrize("online", ["none", "classical"])
def test_an_arm_shows_other_images_in_the_replaced_slots_only(online):
    """And two arms of one size replace the same slots."""
    real, duplicate, other = (
        first_batches(added, 6, Worker(), online=online)
        for added in (None, TRAIN.take(slice(20)), ADDED)
    )
    slots = slots_from(Schedule(n_real=40, n_added=20, batch_size=16, seed=0))

    for step, before, copied, after in zip(slots, real, duplicate, other, strict=False):
        same = (before.pixels == after.pixels).flatten(1).all(dim=1).numpy()
        same_as_copy = (copied.pixels == after.pixels).flatten(1).all(dim=1).numpy()
        assert (same == ~step.added).all()
        assert (same_as_copy == ~step.added).all()


def test_the_baseline_is_bit_equal_whatever_else_runs():
    """Another arm before it in the process leaves no trace."""
    before = fit_classifier(TRAIN, None, VAL, tiny(dihedral=True), seed=1)
    arm = fit_classifier(TRAIN, ADDED, VAL, tiny(dihedral=True), seed=1)
    after = fit_classifier(TRAIN, None, VAL, tiny(dihedral=True), seed=1)

    assert equal(before.network, after.network)
    assert before.history == after.history
    assert not equal(before.network, arm.network)


def test_an_epoch_has_the_same_steps_whatever_is_added():
    """Of 40 real images and a batch of 16 that is two; another number is the caller's."""
    steps = [
        int(state.optimizer["state"][0]["step"])
        for state in (
            fit_classifier(TRAIN, None, VAL, tiny(epochs=2), seed=1),
            fit_classifier(TRAIN, ADDED, VAL, tiny(epochs=2), seed=1),
            fit_classifier(TRAIN, ADDED, VAL, tiny(epochs=2), seed=1, steps_per_epoch=3),
            fit_classifier(TRAIN.take(slice(17)), None, VAL, tiny(epochs=2), seed=1, slots_of=40),
        )
    ]

    assert steps == [4, 4, 6, 4]


def test_an_arm_of_longer_epochs_resumes_in_the_middle_of_a_pass():
    """Three steps an epoch, two steps a pass; added images go on where they stopped."""
    states = []
    options = {"seed": 1, "steps_per_epoch": 3}
    whole = fit_classifier(
        TRAIN,
        ADDED,
        VAL,
        tiny(epochs=3),
        on_epoch=lambda metrics, state: states.append(copy.deepcopy(state)),
        **options,
    )
    resumed = fit_classifier(TRAIN, ADDED, VAL, tiny(epochs=3), state=states[0], **options)

    assert equal(resumed.network, whole.network)
    assert resumed.history == whole.history


def test_fewer_patients_are_shown_in_the_slots_of_all():
    """Slot of image i shows image i mod the number of those that are left."""
    fewer = TRAIN.take(slice(12))
    schedule = Schedule(n_real=len(TRAIN), batch_size=16, seed=0)
    step = next(slots_from(schedule))
    (batch,) = batches(fewer, None, [step], tiny(), seed=0, worker=Worker())

    assert torch.equal(batch.pixels[:, 0], torch.from_numpy(fewer.pixels(step.images % 12)))


def shown_by_patient(real, weights, n_added=0):
    """Slots of ten passes that show each patient of TRAIN's first 24 images, and the labels."""
    schedule = Schedule(n_real=len(real), n_added=n_added, batch_size=8, seed=0)
    slots = itertools.islice(slots_from(schedule), 10 * schedule.steps_per_pass)
    settings = tiny(batch_size=8, patient_weights=weights)
    added = ADDED.take(slice(n_added)) if n_added else None
    shown = list(batches(real, added, slots, settings, seed=0, worker=Worker(), schedule=schedule))
    pixels = torch.cat([batch.pixels[:, 0] for batch in shown])
    return [
        sum(
            int((pixels == torch.from_numpy(image)).flatten(1).all(1).sum())
            for image in real.take(real.patients == name).pixels(slice(None))
        )
        for name in np.unique(real.patients)
    ]


def test_patients_can_have_equal_shares_of_a_pass():
    """Volumes of 1 mm give 120 slices and thick ones 22: one patient weighed as much as five."""
    uneven = TRAIN.take(np.array([*range(16), 16, 20, 21, 22, 23, 24, 25, 26]))
    by_images, by_patients = (shown_by_patient(uneven, w) for w in ("images", "equal"))

    assert by_images == [40, 40, 40, 40, 10, 40, 30]
    assert sum(by_patients) == sum(by_images)
    assert max(by_patients) - min(by_patients) <= 10  # 24 slots of a pass for 7 patients
    even = TRAIN.take(slice(24))
    assert shown_by_patient(even, "equal") == shown_by_patient(even, "images") == [40] * 6


def test_the_state_knows_its_images_and_not_the_others_of_their_set():
    """A set that grows by other patients leaves a training as it was."""
    pixels, labels = TRAIN.images.pixels, TRAIN.labels
    larger = view_of(
        np.concatenate([pixels, pixels[::-1]]),
        np.concatenate([labels, labels]),
        np.concatenate([TRAIN.patients, np.char.add("X", TRAIN.patients)]),
    )
    state = fit_classifier(TRAIN, None, VAL, tiny(epochs=1), seed=1)
    same = fit_classifier(larger.take(slice(40)), None, VAL, tiny(epochs=1), seed=1, state=state)
    relabeled = replace(TRAIN, labels=TRAIN.labels[::-1].copy())

    assert same is state
    with pytest.raises(SettingsChangedError, match="images: was"):
        fit_classifier(relabeled, None, VAL, tiny(epochs=1), seed=1, state=state)


def test_sets_that_cannot_be_trained_on_are_refused():
    """Before the first step, with what to do."""
    unlabeled = replace(VAL, labels=np.full_like(VAL.labels, -1))

    with pytest.raises(ConfigError, match="40 training images do not fill one batch of 64"):
        fit_classifier(TRAIN, None, VAL, tiny(batch_size=64), seed=0)
    with pytest.raises(ConfigError, match="does not divide over 3 workers"):
        fit_classifier(TRAIN, None, VAL, tiny(), seed=0, worker=Worker(0, 3))
    with pytest.raises(TableError, match="no validation image has a label"):
        fit_classifier(TRAIN, None, unlabeled, tiny(), seed=0)
    with pytest.raises(ConfigError, match="40 real images cannot be shown in the slots of 39"):
        fit_classifier(TRAIN, None, VAL, tiny(), seed=0, slots_of=39)
    with pytest.raises(ConfigError, match="steps_per_epoch must be 1 or more, got 0"):
        fit_classifier(TRAIN, None, VAL, tiny(), seed=0, steps_per_epoch=0)


def test_a_loss_that_is_not_finite_stops_the_run():
    """A hundred epochs of nan would help nobody."""
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        fit_classifier(TRAIN, None, VAL, tiny(learning_rate=1e30), seed=0)
