"""The recomputed blocks of both papers, made once."""

from collections.abc import Callable

import pytest

from idhray.stats.replicate.cells import Block, Cell
from idhray.stats.replicate.paper import BLOCKS


@pytest.fixture(scope="session")
def park() -> list[Block]:
    """All blocks of Park et al. 2021."""
    return BLOCKS["park2021"]()


@pytest.fixture(scope="session")
def liu() -> list[Block]:
    """All blocks of Liu et al. 2020."""
    return BLOCKS["liu2020"]()


@pytest.fixture(scope="session")
def cell() -> Callable[[list[Block], str, str, str], Cell]:
    """The one cell of a block (by the start of its title) with this row and item."""

    def find(blocks: list[Block], title: str, row: str, item: str) -> Cell:
        found = [
            one
            for block in blocks
            if block.title.startswith(title)
            for one in block.cells
            if (one.row, one.item) == (row, item)
        ]
        assert len(found) == 1, (title, row, item, found)
        return found[0]

    return find
