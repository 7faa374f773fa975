"""Patches: the 256 px images that networks see, cut from tiles.

Two steps, so that many workers can cut: `plan_patches` says how many patches each tile gives, for
the whole cohort; `cut_patches` cuts them from one tile.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal, TypeVar, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.chance import generator, seed_for
from idhray.errors import ConfigError, SlideError, TableError
from idhray.images import RGB
from idhray.slides.stain.normalize import Recolor
from idhray.slides.stain.target import StainTarget
from idhray.slides.tissue.mask import Mask, tissue_mask

Normalize = Literal["none", "channel_stretch", "macenko", "vahadane", "reinhard"]
TileKey = tuple[str, int]  # slide, rank
K = TypeVar("K")


@dataclass(frozen=True, kw_only=True)
class PatchSettings:
    """How many patches are cut, where, and what is done to their colors."""

    patch_px: int = 256
    tile_px: int = 1024
    """Side of the tiles that patches are cut from."""
    train_per_class: int = 12_000
    """Patches of each class in the training split, over all its patients."""
    eval_per_patient: int = 120
    """Patches of each patient of the validation and test splits."""
    stride_px: int = 64
    """Patches lie on a lattice of this step; below `patch_px` they overlap."""
    min_tissue_fraction: float = 0.5
    min_object_px: int = 500
    """Tissue of fewer pixels of the tile is dropped."""
    normalize: Normalize = "none"
    """Each channel stretched, tile by tile; or a stain normalization, fitted to each slide."""
    stain_target: StainTarget = field(default_factory=StainTarget)
    """What a stain normalization maps to."""

    def __post_init__(self) -> None:
        if not 1 <= self.patch_px <= self.tile_px:
            raise ConfigError(
                f"patch_px must be 1 to tile_px, got {self.patch_px} and {self.tile_px}"
            )
        if self.stride_px < 1:
            raise ConfigError(f"stride_px must be 1 or more, got {self.stride_px}")
        if min(self.train_per_class, self.eval_per_patient, self.min_object_px) < 0:
            raise ConfigError("numbers of patches and min_object_px must be 0 or more")
        if not 0 <= self.min_tissue_fraction <= 1:
            raise ConfigError(
                f"min_tissue_fraction must be in [0, 1], got {self.min_tissue_fraction}"
            )
        if self.normalize not in get_args(Normalize):
            known = ", ".join(get_args(Normalize))
            raise ConfigError(f"normalize must be one of {known}, got {self.normalize!r}")

    @property
    def lattice_px(self) -> range:
        """Offsets of patches in a tile, along one side."""
        return range(0, self.tile_px - self.patch_px + 1, self.stride_px)


PRESETS = {
    # Source: Liu et al. 2020, Methods, "Image pre-processing": 12,000 patches of 256 px a class,
    # "histogram normalization in each channel". Patches per test patient are not stated there.
    "liu2020": PatchSettings(normalize="channel_stretch"),
    # Ours: patches of half the width, so that nuclei are still seen at the demo's 64 px.
    "demo": PatchSettings(
        patch_px=128, train_per_class=480, eval_per_patient=16, normalize="channel_stretch"
    ),
}


@dataclass(frozen=True, kw_only=True)
class PatchPlan:
    """How many patches each tile gives, and what could not be had."""

    counts: dict[TileKey, int]
    """(slide, rank) -> patches; tiles that give none are left out."""
    shortfall: dict[str, int]
    """"train mutant" or "test PATIENT" -> patches that its tiles are too few for."""
    unlabeled: list[str]
    """Patients without a known IDH status; they give no patches."""


def fair_shares(wanted: int, capacity: Mapping[K, int], order: Callable[[K], int]) -> dict[K, int]:
    """`wanted` handed out evenly, none above its capacity; what one cannot take, the others do.

    Args:
        wanted: To hand out; all capacities are given where they sum to less.
        capacity: The most that each can take.
        order: Decides who gets one more where it does not divide; must differ between keys.
    """
    shares: dict[K, int] = {}
    left, waiting = wanted, sorted(capacity, key=order)
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
    """How many patches to cut from each tile; the order of the rows changes nothing.

    Training patches are balanced over the two classes, then over a class's patients, a patient's
    slides and a slide's tiles. Validation and test patients give the same number each.

    Args:
        tiles: Rows of the TILES table, or of several; needs patient, idh, split, slide and rank.
        settings: The numbers wanted.
        seed: Of the run; decides who gives one more where a number does not divide.

    Raises:
        TableError: a tile is there twice, or a split is none of train, val and test.
    """
    labeled = tiles["idh"].isin(["mutant", "wildtype"])
    _check(tiles[labeled])
    counts: dict[TileKey, int] = {}
    shortfall: dict[str, int] = {}

    def share(what: str, wanted: int, rows: pd.DataFrame) -> None:
        given = _spread(wanted, rows, ["patient", "slide", "rank"], settings, seed)
        counts.update({key: count for key, count in given.items() if count})
        if missing := wanted - sum(given.values()):
            shortfall[what] = missing

    for (split, idh), rows in tiles[labeled].groupby(["split", "idh"]):
        if split == "train":
            share(f"train {idh}", settings.train_per_class, rows)
        else:
            for patient, own in rows.groupby("patient"):
                share(f"{split} {patient}", settings.eval_per_patient, own)
    unlabeled = sorted(set(tiles.loc[~labeled, "patient"]))
    return PatchPlan(counts=counts, shortfall=shortfall, unlabeled=unlabeled)


def _check(tiles: pd.DataFrame) -> None:
    twice = tiles[tiles.duplicated(["slide", "rank"])]
    if len(twice):
        slide, rank = twice.iloc[0][["slide", "rank"]]
        raise TableError(f"tiles: slide {slide} has more than one tile of rank {rank}")
    if wrong := sorted({str(split) for split in tiles["split"]} - {"train", "val", "test"}):
        raise TableError(f"tiles: split is {wrong[0]}, must be train, val or test")


def _spread(
    wanted: int, rows: pd.DataFrame, keys: list[str], settings: PatchSettings, seed: int
) -> dict[TileKey, int]:
    """`wanted` spread over the groups of the first key, and within each over the next."""
    each = len(settings.lattice_px) ** 2
    if keys == ["rank"]:
        slide = str(rows["slide"].iloc[0])
        shares = fair_shares(
            wanted,
            {int(rank): each for rank in rows["rank"]},
            # Ranks of one slide are told apart from those of others, so that none is favored.
            lambda rank: seed_for(seed, "patches", slide, rank),
        )
        return {(slide, rank): count for rank, count in shares.items()}
    groups = dict(iter(rows.groupby(keys[0])))
    shares = fair_shares(
        wanted,
        {name: each * len(group) for name, group in groups.items()},
        lambda name: seed_for(seed, "patches", *sorted(set(groups[name]["slide"])), name),
    )
    spread = [
        _spread(shares[name], group, keys[1:], settings, seed) for name, group in groups.items()
    ]
    return {key: count for part in spread for key, count in part.items()}


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A patch, and where it lies."""

    x_px: int
    y_px: int
    x_l0: int
    y_l0: int
    size_l0: float
    height_l0: float
    tissue_fraction: float
    image: RGB


def cut_patches(
    tile: RGB,
    count: int,
    *,
    settings: PatchSettings,
    seed: int,
    slide: str,
    rank: int,
    origin: tuple[int, int, float, float],
    recolor: Recolor | None = None,
) -> list[Patch]:
    """`count` different patches of a tile; fewer where not enough of its places are tissue.

    Args:
        tile: (tile_px, tile_px, 3) uint8.
        count: Patches to cut.
        settings: Size, lattice, tissue and colors.
        seed: Of the run; with `slide` and `rank` it decides which places are taken.
        slide: Name of the slide.
        rank: Of the tile on its slide.
        origin: (x_l0, y_l0, size_l0, height_l0) of the tile.
        recolor: The slide's stain normalization, where it has one.

    Raises:
        SlideError: the tile has another size than `settings` say.
    """
    side = settings.patch_px
    if tile.shape[:2] != (settings.tile_px, settings.tile_px):
        raise SlideError(
            f"{slide}: tile {rank} is {tile.shape[1]} x {tile.shape[0]} px, settings say "
            f"{settings.tile_px}; set tile_px to that of the tiles"
        )
    fractions = window_fractions(
        tissue_mask(tile, min_object_px=settings.min_object_px), side, settings.lattice_px
    )
    places = list(product(settings.lattice_px, repeat=2))
    drawn = generator(seed, "patch", slide, rank).permutation(len(places))
    chosen = [k for k in drawn if fractions.flat[k] >= settings.min_tissue_fraction][:count]
    images = _colored([places[k] for k in chosen], tile, settings, recolor)
    x_l0, y_l0 = origin[:2]
    across, down = (length / settings.tile_px for length in origin[2:])
    return [
        Patch(
            x_px=x,
            y_px=y,
            x_l0=x_l0 + round(x * across),
            y_l0=y_l0 + round(y * down),
            size_l0=side * across,
            height_l0=side * down,
            tissue_fraction=float(fractions.flat[k]),
            image=image,
        )
        for k, image in zip(chosen, images, strict=True)
        for y, x in [places[k]]
    ]


def _colored(
    places: list[tuple[int, int]], tile: RGB, settings: PatchSettings, recolor: Recolor | None
) -> list[RGB]:
    """The patches at `places` (y, x), their colors normalized."""
    side = settings.patch_px
    if settings.normalize == "channel_stretch" and places:
        tile = channel_stretch(tile)
    # A recoloring goes pixel by pixel, so only wanted pixels need it; where many patches overlap,
    # the whole tile is less work, with the same result.
    elif recolor and len(places) * side**2 > settings.tile_px**2:
        tile, recolor = recolor(tile), None
    cut = [tile[y : y + side, x : x + side] for y, x in places]
    return [recolor(patch) if recolor else patch.copy() for patch in cut]


def window_fractions(mask: Mask, side: int, offsets: range) -> NDArray[np.float64]:
    """The tissue fraction of each window: element (i, j) starts at row offsets[i], column [j]."""
    area = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), dtype=np.int64)
    area[1:, 1:] = mask.cumsum(0).cumsum(1)
    low = np.asarray(offsets)
    high = low + side
    rows = area[high] - area[low]
    return np.asarray((rows[:, high] - rows[:, low]) / side**2)


def channel_stretch(tile: RGB, low: float = 0.5, high: float = 99.5) -> RGB:
    """Each channel stretched so that its percentiles `low` and `high` become 0 and 255.

    The percentiles are those of the whole tile: stretched one by one, patches of a single tile
    would differ in color, and one without a pale pixel would lose its stain.

    Source: Liu et al. 2020, Methods, "Image pre-processing" ("histogram normalization in each
    channel" of the tiles); the percentiles are not stated there.
    """
    ramp = np.arange(256, dtype=np.float64)
    stretched = np.empty_like(tile)
    for c in range(3):
        counts = np.bincount(tile[..., c].ravel(), minlength=256).cumsum()
        bottom, top = np.searchsorted(counts, [counts[-1] * low / 100, counts[-1] * high / 100])
        if top <= bottom:  # a channel of one value says nothing of its range
            stretched[..., c] = tile[..., c]
            continue
        table = np.clip((ramp - bottom) / (top - bottom) * 255, 0, 255)
        stretched[..., c] = np.rint(table).astype(np.uint8)[tile[..., c]]
    return stretched
