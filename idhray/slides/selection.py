"""Which of a slide's tiles with tissue are kept."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from idhray.chance import generator

Select = Literal["best", "uniform", "stratified", "all"]


class Candidate(NamedTuple):
    """A place on the grid that has enough tissue."""

    x_l0: int
    y_l0: int
    tissue_fraction: float


def select_tiles(
    candidates: Sequence[Candidate],
    how: Select,
    count: int,
    *,
    tile_l0: tuple[float, float],
    slide: str,
) -> list[Candidate]:
    """The tiles that are kept, in the order of their rank; the order of `candidates` is no matter.

    Args:
        candidates: All tiles with enough tissue.
        how: "best": most tissue first, ties by place, from the top and then from the left;
            "uniform": each with the same chance; "stratified": spread over the tissue, from each
            of `count` neighborhoods of equal size the tile with the most of it; "all": every one,
            in the order of "best".
        count: How many at most; no matter for "all".
        tile_l0: (width, height) of a tile in level-0 pixels.
        slide: Its name; the draw of "uniform" depends on it and on nothing else.
    """
    best = sorted(candidates, key=_merit)
    if how == "uniform":
        by_place = sorted(candidates, key=lambda tile: (tile.y_l0, tile.x_l0))
        order = generator(0, "tiles of", slide).permutation(len(by_place))
        return [by_place[k] for k in order[:count]]
    if how == "all" or count >= len(best):
        return best
    return best[:count] if how == "best" else _one_each(best, count, tile_l0)


def _merit(tile: Candidate) -> tuple[float, int, int]:
    return (-tile.tissue_fraction, tile.y_l0, tile.x_l0)


def _one_each(
    best: Sequence[Candidate], count: int, tile_l0: tuple[float, float]
) -> list[Candidate]:
    """The best of each of `count` runs along a Z-order curve, on which near tiles are neighbors.

    Source: Morton 1966, "A computer oriented geodetic data base".
    """
    curve = sorted(best, key=lambda tile: _z_order(tile, tile_l0))
    ends = [round(k * len(curve) / count) for k in range(count + 1)]
    runs = [curve[start:end] for start, end in pairwise(ends)]
    return sorted((min(run, key=_merit) for run in runs), key=_merit)


def _z_order(tile: Candidate, tile_l0: tuple[float, float]) -> int:
    """The bits of column and row, in turn."""
    column = math.floor(tile.x_l0 / tile_l0[0] + 0.5)
    row = math.floor(tile.y_l0 / tile_l0[1] + 0.5)
    return sum(
        ((column >> bit) & 1) << (2 * bit) | ((row >> bit) & 1) << (2 * bit + 1)
        for bit in range(max(column, row).bit_length())
    )
