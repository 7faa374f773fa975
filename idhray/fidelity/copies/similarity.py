"""Similarity of two images by pixels, tolerant of the changes that a copying generator makes.

Tolerated are shifts of up to a sixteenth of the side, the symmetries in which the generator was
shown its images, brightness, contrast, and fine noise. The measure is the normalized
cross-correlation r at the best shift and symmetry, of images averaged down to 64 px and passed
through a band of Gaussians. Structures that all heads or all tissues share are broad, noise is
fine, and the remainder differs between patients. A copy has r = 1.

All pairs are screened at 32 px by a few matrix products, the best 16 are compared at 64 px, and the
best one at full size.

Letters: N queries (generated images), M references (training images), C channels, H height,
W width.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.errors import ConfigError, TableError
from idhray.fidelity.arrays import ImageArray, Indices, PatientCodes
from idhray.fidelity.copies.overlay import best_shift, correlation, ssim
from idhray.fidelity.copies.pixel_index import BestMatches, PixelIndex, checked
from idhray.fidelity.copies.views import apply_symmetry

Symmetry = Literal["none", "mirror", "dihedral"]
"""Forms in which a generator was shown its images: unchanged, also mirrored, or in 8 symmetries."""

_COUNT: dict[str, int] = {"none": 1, "mirror": 2, "dihedral": 8}
_QUERIES = 256  # at a time


@dataclass(frozen=True)
class Pairs:
    """N queries, each with one reference."""

    reference: Indices  # (N,), index in the references; -1 if there is none
    correlation: NDArray[np.float64]  # (N,), r; 0 if either image is constant
    symmetry: NDArray[np.int64]  # (N,), of the query: bit 0 mirrors, 1 flips, 2 transposes
    shift_px: NDArray[np.int64]  # (N, 2), y and x of the query's content after the symmetry

    @property
    def distance(self) -> NDArray[np.float64]:
        """Distance of the two as unit vectors, sqrt(2 - 2 r), 0..2."""
        return np.sqrt(np.maximum(2 - 2 * self.correlation, 0))


def nearest_by_pixels(
    queries: ImageArray,
    index: PixelIndex,
    symmetry: Symmetry = "none",
    patients: tuple[PatientCodes, PatientCodes] | None = None,
) -> Pairs:
    """Most similar reference of each query.

    Args:
        queries: (N, H, W, C) uint8.
        index: Index of the references.
        symmetry: Forms in which the generator was shown its images.
        patients: Patients of the queries (N,) and of the references (M,). If given, only
            references of other patients count.

    Raises:
        TableError: Sizes or channels differ, or there are no images.
        ConfigError: The symmetry is unknown, or dihedral for images that are not square.
    """
    count = _symmetries(symmetry, queries, index.images)
    pairs = []
    for start in range(0, len(queries), _QUERIES):
        part = slice(start, start + _QUERIES)
        pixels = _on(index, queries[part])
        codes = None if patients is None else (patients[0][part], patients[1])
        places = index.candidates(pixels, count, codes)
        pairs.append(_at_full_size(pixels, index, index.closest(pixels, places, count)))
    return _joined(pairs)


def similarity_of_pairs(
    queries: ImageArray, index: PixelIndex, references: Indices, symmetry: Symmetry = "none"
) -> Pairs:
    """Similarity of query i and reference `references[i]`; raises like `nearest_by_pixels`."""
    count = _symmetries(symmetry, queries, index.images)
    pairs = []
    for start in range(0, len(queries), _QUERIES):
        part = slice(start, start + _QUERIES)
        pixels = _on(index, queries[part])
        matches = index.closest(pixels, references[part, None], count)
        pairs.append(_at_full_size(pixels, index, matches))
    return _joined(pairs)


def ssim_of_pairs(queries: ImageArray, index: PixelIndex, pairs: Pairs) -> NDArray[np.float64]:
    """(N,): structural similarity of the overlap at full size, at equal mean and contrast."""
    scores = np.zeros(len(queries))
    for query, reference in enumerate(pairs.reference):
        if reference >= 0:
            image = _under_symmetry(
                _on(index, queries[query : query + 1])[0], int(pairs.symmetry[query])
            )
            dy, dx = map(int, pairs.shift_px[query])
            scores[query] = ssim(image, index.pixels(np.array([reference]))[0], dy, dx)
    return scores


def _symmetries(symmetry: str, queries: ImageArray, references: ImageArray) -> int:
    """Number of symmetries to try, after a check that the images can be compared."""
    _, height, width, _ = checked(queries).shape
    if queries.shape[1:] != references.shape[1:]:
        raise TableError(
            f"images of {queries.shape[1:]} and {references.shape[1:]} (height, width, channels) "
            "cannot be compared; give both the same size and channels"
        )
    if symmetry not in _COUNT:
        raise ConfigError(f"symmetry must be none, mirror or dihedral, got {symmetry!r}")
    if symmetry == "dihedral" and height != width:
        raise ConfigError(f"dihedral symmetry needs square images, got {width} x {height} px")
    return _COUNT[symmetry]


def _on(index: PixelIndex, images: ImageArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).to(index.device)


def _under_symmetry(image: Tensor, symmetry: int) -> Tensor:
    """(H, W, C) under one of the 8 symmetries."""
    return apply_symmetry(image.permute(2, 0, 1), symmetry).permute(1, 2, 0)


def _at_full_size(queries: Tensor, index: PixelIndex, matches: BestMatches) -> Pairs:
    """Best pairs at 64 px, measured at full size."""
    count = len(queries)
    correlations, shifts = np.zeros(count), np.zeros((count, 2), np.int64)
    for k in np.flatnonzero(matches.reference >= 0):
        image = _under_symmetry(queries[k], int(matches.symmetry[k]))
        reference = index.pixels(matches.reference[k : k + 1])[0]
        shifts[k] = best_shift(image, reference, matches.shift[k])
        correlations[k] = correlation(image, reference, *map(int, shifts[k]))
    return Pairs(
        reference=matches.reference,
        correlation=correlations,
        symmetry=np.where(matches.reference >= 0, matches.symmetry, 0),
        shift_px=shifts,
    )


def _joined(pairs: list[Pairs]) -> Pairs:
    return Pairs(
        reference=np.concatenate([part.reference for part in pairs]),
        correlation=np.concatenate([part.correlation for part in pairs]),
        symmetry=np.concatenate([part.symmetry for part in pairs]),
        shift_px=np.concatenate([part.shift_px for part in pairs]),
    )
