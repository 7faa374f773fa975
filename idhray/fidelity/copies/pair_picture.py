"""The closest pairs as one picture, for a human to judge."""

import numpy as np
from numpy.typing import NDArray

from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.copies.search import Copies

GAP_PX = 4


def closest_pairs(found: Copies, count: int = 16) -> NDArray[np.int64]:
    """Which generated images to look at: copies first, then the most similar pixels."""
    order = np.lexsort((-found.correlation, ~found.copy))
    return order[:count].astype(np.int64)


def pair_picture(
    generated: ImageArray,
    train: ImageArray,
    found: Copies,
    shown: NDArray[np.int64],
    pairs_per_row: int = 2,
) -> NDArray[np.uint8]:
    """Rows of generated | training neighbor | absolute difference, (height, width, 3) uint8.

    The generated image is turned as its neighbor lies, so that mirrored copies can be compared.
    Channels: one is gray; of two or three the first are red, green and blue; of more three are
    shown.

    Raises:
        TableError: nothing is shown.
    """
    if not len(shown):
        raise TableError("a picture of pairs needs one pair or more")
    cells = [
        _cell(_turned(generated[k], int(found.symmetry[k])), train[found.nearest[k]]) for k in shown
    ]
    height, width, _ = cells[0].shape
    rows = -(-len(cells) // pairs_per_row)
    step_y, step_x = height + GAP_PX, width + 3 * GAP_PX
    picture = np.full(
        (rows * step_y - GAP_PX, pairs_per_row * step_x - 3 * GAP_PX, 3), 255, np.uint8
    )
    for number, cell in enumerate(cells):
        y, x = number // pairs_per_row * step_y, number % pairs_per_row * step_x
        picture[y : y + height, x : x + width] = cell
    return picture


def _cell(image: NDArray[np.uint8], neighbor: NDArray[np.uint8]) -> NDArray[np.uint8]:
    difference = np.abs(image.astype(np.int16) - neighbor).astype(np.uint8)
    gap = np.full((image.shape[0], GAP_PX, 3), 255, np.uint8)
    a, b, c = (_rgb(part) for part in (image, neighbor, difference))
    return np.concatenate([a, gap, b, gap, c], axis=1)


def _rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.shape[-1] == 1:
        return image.repeat(3, axis=-1)
    missing = max(0, 3 - image.shape[-1])
    return np.pad(image, ((0, 0), (0, 0), (0, missing)))[..., :3]


def _turned(image: NDArray[np.uint8], symmetry: int) -> NDArray[np.uint8]:
    """Bit 0 mirrors, 1 flips, 2 transposes (height, width, C)."""
    image = image[:, ::-1] if symmetry & 1 else image
    image = image[::-1] if symmetry & 2 else image
    return image.transpose(1, 0, 2) if symmetry & 4 else image
