"""Order and size of the real images."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError
from idhray.gan.data import (
    balanced_order,
    check_images,
    faded,
    level_images,
    order,
    with_symmetry,
)
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.trainer import new_run

SETTINGS = PgganSettings(resolution_px=16, batch_sizes=(4, 4, 4))


def test_every_image_is_shown_once_per_epoch():
    """And in another order in the next one."""
    shown = order(3, 10, 0, 20)

    assert sorted(shown[:10]) == sorted(shown[10:]) == list(range(10))
    assert list(shown[:10]) != list(shown[10:])


def test_order_is_the_same_however_it_is_asked_for():
    """A resumed run goes on where the last left off; a batch may straddle two epochs."""
    whole = order(3, 7, 0, 30)
    pieces = [order(3, 7, start, 5) for start in range(0, 30, 5)]

    np.testing.assert_array_equal(np.concatenate(pieces), whole)


OWNERS = (0,) * 12 + (1,) * 3 + (2,) * 5


def test_patients_have_equal_shares_of_an_epoch():
    """Volumes of 1 mm give 120 slices and thick ones 22: one patient weighed as much as five."""
    epochs = [order(3, 20, 20 * epoch, 20, OWNERS) for epoch in range(40)]
    of_patient = [np.bincount(np.array(OWNERS)[shown], minlength=3) for shown in epochs]

    assert all(counts.min() == 6 and counts.max() == 7 for counts in of_patient)
    assert np.ptp(np.sum(of_patient, axis=0)) <= 14  # the seventh goes round
    assert set(np.concatenate(epochs)) == set(range(20))
    assert all(set(shown) >= {12, 13, 14} for shown in epochs)  # a small patient's, all of them


def test_equal_shares_are_the_same_however_they_are_asked_for():
    """A resumed run goes on where the last left off."""
    whole = order(3, 20, 0, 60, OWNERS)
    pieces = [order(3, 20, start, 6, OWNERS) for start in range(0, 60, 6)]

    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_equally_large_patients_are_shown_as_without_weights():
    """Patches are balanced already, and their GANs stay as they were."""
    np.testing.assert_array_equal(order(3, 6, 0, 12, (0, 0, 1, 1, 2, 2)), order(3, 6, 0, 12))


def test_weights_that_mean_nothing_are_refused():
    """Of the settings, and of images whose patients are unknown."""
    with pytest.raises(ConfigError, match="patient_weights must be equal or images"):
        PgganSettings(patient_weights="slices")
    settings = replace(SETTINGS, patient_weights="equal")
    images = np.zeros((4, 16, 16, 3), np.uint8)
    with pytest.raises(ConfigError, match="needs the patient of each image"):
        new_run(images, settings, seed=1, idh="mutant", patients=("a",))
    run = new_run(images, settings, seed=1, idh="mutant", patients=("b", "a", "b", "b"))
    assert (run.owners, run.patients) == ((1, 0, 1, 1), ("a", "b"))


def test_level_images_are_rounded_box_averages():
    """Against plain loops, for images twice the size of the GAN's."""
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), np.uint8)
    small = level_images(images, 1, torch.device("cpu"))

    assert small.shape == (300, 3, 8, 8)
    assert small.dtype == torch.uint8
    for n, y, x, c in [(0, 0, 0, 0), (299, 7, 3, 2), (256, 2, 7, 1)]:
        box = images[n, y * 4 : y * 4 + 4, x * 4 : x * 4 + 4, c]
        assert small[n, c, y, x] == round(int(box.sum()) / 16)


def test_faded_images_start_as_what_the_level_below_shows():
    """Each 2 x 2 square is its mean at alpha 0, and the image itself at alpha 1."""
    images = torch.arange(16.0).view(1, 1, 4, 4)

    assert faded(images, 0.0)[0, 0, 0].tolist() == [2.5, 2.5, 4.5, 4.5]
    assert faded(images, 0.5)[0, 0, 0, 0].item() == 1.25
    assert faded(images, 1.0) is images


def test_eight_symmetries_are_all_different():
    """Every flip and quarter turn comes once, and keeps the pixels."""
    image = torch.arange(9).view(1, 1, 3, 3)
    all_turns = with_symmetry(image.expand(8, 1, 3, 3), torch.arange(8))

    assert len({tuple(t.flatten().tolist()) for t in all_turns}) == 8
    assert all(sorted(t.flatten().tolist()) == list(range(9)) for t in all_turns)
    torch.testing.assert_close(all_turns[0], image[0])
    torch.testing.assert_close(all_turns[1], image[0].flip(2))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 16, 16, 3), np.float32), "uint8"),
        (np.zeros((0, 16, 16, 3), np.uint8), "uint8"),
        (np.zeros((2, 16, 16, 1), np.uint8), "1 channels"),
        (np.zeros((2, 24, 24, 3), np.uint8), "24 x 24 px"),
        (np.zeros((2, 16, 32, 3), np.uint8), "32 x 16 px"),
    ],
)
def test_unfit_images_are_refused(images, message):
    """Before any work starts, with what is needed."""
    with pytest.raises(ConfigError, match=message):
        check_images(images, SETTINGS)


def test_classes_take_turns_however_the_order_is_asked_for():
    """Each class goes through its own images, so the smaller one is shown more often."""
    classes = (0, 0, 0, 1, 0, 0, 1, 0)
    owners = (1, 1, 1, 2, 3, 3, 4, 3)
    for patients in (None, owners):
        whole = balanced_order(3, classes, 0, 24, patients)
        parts = [balanced_order(3, classes, start, 4, patients) for start in range(0, 24, 4)]

        assert [classes[place] for place in whole] == [0, 1] * 12
        assert whole.tolist() == np.concatenate(parts).tolist()
        assert sorted(whole[0:12:2]) == [0, 1, 2, 4, 5, 7]  # an epoch of wildtype
        assert Counter(whole[1::2].tolist()) == {3: 6, 6: 6}
