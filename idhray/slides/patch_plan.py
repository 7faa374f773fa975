"""Plan of a cohort's patches: the number of patches of each tile.

Training patches are balanced over classes, patients, slides and tiles; see `plan_patches`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from idhray.chance import seed_for
from idhray.errors import TableError
from idhray.slides.patches import PatchSettings

TileKey = tuple[str, int]  # slide, rank
K = TypeVar("K")


@dataclass(frozen=True, kw_only=True)
class PatchPlan:
    """Number of patches of each tile, and the patches that are missing."""

    counts: dict[TileKey, int]
    """Patches by (slide, rank); tiles without patches are left out."""
    shortfall: dict[str, int]
    """Missing patches by class or patient ("train mutant", "test PATIENT") with too few tiles."""
    unlabeled: list[str]
    """Patients without a known IDH status; they get no patches."""


def fair_shares(total: int, capacity: Mapping[K, int], order: Callable[[K], int]) -> dict[K, int]:
    """Shares of `total` by key, as even as the capacities allow.

    Args:
        total: Number to distribute; if the capacities sum to less, every key gets its capacity.
        capacity: Largest share of each key.
        order: Sort key that decides which keys get one more if `total` does not divide evenly; its
            values must differ.
    """
    shares: dict[K, int] = {}
    left, waiting = total, sorted(capacity, key=order)
    while waiting:
        even = left // len(waiting)
        full = [key for key in waiting if capacity[key] <= even]
        if not full:
            extra = left % len(waiting)
            return shares | {key: even + (i < extra) for i, key in enumerate(waiting)}
        shares |= {key: capacity[key] for key in full}
        left -= sum(capacity[key] for key in full)
        waiting = [key for key in waiting if key not in shares]
    return shares


def plan_patches(tiles: pd.DataFrame, settings: PatchSettings, seed: int) -> PatchPlan:
    """Number of patches to cut from each tile; the order of the rows has no effect.

    Training patches are balanced over the two classes, then over the patients of a class, the
    slides of a patient and the tiles of a slide. Each validation and test patient gets the same
    number.

    Args:
        tiles: Rows of one or several TILES tables, with patient, idh, split, slide and rank.
        settings: Requested numbers of patches.
        seed: Seed of the run; it decides which tiles give one more if a number does not divide.

    Raises:
        TableError: a tile is listed twice, or a split is none of train, val and test.
    """
    labeled = tiles["idh"].isin(["mutant", "wildtype"])
    _check_tiles(tiles[labeled])
    counts: dict[TileKey, int] = {}
    shortfall: dict[str, int] = {}

    def assign(group: str, total: int, rows: pd.DataFrame) -> None:
        shares = _spread(total, rows, ["patient", "slide", "rank"], settings, seed)
        counts.update({key: count for key, count in shares.items() if count})
        if missing := total - sum(shares.values()):
            shortfall[group] = missing

    for (split, idh), rows in tiles[labeled].groupby(["split", "idh"]):
        if split == "train":
            assign(f"train {idh}", settings.train_per_class, rows)
        else:
            for patient, patient_rows in rows.groupby("patient"):
                assign(f"{split} {patient}", settings.eval_per_patient, patient_rows)
    unlabeled = sorted(set(tiles.loc[~labeled, "patient"]))
    return PatchPlan(counts=counts, shortfall=shortfall, unlabeled=unlabeled)


def _check_tiles(tiles: pd.DataFrame) -> None:
    duplicates = tiles[tiles.duplicated(["slide", "rank"])]
    if len(duplicates):
        slide, rank = duplicates.iloc[0][["slide", "rank"]]
        raise TableError(f"tiles: slide {slide} has more than one tile of rank {rank}")
    if wrong := sorted({str(split) for split in tiles["split"]} - {"train", "val", "test"}):
        raise TableError(f"tiles: split is {wrong[0]}, must be train, val or test")


def _spread(
    total: int, rows: pd.DataFrame, keys: list[str], settings: PatchSettings, seed: int
) -> dict[TileKey, int]:
    """Shares of `total` by tile: spread over the groups of the first key, then of the next."""
    places_per_tile = len(settings.lattice_px) ** 2
    if keys == ["rank"]:
        slide = str(rows["slide"].iloc[0])
        shares = fair_shares(
            total,
            {int(rank): places_per_tile for rank in rows["rank"]},
            # Seeds differ between slides, so that no rank is favored.
            lambda rank: seed_for(seed, "patches", slide, rank),
        )
        return {(slide, rank): count for rank, count in shares.items()}
    groups = dict(iter(rows.groupby(keys[0])))
    shares = fair_shares(
        total,
        {name: places_per_tile * len(group) for name, group in groups.items()},
        lambda name: seed_for(seed, "patches", *sorted(set(groups[name]["slide"])), name),
    )
    by_group = [
        _spread(shares[name], group, keys[1:], settings, seed) for name, group in groups.items()
    ]
    return {key: count for tile_shares in by_group for key, count in tile_shares.items()}
