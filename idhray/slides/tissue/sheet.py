"""Contact sheet of a slide: thumbnail, outline of the tissue, removed regions, and tiles."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from idhray.errors import SlideError
from idhray.images import RGB, Mask
from idhray.slides.tissue.ink import widened
from idhray.slides.tissue.robust import Reason, Reasons

OUTLINE = (0, 110, 40)
TILE = (20, 20, 20)
COLORS: Mapping[Reason, tuple[int, int, int]] = {
    Reason.PEN: (230, 30, 30),
    Reason.FOLD: (255, 150, 0),
    Reason.BLUR: (0, 140, 230),
    Reason.SMALL: (130, 130, 130),
}
"""Tints of removed regions; glass keeps its color."""
MOST_RANKS = 500
"""More tiles than this are drawn without ranks, which would not be readable."""
_TINT = 0.5
_ROW_PX = 18
_FONT_PX = 12
_MIN_WIDTH_PX = 240


class TileBox(NamedTuple):
    """A tile on the thumbnail, in pixels of the thumbnail; rank 1 is the best."""

    x: float
    y: float
    size: float
    rank: int


def contact_sheet(
    thumbnail: RGB,
    mask: Mask,
    tiles: Sequence[TileBox] = (),
    *,
    reasons: Reasons | None = None,
    side_px: int = 1024,
) -> RGB:
    """Picture of the parts of a slide that were taken, and the reasons why others were not.

    Args:
        thumbnail: (height, width, 3) uint8.
        mask: True = tissue; its outline is drawn in green.
        tiles: Squares with their ranks written inside, as far as there is room.
        reasons: Result of `tissue_reasons`, shown as tints with a legend; without it only the
            outline is drawn.
        side_px: Length of the longer side, to which the thumbnail is resized.

    Returns:
        (height, width, 3) uint8: the thumbnail and, under it, a legend.

    Raises:
        SlideError: thumbnail, mask and reasons differ in shape, or are empty.
    """
    shapes = {thumbnail.shape[:2], mask.shape} | (set() if reasons is None else {reasons.shape})
    if len(shapes) != 1 or mask.size == 0:
        raise SlideError(f"a contact sheet needs one shape for all its layers, got {shapes}")
    scale = side_px / max(mask.shape)
    size = (max(round(mask.shape[1] * scale), 1), max(round(mask.shape[0] * scale), 1))
    pixels = np.array(Image.fromarray(thumbnail).resize(size, Image.Resampling.BILINEAR))
    if reasons is not None:
        _tint(pixels, _enlarged(reasons, size))
    inside = _enlarged(mask.view(np.uint8), size) > 0
    outline = inside & widened(~inside, max(side_px // 400, 1))
    picture = Image.fromarray(pixels)
    picture.paste(OUTLINE, mask=Image.fromarray(outline.view(np.uint8) * 255))
    _draw_tiles(picture, tiles, scale)
    return _with_legend(picture, mask, reasons, len(tiles))


def _enlarged(layer: Reasons, size: tuple[int, int]) -> Reasons:
    return np.asarray(Image.fromarray(layer).resize(size, Image.Resampling.NEAREST))


def _tint(pixels: RGB, reasons: Reasons) -> None:
    """Mix the colors of the reasons into a picture, in place."""
    for reason, color in COLORS.items():
        region = reasons == reason
        pixels[region] = (1 - _TINT) * pixels[region] + _TINT * np.array(color)


def _draw_tiles(picture: Image.Image, tiles: Sequence[TileBox], scale: float) -> None:
    draw = ImageDraw.Draw(picture)
    for x, y, side, rank in tiles:
        left, top, right, bottom = (edge * scale for edge in (x, y, x + side, y + side))
        draw.rectangle((left, top, max(right, left), max(bottom, top)), outline=TILE)
        if len(tiles) > MOST_RANKS:
            continue
        font = _font(max(min(side * scale / 3, 24), 8))
        if draw.textlength(str(rank), font) < side * scale:
            draw.text((left + 3, top + 1), str(rank), fill=TILE, font=font)


@functools.lru_cache(maxsize=8)
def _font(size_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _with_legend(picture: Image.Image, mask: Mask, reasons: Reasons | None, tiles: int) -> RGB:
    """Picture with a legend: one line for each kind of region, with its share of the area."""
    count = f"{tiles} tile{'' if tiles == 1 else 's'}"
    ranked = f"{count} with ranks, 1 is the best" if 0 < tiles <= MOST_RANKS else count
    lines = [(OUTLINE, f"tissue {_percent(mask)}"), (TILE, ranked)]
    if reasons is not None:
        for reason, color in COLORS.items():
            lines.append((color, f"{reason.name.lower()} {_percent(reasons == reason)}"))
    width = max(picture.width, _MIN_WIDTH_PX)
    sheet = Image.new("RGB", (width, picture.height + _ROW_PX * len(lines) + 6), "white")
    sheet.paste(picture, (0, 0))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    for row, (color, text) in enumerate(lines):
        y = picture.height + 4 + row * _ROW_PX
        draw.rectangle((6, y + 2, 18, y + 14), fill=color)
        draw.text((26, y), text, fill="black", font=font)
    return np.asarray(sheet)


def _percent(mask: Mask) -> str:
    return f"{100 * float(mask.mean()):.1f} %"
