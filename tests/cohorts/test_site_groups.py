"""Search for a balanced division of sites, against all divisions."""

from itertools import product

import numpy as np
import pytest

from idhray.cohorts.site_groups import balanced_groups, group_costs


def least_cost(counts, shares, least):
    """Lowest cost of all divisions."""
    costs = []
    for groups in product(range(len(shares)), repeat=len(counts)):
        totals = np.stack([counts[np.array(groups) == g].sum(0) for g in range(len(shares))])
        costs.append(group_costs(totals, shares, counts.sum(0), least).sum())
    return min(costs)


@pytest.mark.parametrize("seed", range(20))
def test_the_search_finds_the_best_of_all_divisions(seed):
    """A draw that is refused must be impossible, and one that works should be the most even."""
    random = np.random.default_rng(seed)
    number = int(random.integers(2, 4))
    counts = 1 + random.geometric(0.25, (int(random.integers(number + 2, 8)), 2))
    counts *= random.random(counts.shape) < 0.6
    counts[0] += 1
    shares = np.full(number, 1 / number) if seed % 2 else random.dirichlet(np.full(number, 5))
    division = balanced_groups(counts, shares, least=2, random=random)

    best = least_cost(counts, shares, 2)
    assert division.complete == (best < 1e5)
    assert division.cost == pytest.approx(best, rel=0.01, abs=1e-4)
