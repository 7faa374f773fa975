"""Hours of a training are predicted from a few of its steps."""

from dataclasses import replace

import pytest
import torch

from idhray.gan import rate
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.pggan.schedule import growth_at
from idhray.gan.rate import training_seconds

SETTINGS = PgganSettings(
    resolution_px=16,
    latent_size=8,
    fmap_base=64,
    fmap_max=8,
    stabilise_kimg=0.1,
    fade_kimg=0.1,
    total_kimg=0.8,
    batch_sizes=(8, 8, 8),
)


def test_a_rate_that_grows_with_the_networks_is_summed_over_the_schedule(monkeypatch):
    """4 px, 8 px and 16 px at 1, 2 and 3 ms an image, each for its share of the eight points."""
    monkeypatch.setattr(rate, "_seconds_of_image", lambda run, shown: 1e-3 * (1 + level(shown)))
    points = [level(round((k + 0.5) * 100)) for k in range(8)]

    assert points == [0, 1, 1, 2, 2, 2, 2, 2]
    assert training_seconds(SETTINGS, device="cpu", threads=1) == pytest.approx(
        100 * sum(1e-3 * (1 + point) for point in points)
    )


def level(images_shown):
    return growth_at(SETTINGS, images_shown).level


def test_twice_the_schedule_takes_longer_and_threads_are_restored():
    """The rest of a schedule runs at the slowest rate, that of the whole network."""
    threads = torch.get_num_threads()
    longer = replace(SETTINGS, total_kimg=80.0)

    assert training_seconds(longer, device="cpu", threads=1) > training_seconds(
        SETTINGS, device="cpu", threads=1
    )
    assert torch.get_num_threads() == threads
