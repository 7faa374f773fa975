"""Images of each training: balanced, without a held-out patient, and nested between counts."""

from collections import Counter

import numpy as np
import pytest

from idhray.errors import TableError
from idhray.experiment.arms import parse_arm
from idhray.experiment.images import arm_images, fold_images, missing_images
from idhray.image_ranks import first_images
from tests.experiment.made_up import cohort, fold, roles

ARMS = ("real", "synthetic:8", "duplicate:8", "more-real:8", "classic:8", "shuffled:8")


def images_of(name, repeat=1):
    return arm_images(parse_arm(name), cohort(), fold(), seed=0, fold_number=1, repeat=repeat)


def test_training_images_are_spread_evenly_over_the_patients_of_a_class():
    """8 images of 4 patients a class: two each, those of the lowest ranks."""
    images = cohort()

    for rows in fold().train:
        assert set(Counter(images.patients[rows].tolist()).values()) == {2}
        assert images.ranks[rows].max() == 2


@pytest.mark.parametrize("name", ARMS)
def test_no_arm_shows_an_image_of_a_held_out_patient(name):
    """Every row of the cohort's table that an arm reads belongs to a training patient."""
    arm, images, role_of = images_of(name), cohort(), roles()
    rows = arm.real if arm.source == "synthetic" else np.concatenate([arm.real, arm.added])

    assert {role_of[p] for p in images.patients[rows].tolist()} == {"train"}


@pytest.mark.parametrize("name", ARMS[1:])
def test_every_arm_adds_as_many_images_of_each_class(name):
    """No arm may gain by class weights alone."""
    assert np.bincount(images_of(name).added_labels).tolist() == [4, 4]


@pytest.mark.parametrize("name", ["duplicate:8", "more-real:8", "classic:8"])
def test_added_real_images_have_their_own_labels_and_alternate(name):
    """A count uses the first images of the list, so both classes must come from its start."""
    arm = images_of(name)

    assert arm.added_labels.tolist() == [0, 1] * 4
    assert cohort().labels[arm.added].tolist() == arm.added_labels.tolist()


def test_further_real_images_are_none_of_the_training_images():
    """The arm more-real would else be another duplicate."""
    arm = images_of("more-real:8")

    assert not set(arm.added.tolist()) & set(arm.real.tolist())


def test_a_smaller_count_uses_the_first_images_of_a_larger_one():
    """Counts differ by the images beyond the smaller one only."""
    for kind in ("synthetic", "duplicate", "more-real", "classic"):
        small, large = images_of(f"{kind}:4"), images_of(f"{kind}:8")

        assert small.added.tolist() == large.added[:4].tolist(), kind


def test_a_list_that_is_shorter_than_its_share_is_passed_through_again():
    """8 training images a class, 12 duplicates a class: the first four are added twice."""
    added = images_of("duplicate:24").added[0::2]

    assert added.tolist() == [*fold().train[0].tolist(), *fold().train[0][:4].tolist()]


def test_shuffled_labels_differ_between_repeats_and_stay_balanced():
    """One unlucky permutation would otherwise stand for noise in every repeat."""
    first, second = images_of("shuffled:8"), images_of("shuffled:8", repeat=2)

    assert first.added_labels.tolist() != second.added_labels.tolist()
    assert first.added_labels.sum() == second.added_labels.sum() == 4


def test_a_share_of_the_patients_is_part_of_a_larger_share():
    """The gain of more patients is read along nested sets."""
    images = cohort()
    half, more = (
        set(images.patients[images_of(f"fewer-patients:{share}").real].tolist())
        for share in (0.5, 0.75)
    )

    assert len(half) == 4
    assert len(more) == 6
    assert half < more


def test_missing_further_images_are_told_with_their_number():
    """24 images a class; 8 train, so 16 are left."""
    assert not missing_images(parse_arm("more-real:32"), fold())
    assert "16 of 20 further mutant images" in missing_images(parse_arm("more-real:40"), fold())


def test_held_out_patients_are_scored_on_their_first_images():
    """A patient with more images must not be judged by other ranks than the others."""
    rows = fold(eval_per_patient=2).test

    assert cohort().ranks[rows].tolist() == [1, 2] * 4


def test_another_patient_changes_no_other_patients_order():
    """Patients are ordered by seed and name, not by their place in the table."""
    images, more = cohort(14), cohort(16)
    few, many = (
        fold_images(each, roles(n), train_per_class=None, eval_per_patient=None)
        for each, n in ((images, 14), (more, 16))
    )
    names = [p for p in more.patients[many.train[0]].tolist() if p != "P14"]

    assert names == images.patients[few.train[0]].tolist()


def test_a_fold_that_tests_one_patient_of_a_class_is_refused():
    """DeLong's covariance of its area does not exist: all its trainings would be in vain."""
    alone = {name: "train" if name == "P00" else role for name, role in roles().items()}

    with pytest.raises(TableError, match=r"role test: 1 wildtype patients .* 2 or more"):
        fold_images(cohort(), alone, train_per_class=None, eval_per_patient=None)


def test_a_generator_of_the_fold_sees_exactly_the_images_that_train():
    """A GAN that learned images of the reserve would be compared with a knife that it swallowed."""
    images, role_of = cohort(), roles()
    for label, rows in enumerate(fold(train_per_class=11).train):
        of_class = np.flatnonzero(
            (images.labels == label) & [role_of[p] == "train" for p in images.patients.tolist()]
        )
        chosen = first_images(images.patients[of_class].tolist(), images.ranks[of_class], 11, 0)

        assert sorted(rows.tolist()) == sorted(of_class[chosen].tolist())
