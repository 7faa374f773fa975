"""p by hand: rises, falls, stops, and goes on after a resume."""

import pytest
import torch

from idhray.gan.augment.adaptive import AdaptiveProbability
from idhray.gan.augment.config import AugmentSettings

SETTINGS = AugmentSettings(mode="ada")
SURE, UNSURE = torch.tensor([3.0, 0.1, 2.0, 7.0]), torch.tensor([3.0, -0.1, 2.0, -7.0])


def shown(p, scores, batches, batch_size=4):
    """The same scores for some batches."""
    for _ in range(batches):
        p.observe(scores, batch_size)
    return p


def test_p_rises_every_fourth_batch_by_its_share_of_half_a_million():
    """16 of 500,000 images, after the 4th and the 8th batch of 4."""
    p = AdaptiveProbability(SETTINGS)

    assert shown(p, SURE, 3).p == 0
    assert shown(p, SURE, 1).p.item() == pytest.approx(16 / 500_000)
    assert shown(p, SURE, 4).p.item() == pytest.approx(32 / 500_000)
    assert p.overfitting == 1


def test_p_falls_when_the_discriminator_is_unsure_and_stops_at_zero():
    """Mean sign 0 is below the target of 0.6."""
    p = shown(AdaptiveProbability(SETTINGS), SURE, 8)

    assert shown(p, UNSURE, 4).p.item() == pytest.approx(16 / 500_000)
    assert shown(p, UNSURE, 12).p == 0
    assert p.overfitting == 0


def test_the_mean_of_all_four_batches_decides():
    """1, 1, 1, 0 is 0.75, above 0.6; 1, 1, 0, 0 is 0.5, below; how high scores are is no matter."""
    p = AdaptiveProbability(SETTINGS)
    for scores in (SURE, SURE, UNSURE, SURE * 100):
        p.observe(scores, 4)

    assert p.overfitting == 0.75
    assert p.p > 0
    for scores in (SURE, UNSURE * 100, UNSURE, SURE):
        p.observe(scores, 4)
    assert p.overfitting == 0.5
    assert p.p == 0


def test_p_reaches_its_limit_in_as_many_images_as_it_says():
    """0.8 of 500,000, in steps of 4000; never above."""
    p = AdaptiveProbability(SETTINGS)

    assert shown(p, SURE, 396, 1000).p.item() == pytest.approx(0.792)
    assert shown(p, SURE, 40, 1000).p.item() == pytest.approx(0.8)


def test_p_is_five_times_as_quick_for_networks_that_know_something():
    """100,000 images, after transfer."""
    p = AdaptiveProbability(SETTINGS, transferring=True)

    assert shown(p, SURE, 4).p.item() == pytest.approx(16 / 100_000)


def test_a_fixed_p_stays_and_overfitting_is_still_measured():
    """For the log."""
    p = AdaptiveProbability(AugmentSettings(mode="ada", fixed_p=0.3))
    p.load_state_dict(AdaptiveProbability(SETTINGS).state_dict())

    assert shown(p, SURE, 8).p.item() == pytest.approx(0.3)
    assert p.overfitting == 1


def test_workers_shares_move_p_as_the_whole_batch_does():
    """Averages over two workers, one sure and one not: (1 + 0) / 2 is below 0.6."""
    both = torch.cat([SURE, UNSURE])
    whole = shown(AdaptiveProbability(SETTINGS), both, 2, 8)
    part = AdaptiveProbability(SETTINGS)

    def average(tensors):
        for tensor in tensors:
            assert tensor == SURE.sign().sum()
            tensor.copy_((SURE.sign().sum() + UNSURE.sign().sum()) / 2)

    for _ in range(2):
        part.observe(SURE, 8, average)

    assert part.state_dict() == whole.state_dict()


@pytest.mark.parametrize("stop", [1, 4, 6])
def test_a_resumed_p_goes_on_as_an_unbroken_one(stop):
    """Also between two changes; through a file of tensors and numbers alone."""
    scores = [SURE, UNSURE, SURE, SURE, SURE, UNSURE, SURE, SURE, SURE]
    unbroken, first, second = (AdaptiveProbability(SETTINGS) for _ in range(3))
    for each in scores:
        unbroken.observe(each, 4)
    for each in scores[:stop]:
        first.observe(each, 4)
    second.load_state_dict(first.state_dict())
    for each in scores[stop:]:
        second.observe(each, 4)

    assert second.state_dict() == unbroken.state_dict()
    assert unbroken.p > 0


def test_p_keeps_its_place_in_memory():
    """A compiled or captured step reads it there."""
    p = AdaptiveProbability(SETTINGS)
    place = p.p.data_ptr()
    shown(p, SURE, 4).load_state_dict(AdaptiveProbability(SETTINGS).state_dict())

    assert p.p.data_ptr() == place
    assert p.p.shape == ()
