"""Index of images for searches by pixels: reduced images and their principal components.

Letters: N queries, M references, C channels, H height, W width, K candidates, V symmetries,
S shifts, D numbers in a flattened part of an image, P components.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor

from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray, Indices, PatientCodes
from idhray.fidelity.copies.overlay import FINE_BAND_PX, FINE_PX
from idhray.fidelity.copies.views import (
    band,
    centered,
    downsampled,
    margins,
    offsets,
    offsets_after_symmetry,
    undo_symmetry,
    window_lengths,
    windows,
)

COARSE_PX, COARSE_BAND_PX = 32, (0.7, 3.0)
CANDIDATES = 16
COMPONENTS = 256
"""Principal components of the references that all pairs are screened by."""

_BLOCK = 256  # references read at a time
_REFERENCES = 8192  # references screened at a time: with 256 queries 8 MB of correlations
_QUERIES = 8  # queries compared closely at a time: in color 25 MB of windows, in 8 symmetries 40 MB
_DETAILS_BYTES = 2**29  # memory limit for the details of all references
_PARTS = 128  # rounding of reduced images, parts of a gray level; exact from 128 and 256 px


@dataclass(frozen=True)
class BestMatches:
    """Best reference, symmetry and shift of each of N queries, at 64 px."""

    reference: Indices  # (N,), -1 if there is no candidate
    symmetry: Indices  # (N,)
    shift: list[tuple[float, float]]  # y and x as fractions of the sides


class PixelIndex:
    """M references: at 64 px for close comparison, and at 32 px as principal components.

    Memory in addition to the images, on `device`: at most 0.5 GB for 20 000 images in color. An
    image takes 38 kB for its details at 64 px up to 14 000 images, beyond that 25 kB for the
    reduced image if it is larger than 64 px, and 1 kB for its components. Building and searching
    take about 0.5 GB more.
    """

    def __init__(self, images: ImageArray, device: str = "cpu") -> None:
        """Prepare (M, H, W, C) uint8.

        Raises:
            TableError: The images have another type or shape, or there are none.
        """
        self.images, self.device = checked(images), torch.device(device)
        self._all_details = self._details()
        self._small = None
        if self._all_details is None and max(images.shape[1:3]) > FINE_PX:
            self._small = self._reduced()

    @cached_property
    def _axes(self) -> Tensor:
        """(D, P): principal axes of up to 2000 references."""
        sample = np.arange(0, len(self.images), -(-len(self.images) // 2000))
        parts = np.array_split(sample, -(-len(sample) // _BLOCK))
        return _principal_axes(torch.cat([self._coarse(part) for part in parts]))

    @cached_property
    def _components(self) -> Tensor:
        """(M, P), computed by the first search; comparing listed pairs does not need them."""
        starts = range(0, count := len(self.images), _BLOCK)
        blocks = [np.arange(k, min(k + _BLOCK, count)) for k in starts]
        return torch.cat([self._coarse(block) @ self._axes for block in blocks])

    def _reduced(self) -> Tensor:
        """(M, C, up to 64, up to 64) int16: reduced images, in parts of a gray level."""
        count, height, width, channels = self.images.shape
        sides = min(height, FINE_PX), min(width, FINE_PX)
        images = torch.empty((count, channels, *sides), dtype=torch.int16, device=self.device)
        for start in range(0, count, _BLOCK):
            small = downsampled(self.pixels(np.arange(start, min(start + _BLOCK, count))), FINE_PX)
            images[start : start + _BLOCK] = (small * _PARTS).round().short()
        return images

    def pixels(self, places: Indices) -> Tensor:
        """(N, H, W, C) uint8 of some references, on the device."""
        return torch.from_numpy(np.ascontiguousarray(self.images[places])).to(self.device)

    def _coarse(self, places: Indices) -> Tensor:
        return centered(band(downsampled(self.pixels(places), COARSE_PX), COARSE_BAND_PX))

    def _details(self) -> Tensor | None:
        """(M, D): details of all references, or None if they exceed the memory limit."""
        _, height, width, channels = self.images.shape
        sides = min(height, FINE_PX), min(width, FINE_PX)
        numbers = int(np.prod(_middle(torch.Size((1, channels, *sides)))))
        if 4 * numbers * len(self.images) > _DETAILS_BYTES:
            return None
        details = torch.empty((len(self.images), numbers), device=self.device)
        for start in range(0, len(details), _BLOCK):
            places = np.arange(start, min(start + _BLOCK, len(details)))
            small = downsampled(self.pixels(places), FINE_PX)
            details[start : start + _BLOCK] = centered(band(small, FINE_BAND_PX))
        return details

    def _fine(self, places: Indices) -> Tensor:
        """(N, D): central part of some references' details at 64 px, as unit vectors."""
        if self._all_details is not None:
            return self._all_details[torch.from_numpy(places).to(self.device)]
        if self._small is None:
            small = downsampled(self.pixels(places), FINE_PX)
        else:
            small = self._small[torch.from_numpy(places).to(self.device)].float() / _PARTS
        return centered(band(small, FINE_BAND_PX))

    def candidates(
        self, queries: Tensor, symmetries: int, patients: tuple[PatientCodes, PatientCodes] | None
    ) -> Indices:
        """(N, up to K) indices of references, most similar first, filled up with -1.

        Args:
            queries: (N, H, W, C) uint8, on the device.
            symmetries: Number of symmetries to try.
            patients: Patients of the queries and of the references, which must differ in a pair.
        """
        views = self._views(queries, symmetries)
        scores = torch.empty(len(queries), 0, device=self.device)
        indices = torch.empty(len(queries), 0, device=self.device, dtype=torch.long)
        for start in range(0, len(self._components), _REFERENCES):
            block = self._components[start : start + _REFERENCES].T
            score = views[0] @ block
            for view in views[1:]:
                torch.maximum(score, view @ block, out=score)
            if patients is not None:
                query_codes, reference_codes = (
                    torch.from_numpy(codes).to(self.device) for codes in patients
                )
                score[
                    query_codes[:, None] == reference_codes[start : start + _REFERENCES]
                ] = -torch.inf
            block_scores, block_indices = _top(score, CANDIDATES)
            scores, indices = (
                torch.cat([scores, block_scores], 1),
                torch.cat([indices, block_indices + start], 1),
            )
            order = scores.argsort(dim=1, descending=True, stable=True)[:, :CANDIDATES]
            scores, indices = scores.gather(1, order), indices.gather(1, order)
        return indices.where(scores > -torch.inf, -1).cpu().numpy()

    def _views(self, queries: Tensor, symmetries: int) -> Tensor:
        """(V * S, N, P): windows of the queries, scaled to length 1, in principal components.

        The symmetries are applied to the axes, not to the queries, so each window is cut out once.
        The channels of the axes have means of 0, so means of windows need not be subtracted.
        """
        small = band(downsampled(queries, COARSE_PX), COARSE_BAND_PX)
        parts, scale = windows(small), 1 / window_lengths(small)
        shape = _middle(small.shape)
        views = []
        for symmetry in range(symmetries):
            axes = undo_symmetry(self._axes.T.reshape(-1, *shape), symmetry).flatten(1)
            views.append((parts @ axes.T * scale[..., None]).transpose(0, 1))
        return torch.cat(views)

    def closest(self, queries: Tensor, places: Indices, symmetries: int) -> BestMatches:
        """Best of each query's candidates `places` (N, K), at its best symmetry and shift."""
        height, width = (min(side, FINE_PX) for side in queries.shape[1:3])
        sources = torch.tensor(
            [offsets_after_symmetry(height, width, k) for k in range(symmetries)],
            device=self.device,
        ).flatten()
        positions = []
        for start in range(0, len(queries), _QUERIES):
            block = slice(start, start + _QUERIES)
            scores = self._scores(queries[block], places[block], symmetries)  # (N, V, S, K)
            in_order = scores.flatten(1, 2)[
                :, sources + _steps(symmetries, scores.shape[2], sources)
            ]
            positions.append(in_order.flatten(1).argmax(1))
        view, candidate = np.divmod(torch.cat(positions).cpu().numpy(), places.shape[1])
        symmetry, shift_index = np.divmod(view, len(sources) // symmetries)
        shifts = offsets(height, width)
        return BestMatches(
            reference=places[np.arange(len(places)), candidate],
            symmetry=symmetry,
            shift=[(shifts[index][0] / height, shifts[index][1] / width) for index in shift_index],
        )

    def _scores(self, queries: Tensor, places: Indices, symmetries: int) -> Tensor:
        """(N, V, S, K): correlations; S is the shift of the query before its symmetry."""
        count, many = places.shape
        small = band(downsampled(queries, FINE_PX), FINE_BAND_PX)
        fixed = self._fine(np.maximum(places, 0).ravel())
        fixed = fixed.reshape(count * many, *_middle(small.shape))
        back = torch.stack(
            [undo_symmetry(fixed, k).reshape(count, many, -1) for k in range(symmetries)], 1
        )
        scores: Tensor = windows(small) @ back.flatten(1, 2).transpose(1, 2)
        scores /= window_lengths(small)[..., None]
        scores = scores.unflatten(2, (symmetries, many)).transpose(1, 2)
        missing = torch.from_numpy(places < 0).to(self.device)
        return scores.masked_fill(missing[:, None, None], -torch.inf)


def checked(images: ImageArray) -> ImageArray:
    """The images, after a check of type and shape.

    Raises:
        TableError: The images are not (N, height, width, channels) uint8, or there are none.
    """
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
        raise TableError(
            "images to compare must be (N, height, width, channels) uint8 and not empty, got "
            f"{images.shape} {images.dtype}"
        )
    return images


def _middle(shape: torch.Size) -> tuple[int, int, int]:
    """(C, h, w): shape of a window of images (N, C, H, W)."""
    _, channels, height, width = shape
    y, x = margins(height, width)
    return channels, height - 2 * y, width - 2 * x


def _steps(symmetries: int, shifts: int, like: Tensor) -> Tensor:
    """(V * S,): start of each symmetry's shifts."""
    return torch.arange(symmetries, device=like.device).repeat_interleave(shifts) * shifts


def _top(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Largest values of (N, M), descending, and their indices; ties go to the first."""
    count = min(count, scores.shape[1])
    largest = scores.topk(count, dim=1).values
    if ((scores >= largest[:, -1:]).sum(1) > count).any():  # topk takes any of equal ones
        places = scores.argsort(dim=1, descending=True, stable=True)[:, :count]
    else:
        places = scores.topk(count, dim=1).indices.sort(dim=1).values
        order = scores.gather(1, places).argsort(dim=1, descending=True, stable=True)
        places = places.gather(1, order)
    return scores.gather(1, places), places


def _principal_axes(vectors: Tensor) -> Tensor:
    """(D, up to COMPONENTS), orthonormal: directions of largest extent of (N, D)."""
    gram = vectors @ vectors.T if len(vectors) < vectors.shape[1] else vectors.T @ vectors
    count = len(gram)  # SciPy computes only the requested axes, in a third of torch's time
    values, axes = eigh(
        gram.double().cpu().numpy(), subset_by_index=[max(0, count - COMPONENTS), count - 1]
    )
    axes = torch.from_numpy(axes[:, values > values[-1] * 1e-8]).float().to(vectors.device)
    if len(vectors) < vectors.shape[1]:
        axes = vectors.T @ axes
    unit_axes: Tensor = axes / axes.norm(dim=0).clamp_min(1e-12)
    return unit_axes
