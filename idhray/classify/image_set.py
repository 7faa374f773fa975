"""Arrays of images for training, and views of these arrays.

The images of all patients are read once. The training, validation and added images of a trial are
`ImageRows`: row numbers and labels, without a copy of a pixel.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Selection = slice | Sequence[int] | NDArray[np.intp]
UNLABELED = -1
LABEL_OF_IDH = {"wildtype": 0, "mutant": 1, "": UNLABELED}
IDH_OF_LABEL = {label: idh for idh, label in LABEL_OF_IDH.items()}


@dataclass(frozen=True)
class Places:
    """Places of images in their tables, where their encoded originals are read again."""

    parts: tuple[str, ...]
    """Paths of the parts."""
    part: NDArray[np.int64]  # (N,), number of the image's part
    row: NDArray[np.int64]  # (N,), row within the part

    def take(self, rows: NDArray[np.intp]) -> "Places":
        """Places of some of the images."""
        return Places(self.parts, self.part[rows], self.row[rows])


@dataclass(frozen=True)
class ImageSet:
    """Preprocessed images of one size, in the order of their table."""

    pixels: NDArray[np.uint8]  # (N, H, W) gray, else (N, H, W, C)
    labels: NDArray[np.int8]  # (N,), wildtype 0, mutant 1, unknown -1
    patients: NDArray[np.str_]  # (N,), empty for a synthetic image
    ranks: NDArray[np.int64]  # (N,), rank within the patient or the synthetic list, from 1
    places: Places | None = None
    """Places of the images in their tables; None for images that are in no table."""

    def __len__(self) -> int:
        return len(self.labels)

    def view(self, rows: Sequence[int] | NDArray[np.intp] | None = None) -> "ImageRows":
        """Some images, or all of them, with their labels and without a copy of their pixels."""
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows, np.intp)
        return ImageRows(self, chosen, self.labels[chosen])

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """Digest of the pixels of each image, (N, 16); computed once, and pickled with the set."""
        images = (np.ascontiguousarray(image) for image in self.pixels)
        values = [hashlib.blake2b(image.data, digest_size=16).digest() for image in images]
        return np.frombuffer(b"".join(values), np.uint8).reshape(len(self), 16)


@dataclass(frozen=True)
class ImageRows:
    """Rows of an image set, in any order and any number of times, without a copy."""

    images: ImageSet
    rows: NDArray[np.intp]  # (N,)
    labels: NDArray[np.int8]  # (N,); may differ from the labels of the image set

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def patients(self) -> NDArray[np.str_]:
        """Patient of each image, (N,); empty for a synthetic image."""
        return self.images.patients[self.rows]

    @property
    def ranks(self) -> NDArray[np.int64]:
        """Rank of each image within its patient, (N,), from 1."""
        return self.images.ranks[self.rows]

    def pixels(self, where: int | Selection) -> NDArray[np.uint8]:
        """Pixels of one image, (H, W[, C]), or a copy of those of several, (n, H, W[, C])."""
        return np.asarray(self.images.pixels[self.rows[where]])

    def take(self, where: Selection) -> "ImageRows":
        """Some of these images, with their labels here."""
        return replace(self, rows=self.rows[where], labels=self.labels[where])

    def labeled(self) -> "ImageRows":
        """Images with a known label."""
        return self.take(np.flatnonzero(self.labels != UNLABELED))

    def digest(self) -> str:
        """Digest of pixels, labels and patients in this order, without the set's other images."""
        content = hashlib.sha256(self.images.digests[self.rows].tobytes())
        content.update(self.labels.tobytes())
        content.update("\n".join(self.patients).encode())
        return content.hexdigest()


def ranks_in_order(patients: NDArray[np.str_]) -> NDArray[np.int64]:
    """Rank of each image within its patient, (N,), from 1, in the order of the images."""
    order = np.argsort(patients, kind="stable")
    _, starts, counts = np.unique(patients[order], return_index=True, return_counts=True)
    ranks = np.empty(len(patients), np.int64)
    ranks[order] = np.arange(len(patients)) - np.repeat(starts, counts) + 1
    return ranks
