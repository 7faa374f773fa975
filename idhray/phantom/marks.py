"""Marks on a slide that are not tissue to analyze: pen strokes and a fold.

Both are opacity maps at 1 / MAP_PX of level 0, 0 to 255, laid over the finished colors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from idhray.phantom.layout import MAP_PX

Opacity = NDArray[np.uint8]  # (height, width) in map cells

INKS = {"red": (205, 35, 55), "green": (35, 130, 115), "blue": (45, 60, 165)}
"""RGB of full ink on the white slide; red and green after TCGA slides in histolab's fixtures."""

COVERED = 0.15
"""Opacity above which a pixel is not usable tissue."""


@dataclass(frozen=True)
class Marks:
    """Marks on one slide: a map for each pen and for the fold, if any."""

    pens: dict[str, Opacity]
    fold: Opacity | None

    def usable(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Map cells that neither a pen nor a fold covers."""
        covers = [*self.pens.values(), *([] if self.fold is None else [self.fold])]
        clear = np.ones(shape, dtype=bool)
        for opacity in covers:
            clear &= opacity <= 255 * COVERED
        return clear


def make_marks(
    random: np.random.Generator,
    tissue: NDArray[np.bool_],
    mpp: float,
    *,
    pen_fraction: float,
    fold_fraction: float,
) -> Marks:
    """Draw pens (one to three colors) on a share of slides, and a fold on a share of slides."""
    cell_um = MAP_PX * mpp
    marked, folded = random.random() < pen_fraction, random.random() < fold_fraction
    names = random.permutation(list(INKS))[: random.integers(1, 4)]
    strokes = {str(name): _stroke(random, tissue.shape, cell_um) for name in names}
    fold = _fold(random, tissue, cell_um)
    return Marks(strokes if marked else {}, fold if folded else None)


def _stroke(random: np.random.Generator, shape: tuple[int, int], cell_um: float) -> Opacity:
    """An arc around the middle, partly over the tissue, with blobs where the pen rested."""
    height, width = shape
    nib = float(np.clip(0.045 * min(shape), 2, 400 / cell_um))
    theta = random.uniform(0, 2 * np.pi) + np.linspace(0, random.uniform(0.7, 1.8), 40)
    distance = random.uniform(0.80, 1.0) + 0.04 * np.cumsum(random.standard_normal(40)) / 3
    x = width / 2 * (1 + distance * np.cos(theta))
    y = height / 2 * (1 + distance * np.sin(theta))
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    draw.line(points, fill=205, width=max(round(nib), 1), joint="curve")
    for px, py in (points[0], points[-1]):
        draw.ellipse((px - 0.6 * nib, py - 0.6 * nib, px + 0.6 * nib, py + 0.6 * nib), fill=245)
    image = image.filter(ImageFilter.GaussianBlur(nib / 7))  # ink lies out of focus
    streaks = 1 + 0.08 * np.sin(np.arange(height)[:, None] / nib * 5 + random.uniform(0, 6))
    return np.asarray(np.clip(np.asarray(image) * streaks, 0, 255), dtype=np.uint8)


def _fold(random: np.random.Generator, tissue: NDArray[np.bool_], cell_um: float) -> Opacity:
    """A gently bent band across the tissue."""
    height, width = tissue.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = random.uniform(0, np.pi)
    across = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)
    along = (y - height / 2) * np.cos(angle) - (x - width / 2) * np.sin(angle)
    bend = 0.06 * min(height, width) * np.sin(along / min(height, width) * 4)
    offset = random.uniform(-0.25, 0.25) * min(height, width)
    half = float(np.clip(0.02 * min(height, width), 1.5, 60 / cell_um))
    band = np.clip(half + 1 - np.abs(across - offset - bend), 0, 1) * tissue
    return np.asarray(200 * band, dtype=np.uint8)
