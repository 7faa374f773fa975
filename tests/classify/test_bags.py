"""Bags: added images enter bags of their label, nested in their number, and never as patients."""

import itertools

import numpy as np
import pytest

from idhray.classify.bags import Bags, bag_means, sampled_bags

PATIENTS = np.repeat([f"P{n}" for n in range(6)], [3, 5, 4, 6, 2, 4])
LABELS = np.repeat(np.arange(6) % 2, [3, 5, 4, 6, 2, 4]).astype(np.int8)
SIZES = (9, 15)  # images of each class


def bags(n_added, *, patients=PATIENTS, labels=LABELS, told=None):
    told = np.tile(np.array([0, 1], np.int8), n_added // 2) if told is None else told
    return Bags(patients, labels, told, SIZES, seed=7)


def epochs(of, number=3, slots=40):
    steps = sampled_bags(of, bags_per_epoch=6, bags_per_step=4, slots=slots)
    return [step for epoch in itertools.islice(steps, number) for step in epoch]


def test_a_larger_count_replaces_the_same_slots_and_others():
    """All arms of a count replace the same slots, so that they differ in the images alone."""
    none, few, many = (epochs(bags(n)) for n in (0, 6, 20))
    for without, small, large in zip(none, few, many, strict=True):
        assert not without.added.any()
        assert (small.added <= large.added).all()
        assert (small.images == without.images)[~small.added].all()
        assert (large.images == without.images)[~large.added].all()
        assert (small.labels == without.labels).all()


def test_each_class_gets_its_share_and_every_image_once_before_any_twice():
    """(n / 2) / (N + n / 2) of the slots of a class; the images in the order of their list."""
    arm = bags(12)
    steps = epochs(arm, number=60)
    for label, size in enumerate(SIZES):
        rows = [(s.images[i], s.added[i]) for s in steps for i in np.flatnonzero(s.labels == label)]
        added = np.concatenate([of_added for _, of_added in rows])
        images = np.concatenate([image for image, _ in rows])[added]

        assert added.mean() == pytest.approx(6 / (size + 6), abs=0.02)
        assert images[:6].tolist() == list(range(label, 12, 2))
        assert np.bincount(images, minlength=12)[label::2].min() >= len(images) // 6
        assert sorted(images[6:12]) == list(range(label, 12, 2))


def test_a_shuffled_image_enters_a_bag_of_the_label_that_it_is_told():
    """The control tells the classifier the wrong class."""
    told = np.array([1, 1, 0, 0], np.int8)
    steps = epochs(bags(4, told=told), number=20)
    for step in steps:
        for label, images, added in zip(step.labels, step.images, step.added, strict=True):
            assert (told[images[added]] == label).all()


def test_a_bag_depends_on_its_patient_only():
    """Without the other class's patients a bag has the same images."""
    alone = bags(0, patients=PATIENTS[:3], labels=LABELS[:3])
    both = [s for s in epochs(bags(0)) if s.images.shape]

    assert set(np.unique(epochs(alone)[0].images)) == {0, 1, 2}
    assert {int(i) for s in both for i in s.images.ravel()} == set(range(len(PATIENTS)))


def test_dealt_images_are_spread_evenly_and_a_larger_count_adds_to_them():
    """Each image of a class goes to one patient of the class, by turns."""
    small, large = bags(8).dealt(), bags(14).dealt()
    for label in (0, 1):
        names = [f"P{n}" for n in range(6) if n % 2 == label]
        counts = [len(large[name]) for name in names]

        assert sorted(np.concatenate([large[name] for name in names])) == list(range(label, 14, 2))
        assert max(counts) - min(counts) <= 1
        assert all(set(small[name]) <= set(large[name]) for name in names)


def test_the_mean_of_a_bag_is_that_of_its_images():
    """A slow plain version: a weight of two is the image twice."""
    rng = np.random.default_rng(0)
    real, added = (rng.normal(size=(n, 3)).astype(np.float32) for n in (len(PATIENTS), 8))
    weights = rng.integers(1, 3, len(PATIENTS)).astype(float)
    arm = bags(8)
    means = bag_means(arm, real, added, weights)
    for place, name in enumerate(arm.names):
        rows = np.repeat(real, weights.astype(int), axis=0)
        of_patient = np.repeat(PATIENTS, weights.astype(int)) == name
        images = np.concatenate([rows[of_patient], added[arm.dealt()[name]]])

        assert means[place] == pytest.approx(images.mean(axis=0), abs=1e-6)
