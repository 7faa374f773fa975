"""Patches: the 256 px images that networks see, cut from tiles.

There are two steps, so that many workers can cut: `patch_plan.plan_patches` decides the number of
patches of each tile for the whole cohort; `patches_of_tile` cuts them from one tile.
"""

from dataclasses import dataclass, field
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from idhray.chance import generator
from idhray.errors import ConfigError, SlideError
from idhray.images import RGB, Mask
from idhray.slides.stain.normalize import Recolor
from idhray.slides.stain.target import StainTarget
from idhray.slides.tissue.mask import tissue_mask

Normalize = Literal["none", "channel_stretch", "macenko", "vahadane", "reinhard"]
STRETCH_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True, kw_only=True)
class PatchSettings:
    """Number of patches, their places in a tile, and the normalization of their colors."""

    patch_px: int = 256
    """Side of a patch."""
    tile_px: int = 1024
    """Side of the tiles that patches are cut from."""
    train_per_class: int = 12_000
    """Patches of each class in the training split, over all patients of the class."""
    eval_per_patient: int = 120
    """Patches of each patient in the validation and test splits."""
    reserve_per_class: int = 0
    """Further training patches of each class, cut for the experiment's arm `more-real`."""
    stride_px: int = 64
    """Step of the lattice on which patches lie; below `patch_px` patches overlap."""
    min_tissue_fraction: float = 0.5
    """Smallest fraction of tissue in a patch."""
    min_object_px: int = 500
    """Tissue regions with fewer pixels of the tile are ignored."""
    normalize: Normalize = "none"
    """Color normalization: none, a stretch of each channel of each tile, or a stain normalization
    that is fitted to each slide."""
    stain_target: StainTarget = field(default_factory=StainTarget)
    """Colors that a stain normalization maps to."""

    def __post_init__(self) -> None:
        if not 1 <= self.patch_px <= self.tile_px:
            raise ConfigError(
                f"patch_px must be 1 to tile_px, got {self.patch_px} and {self.tile_px}"
            )
        if self.stride_px < 1:
            raise ConfigError(f"stride_px must be 1 or more, got {self.stride_px}")
        numbers = (self.train_per_class, self.eval_per_patient, self.reserve_per_class)
        if min(*numbers, self.min_object_px) < 0:
            raise ConfigError("numbers of patches and min_object_px must be 0 or more")
        if not 0 <= self.min_tissue_fraction <= 1:
            raise ConfigError(
                f"min_tissue_fraction must be in [0, 1], got {self.min_tissue_fraction}"
            )
        if self.normalize not in get_args(Normalize):
            choices = ", ".join(get_args(Normalize))
            raise ConfigError(f"normalize must be one of {choices}, got {self.normalize!r}")

    @property
    def lattice_px(self) -> range:
        """Offsets of patches in a tile, along one side."""
        return range(0, self.tile_px - self.patch_px + 1, self.stride_px)


PRESETS = {
    # Source: Liu et al. 2020, Methods, "Image pre-processing": 12,000 patches of 256 px a class,
    # "histogram normalization in each channel". Patches per test patient are not stated there.
    "liu2020": PatchSettings(normalize="channel_stretch"),
    # Ours: patches of half the width, so that nuclei are still visible at the demo's 64 px.
    "demo": PatchSettings(
        patch_px=128, train_per_class=480, eval_per_patient=16, normalize="channel_stretch"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A patch and its place."""

    x_px: int
    """Left edge in the tile."""
    y_px: int
    x_l0: int
    """Left edge on the slide."""
    y_l0: int
    size_l0: float
    height_l0: float
    tissue_fraction: float
    image: RGB


def patches_of_tile(
    tile: RGB,
    count: int,
    *,
    settings: PatchSettings,
    seed: int,
    slide: str,
    rank: int,
    origin: tuple[int, int, float, float],
    green_limit: int | None = None,
    recolor: Recolor | None,
) -> list[Patch]:
    """Cut `count` different patches from a tile; fewer if too few of its places have tissue.

    Args:
        tile: (tile_px, tile_px, 3) uint8.
        count: Number of patches.
        settings: Size, lattice, tissue and colors.
        seed: Seed of the run; with `slide` and `rank` it determines the places.
        slide: Name of the slide.
        rank: Rank of the tile on its slide.
        origin: (x_l0, y_l0, size_l0, height_l0) of the tile.
        green_limit: Green value above which a pixel of the slide is glass; None to decide it by the
            tile, whose pale stroma then counts as glass beside its dark nuclei.
        recolor: Stain normalization of the slide; None for none.

    Raises:
        SlideError: the tile differs in size from `settings.tile_px`.
    """
    side = settings.patch_px
    if tile.shape[:2] != (settings.tile_px, settings.tile_px):
        raise SlideError(
            f"{slide}: tile {rank} is {tile.shape[1]} x {tile.shape[0]} px, settings say "
            f"{settings.tile_px}; set tile_px to that of the tiles"
        )
    mask = tissue_mask(tile, min_object_px=settings.min_object_px, green_limit=green_limit)
    fractions = window_fractions(mask, side, settings.lattice_px)
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
    """Patches at `places` (y, x) with normalized colors."""
    side = settings.patch_px
    if settings.normalize == "channel_stretch" and places:
        tile = channel_stretch(tile)
    # Recoloring treats each pixel alone, so only the pixels of patches need it. If many patches
    # overlap, recoloring the whole tile is less work, with the same result.
    elif recolor and len(places) * side**2 > settings.tile_px**2:
        tile, recolor = recolor(tile), None
    windows = [tile[y : y + side, x : x + side] for y, x in places]
    return [recolor(window) if recolor else window.copy() for window in windows]


def window_fractions(mask: Mask, side: int, offsets: range) -> NDArray[np.float64]:
    """Tissue fraction of each window; window (i, j) starts at row offsets[i], column offsets[j]."""
    area = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), dtype=np.int64)
    area[1:, 1:] = mask.cumsum(0).cumsum(1)
    low = np.asarray(offsets)
    high = low + side
    rows = area[high] - area[low]
    return np.asarray((rows[:, high] - rows[:, low]) / side**2)


def channel_stretch(tile: RGB) -> RGB:
    """Tile with each channel stretched so that its percentiles 0.5 and 99.5 become 0 and 255.

    The percentiles are those of the whole tile. If patches were stretched one by one, patches of a
    tile would differ in color, and a patch without pale pixels would lose its stain.

    Source: Liu et al. 2020, Methods, "Image pre-processing" ("histogram normalization in each
    channel" of the tiles); the percentiles are not stated there.
    """
    low, high = STRETCH_PERCENTILES
    ramp = np.arange(256, dtype=np.float64)
    stretched = np.empty_like(tile)
    for c in range(3):
        counts = np.bincount(tile[..., c].ravel(), minlength=256).cumsum()
        bottom, top = np.searchsorted(counts, [counts[-1] * low / 100, counts[-1] * high / 100])
        if top <= bottom:  # the range of a channel with one value is unknown
            stretched[..., c] = tile[..., c]
            continue
        table = np.clip((ramp - bottom) / (top - bottom) * 255, 0, 255)
        stretched[..., c] = np.rint(table).astype(np.uint8)[tile[..., c]]
    return stretched
