"""How alike two images are to the pixel, forgiving what a copying generator changes.

Forgiven are shifts of up to a sixteenth of the side, the symmetries in which the generator was
shown its images, brightness, contrast, and fine noise. The measure is the normalised
cross-correlation r at the best shift and symmetry, of images averaged down to 64 px and passed
through a band of Gaussians: what all heads or all tissues share is broad, noise is fine, and
what is left differs between patients. 1 is a copy.

All pairs are screened at 32 px by a few matrix products, only the best are looked at closely.

Letters: N queries (generated images), M references (training images), C channels, H height,
W width, K candidates, D numbers in a flattened part of an image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.errors import ConfigError, TableError
from idhray.fidelity.views import (
    Images,
    centred,
    detail,
    offsets,
    overlap,
    shifted,
    ssim,
    turned,
    unit,
)

Symmetry = Literal["none", "mirror", "dihedral"]
"""The forms in which a generator was shown its images: as they are, mirrored, or 8 turns."""

Apart = tuple[NDArray[np.int64], NDArray[np.int64]]

COARSE_PX, COARSE_BAND_PX = 32, (0.7, 3.0)
FINE_PX, FINE_BAND_PX = 64, (1.0, 4.0)
CANDIDATES = 16
COMPONENTS = 256
"""Principal components of the references in which all pairs are screened."""

_COUNT: dict[str, int] = {"none": 1, "mirror": 2, "dihedral": 8}
_QUERIES = 256  # at a time: with 8192 references 8 MB of correlations
_REFERENCES = 8192


@dataclass(frozen=True)
class Pairs:
    """N queries, each with one reference."""

    reference: NDArray[np.int64]  # (N,), place in the references; -1 where there is none
    correlation: NDArray[np.float64]  # (N,), r; 0 where either image is constant
    ssim: NDArray[np.float64]  # (N,), at full size, of the overlap at equal mean and contrast
    symmetry: NDArray[np.int64]  # (N,), of the query: bit 0 mirrors, 1 flips, 2 transposes
    shift_px: NDArray[np.int64]  # (N, 2), y and x of the query's content after that

    @property
    def distance(self) -> NDArray[np.float64]:
        """sqrt(2 - 2 r): how far apart the two are as unit vectors, 0..2."""
        return np.sqrt(np.maximum(2 - 2 * self.correlation, 0))


def nearest_by_pixels(
    queries: Images, references: Images, symmetry: Symmetry = "none", apart: Apart | None = None
) -> Pairs:
    """The reference that each query resembles most.

    Cost on one busy core, 256 px, 3 channels: 2 s per 1000
    references; 0.4 (mirror) or 1.4 s (dihedral) per million pairs; 0.06 or 0.1 s per query. 5000
    queries on 20 000 references in mirror images are some 7 minutes by that.

    Args:
        queries: (N, H, W, C) uint8.
        references: (M, H, W, C) uint8.
        symmetry: In which forms the generator was shown its images.
        apart: Numbers of the queries' (N,) and of the references' patients (M,): only references
            of other patients count.

    Raises:
        TableError: sizes or channels differ, or nothing is there.
        ConfigError: no such symmetry, or a dihedral one of images that are not square.
    """
    count = _symmetries(symmetry, queries, references)
    screen = _Screen(references)
    pairs = []
    for start in range(0, len(queries), _QUERIES):
        part = slice(start, start + _QUERIES)
        candidates = screen.best(queries[part], count, apart and (apart[0][part], apart[1]))
        pairs += [
            _compared(query, references, places, count)
            for query, places in zip(queries[part], candidates, strict=True)
        ]
    return _joined(pairs)


def similarity_of_pairs(
    queries: Images, references: Images, places: NDArray[np.int64], symmetry: Symmetry = "none"
) -> Pairs:
    """How alike query i and reference `places[i]` are; raises as `nearest_by_pixels`."""
    count = _symmetries(symmetry, queries, references)
    return _joined(
        [
            _compared(query, references, np.array([place]), count)
            for query, place in zip(queries, places, strict=True)
        ]
    )


def _symmetries(symmetry: str, queries: Images, references: Images) -> int:
    """How many symmetries to try on these images, if they can be compared at all."""
    for images in (queries, references):
        if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
            raise TableError(
                "images to compare must be (N, height, width, channels) uint8 and not none, got "
                f"{images.shape} {images.dtype}"
            )
    _, height, width, _ = queries.shape
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


class _Screen:
    """The references at 32 px, in their own principal components."""

    def __init__(self, references: Images) -> None:
        vectors = torch.cat(
            [
                centred(detail(references[k : k + _QUERIES], COARSE_PX, COARSE_BAND_PX))
                for k in range(0, len(references), _QUERIES)
            ]
        )
        sample = vectors[:: -(-len(vectors) // 2000)]
        self.axes = _principal_axes(sample)  # (D, COMPONENTS)
        self.references = vectors @ self.axes

    def best(self, queries: Images, count: int, apart: Apart | None) -> list[NDArray[np.int64]]:
        """Places of up to K references for each query, the most similar first."""
        views = [
            part @ self.axes
            for k in range(count)
            for part in shifted(turned(detail(queries, COARSE_PX, COARSE_BAND_PX), k))
        ]
        scores, places = torch.empty(len(queries), 0), torch.empty(len(queries), 0).long()
        for start in range(0, len(self.references), _REFERENCES):
            block = self.references[start : start + _REFERENCES].T
            score = views[0] @ block
            for view in views[1:]:
                torch.maximum(score, view @ block, out=score)
            if apart is not None:
                theirs = torch.tensor(apart[1][start : start + _REFERENCES])
                score[torch.tensor(apart[0])[:, None] == theirs] = -torch.inf
            here = torch.arange(start, start + block.shape[1]).expand(score.shape)
            scores, places = torch.cat([scores, score], 1), torch.cat([places, here], 1)
            order = scores.argsort(dim=1, descending=True, stable=True)[:, :CANDIDATES]
            scores, places = scores.gather(1, order), places.gather(1, order)
        kept = scores > -torch.inf
        return [place[keep].numpy() for place, keep in zip(places, kept, strict=True)]


def _principal_axes(vectors: Tensor) -> Tensor:
    """(D, up to COMPONENTS) orthonormal: the directions in which (N, D) are longest."""
    gram = vectors @ vectors.T if len(vectors) < vectors.shape[1] else vectors.T @ vectors
    values, axes = torch.linalg.eigh(gram.double())
    keep = (values > values[-1] * 1e-8).nonzero().flatten()[-COMPONENTS:]
    axes = axes[:, keep].float()
    if len(vectors) < vectors.shape[1]:
        axes = vectors.T @ axes
    found: Tensor = axes / axes.norm(dim=0).clamp_min(1e-12)
    return found


Found = tuple[int, float, float, int, int, int]  # the fields of Pairs, of one query


def _compared(query: Images, references: Images, places: NDArray[np.int64], count: int) -> Found:
    """Of these references the one most like the query (H, W, C), at its best symmetry and shift."""
    if not len(places):
        return -1, 0.0, 0.0, 0, 0, 0
    fixed = centred(detail(references[places], FINE_PX, FINE_BAND_PX))
    small = detail(query[None], FINE_PX, FINE_BAND_PX)
    moving = torch.cat([shifted(turned(small, k))[:, 0] for k in range(count)])
    scores = moving @ fixed.T
    view, which = divmod(int(scores.argmax()), len(places))
    shifts = len(moving) // count
    symmetry, at = divmod(view, shifts)
    place = int(places[which])
    image = turned(_channels_first(query), symmetry)
    reference = _channels_first(references[place])
    dy, dx = _shift_at_full_size(image, reference, _shift(at, small))
    a, b = overlap(image, reference, dy, dx)
    return place, _correlation(a, b), ssim(a, b), symmetry, dy, dx


def _channels_first(image: Images) -> Tensor:
    found: Tensor = torch.tensor(np.ascontiguousarray(image)).permute(2, 0, 1).float()
    return found


def _correlation(image: Tensor, reference: Tensor) -> float:
    """r of the details of two (C, h, w) that lie on each other: exact where shifts are whole."""
    a, b = (
        detail(part.permute(1, 2, 0)[None].numpy(), FINE_PX, FINE_BAND_PX)
        for part in (image, reference)
    )
    r = (unit(a.flatten(2)) * unit(b.flatten(2))).sum()
    return float(r.clamp(-1, 1))


def _shift(at: int, small: Tensor) -> tuple[float, float]:
    """The shift number `at` of `shifted`, in fractions of the sides."""
    dy, dx = offsets(small)[at]
    return dy / small.shape[-2], dx / small.shape[-1]


def _shift_at_full_size(
    image: Tensor, reference: Tensor, shift: tuple[float, float]
) -> tuple[int, int]:
    """The shift in pixels that is best within half a pixel at 64 px of this one."""

    def correlation(at: tuple[int, int]) -> float:
        a, b = overlap(image, reference, *at)
        return float(unit(a.flatten(1)) @ unit(b.flatten(1)))

    return max(_around(shift, image.shape[1:]), key=correlation)


def _around(shift: tuple[float, float], sides: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    (y, x), (height, width) = shift, sides
    reach_y, reach_x = (-(-side // (2 * FINE_PX)) if side > FINE_PX else 0 for side in sides)
    for dy in range(round(y * height) - reach_y, round(y * height) + reach_y + 1):
        for dx in range(round(x * width) - reach_x, round(x * width) + reach_x + 1):
            yield dy, dx


def _joined(pairs: list[Found]) -> Pairs:
    place, correlation, alike, symmetry, dy, dx = zip(*pairs, strict=True)
    return Pairs(
        reference=np.array(place, np.int64),
        correlation=np.array(correlation, np.float64),
        ssim=np.array(alike, np.float64),
        symmetry=np.array(symmetry, np.int64),
        shift_px=np.array([dy, dx], np.int64).T,
    )
