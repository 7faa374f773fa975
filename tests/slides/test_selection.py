"""Which tiles of a slide are kept."""

from collections import Counter

import numpy as np

from idhray.slides.selection import ScoredTile, select_tiles


def select(candidates, how, count, slide="a"):
    return select_tiles(candidates, how, count, tile_l0=(10.0, 10.0), slide=slide)


def square(side, fraction=0.6):
    """A square of `side` by `side` tiles of 10 px."""
    return [ScoredTile(10 * x, 10 * y, fraction) for y in range(side) for x in range(side)]


def test_best_is_by_tissue_and_ties_go_from_the_top_and_then_from_the_left():
    """So that the same fifty are kept whatever the order they were scored in."""
    tiles = [ScoredTile(0, 10, 0.9), ScoredTile(10, 0, 0.5), ScoredTile(0, 0, 0.5), (10, 10, 0.9)]
    tiles[3] = ScoredTile(*tiles[3])
    wanted = [(0, 10, 0.9), (10, 10, 0.9), (0, 0, 0.5)]

    assert select(tiles, "best", 3) == select(tiles[::-1], "best", 3) == wanted
    assert select(tiles, "all", 1) == [*wanted, (10, 0, 0.5)]


def test_uniform_gives_each_tile_the_same_chance():
    """Over many slides: 4 of 16 tiles, each a quarter of the time; tissue is no matter."""
    tiles = [tile._replace(tissue_fraction=0.5 + k / 40) for k, tile in enumerate(square(4))]
    drawn = [select(tiles, "uniform", 4, slide=f"s{k}") for k in range(800)]
    times = Counter(tile for tiles in drawn for tile in tiles)

    assert all(len(set(tiles)) == 4 for tiles in drawn)
    assert min(times[tile] for tile in tiles) > 140
    assert max(times[tile] for tile in tiles) < 260
    assert select(tiles[::-1], "uniform", 4) == select(tiles, "uniform", 4)


def test_stratified_takes_one_tile_of_each_neighborhood():
    """Sixteen of 64: one in each block of two by two, the one with the most tissue."""
    tiles = square(8)
    chosen = [ScoredTile(20 * x + 10, 20 * y, 0.9) for y in range(4) for x in range(4)]
    places = {tile[:2]: tile for tile in tiles} | {tile[:2]: tile for tile in chosen}
    found = select(list(places.values())[::-1], "stratified", 16)

    assert sorted(found) == sorted(chosen)


def test_stratified_reaches_all_parts_where_best_stays_in_one():
    """A dense corner would fill all places."""
    tiles = [
        t._replace(tissue_fraction=1.0 if t.x_l0 < 40 and t.y_l0 < 40 else 0.6) for t in square(16)
    ]
    spread = {
        how: np.ptp([t.x_l0 for t in select(tiles, how, 12)]) for how in ("best", "stratified")
    }

    assert spread["best"] <= 30
    assert spread["stratified"] >= 120


def test_fewer_tiles_than_wanted_are_all_kept():
    """A small biopsy."""
    for how in ("best", "uniform", "stratified", "all"):
        assert sorted(select(square(2), how, 50)) == sorted(square(2))
        assert select([], how, 50) == []
