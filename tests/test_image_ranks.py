"""Ranks of images and shares of them."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from idhray.image_ranks import fair_shares, first_images, image_ranks


def test_ranks_close_the_gaps_of_places_without_tissue():
    """The patient's order stays, and the n-th image is the n-th that exists."""
    assert image_ranks(["A", "B", "A", "A"], [7, 2, 1, 3]).tolist() == [3, 1, 1, 2]


def test_images_without_ranks_rank_in_the_order_of_the_table():
    """Tables of earlier versions and imported images have none, and one table may hold both."""
    ranks = image_ranks(["A", "B", "A", "B", "A"], [9, None, None, 1, 2])

    assert ranks.tolist() == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_the_first_images_are_even_over_patients_and_nested(seed):
    """A training share holds first ranks, and a smaller share is part of a larger one."""
    random = np.random.default_rng(seed)
    patients = [f"P{k}" for k in random.integers(0, 6, 80)]
    ranks = image_ranks(patients, [int(rank) for rank in random.permutation(80)])
    smaller = first_images(patients, ranks, 20, seed)
    larger = first_images(patients, ranks, 45, seed)

    assert (len(smaller), len(larger)) == (20, 45)
    assert set(smaller) <= set(larger)
    sizes = Counter(patients[k] for k in smaller)
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for name, size in sizes.items():
        assert sorted(ranks[k] for k in smaller if patients[k] == name) == [*range(1, size + 1)]
    assert first_images(patients, ranks, 99, seed).tolist() == [*range(80)]


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_a_larger_total_are_nowhere_smaller(seed):
    """A reserve must not take a training patch from a patient."""
    random = np.random.default_rng(seed)
    capacity = {key: int(n) for key, n in enumerate(random.integers(0, 20, 8))}
    shares = [fair_shares(total, capacity, lambda key: -key) for total in range(100)]

    for smaller, larger in pairwise(shares):
        assert all(smaller[key] <= larger[key] for key in capacity)
