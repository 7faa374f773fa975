"""Selection of a slide's tiles: a grid, scored by tissue on a thumbnail.

The grid starts at the slide's upper left corner and has whole tiles only, as in the pipeline that
Liu et al. cite. Only selected tiles are read at full resolution, see `tile_rows`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from idhray.errors import SlideError
from idhray.images import RGB, Mask
from idhray.slides.annotations import region_mask
from idhray.slides.color_check import implausible_colors
from idhray.slides.reader import Slide
from idhray.slides.selection import ScoredTile, Select, select_tiles
from idhray.slides.thumbnail import thumbnail
from idhray.slides.tiling_settings import TilingSettings
from idhray.slides.tissue.mask import background_limit, tissue_fraction, tissue_mask
from idhray.slides.tissue.robust import Reason, Reasons, tissue_reasons
from idhray.slides.tissue.sheet import TileBox, contact_sheet

CONVERTER = "PhotometricInterpretation may be wrong: convert it by another converter, or "
Extent = tuple[float, float]  # width and height


def tile_mpp(slide: Slide, settings: TilingSettings) -> float:
    """um per pixel of a slide's tiles, within `mpp_tolerance` of the settings' magnification.

    Raises:
        SlideError: the slide is coarser than the tiles.
    """
    return slide.whole_mpp(settings.mpp, settings.tile_px, settings.mpp_tolerance)


def tile_grid(size_l0: tuple[int, int], tile_l0: Extent) -> list[tuple[int, int]]:
    """Upper left corners of all whole tiles of `tile_l0` pixels, row by row."""
    width, height = tile_l0
    columns, rows = (
        math.floor(side / tile + 1e-6) for side, tile in zip(size_l0, tile_l0, strict=True)
    )
    return [(round(c * width), round(r * height)) for r in range(rows) for c in range(columns)]


def tiles_with_tissue(
    grid: Iterable[tuple[int, int]], mask: Mask, *, tile_l0: Extent, mask_l0: Extent, least: float
) -> list[ScoredTile]:
    """Tiles whose fraction of tissue is `least` or more.

    Args:
        grid: Upper left corners of the tiles, see `tile_grid`.
        mask: Tissue mask of the whole slide.
        tile_l0: Size of a tile in level-0 pixels.
        mask_l0: Size of a pixel of the mask in level-0 pixels.
        least: Smallest fraction of tissue, 0 to 1.
    """
    side = tile_l0[0] / mask_l0[0]  # the same in both directions: both are square in micrometers
    scored = [
        ScoredTile(x, y, tissue_fraction(mask, x / mask_l0[0], y / mask_l0[1], side))
        for x, y in grid
    ]
    return [tile for tile in scored if tile.tissue_fraction >= least]


class RankedTile(NamedTuple):
    """A selected tile."""

    rank: int
    """Rank on the slide; 1 is the best tile."""
    x_l0: int
    y_l0: int
    tissue_fraction: float


@dataclass(frozen=True, kw_only=True)
class TilePlan:
    """Selected tiles of one slide, with counts and a contact sheet."""

    tiles: list[RankedTile]
    """Selected tiles, by rank."""
    grid: int
    """Number of tiles that fit on the slide."""
    candidates: int = 0
    """Number of tiles with enough tissue."""
    hidden: list[tuple[int, int]] = field(default_factory=list)
    """(x_l0, y_l0) of tiles in places where the thumbnail could not be read."""
    skipped_reason: str | None = None
    """Reason why a sound slide has no tiles."""
    green_limit: int | None = None
    """Green value above which a pixel of the slide is glass; None without a grid."""
    sheet: RGB | None = None
    """Contact sheet: thumbnail, outline of the tissue, and tiles; None without a grid."""


def plan_tiles(
    slide: Slide,
    settings: TilingSettings,
    *,
    regions: str | None = None,
    corners: Sequence[tuple[int, int]] | None = None,
) -> TilePlan:
    """Select the tiles of an open slide by its thumbnail.

    Args:
        slide: The open slide.
        settings: Grid, tissue and selection.
        regions: Path of a GeoJSON file of QuPath; only tissue in its regions counts.
        corners: Upper left corners (level 0) of tiles that another tool selected. They replace the
            grid and are all cut; their tissue determines their ranks only.

    Raises:
        SlideError: the slide is coarser than the tiles, its colors cannot be H&E, or the regions
            cannot be used.
    """
    mpp = tile_mpp(slide, settings)  # refuses a coarse slide before any work
    tile_l0 = slide.extent_l0((settings.tile_px, settings.tile_px), mpp)
    grid = tile_grid(slide.size_l0, tile_l0) if corners is None else list(corners)
    if not grid:
        width, height = slide.size_l0
        reason = f"{width} x {height} px is smaller than one tile of {tile_l0[0]:.0f} px"
        return TilePlan(tiles=[], grid=0, skipped_reason=reason)
    mask_l0 = slide.extent_l0((1, 1), settings.mask_mpp)
    image, readable = thumbnail(slide, settings.mask_mpp)
    if settings.check_colors and (
        wrong := implausible_colors(_scanned_part(slide, image, settings.mask_mpp))
    ):
        raise SlideError(
            f"{slide.name}: {wrong}; {CONVERTER if slide.vendor == 'dicom' else ''}"
            "--no-check-colors takes it as it is"
        )
    mask, reasons = _tissue(image, settings)
    green_limit = background_limit(image, None if reasons is None else mask)
    if regions is not None:
        mask = mask & region_mask(
            regions,
            size_l0=slide.size_l0,
            mask_shape=mask.shape,
            classes=settings.region_classes or None,
            exclude=settings.region_exclude,
        )
    visible = {
        (tile.x_l0, tile.y_l0)
        for tile in tiles_with_tissue(grid, readable, tile_l0=tile_l0, mask_l0=mask_l0, least=1.0)
    }
    least = settings.min_tissue_fraction if corners is None else 0.0
    scored = tiles_with_tissue(visible, mask, tile_l0=tile_l0, mask_l0=mask_l0, least=0.0)
    candidates = [tile for tile in scored if tile.tissue_fraction >= least]
    select: Select = settings.select if corners is None else "all"
    count = settings.max_tiles_per_slide
    selected = select_tiles(candidates, select, count, tile_l0=tile_l0, slide=slide.name)
    tiles = [RankedTile(rank, *tile) for rank, tile in enumerate(selected, start=1)]
    return TilePlan(
        tiles=tiles,
        grid=len(grid),
        candidates=len(candidates),
        hidden=[place for place in grid if place not in visible],
        skipped_reason=None if tiles else _without_tiles(scored, mask, least),
        green_limit=green_limit,
        sheet=_sheet(slide, image, mask, reasons, tiles, tile_l0=tile_l0, mask_l0=mask_l0),
    )


def _without_tiles(scored: Sequence[ScoredTile], mask: Mask, least: float) -> str:
    """Reason why no tile has enough tissue, with the shares that the mask shows."""
    largest = max((tile.tissue_fraction for tile in scored), default=0.0)
    return (
        f"none of {len(scored)} tiles has {least:.0%} tissue, the fullest has {largest:.1%}; the "
        f"mask finds tissue on {mask.mean():.2%} of the slide: see its picture in quality/"
    )


def _scanned_part(slide: Slide, image: RGB, mask_mpp: float) -> RGB:
    """Thumbnail without its padding: pixels that lie beyond the slide, or were not scanned."""
    left, top, right, bottom = slide.scanned or (0, 0, *slide.size_l0)
    across, down = slide.extent_l0((1, 1), mask_mpp)
    rows = slice(math.ceil(top / down), math.floor(bottom / down))
    columns = slice(math.ceil(left / across), math.floor(right / across))
    part = image[rows, columns]
    return part if part.size else image


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
    """Contact sheet of the scanned part, which for some scanners is a small part of the glass."""
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
    scanned_reasons = None if reasons is None else reasons[window]
    return contact_sheet(image[window], mask[window], boxes, reasons=scanned_reasons)


def _tissue(image: RGB, settings: TilingSettings) -> tuple[Mask, Reasons | None]:
    """Tissue mask of a thumbnail, with the reason of each pixel if the method gives reasons."""
    if settings.tissue == "liu":
        return tissue_mask(image, min_object_px=settings.min_object_px), None
    reasons = tissue_reasons(image, mpp=settings.mask_mpp)
    return reasons == Reason.TISSUE, reasons


def tile_shards(tiles: Sequence[RankedTile], tiles_per_shard: int) -> list[list[RankedTile]]:
    """Shards of a slide's tiles, from the top down, each of `tiles_per_shard` tiles or a row more.

    A shard consists of whole rows, so that two shards share blocks of the file along one edge only.
    """
    shards: list[list[RankedTile]] = []
    by_place = sorted(tiles, key=lambda tile: (tile.y_l0, tile.x_l0))
    for _, row in groupby(by_place, key=lambda tile: tile.y_l0):
        if not shards or len(shards[-1]) >= tiles_per_shard:
            shards.append([])
        shards[-1] += row
    return shards
