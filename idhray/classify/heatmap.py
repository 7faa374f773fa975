"""Pictures of a classifier's scores: patches on the thumbnail of a slide, and the extreme patches.

Blue is wildtype-like, red mutant-like, white in between. Only the patches that were scored have a
color: the rest of the slide was not looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from idhray.images import RGB, resize

BLUE, WHITE, RED = (33, 102, 172), (247, 247, 247), (178, 24, 43)
"""ColorBrewer's RdBu, which color-blind readers can tell apart."""
OPACITY = 0.65
EXTREME = 10
"""Patches of each kind on the sheet of a patient."""
BAR_PX, LABEL_PX = 14, 22
SHOWN_PX = 128
"""Side of a patch on the sheet."""


@dataclass(frozen=True, kw_only=True)
class ScoredPatch:
    """Place of a patch on the thumbnail, and its score."""

    left: float
    top: float
    width: float
    height: float
    p_mutant: float


def score_color(p_mutant: float) -> tuple[int, int, int]:
    """Color of a probability: blue at 0, white at .5, red at 1."""
    share = float(np.clip(p_mutant, 0, 1))
    low, high, part = (BLUE, WHITE, 2 * share) if share < 0.5 else (WHITE, RED, 2 * share - 1)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(low, high, strict=True))
    return red, green, blue


def heatmap(thumbnail: RGB, patches: Sequence[ScoredPatch], title: str) -> RGB:
    """Thumbnail with the color of each patch over its place, a scale and a title.

    Args:
        thumbnail: (height, width, 3) uint8.
        patches: Patches in pixels of the thumbnail.
        title: Line of text below it.
    """
    base = Image.fromarray(thumbnail)
    colors = base.copy()
    pen = ImageDraw.Draw(colors)
    for patch in patches:
        box = (patch.left, patch.top, patch.left + patch.width, patch.top + patch.height)
        pen.rectangle(box, fill=score_color(patch.p_mutant))
    blended = Image.blend(base, colors, OPACITY)
    outline = ImageDraw.Draw(blended)
    for patch in patches:
        box = (patch.left, patch.top, patch.left + patch.width, patch.top + patch.height)
        outline.rectangle(box, outline=(60, 60, 60))
    width, height = max(base.width, 240), base.height
    sheet = Image.new("RGB", (width, height + BAR_PX + 2 * LABEL_PX), (255, 255, 255))
    sheet.paste(blended, (0, 0))
    ink = ImageDraw.Draw(sheet)
    for x in range(width):
        ink.line((x, height + 4, x, height + BAR_PX), fill=score_color(x / (width - 1)))
    ink.text((2, height + BAR_PX + 2), "0 wildtype-like", fill=(0, 0, 0))
    ink.text((width - 92, height + BAR_PX + 2), "mutant-like 1", fill=(0, 0, 0))
    ink.text((2, height + BAR_PX + LABEL_PX), title, fill=(0, 0, 0))
    return np.asarray(sheet)


def extreme_patches(p_mutant: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Numbers of the most mutant-like and of the most wildtype-like patches, up to ten each.

    No patch is in both lists, unless there is one alone.

    Args:
        p_mutant: (N,) scores of a patient's patches.
    """
    order = np.argsort(-p_mutant, kind="stable").tolist()
    count = min(EXTREME, max(1, len(order) // 2))
    return order[:count], order[::-1][:count]


def extreme_sheet(
    mutant: Sequence[tuple[RGB, float]], wildtype: Sequence[tuple[RGB, float]], title: str
) -> RGB:
    """Most mutant-like patches above the most wildtype-like ones, each with its score.

    Args:
        mutant: Patches with their scores, the highest first.
        wildtype: Patches with their scores, the lowest first.
        title: Line of text above them.
    """
    columns = max(len(mutant), len(wildtype), 1)
    row_px = SHOWN_PX + LABEL_PX
    sheet = Image.new("RGB", (columns * SHOWN_PX, 2 * row_px + LABEL_PX), (255, 255, 255))
    ink = ImageDraw.Draw(sheet)
    ink.text((2, 4), title, fill=(0, 0, 0))
    for number, row in enumerate((mutant, wildtype)):
        for column, (image, p) in enumerate(row):
            left, top = column * SHOWN_PX, LABEL_PX + number * row_px
            sheet.paste(Image.fromarray(resize(image, SHOWN_PX)), (left, top))
            ink.rectangle(
                (left, top, left + SHOWN_PX - 1, top + SHOWN_PX - 1), outline=score_color(p)
            )
            ink.text((left + 4, top + SHOWN_PX + 4), f"p = {p:.2f}", fill=(0, 0, 0))
    return np.asarray(sheet)
