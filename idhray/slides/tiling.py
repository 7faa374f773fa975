"""The tiles of one slide: a grid, scored by tissue on a thumbnail, of which the best are read.

Only kept tiles are read at full resolution. The grid starts at the slide's upper left corner and
has whole tiles only, as in the pipeline that Liu et al. cite.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from idhray.errors import ConfigError, SlideError
from idhray.images import RGB, Codec, image_cell
from idhray.slides.direct import open_slide
from idhray.slides.reader import UM_AT_1X, Slide
from idhray.slides.tissue import Mask, tissue_fraction, tissue_mask
from idhray.slides.tissue_robust import Reason, Reasons, tissue_reasons
from idhray.slides.tissue_sheet import TileBox, contact_sheet

_BLOCK_PX = 2048  # of the level that a thumbnail is read from, at a time
_SMALLEST_BLOCK_PX = 32  # of the thumbnail; a damaged place is located this exactly


@dataclass(frozen=True, kw_only=True)
class TilingSettings:
    """Which tiles are cut, and how they are stored."""

    tile_px: int = 1024
    magnification: float = 10.0
    """10 is 1.0 um per pixel."""
    min_tissue_fraction: float = 0.5
    max_tiles_per_slide: int = 50
    """The best by tissue fraction are kept."""
    mask_mpp: float = 16.0
    """um per pixel of the thumbnail that tissue is found on; 1/32 of a 20x scan."""
    tissue: Literal["liu", "robust"] = "liu"
    """How tissue is told from glass: the filters of the pipeline that Liu et al. cite, or ours,
    which also leave out folds, blur and pens of any colour."""
    min_object_px: int = 500
    """Of "liu": tissue of fewer pixels of that thumbnail is dropped; 500 are 0.13 mm2."""
    codec: Codec = "jpeg"
    direct: bool = True
    """Decode the file's own JPEG blocks where it is tiled TIFF, at half scale where that fits: some
    six times as fast as OpenSlide, which reads all other files. At half scale pixels differ by 0.2
    to 1 of 255 on average; at full scale they are the same."""

    def __post_init__(self) -> None:
        if min(self.tile_px, self.max_tiles_per_slide) < 1 or self.min_object_px < 0:
            raise ConfigError("tile_px and max_tiles_per_slide must be 1 or more, min_object_px 0")
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


class Candidate(NamedTuple):
    """A place on the grid that has enough tissue."""

    x_l0: int
    y_l0: int
    tissue_fraction: float


@dataclass(frozen=True, kw_only=True)
class SlideTiles:
    """What one slide gave."""

    rows: list[dict[str, Any]]
    """Of the TILES table, without patient, idh and split; best first."""
    grid: int
    """Tiles that fit on the slide."""
    candidates: int
    """Of these, tiles with enough tissue."""
    unreadable: list[tuple[int, int]] = field(default_factory=list)
    """(x_l0, y_l0) of tiles in damaged parts of the file, with tissue or where the thumbnail could
    not be read; their places went to the next best."""
    skipped_reason: str | None = None
    """Why there are no rows, for a sound slide."""
    sheet: RGB | None = None
    """For a person's eye: the thumbnail, what is tissue, and the tiles; None without a grid."""


def tile_grid(size_l0: tuple[int, int], tile_l0: float) -> list[tuple[int, int]]:
    """The upper left corners of all whole tiles of `tile_l0` pixels, row by row."""
    columns, rows = (math.floor(side / tile_l0 + 1e-6) for side in size_l0)
    return [(round(c * tile_l0), round(r * tile_l0)) for r in range(rows) for c in range(columns)]


def best_tiles(
    grid: Iterable[tuple[int, int]], mask: Mask, *, tile_l0: float, mask_l0: float, least: float
) -> list[Candidate]:
    """The tiles with at least the fraction `least` of tissue, most tissue first, then by place.

    Args:
        grid: Corners, as of `tile_grid`.
        mask: Of the whole slide.
        tile_l0: Side of a tile in level-0 pixels.
        mask_l0: Side of a pixel of the mask in level-0 pixels.
        least: 0..1.
    """
    scored = [
        Candidate(x, y, tissue_fraction(mask, x / mask_l0, y / mask_l0, tile_l0 / mask_l0))
        for x, y in grid
    ]
    kept = [tile for tile in scored if tile.tissue_fraction >= least]
    return sorted(kept, key=lambda tile: (-tile.tissue_fraction, tile.y_l0, tile.x_l0))


def thumbnail(slide: Slide, mpp: float) -> tuple[RGB, Mask]:
    """The whole slide at `mpp` um per pixel, and which of its pixels could be read.

    It is read in blocks; a damaged one in ever smaller blocks, so that the rest is still had.
    """
    pixel_l0 = mpp / slide.mpp
    width, height = (math.ceil(side / pixel_l0) for side in slide.size_l0)
    image = np.full((height, width, 3), 255, dtype=np.uint8)
    readable = np.zeros((height, width), dtype=np.bool_)
    step = max(int(_BLOCK_PX / slide.level_scale(mpp)), 1)

    def fill(left: int, top: int, step: int) -> None:
        right, bottom = min(left + step, width), min(top + step, height)
        corner = (round(left * pixel_l0), round(top * pixel_l0))
        try:
            block = slide.region(*corner, (right - left, bottom - top), mpp)
        except SlideError:
            if step > _SMALLEST_BLOCK_PX:
                fill_all(left, top, right, bottom, step // 2)
            return
        image[top:bottom, left:right] = block
        readable[top:bottom, left:right] = True

    def fill_all(left: int, top: int, right: int, bottom: int, step: int) -> None:
        for y in range(top, bottom, step):
            for x in range(left, right, step):
                fill(x, y, step)

    fill_all(0, 0, width, height, step)
    return image, readable


def cut_tiles(
    path: str,
    *,
    name: str,
    settings: TilingSettings,
    mpp: float | None = None,
    objective_power: float | None = None,
) -> SlideTiles:
    """The tiles of one slide with the most tissue, encoded.

    Args:
        path: A local file.
        name: Of the slide, in its rows and in messages.
        settings: What to cut.
        mpp: The manifest's, where it has one.
        objective_power: The manifest's, where it has one.

    Raises:
        SlideError: it cannot be opened, does not say its resolution, is coarser than the tiles, or
            none of its tiles can be read.
    """
    opened = open_slide(
        path, name=name, mpp=mpp, objective_power=objective_power, direct=settings.direct
    )
    with opened as slide:
        slide.level_for(settings.mpp)  # refuses a coarse slide before any work
        tile_l0 = settings.tile_px * settings.mpp / slide.mpp
        grid = tile_grid(slide.size_l0, tile_l0)
        if not grid:
            width, height = slide.size_l0
            reason = f"{width} x {height} px is smaller than one tile of {tile_l0:.0f} px"
            return SlideTiles(rows=[], grid=0, candidates=0, skipped_reason=reason)
        best, hidden, seen = _candidates(slide, grid, tile_l0, settings)
        rows, damaged = _read_best(slide, best, tile_l0, settings)
        pixel_l0 = settings.mask_mpp / slide.mpp
    unreadable = hidden + damaged
    if not rows and unreadable:
        raise SlideError(
            f"{name}: no tile with tissue could be read; {len(unreadable)} of {len(grid)} are "
            f"damaged, the first at {unreadable[0]}; get the file again"
        )
    reason = f"none of {len(grid)} tiles has {settings.min_tissue_fraction:.0%} tissue"
    return SlideTiles(
        rows=rows,
        grid=len(grid),
        candidates=len(best),
        unreadable=unreadable,
        skipped_reason=None if rows else reason,
        sheet=_sheet(seen, rows, pixel_l0),
    )


class _Seen(NamedTuple):
    """What a slide looks like from afar, and what of it is tissue."""

    image: RGB
    mask: Mask
    reasons: Reasons | None


def _sheet(seen: _Seen, rows: list[dict[str, Any]], pixel_l0: float) -> RGB:
    tiles = [
        TileBox(
            x=row["x_l0"] / pixel_l0,
            y=row["y_l0"] / pixel_l0,
            size=row["size_l0"] / pixel_l0,
            rank=row["rank"],
        )
        for row in rows
    ]
    return contact_sheet(seen.image, seen.mask, tiles, reasons=seen.reasons)


def _candidates(
    slide: Slide, grid: list[tuple[int, int]], tile_l0: float, settings: TilingSettings
) -> tuple[list[Candidate], list[tuple[int, int]], _Seen]:
    """The tiles with enough tissue, best first; those that the thumbnail does not show; and it."""
    mask_l0 = settings.mask_mpp / slide.mpp
    image, readable = thumbnail(slide, settings.mask_mpp)
    reasons = None
    if settings.tissue == "robust":
        reasons = tissue_reasons(image, mpp=settings.mask_mpp)
        mask: Mask = reasons == Reason.TISSUE
    else:
        mask = tissue_mask(image, min_object_px=settings.min_object_px)
    seen = best_tiles(grid, readable, tile_l0=tile_l0, mask_l0=mask_l0, least=1.0)
    shown = {(tile.x_l0, tile.y_l0) for tile in seen}
    best = best_tiles(
        shown, mask, tile_l0=tile_l0, mask_l0=mask_l0, least=settings.min_tissue_fraction
    )
    hidden = [place for place in grid if place not in shown]
    return best, hidden, _Seen(image, mask, reasons)


def _read_best(
    slide: Slide, best: list[Candidate], tile_l0: float, settings: TilingSettings
) -> tuple[list[dict[str, Any]], list[tuple[int, int]]]:
    """Rows of the best tiles that can be read, and the places of better ones that cannot."""
    rows: list[dict[str, Any]] = []
    damaged: list[tuple[int, int]] = []
    size = (settings.tile_px, settings.tile_px)
    for x, y, fraction in best:
        if len(rows) == settings.max_tiles_per_slide:
            break
        try:
            image = slide.region(x, y, size, settings.mpp)
        except SlideError:
            damaged.append((x, y))
            continue
        row = {"slide": slide.name, "x_l0": x, "y_l0": y, "size_l0": tile_l0, "mpp": settings.mpp}
        row |= {"mpp_source": slide.mpp_source, "tissue_fraction": fraction, "rank": len(rows) + 1}
        row["image"] = image_cell(image, f"{slide.name}_x{x}_y{y}", settings.codec)
        rows.append(row)
    return rows, damaged
