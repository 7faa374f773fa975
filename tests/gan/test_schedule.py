"""The schedule on the numbers of the paper and its code."""

import dataclasses

import pytest

from idhray.gan.pggan.config import PRESETS
from idhray.gan.pggan.schedule import batch_size_at, growth_at

LIU = PRESETS["liu2020"]


@pytest.mark.parametrize(
    ("kimg", "level", "alpha", "batch_size"),
    [
        pytest.param(0, 0, 1, 128, id="starts at 4 px"),
        pytest.param(600, 0, 1, 128, id="stabilized for 600"),
        pytest.param(900, 1, 0.5, 128, id="8 px half faded in"),
        pytest.param(1200, 1, 1, 128, id="8 px faded in after 600"),
        pytest.param(3300, 3, 0.5, 64, id="32 px half faded in, half the batch"),
        pytest.param(6600, 5, 1, 16, id="128 px"),
        pytest.param(6900, 6, 0.5, 8, id="256 px half faded in"),
        pytest.param(7200, 6, 1, 8, id="full resolution after 7200"),
        pytest.param(12000, 6, 1, 8, id="and until the end"),
    ],
)
def test_schedule_of_liu_2020(kimg, level, alpha, batch_size):
    """preset-v2-1gpu at 256 px: train.py:90-116, config.py:100."""
    growth = growth_at(LIU, kimg * 1000)

    assert (growth.level, batch_size_at(LIU, kimg * 1000)) == (level, batch_size)
    assert growth.alpha == pytest.approx(alpha)


def test_alpha_of_the_first_faded_step_is_above_zero():
    """Else the new layers would have no gradient, and Adam nothing to average."""
    growth = growth_at(LIU, 600_001)

    assert growth.level == 1
    assert growth.fading
    assert 0 < growth.alpha < 1e-5


def test_levels_follow_at_once_without_fading():
    """fade_kimg 0 is allowed."""
    settings = dataclasses.replace(LIU, fade_kimg=0.0)

    assert growth_at(settings, 600_000).level == 1
    assert not growth_at(settings, 600_001).fading
