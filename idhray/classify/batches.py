"""Images and orientations of each training step, a function of seed and epoch only.

The last, incomplete batch is always left out; its images return in the order of the next epoch.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import generator
from idhray.classify.dataset import ImageSet
from idhray.classify.settings import ClassifierSettings
from idhray.distributed import Worker


def epoch_batches(
    n_images: int, settings: ClassifierSettings, seed: int, epoch: int
) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """Images of each global batch of an epoch, and the rotation of each image.

    Returns:
        Two arrays (steps, batch_size): rows of the image set, and numbers for `rotated` (0 if
        `settings.dihedral` is off).
    """
    rng = generator(seed, "classifier", "epoch", epoch)
    steps = n_images // settings.batch_size
    rows = rng.permutation(n_images)[: steps * settings.batch_size]
    turns = rng.integers(8 if settings.dihedral else 1, size=len(rows), dtype=np.int8)
    shape = (steps, settings.batch_size)
    return rows.reshape(shape), turns.reshape(shape)


def rotated(image: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Image rotated by `turn % 4` quarter turns, and mirrored if `turn` is 4 to 7."""
    image = np.rot90(image, turn % 4)
    return image[:, ::-1] if turn >= 4 else image


def batches(
    images: ImageSet, settings: ClassifierSettings, seed: int, epoch: int, *, worker: Worker
) -> Iterator[tuple[Tensor, Tensor]]:
    """Worker's share of each global batch: pixels (N, 1, H, W) uint8 and labels (N,)."""
    share = worker.share(settings.batch_size)
    for rows, turns in zip(*epoch_batches(len(images), settings, seed, epoch), strict=True):
        own_rows, own_turns = rows[share], turns[share]
        pixels = np.stack(
            [
                rotated(images.pixels[row], turn)
                for row, turn in zip(own_rows, own_turns, strict=True)
            ]
        )
        yield torch.from_numpy(pixels)[:, None], torch.from_numpy(images.labels[own_rows]).long()
