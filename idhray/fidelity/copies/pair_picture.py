"""Picture of the closest pairs, for a human to judge."""

import numpy as np
from numpy.typing import NDArray

from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray, Indices
from idhray.fidelity.copies.search import Copies

GAP_PX = 4
PAIRS_PER_ROW = 2


def closest_pairs(copies: Copies, count: int) -> Indices:
    """Indices of generated images to look at: copies first, then the most similar pixels."""
    order = np.lexsort((-copies.correlation, ~copies.copy))
    return order[:count].astype(np.int64)


def pair_picture(
    generated: ImageArray,
    train: ImageArray,
    copies: Copies,
    chosen: Indices,
) -> NDArray[np.uint8]:
    """Rows of generated | training neighbor | absolute difference, (height, width, 3) uint8.

    The generated image is oriented like its neighbor, so that mirrored copies can be compared. One
    channel is shown in gray, two or three as red, green and blue; further channels are not shown.

    Raises:
        TableError: `chosen` is empty.
    """
    if not len(chosen):
        raise TableError("a picture of pairs needs one pair or more")
    cells = [
        _cell(
            _under_symmetry(generated[index], int(copies.symmetry[index])),
            train[copies.nearest[index]],
        )
        for index in chosen
    ]
    height, width, _ = cells[0].shape
    rows = -(-len(cells) // PAIRS_PER_ROW)
    step_y, step_x = height + GAP_PX, width + 3 * GAP_PX
    picture = np.full(
        (rows * step_y - GAP_PX, PAIRS_PER_ROW * step_x - 3 * GAP_PX, 3), 255, np.uint8
    )
    for number, cell in enumerate(cells):
        y, x = number // PAIRS_PER_ROW * step_y, number % PAIRS_PER_ROW * step_x
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


def _under_symmetry(image: NDArray[np.uint8], symmetry: int) -> NDArray[np.uint8]:
    """(height, width, C), mirrored by bit 0, flipped by bit 1, transposed by bit 2."""
    image = image[:, ::-1] if symmetry & 1 else image
    image = image[::-1] if symmetry & 2 else image
    return image.transpose(1, 0, 2) if symmetry & 4 else image
