"""Rows of the TILES table: the selected tiles, read and encoded."""

from collections.abc import Iterator, Sequence
from typing import Any

from idhray.errors import SlideError
from idhray.images import RGB, image_cell
from idhray.slides.direct import DirectSlide
from idhray.slides.reader import Slide
from idhray.slides.tiling import RankedTile, tile_mpp
from idhray.slides.tiling_settings import TilingSettings
from idhray.slides.tissue.mask import tissue_mask

OWN_STEP_PX = 4
"""Step between pixels that measure a tile's tissue: 65,536 pixels of a tile of 1024 px."""


def tile_rows(
    slide: Slide,
    tiles: Sequence[RankedTile],
    settings: TilingSettings,
    green_limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Rows of the TILES table, without patient, idh and split, from the top of the slide down.

    Memory holds one tile, and the blocks of the file that it shares with later tiles.

    Args:
        slide: The open slide.
        tiles: Its selected tiles.
        settings: Size and format of the tiles.
        green_limit: Green value above which a pixel of the slide is glass, see `TilePlan`.

    Raises:
        SlideError: after the last tile, if a tile lies in a damaged part of the file. The slide is
            refused as a whole, because the best tiles may be among the lost ones.
    """
    by_place = {(tile.x_l0, tile.y_l0): tile for tile in tiles}
    mpp = tile_mpp(slide, settings)
    width_l0, height_l0 = slide.extent_l0((settings.tile_px, settings.tile_px), mpp)
    damaged: list[tuple[int, int]] = []
    for place, image in _regions(slide, list(by_place), settings):
        if isinstance(image, SlideError):
            damaged.append(place)
            continue
        tile = by_place[place]
        yield {
            "slide": slide.name,
            "x_l0": tile.x_l0,
            "y_l0": tile.y_l0,
            "size_l0": width_l0,
            "height_l0": height_l0,
            "mpp": mpp,
            "mpp_source": slide.mpp_source,
            "tissue_fraction": tile.tissue_fraction,
            "own_tissue_fraction": own_tissue_fraction(image, green_limit),
            "green_limit": green_limit,
            "rank": tile.rank,
            "image": image_cell(image, f"{slide.name}_x{tile.x_l0}_y{tile.y_l0}", settings.codec),
        }
    if damaged:
        raise SlideError(
            f"{slide.name}: {len(damaged)} of {len(tiles)} tiles are unreadable, the first at "
            f"{damaged[0]} (level-0 px); get the file again"
        )


def own_tissue_fraction(tile: RGB, green_limit: int | None = None) -> float:
    """Fraction of tissue by the pixels of the tile itself, in which small gaps count as glass."""
    pixels = tile[::OWN_STEP_PX, ::OWN_STEP_PX]
    return float(tissue_mask(pixels, min_object_px=0, green_limit=green_limit).mean())


def _regions(
    slide: Slide, places: Sequence[tuple[int, int]], settings: TilingSettings
) -> Iterator[tuple[tuple[int, int], RGB | SlideError]]:
    """((x_l0, y_l0), pixels or error) of each tile."""
    size, mpp = (settings.tile_px, settings.tile_px), tile_mpp(slide, settings)
    if isinstance(slide, DirectSlide):
        yield from slide.regions(places, size, mpp)
        return
    for place in places:
        try:
            yield place, slide.region(*place, size, mpp)
        except SlideError as error:
            yield place, error
