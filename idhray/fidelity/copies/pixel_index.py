"""The images that others are searched in, prepared once: reduced, and in principal components.

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
"""Principal components of the references in which all pairs are screened."""

_BLOCK = 256  # references at a time while they are read
_REFERENCES = 8192  # screened at a time: with 256 queries 8 MB of correlations
_QUERIES = 8  # looked at closely at a time: in color 25 MB of windows, in 8 turns 40 of references
_KEPT_BYTES = 2**29  # of details of references
_PARTS = 128  # of a gray level that the reduced images are rounded to; exact from 128 and 256 px


@dataclass(frozen=True)
class Best:
    """Of each of N queries the best reference, symmetry and shift, as far as 64 px tell."""

    reference: Indices  # (N,), -1 where there is no candidate
    symmetry: Indices  # (N,)
    shift: list[tuple[float, float]]  # y and x as fractions of the sides


class PixelIndex:
    """M references: at 64 px for a closer look, and at 32 px in their own principal components.

    Memory beside the images, on `device`: at most 0.5 GB for 20 000 images in color. That is 38 kB
    an image for its details at 64 px up to 14 000 images, then 25 kB for the reduced image if it is
    larger than 64 px; and 1 kB for its components. Making and searching take some 0.5 GB more.
    """

    def __init__(self, images: ImageArray, device: str = "cpu") -> None:
        """Prepare (M, H, W, C) uint8.

        Raises:
            TableError: the images are not that, or none.
        """
        self.images, self.device = checked(images), torch.device(device)
        self._kept = self._details()
        self._small = None
        if self._kept is None and max(images.shape[1:3]) > FINE_PX:
            self._small = self._reduced()

    @cached_property
    def _axes(self) -> Tensor:
        """(D, P), of up to 2000 references."""
        sample = np.arange(0, len(self.images), -(-len(self.images) // 2000))
        parts = np.array_split(sample, -(-len(sample) // _BLOCK))
        return _principal_axes(torch.cat([self._coarse(part) for part in parts]))

    @cached_property
    def _components(self) -> Tensor:
        """(M, P), made by the first search; given pairs are compared without."""
        starts = range(0, count := len(self.images), _BLOCK)
        blocks = [np.arange(k, min(k + _BLOCK, count)) for k in starts]
        return torch.cat([self._coarse(block) @ self._axes for block in blocks])

    def _reduced(self) -> Tensor:
        """(M, C, up to 64, up to 64) int16, in parts of a gray level."""
        count, height, width, channels = self.images.shape
        sides = min(height, FINE_PX), min(width, FINE_PX)
        found = torch.empty((count, channels, *sides), dtype=torch.int16, device=self.device)
        for start in range(0, count, _BLOCK):
            part = downsampled(self.pixels(np.arange(start, min(start + _BLOCK, count))), FINE_PX)
            found[start : start + _BLOCK] = (part * _PARTS).round().short()
        return found

    def pixels(self, places: Indices) -> Tensor:
        """(N, H, W, C) uint8 of some references, on the device."""
        return torch.from_numpy(np.ascontiguousarray(self.images[places])).to(self.device)

    def _coarse(self, places: Indices) -> Tensor:
        return centered(band(downsampled(self.pixels(places), COARSE_PX), COARSE_BAND_PX))

    def _details(self) -> Tensor | None:
        """(M, D) of all references, if there is room."""
        _, height, width, channels = self.images.shape
        sides = min(height, FINE_PX), min(width, FINE_PX)
        numbers = int(np.prod(_middle(torch.Size((1, channels, *sides)))))
        if 4 * numbers * len(self.images) > _KEPT_BYTES:
            return None
        found = torch.empty((len(self.images), numbers), device=self.device)
        for start in range(0, len(found), _BLOCK):
            places = np.arange(start, min(start + _BLOCK, len(found)))
            small = downsampled(self.pixels(places), FINE_PX)
            found[start : start + _BLOCK] = centered(band(small, FINE_BAND_PX))
        return found

    def _fine(self, places: Indices) -> Tensor:
        """(N, D): the middle of some references' details at 64 px, as unit vectors."""
        if self._kept is not None:
            return self._kept[torch.from_numpy(places).to(self.device)]
        if self._small is None:
            small = downsampled(self.pixels(places), FINE_PX)
        else:
            small = self._small[torch.from_numpy(places).to(self.device)].float() / _PARTS
        return centered(band(small, FINE_BAND_PX))

    def candidates(
        self, queries: Tensor, symmetries: int, patients: tuple[PatientCodes, PatientCodes] | None
    ) -> Indices:
        """(N, up to K) places of references, the most similar first; -1 where there are no more.

        Args:
            queries: (N, H, W, C) uint8, on the device.
            symmetries: How many to try.
            patients: Numbers of the queries' and of the references' patients, who must differ.
        """
        views = self._views(queries, symmetries)
        scores = torch.empty(len(queries), 0, device=self.device)
        places = torch.empty(len(queries), 0, device=self.device, dtype=torch.long)
        for start in range(0, len(self._components), _REFERENCES):
            block = self._components[start : start + _REFERENCES].T
            score = views[0] @ block
            for view in views[1:]:
                torch.maximum(score, view @ block, out=score)
            if patients is not None:
                mine, theirs = (torch.from_numpy(part).to(self.device) for part in patients)
                score[mine[:, None] == theirs[start : start + _REFERENCES]] = -torch.inf
            best, here = _top(score, CANDIDATES)
            scores, places = torch.cat([scores, best], 1), torch.cat([places, here + start], 1)
            order = scores.argsort(dim=1, descending=True, stable=True)[:, :CANDIDATES]
            scores, places = scores.gather(1, order), places.gather(1, order)
        return places.where(scores > -torch.inf, -1).cpu().numpy()

    def _views(self, queries: Tensor, symmetries: int) -> Tensor:
        """(V * S, N, P): the queries' parts of length 1, in components.

        Axes are turned rather than queries, whose windows are then cut out once. The axes' channels
        have means of 0, so those of the windows need not be taken off.
        """
        small = band(downsampled(queries, COARSE_PX), COARSE_BAND_PX)
        parts, scale = windows(small), 1 / window_lengths(small)
        shape = _middle(small.shape)
        found = []
        for k in range(symmetries):
            axes = undo_symmetry(self._axes.T.reshape(-1, *shape), k).flatten(1)
            found.append((parts @ axes.T * scale[..., None]).transpose(0, 1))
        return torch.cat(found)

    def closest(self, queries: Tensor, places: Indices, symmetries: int) -> Best:
        """The best of each query's candidates `places` (N, K), at its best symmetry and shift."""
        height, width = (min(side, FINE_PX) for side in queries.shape[1:3])
        views = torch.tensor(
            [offsets_after_symmetry(height, width, k) for k in range(symmetries)],
            device=self.device,
        ).flatten()
        found = []
        for start in range(0, len(queries), _QUERIES):
            part = slice(start, start + _QUERIES)
            scores = self._scores(queries[part], places[part], symmetries)  # (N, V, S, K)
            in_order = scores.flatten(1, 2)[:, views + _steps(symmetries, scores.shape[2], views)]
            found.append(in_order.flatten(1).argmax(1))
        view, which = np.divmod(torch.cat(found).cpu().numpy(), places.shape[1])
        symmetry, at = np.divmod(view, len(views) // symmetries)
        shifts = offsets(height, width)
        return Best(
            reference=places[np.arange(len(places)), which],
            symmetry=symmetry,
            shift=[(shifts[k][0] / height, shifts[k][1] / width) for k in at],
        )

    def _scores(self, queries: Tensor, places: Indices, symmetries: int) -> Tensor:
        """(N, V, S, K): correlations, S the shift of the query before it is turned."""
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
    """The images, if they can be compared.

    Raises:
        TableError: they cannot.
    """
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
        raise TableError(
            "images to compare must be (N, height, width, channels) uint8 and not none, got "
            f"{images.shape} {images.dtype}"
        )
    return images


def _middle(shape: torch.Size) -> tuple[int, int, int]:
    """(C, h, w) of a window of images (N, C, H, W)."""
    _, channels, height, width = shape
    y, x = margins(height, width)
    return channels, height - 2 * y, width - 2 * x


def _steps(symmetries: int, shifts: int, like: Tensor) -> Tensor:
    """(V * S,): where each symmetry's shifts start."""
    return torch.arange(symmetries, device=like.device).repeat_interleave(shifts) * shifts


def _top(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of (N, M), descending, and their places; of equal ones the first."""
    count = min(count, scores.shape[1])
    best = scores.topk(count, dim=1).values
    if ((scores >= best[:, -1:]).sum(1) > count).any():  # topk takes any of equal ones
        places = scores.argsort(dim=1, descending=True, stable=True)[:, :count]
    else:
        places = scores.topk(count, dim=1).indices.sort(dim=1).values
        order = scores.gather(1, places).argsort(dim=1, descending=True, stable=True)
        places = places.gather(1, order)
    return scores.gather(1, places), places


def _principal_axes(vectors: Tensor) -> Tensor:
    """(D, up to COMPONENTS) orthonormal: the directions in which (N, D) are longest."""
    gram = vectors @ vectors.T if len(vectors) < vectors.shape[1] else vectors.T @ vectors
    count = len(gram)  # SciPy's, as it finds only those asked for: a third of the time of torch's
    values, axes = eigh(
        gram.double().cpu().numpy(), subset_by_index=[max(0, count - COMPONENTS), count - 1]
    )
    axes = torch.from_numpy(axes[:, values > values[-1] * 1e-8]).float().to(vectors.device)
    if len(vectors) < vectors.shape[1]:
        axes = vectors.T @ axes
    found: Tensor = axes / axes.norm(dim=0).clamp_min(1e-12)
    return found
