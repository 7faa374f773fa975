"""How alike two images are to the pixel, forgiving what a copying generator changes.

Forgiven are shifts of up to a sixteenth of the side, the symmetries in which the generator was
shown its images, brightness, contrast, and fine noise. The measure is the normalized
cross-correlation r at the best shift and symmetry, of images averaged down to 64 px and passed
through a band of Gaussians: what all heads or all tissues share is broad, noise is fine, and
what is left differs between patients. 1 is a copy.

All pairs are screened at 32 px by a few matrix products, the best 16 are looked at closely at 64
px, and the best one at full size.

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
from idhray.fidelity.copies.pixel_index import Best, PixelIndex, checked
from idhray.fidelity.copies.views import apply_symmetry

Symmetry = Literal["none", "mirror", "dihedral"]
"""The forms in which a generator was shown its images: as they are, mirrored, or 8 turns."""

_COUNT: dict[str, int] = {"none": 1, "mirror": 2, "dihedral": 8}
_QUERIES = 256  # at a time


@dataclass(frozen=True)
class Pairs:
    """N queries, each with one reference."""

    reference: NDArray[np.int64]  # (N,), place in the references; -1 where there is none
    correlation: NDArray[np.float64]  # (N,), r; 0 where either image is constant
    symmetry: NDArray[np.int64]  # (N,), of the query: bit 0 mirrors, 1 flips, 2 transposes
    shift_px: NDArray[np.int64]  # (N, 2), y and x of the query's content after that

    @property
    def distance(self) -> NDArray[np.float64]:
        """sqrt(2 - 2 r): how far apart the two are as unit vectors, 0..2."""
        return np.sqrt(np.maximum(2 - 2 * self.correlation, 0))


def nearest_by_pixels(
    queries: ImageArray,
    index: PixelIndex,
    symmetry: Symmetry = "none",
    patients: tuple[PatientCodes, PatientCodes] | None = None,
) -> Pairs:
    """The reference that each query resembles most.

    Args:
        queries: (N, H, W, C) uint8.
        index: Of the references.
        symmetry: In which forms the generator was shown its images.
        patients: Numbers of the queries' (N,) and of the references' patients (M,): only references
            of other patients count.

    Raises:
        TableError: sizes or channels differ, or nothing is there.
        ConfigError: no such symmetry, or a dihedral one of images that are not square.
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
    queries: ImageArray, index: PixelIndex, places: Indices, symmetry: Symmetry = "none"
) -> Pairs:
    """How alike query i and reference `places[i]` are; raises as `nearest_by_pixels`."""
    count = _symmetries(symmetry, queries, index.images)
    pairs = []
    for start in range(0, len(queries), _QUERIES):
        part = slice(start, start + _QUERIES)
        pixels = _on(index, queries[part])
        best = index.closest(pixels, places[part, None], count)
        pairs.append(_at_full_size(pixels, index, best))
    return _joined(pairs)


def ssim_of_pairs(queries: ImageArray, index: PixelIndex, pairs: Pairs) -> NDArray[np.float64]:
    """(N,): structural similarity at full size, of the overlap at equal mean and contrast."""
    found = np.zeros(len(queries))
    for k, place in enumerate(pairs.reference):
        if place >= 0:
            image = _turned(_on(index, queries[k : k + 1])[0], int(pairs.symmetry[k]))
            dy, dx = map(int, pairs.shift_px[k])
            found[k] = ssim(image, index.pixels(np.array([place]))[0], dy, dx)
    return found


def _symmetries(symmetry: str, queries: ImageArray, references: ImageArray) -> int:
    """How many symmetries to try on these images, if they can be compared at all."""
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


def _turned(image: Tensor, symmetry: int) -> Tensor:
    """(H, W, C)."""
    return apply_symmetry(image.permute(2, 0, 1), symmetry).permute(1, 2, 0)


def _at_full_size(queries: Tensor, index: PixelIndex, best: Best) -> Pairs:
    """The pairs that were found at 64 px, measured at full size."""
    count = len(queries)
    correlations, shifts = np.zeros(count), np.zeros((count, 2), np.int64)
    for k in np.flatnonzero(best.reference >= 0):
        image = _turned(queries[k], int(best.symmetry[k]))
        reference = index.pixels(best.reference[k : k + 1])[0]
        shifts[k] = best_shift(image, reference, best.shift[k])
        correlations[k] = correlation(image, reference, *map(int, shifts[k]))
    return Pairs(
        reference=best.reference,
        correlation=correlations,
        symmetry=np.where(best.reference >= 0, best.symmetry, 0),
        shift_px=shifts,
    )


def _joined(pairs: list[Pairs]) -> Pairs:
    return Pairs(
        reference=np.concatenate([part.reference for part in pairs]),
        correlation=np.concatenate([part.correlation for part in pairs]),
        symmetry=np.concatenate([part.symmetry for part in pairs]),
        shift_px=np.concatenate([part.shift_px for part in pairs]),
    )
