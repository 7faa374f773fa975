"""Selection among a slide's tiles with tissue."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from idhray.chance import generator

Select = Literal["best", "uniform", "stratified", "all"]


class ScoredTile(NamedTuple):
    """A tile of the grid, with its fraction of tissue."""

    x_l0: int
    y_l0: int
    tissue_fraction: float


def select_tiles(
    candidates: Sequence[ScoredTile],
    select: Select,
    count: int,
    *,
    tile_l0: tuple[float, float],
    slide: str,
) -> list[ScoredTile]:
    """Selected tiles, in the order of their rank. The order of `candidates` has no effect.

    Args:
        candidates: All tiles with enough tissue.
        select: "best": most tissue first, ties by place, from the top and then from the left;
            "uniform": all with the same chance; "stratified": the tile with the most tissue of each
            of `count` neighborhoods with equal numbers of tiles; "all": all tiles, in the order of
            "best".
        count: Largest number of tiles; without effect for "all".
        tile_l0: (width, height) of a tile in level-0 pixels.
        slide: Name of the slide; the draw of "uniform" depends on nothing else.
    """
    best = sorted(candidates, key=_merit)
    if select == "uniform":
        by_place = sorted(candidates, key=lambda tile: (tile.y_l0, tile.x_l0))
        order = generator(0, "tiles of", slide).permutation(len(by_place))
        return [by_place[k] for k in order[:count]]
    if select == "all" or count >= len(best):
        return best
    return best[:count] if select == "best" else _best_per_neighborhood(best, count, tile_l0)


def _merit(tile: ScoredTile) -> tuple[float, int, int]:
    return (-tile.tissue_fraction, tile.y_l0, tile.x_l0)


def _best_per_neighborhood(
    tiles: Sequence[ScoredTile], count: int, tile_l0: tuple[float, float]
) -> list[ScoredTile]:
    """Best tile of each of `count` runs along a Z-order curve, on which near tiles are neighbors.

    Source: Morton 1966, "A computer oriented geodetic data base".
    """
    curve = sorted(tiles, key=lambda tile: _z_order(tile, tile_l0))
    ends = [round(k * len(curve) / count) for k in range(count + 1)]
    runs = [curve[start:end] for start, end in pairwise(ends)]
    return sorted((min(run, key=_merit) for run in runs), key=_merit)


def _z_order(tile: ScoredTile, tile_l0: tuple[float, float]) -> int:
    """Bits of column and row, interleaved."""
    column = math.floor(tile.x_l0 / tile_l0[0] + 0.5)
    row = math.floor(tile.y_l0 / tile_l0[1] + 0.5)
    return sum(
        ((column >> bit) & 1) << (2 * bit) | ((row >> bit) & 1) << (2 * bit + 1)
        for bit in range(max(column, row).bit_length())
    )
