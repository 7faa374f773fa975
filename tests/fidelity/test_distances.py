"""Nearest neighbors, block by block."""

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from idhray.errors import TableError
from idhray.fidelity import distances
from idhray.fidelity.distances import nearest


@pytest.mark.parametrize("block", [3, 7, 4096])
def test_blocks_find_what_scikit_learn_finds(monkeypatch, block):
    """The nearest ones may lie in any block."""
    monkeypatch.setattr(distances, "BLOCK", block)
    chance = torch.Generator().manual_seed(0)
    queries, references = (
        torch.randn(n, 5, generator=chance, dtype=torch.float64) for n in (11, 23)
    )
    away, places = nearest(queries, references, k=4)
    expected = NearestNeighbors(n_neighbors=4).fit(references.numpy()).kneighbors(queries.numpy())

    torch.testing.assert_close(away, torch.from_numpy(expected[0]))
    assert places.tolist() == expected[1].tolist()


def test_near_copies_are_told_apart():
    """The expansion of the square gives 0 or NaN here."""
    base = torch.full((1, 3), 1e4, dtype=torch.float64)
    away, _ = nearest(base + 1e-6, base)

    assert away.item() == pytest.approx(1e-6 * 3**0.5, rel=1e-4)


def test_ties_go_to_the_first():
    """The same answer on every machine."""
    _, places = nearest(torch.zeros(1, 2), torch.ones(4, 2), k=2)

    assert places.tolist() == [[0, 1]]


def test_more_neighbors_than_references_are_refused():
    """In one line."""
    with pytest.raises(TableError, match="5 nearest neighbors need 5 references, got 4"):
        nearest(torch.zeros(1, 2), torch.ones(4, 2), k=5)
