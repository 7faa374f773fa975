"""Normalized mutual information of distributions whose entropies are known."""

import numpy as np
import pytest

from idhray.mri.mutual_information import (
    BINS,
    joint_histogram,
    normalized_mutual_information,
    similarity_at,
)
from idhray.mri.transform import rigid_transform
from idhray.mri.volume import mask_points_mm
from tests.mri.head import FLAIR, T1CE, grid, scan


def test_it_is_two_where_each_value_tells_the_other():
    """H(a) = H(b) = H(a, b), whatever the contrast: here it is reversed."""
    assert normalized_mutual_information(np.eye(8)[::-1]) == pytest.approx(2)


def test_it_is_one_where_they_tell_nothing():
    """H(a, b) = H(a) + H(b)."""
    counts = np.outer([1.0, 2, 5], [3.0, 1, 1, 7])

    assert normalized_mutual_information(counts) == pytest.approx(1)


def test_a_known_distribution():
    """Three fourths on the diagonal of two fair coins: H = 1 bit each, 1.8113 together."""
    counts = np.array([[3.0, 1.0], [1.0, 3.0]])

    assert normalized_mutual_information(counts) == pytest.approx(2 / 1.811278, abs=1e-6)


def test_one_value_tells_nothing():
    """Its entropy is 0, and 0 / 0 would stop the search."""
    assert normalized_mutual_information(np.eye(1)) == 1


def test_every_point_is_counted_once_shared_between_two_bins():
    """Halfway between two bins, each gets half; smoothing keeps the sum."""
    rows = np.full(100, 20 * BINS)
    values = np.full(100, 30.5 / (BINS - 1.001), dtype=np.float32)
    counts = joint_histogram(rows, values)

    assert counts.sum() == pytest.approx(100)
    assert counts[20, 30] == pytest.approx(counts[20, 31], rel=1e-3)
    assert counts[20, 30] == counts.max()


def test_it_is_highest_where_the_heads_lie_on_each_other():
    """And falls with each degree and each millimeter on either side."""
    a, brain = scan(np.array(T1CE) / 160, grid((2, 2, 3), (80, 90, 48)), (80, 90, 48))
    b, _ = scan(np.array(FLAIR) / 160, grid((2, 2, 5), (80, 84, 30), "LPS"), (80, 84, 30))
    similarity = similarity_at(a, b, mask_points_mm(brain, a))
    best = similarity(np.eye(4))
    for axis in np.eye(3):
        for size in (-1, 1):
            shifts = [
                similarity(rigid_transform(size * mm * axis, (0, 0, 0), (0, 0, 0))) for mm in (2, 6)
            ]
            turns = [
                similarity(rigid_transform((0, 0, 0), np.radians(size * angle * axis), (0, 0, 0)))
                for angle in (3, 10)
            ]

            assert best > shifts[0] > shifts[1]
            assert best > turns[0] > turns[1]
