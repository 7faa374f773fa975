"""Pixels of a slide, band by band, from its layout, stamps and marks.

Color follows Beer-Lambert: RGB = white * exp(-(H * hematoxylin + E * eosin)), with H and E in
steps of OD_STEP, so that a table of 65,536 entries holds all colors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from idhray.images import RGB
from idhray.phantom.appearance import Appearance
from idhray.phantom.cells import Cells
from idhray.phantom.layout import MAP_PX, Layout
from idhray.phantom.marks import INKS, Marks, Opacity
from idhray.phantom.nuclei import OD_STEP, Density, Stamp
from idhray.phantom.texture import SlideMap, fibers, grains, repeated

RUIFROK = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
"""Hematoxylin and eosin. Source: Ruifrok & Johnston 2001."""
MACENKO = np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]])
"""Source: Macenko et al. 2009, the reference vectors of their published code."""

REACH_PX = 192  # largest half-size of a stamp

M = TypeVar("M", SlideMap, Opacity)


@dataclass(frozen=True)
class Scene:
    """Complete description of one slide, from which any part can be drawn."""

    height: int
    width: int
    mpp: float
    look: Appearance
    layout: Layout
    cells: Cells
    stamps: list[Stamp]
    """Stamps that `cells.stamp` refers to."""
    marks: Marks
    shift: tuple[int, int]
    """Offset of the repeating textures."""


def color_table(look: Appearance) -> NDArray[np.uint32]:
    """RGB of every (H, E) step, packed into uint32: index H * 256 + E."""
    vectors = (1 - look.stain_mix) * RUIFROK + look.stain_mix * MACENKO
    od = np.arange(256) * OD_STEP
    exponent = od[:, None, None] * vectors[0] + od[None, :, None] * vectors[1]
    rgb = np.zeros((256, 256, 4), dtype=np.uint8)
    rgb[..., :3] = np.rint(look.white * np.exp(-exponent))
    return rgb.reshape(-1, 4).view(np.uint32)[:, 0]


def bands(scene: Scene, rows: int = 512) -> Iterator[RGB]:
    """Bands of the slide from top to bottom, `rows` (a multiple of MAP_PX) high."""
    table = color_table(scene.look)
    for top in range(0, scene.height, rows):
        bottom = min(top + rows, scene.height)
        h, e = _stroma(scene, top, bottom)
        _paste_all(scene, h, e, top)
        colors = table[h.astype(np.uint16) << 8 | e]
        rgb = colors.view(np.uint8).reshape(*h.shape, 4)[..., :3]
        yield _with_marks(scene, rgb, top)


def _stroma(scene: Scene, top: int, bottom: int) -> tuple[Density, Density]:
    """Hematoxylin and eosin of the tissue without its cells; 0 outside the tissue."""
    layout, look = scene.layout, scene.look
    felt = _texture(fibers(512, scene.mpp), scene, top, bottom)
    felt += _texture(fibers(448, scene.mpp), scene, top, bottom)
    dust = _texture(grains(480, scene.mpp), scene, top, bottom)
    dead = _enlarged(layout.necrosis, scene, top, bottom)
    border = _enlarged(layout.border, scene, top, bottom)
    # Dead tissue has grains instead of fibers, and is paler without the bluish haze.
    felt += dead * (dust - felt)
    inside = np.clip((border + 0.02 * felt) * 25, 0, 1)
    inside *= 1 / OD_STEP
    strength = _enlarged(layout.eosin, scene, top, bottom) * (0.46 - 0.06 * dead) * look.eosin
    e = inside * np.maximum(strength * (1 + 0.28 * felt), 0.06)
    h = inside * np.maximum(look.hematoxylin * (0.15 - 0.12 * dead) * (1 + 0.3 * felt), 0.01)
    noise = (dust > 0.5).view(np.uint8)  # one step: the empty slide is slightly uneven
    return h.astype(np.uint8), e.astype(np.uint8) + noise


def _texture(tile: SlideMap, scene: Scene, top: int, bottom: int) -> SlideMap:
    return repeated(tile, (top, bottom), scene.width, scene.shift)


def _enlarged(layer: M, scene: Scene, top: int, bottom: int) -> M:
    """Rows of a map at level 0, bilinear, so that bands join without a seam."""
    box = (0, top / MAP_PX, scene.width / MAP_PX, bottom / MAP_PX)
    size = (scene.width, bottom - top)
    image = Image.fromarray(layer).resize(size, Image.Resampling.BILINEAR, box=box)
    return np.asarray(image, dtype=layer.dtype)


def _paste_all(scene: Scene, h: Density, e: Density, top: int) -> None:
    cells = scene.cells
    first, last = np.searchsorted(cells.y, [top - REACH_PX, top + h.shape[0] + REACH_PX])
    part = slice(int(first), int(last))
    x, y, stamp = (a[part].tolist() for a in (cells.x, cells.y - top, cells.stamp))
    for k, column, row in zip(stamp, x, y, strict=True):
        scene.stamps[k].paste(h, e, column, row)


def _with_marks(scene: Scene, rgb: RGB, top: int) -> RGB:
    """Band with the fold and the inks on it."""
    bottom = top + rgb.shape[0]
    marks = scene.marks
    if marks.fold is not None and _touches(marks.fold, top, bottom):
        opacity = _enlarged(marks.fold, scene, top, bottom)
        rgb = _folded(rgb, opacity)
    for name, ink in marks.pens.items():
        if _touches(ink, top, bottom):
            rgb = _inked(rgb, _enlarged(ink, scene, top, bottom), INKS[name], scene.look.white)
    return np.ascontiguousarray(rgb)


def _touches(layer: Opacity, top: int, bottom: int) -> bool:
    return bool(layer[max(top // MAP_PX - 1, 0) : bottom // MAP_PX + 1].any())


def _folded(rgb: RGB, opacity: NDArray[np.uint8]) -> RGB:
    """Band with a fold: doubled tissue is darker and nearly gray."""
    out = np.array(rgb)
    folded = opacity > 0
    pixels = rgb[folded].astype(np.float32)
    share = opacity[folded].astype(np.float32)[:, None] / 200
    luma = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    gray = 0.55 * luma[:, None] + 0.03 * pixels + 12
    out[folded] = pixels + share * (gray - pixels)
    return out


def _inked(rgb: RGB, opacity: NDArray[np.uint8], ink: tuple[int, int, int], white: float) -> RGB:
    """Band with ink, which absorbs like a stain, so that the tissue shows through."""
    out = np.array(rgb)
    inked = opacity > 0
    steps = np.arange(256)[:, None] / 205  # 205: the body of a stroke
    through = np.exp(steps * np.log(np.array(ink) / white)).astype(np.float32)
    out[inked] = rgb[inked] * through[opacity[inked]]
    return out
