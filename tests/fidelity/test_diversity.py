"""Diversity: figures by hand, and real sets as their own measure."""

import numpy as np
import pytest
import torch

from idhray.errors import TableError
from idhray.fidelity.diversity import (
    diversity_test,
    mean_pairwise_distance,
    near_duplicate_share,
    vendi_score,
)


def normal(count, seed):
    return torch.tensor(np.random.default_rng(seed).normal(size=(count, 6)))


def test_mean_distance_by_hand():
    """0, 3 and 4 in one dimension: 3, 4 and 1."""
    assert mean_pairwise_distance(torch.tensor([[0.0], [3.0], [4.0]])) == pytest.approx(8 / 3)


def test_vendi_counts_what_is_different():
    """Three far apart, each four times, are three; equal ones are one."""
    points = torch.tensor([[0.0], [100.0], [200.0]]).double().repeat(4, 1)

    assert vendi_score(points, 1.0) == pytest.approx(3)
    assert vendi_score(points[:1].repeat(5, 1), 1.0) == pytest.approx(1)


def test_vendi_of_two_points_is_that_of_the_closed_form():
    """Eigenvalues (1 + k) / 2 and (1 - k) / 2."""
    k = np.exp(-0.5)
    both = np.array([1 + k, 1 - k]) / 2
    expected = np.exp(-(both * np.log(both)).sum())

    assert vendi_score(torch.tensor([[0.0], [1.0]]).double(), 1.0) == pytest.approx(expected)


def test_near_duplicates_by_hand():
    """Two of four lie within 1 of each other; equal ones count at any limit."""
    points = torch.tensor([[0.0], [0.5], [5.0], [9.0]])

    assert near_duplicate_share(points, 1.0) == 0.5
    assert near_duplicate_share(torch.zeros(3, 2), 0.0) == 1.0


def test_near_duplicates_are_those_whose_pixels_agree():
    """Features of blurred images lie close; places are those in the whole set, equal ones count."""
    points, places = torch.tensor([[0.0], [0.5], [5.0], [5.4], [9.0], [9.0]]), torch.arange(6) * 10
    asked = []

    def agree(some, others):
        asked.append((some.tolist(), others.tolist()))
        return some < 20

    assert near_duplicate_share(points, 1.0, places, agree) == pytest.approx(4 / 6)
    assert asked[0][0] == [0, 10, 20, 30, 40, 50]
    assert asked[0][1][:4] == [10, 0, 30, 20]
    assert near_duplicate_share(points, 1.0) == 1


def test_fresh_draws_are_as_diverse_as_real_ones_and_a_collapsed_set_is_not():
    """The latter repeats three images with a little noise."""
    real, patients = normal(200, 0), np.arange(200) // 4
    fresh = diversity_test(normal(100, 1), real, patients, 0.2)
    few = diversity_test(normal(3, 2).repeat(34, 1) + 0.01 * normal(102, 3), real, patients, 0.2)

    assert fresh.count == 100
    assert fresh.mean_distance_ratio == pytest.approx(1, abs=0.1)
    assert fresh.vendi_ratio == pytest.approx(1, abs=0.1)
    assert 0.85 < fresh.real_halves["mean_distance"] <= 1
    assert 0.7 < fresh.real_halves["vendi"] <= 1
    assert fresh.near_duplicates_of_patients < 0.1
    assert few.vendi_ratio < 0.5  # the limit of the gate
    assert few.generated.near_duplicates == 1


def test_few_patients_have_no_halves():
    """Of three, one half would be one patient."""
    assert diversity_test(normal(9, 0), normal(9, 1), np.arange(9) // 3, 0.1).real_halves is None


@pytest.mark.parametrize(("made", "real"), [(1, 9), (9, 1)])
def test_one_image_has_no_diversity(made, real):
    """In one line, not NaN."""
    with pytest.raises(TableError, match="two images or more"):
        diversity_test(normal(made, 0), normal(real, 1), np.arange(real), 0.1)
