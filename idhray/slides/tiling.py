"""Which tiles of a slide are cut: a grid, scored by tissue on a thumbnail.

The grid starts at the slide's upper left corner and has whole tiles only, as in the pipeline that
Liu et al. cite. Only tiles that are kept are read at full resolution, see `tile_rows`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, NamedTuple, get_args

from idhray.errors import ConfigError, SlideError
from idhray.images import RGB, Codec
from idhray.slides.annotations import region_mask
from idhray.slides.color_check import implausible_colors
from idhray.slides.reader import Slide
from idhray.slides.resolution import MAX_MPP, UM_AT_1X
from idhray.slides.selection import Candidate, Select, select_tiles
from idhray.slides.thumbnail import thumbnail
from idhray.slides.tissue.mask import Mask, tissue_fraction, tissue_mask
from idhray.slides.tissue.robust import Reason, Reasons, tissue_reasons
from idhray.slides.tissue.sheet import TileBox, contact_sheet


@dataclass(frozen=True, kw_only=True)
class TilingSettings:
    """Which tiles are cut, and how they are stored."""

    tile_px: int = 1024
    """Side of a tile."""
    magnification: float = 10.0
    """10 is 1.0 um per pixel."""
    min_tissue_fraction: float = 0.5
    select: Select = "best"
    """Which of the tiles with enough tissue are kept: those with the most of it (of equals, the
    upper ones: where most tiles are full of tissue, take another), a random draw, some of each
    neighborhood, or all."""
    max_tiles_per_slide: int = 50
    """How many are kept, but for `select` all."""
    mask_mpp: float = 16.0
    """um per pixel of the thumbnail that tissue is found on; 1/32 of a 20x scan."""
    tissue: Literal["liu", "robust"] = "liu"
    """How tissue is told from glass: the filters of the pipeline that Liu et al. cite, or ours,
    which also leave out folds, blur and pens of any color."""
    min_object_px: int = 500
    """Of "liu": tissue of fewer pixels of that thumbnail is dropped; 500 are 0.13 mm2."""
    codec: Codec = "jpeg"
    """JPEG of quality 95, or PNG, which loses nothing and is larger."""
    tiles_per_shard: int = 256
    """A slide with more tiles is stored in several files, of about this many each (200 MB of 1024
    px tiles), which several workers can cut."""
    region_classes: tuple[str, ...] = ()
    """Where regions were drawn: tissue counts in those of these classes only; in all of them where
    none is given."""
    region_exclude: tuple[str, ...] = ()
    """Classes of regions that are cut out again, such as artifacts."""
    assume_mpp: float | None = None
    """um per pixel of slides of which neither the manifest nor the file says it; refused if not
    given."""
    to_srgb: bool = False
    """Convert colors by the file's ICC profile, where it has one."""
    check_colors: bool = True
    """Refuse a slide whose thumbnail cannot be H&E on glass: wrongly decoded colors, fluorescence,
    but also other stains."""
    direct: bool = True
    """Decode the file's own JPEG blocks where it is tiled TIFF, at half scale where that fits: some
    six times as fast as OpenSlide, which reads all other files. At half scale pixels differ by 0.2
    to 1 of 255 on average; at full scale they are the same."""

    def __post_init__(self) -> None:
        least = min(self.tile_px, self.max_tiles_per_slide, self.tiles_per_shard)
        if least < 1 or self.min_object_px < 0:
            raise ConfigError(
                "tile_px, max_tiles_per_slide and tiles_per_shard must be 1 or more, "
                "min_object_px 0"
            )
        if self.assume_mpp is not None and not 0 < self.assume_mpp <= MAX_MPP:
            raise ConfigError(f"assume_mpp must be in (0, {MAX_MPP:g}], got {self.assume_mpp}")
        if self.select not in get_args(Select):
            raise ConfigError(f"select must be one of {get_args(Select)}, got {self.select!r}")
        if not self.magnification > 0:
            raise ConfigError(f"magnification must be above 0, got {self.magnification}")
        if not 0 < self.min_tissue_fraction <= 1:
            raise ConfigError(
                f"min_tissue_fraction must be in (0, 1], got {self.min_tissue_fraction}"
            )
        if not self.mpp <= self.mask_mpp <= self.tile_px * self.mpp:
            raise ConfigError(
                f"mask_mpp must lie between the tiles' {self.mpp:g} um per pixel and their width "
                f"of {self.tile_px * self.mpp:g} um, got {self.mask_mpp}"
            )
        if self.tissue not in ("liu", "robust"):
            raise ConfigError(f"tissue must be liu or robust, got {self.tissue!r}")
        if self.codec not in ("jpeg", "png"):
            raise ConfigError(f"codec must be jpeg or png, got {self.codec!r}")

    @property
    def mpp(self) -> float:
        """um per pixel of a tile."""
        return UM_AT_1X / self.magnification


PRESETS = {
    # Source: Liu et al. 2020, Methods, "Image pre-processing": 1024 px at 10x, half tissue, 50.
    "liu2020": TilingSettings(),
    "robust": TilingSettings(tissue="robust"),
    "demo": TilingSettings(max_tiles_per_slide=8),
}


Extent = tuple[float, float]  # width and height


def tile_grid(size_l0: tuple[int, int], tile_l0: Extent) -> list[tuple[int, int]]:
    """The upper left corners of all whole tiles of `tile_l0` pixels, row by row."""
    width, height = tile_l0
    columns, rows = (
        math.floor(side / each + 1e-6) for side, each in zip(size_l0, tile_l0, strict=True)
    )
    return [(round(c * width), round(r * height)) for r in range(rows) for c in range(columns)]


def tiles_with_tissue(
    grid: Iterable[tuple[int, int]], mask: Mask, *, tile_l0: Extent, mask_l0: Extent, least: float
) -> list[Candidate]:
    """The tiles with at least the fraction `least` of tissue.

    Args:
        grid: Corners, as of `tile_grid`.
        mask: Of the whole slide.
        tile_l0: Of a tile, in level-0 pixels.
        mask_l0: Of a pixel of the mask, in level-0 pixels.
        least: 0..1.
    """
    side = tile_l0[0] / mask_l0[0]  # the same in both directions: both are square in micrometers
    scored = [
        Candidate(x, y, tissue_fraction(mask, x / mask_l0[0], y / mask_l0[1], side))
        for x, y in grid
    ]
    return [tile for tile in scored if tile.tissue_fraction >= least]


class RankedTile(NamedTuple):
    """A tile that is cut."""

    rank: int
    """1 is the best of its slide."""
    x_l0: int
    y_l0: int
    tissue_fraction: float


@dataclass(frozen=True, kw_only=True)
class TilePlan:
    """What is to be cut from one slide."""

    tiles: list[RankedTile]
    """By rank."""
    grid: int
    """Tiles that fit on the slide."""
    candidates: int = 0
    """Of these, tiles with enough tissue."""
    hidden: list[tuple[int, int]] = field(default_factory=list)
    """(x_l0, y_l0) of tiles where the thumbnail could not be read: nobody knows what they hold."""
    skipped_reason: str | None = None
    """Why there are no tiles on a sound slide."""
    sheet: RGB | None = None
    """For a person's eye: the thumbnail, what is tissue, and the tiles; None without a grid."""


def plan_tiles(
    slide: Slide,
    settings: TilingSettings,
    *,
    regions: str | None = None,
    corners: Sequence[tuple[int, int]] | None = None,
) -> TilePlan:
    """Choose the tiles of an open slide by its thumbnail.

    Args:
        slide: Open.
        settings: What to choose.
        regions: GeoJSON of QuPath; only tissue in these regions counts.
        corners: Upper left corners (level 0) of tiles that were chosen elsewhere, in place of the
            grid; how much tissue they have decides their ranks, but all of them are cut.

    Raises:
        SlideError: the slide is coarser than the tiles, its colors cannot be H&E, or the regions
            are none.
    """
    slide.level_for(settings.mpp)  # refuses a coarse slide before any work
    tile_l0 = slide.extent_l0((settings.tile_px, settings.tile_px), settings.mpp)
    grid = tile_grid(slide.size_l0, tile_l0) if corners is None else list(corners)
    if not grid:
        width, height = slide.size_l0
        reason = f"{width} x {height} px is smaller than one tile of {tile_l0[0]:.0f} px"
        return TilePlan(tiles=[], grid=0, skipped_reason=reason)
    mask_l0 = slide.extent_l0((1, 1), settings.mask_mpp)
    image, readable = thumbnail(slide, settings.mask_mpp)
    if settings.check_colors and (wrong := implausible_colors(image)):
        raise SlideError(f"{slide.name}: {wrong}; --no-check-colors takes it as it is")
    mask, reasons = _tissue(image, settings)
    if regions is not None:
        mask = mask & region_mask(
            regions,
            size_l0=slide.size_l0,
            mask_shape=mask.shape,
            classes=settings.region_classes or None,
            exclude=settings.region_exclude,
        )
    seen = tiles_with_tissue(grid, readable, tile_l0=tile_l0, mask_l0=mask_l0, least=1.0)
    shown = {(tile.x_l0, tile.y_l0) for tile in seen}
    least = settings.min_tissue_fraction if corners is None else 0.0
    found = tiles_with_tissue(shown, mask, tile_l0=tile_l0, mask_l0=mask_l0, least=least)
    how: Select = settings.select if corners is None else "all"
    kept = select_tiles(found, how, settings.max_tiles_per_slide, tile_l0=tile_l0, slide=slide.name)
    tiles = [RankedTile(rank, *tile) for rank, tile in enumerate(kept, start=1)]
    return TilePlan(
        tiles=tiles,
        grid=len(grid),
        candidates=len(found),
        hidden=[place for place in grid if place not in shown],
        skipped_reason=None if tiles else f"none of {len(grid)} tiles has {least:.0%} tissue",
        sheet=_sheet(slide, image, mask, reasons, tiles, tile_l0=tile_l0, mask_l0=mask_l0),
    )


def _sheet(
    slide: Slide,
    image: RGB,
    mask: Mask,
    reasons: Reasons | None,
    tiles: Sequence[RankedTile],
    *,
    tile_l0: Extent,
    mask_l0: Extent,
) -> RGB:
    """The contact sheet, of what was scanned: some scanners say it is a small part of the glass."""
    left, top, right, bottom = slide.scanned or (0, 0, *slide.size_l0)
    x, y = math.floor(left / mask_l0[0]), math.floor(top / mask_l0[1])
    end_x, end_y = math.ceil(right / mask_l0[0]), math.ceil(bottom / mask_l0[1])
    if not (0 <= x < end_x <= mask.shape[1] and 0 <= y < end_y <= mask.shape[0]):
        x, y, end_x, end_y = 0, 0, mask.shape[1], mask.shape[0]  # the file contradicts itself
    window = (slice(y, end_y), slice(x, end_x))
    boxes = [
        TileBox(
            tile.x_l0 / mask_l0[0] - x,
            tile.y_l0 / mask_l0[1] - y,
            tile_l0[0] / mask_l0[0],
            tile.rank,
        )
        for tile in tiles
    ]
    shown = None if reasons is None else reasons[window]
    return contact_sheet(image[window], mask[window], boxes, reasons=shown)


def _tissue(image: RGB, settings: TilingSettings) -> tuple[Mask, Reasons | None]:
    if settings.tissue == "liu":
        return tissue_mask(image, min_object_px=settings.min_object_px), None
    reasons = tissue_reasons(image, mpp=settings.mask_mpp)
    return reasons == Reason.TISSUE, reasons


def shards(tiles: Sequence[RankedTile], tiles_per_shard: int) -> list[list[RankedTile]]:
    """Tiles from the top down, in runs of whole rows that hold `tiles_per_shard` or a row more.

    Whole rows, so that two shards share blocks of the file along one edge only.
    """
    runs: list[list[RankedTile]] = []
    by_place = sorted(tiles, key=lambda tile: (tile.y_l0, tile.x_l0))
    for _, row in groupby(by_place, key=lambda tile: tile.y_l0):
        if not runs or len(runs[-1]) >= tiles_per_shard:
            runs.append([])
        runs[-1] += row
    return runs
