"""Reinhard's statistics against hand-made ones; after a transfer they are the target's."""

import math

import numpy as np
import pytest

from idhray.errors import SlideError
from idhray.slides.stain.lab import LabStatistics, lab_statistics, transfer
from idhray.slides.stain.target import StainTarget
from tests.slides.made_stain import amounts, picture

TARGET = LabStatistics(np.asarray(StainTarget().lab_mean), np.asarray(StainTarget().lab_sd))


def test_statistics_are_those_of_the_paper_by_hand():
    """Equations 4 and 6 of Reinhard et al. 2001, written out for two pixels."""

    def lab(r, g, b):
        long = math.log(0.3811 * r + 0.5783 * g + 0.0402 * b)
        medium = math.log(0.1967 * r + 0.7244 * g + 0.0782 * b)
        short = math.log(0.0241 * r + 0.1288 * g + 0.8444 * b)
        return (
            (long + medium + short) / math.sqrt(3),
            (long + medium - 2 * short) / math.sqrt(6),
            (long - medium) / math.sqrt(2),
        )

    one, two = (200, 100, 150), (80, 40, 120)
    found = lab_statistics(np.array([one, two], np.uint8))

    for c, (a, b) in enumerate(zip(lab(*one), lab(*two), strict=True)):
        assert found.mean[c] == pytest.approx((a + b) / 2)
        assert found.sd[c] == pytest.approx(abs(a - b) / 2)


def test_after_the_transfer_the_statistics_are_the_targets():
    """But for rounding, and the few values that would lie beyond 255."""
    slide = picture(amounts(40_000)).reshape(200, 200, 3)
    changed = transfer(slide, lab_statistics(slide.reshape(-1, 3)), TARGET)
    found = lab_statistics(changed.reshape(-1, 3))

    assert found.mean == pytest.approx(TARGET.mean, abs=0.01)
    assert found.sd == pytest.approx(TARGET.sd, rel=0.05)


def test_a_transfer_to_its_own_statistics_changes_nothing():
    """Every color there is, but the darkest, whose logarithm is bounded."""
    levels = np.arange(3, 256, 12, dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(22, -1, 3)
    own = lab_statistics(colors.reshape(-1, 3))

    assert np.array_equal(transfer(colors, own, own), colors)


def test_one_color_has_no_deviation_to_scale():
    """It would be divided by 0."""
    with pytest.raises(SlideError, match="same color"):
        lab_statistics(np.full((50, 3), 128, np.uint8))
