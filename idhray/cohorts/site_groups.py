"""Division of sites into groups of given shares, each class balanced, by a local search.

The search moves and swaps whole sites while that lowers the cost, from several starts. It is
deterministic for a given generator.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]  # (sites, classes): patients
Shares = NDArray[np.float64]  # (groups,): sums to 1

STARTS = 24
LACK = 1e6
"""Cost of each patient that a group lacks of its smallest number; balance is second to it."""


class SiteGroups(NamedTuple):
    """Group of each site."""

    groups: NDArray[np.int64]
    """(sites,): number of the group, from 0."""
    cost: float
    complete: bool
    """True if each group has the smallest number of each class."""


def group_costs(
    totals: NDArray[np.int64], shares: Shares, sizes: NDArray[np.int64], least: int
) -> NDArray[np.float64]:
    """Cost of groups: squared deviations from their shares, relative to the size of each class.

    Args:
        totals: (..., groups, classes) patients of each group.
        shares: (..., groups) ideal shares.
        sizes: (classes,) patients of each class in all groups.
        least: Smallest number of each class in a group.
    """
    deviation = totals / sizes - np.asarray(shares)[..., None]
    lack = np.maximum(0, least - totals).sum(-1)
    return np.asarray((deviation**2).sum(-1) + LACK * lack)


def balanced_groups(
    counts: Counts, shares: Shares, *, least: int, random: np.random.Generator
) -> SiteGroups:
    """The division of lowest cost that the search finds.

    Args:
        counts: Patients of each site and class; each class has patients.
        shares: Share of each group.
        least: Smallest number of patients of each class in a group.
        random: Generator of the starts.
    """
    best: SiteGroups | None = None
    for _ in range(STARTS):
        groups = _improved(_start(counts, shares, least, random), counts, shares, least)
        costs = group_costs(_totals(groups, counts, len(shares)), shares, counts.sum(0), least)
        cost = round(float(costs.sum()), 12)
        if best is None or cost < best.cost:
            best = SiteGroups(groups, cost, cost < LACK)
    assert best is not None
    return best


def _totals(groups: NDArray[np.int64], counts: Counts, number: int) -> NDArray[np.int64]:
    totals = np.zeros((number, counts.shape[1]), dtype=np.int64)
    np.add.at(totals, groups, counts)
    return totals


def _start(
    counts: Counts, shares: Shares, least: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Sites from the largest, sizes disturbed by chance, each where it costs least."""
    sizes = counts.sum(0)
    noise = random.uniform(0.5, 1.5, len(counts))
    groups = np.zeros(len(counts), dtype=np.int64)
    totals = np.zeros((len(shares), counts.shape[1]), dtype=np.int64)
    for site in np.argsort(-counts.sum(1) * noise, kind="stable"):
        gain = group_costs(totals + counts[site], shares, sizes, least)
        groups[site] = np.argmin(gain - group_costs(totals, shares, sizes, least))
        totals[groups[site]] += counts[site]
    return groups


def _improved(
    groups: NDArray[np.int64], counts: Counts, shares: Shares, least: int
) -> NDArray[np.int64]:
    """Make the best move or swap until none lowers the cost."""
    sizes, number = counts.sum(0), len(shares)
    groups = groups.copy()
    while True:
        totals = _totals(groups, counts, number)
        costs = group_costs(totals, shares, sizes, least)
        # (site, group): the site leaves its group and joins the other.
        leaving = group_costs(totals[groups] - counts, shares[groups], sizes, least)
        joining = group_costs(totals + counts[:, None], shares, sizes, least)
        moves = (leaving - costs[groups])[:, None] + joining - costs
        moves[np.arange(len(groups)), groups] = 0
        # (site, site): the two change places.
        change = counts[None] - counts[:, None]
        first = group_costs(totals[groups][:, None] + change, shares[groups][:, None], sizes, least)
        first = first - costs[groups][:, None]
        swaps = np.where(groups[:, None] == groups, 0, first + first.T)
        if min(moves.min(), swaps.min()) > -1e-9:
            return groups
        if moves.min() <= swaps.min():
            site, group = np.unravel_index(np.argmin(moves), moves.shape)
            groups[site] = group
        else:
            pair = np.array(np.unravel_index(np.argmin(swaps), swaps.shape))
            groups[pair] = groups[pair[::-1]]
