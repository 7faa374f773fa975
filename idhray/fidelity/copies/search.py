"""Which generated images are copies of training images.

No patient's image is a copy of another patient's, however alike they are: so the distances between
real images and their nearest image of ANOTHER patient say how near an innocent image comes. What
is clearly nearer than nearly all of those to a training image is a copy. Slices of one patient are
near-copies by nature, and never are the measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import generator
from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray, Indices
from idhray.fidelity.copies.pixel_index import PixelIndex
from idhray.fidelity.copies.similarity import (
    Pairs,
    Symmetry,
    nearest_by_pixels,
    similarity_of_pairs,
    ssim_of_pairs,
)
from idhray.fidelity.distances import nearest


@dataclass(frozen=True)
class EmbeddedImages:
    """N images, their features, and where they come from."""

    images: ImageArray  # (N, H, W, C) uint8
    features: Tensor  # (N, F) float64
    patients: Sequence[str] = ()  # N names; none where the images are generated
    ids: Sequence[str] = ()  # N names of images; numbers from 0 when not given
    device: str = "cpu"
    """Where others are searched in these images."""

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.features.ndim != 2 or len(self.features) != count or not count:
            raise TableError(
                f"{count} images have features {tuple(self.features.shape)}; "
                "give (N, F), one row an image, and at least one image"
            )
        if not torch.isfinite(self.features).all():
            bad = int((~torch.isfinite(self.features).all(1)).nonzero()[0])
            raise TableError(f"image {bad} has features that are not finite; leave it out")
        for name in ("patients", "ids"):
            if len(getattr(self, name)) not in (0, count):
                raise TableError(f"{count} images have {len(getattr(self, name))} {name}")

    def __len__(self) -> int:
        return len(self.images)

    def id(self, place: int) -> str:
        """The name of one image."""
        return self.ids[place] if self.ids else str(place)

    @cached_property
    def index(self) -> PixelIndex:
        """To search others in them; it is made once, so keep the set for many searches."""
        return PixelIndex(self.images, self.device)

    def subset(self, places: Indices) -> "EmbeddedImages":
        """Some of the images."""
        return EmbeddedImages(
            self.images[places],
            self.features[torch.tensor(places)],
            [self.patients[k] for k in places] if self.patients else (),
            [self.id(int(k)) for k in places],
            self.device,
        )


@dataclass(frozen=True)
class Apartness:
    """For each of N real images, how near the nearest training image of another patient is."""

    feature: NDArray[np.float64]  # (N,)
    pixel: NDArray[np.float64]  # (N,), sqrt(2 - 2 r)


@dataclass(frozen=True)
class Limits:
    """Distances to a training image below which an image is a copy."""

    feature: float
    """Of features, where the pixels agree:"""
    pixel_confirms: float
    pixel: float
    """Of pixels alone."""


@dataclass(frozen=True)
class Copies:
    """What was found of each of N generated images; `nearest` is the copied one of a copy."""

    by_pixels: NDArray[np.bool_]  # (N,)
    by_features: NDArray[np.bool_]  # (N,)
    nearest: NDArray[np.int64]  # (N,), place in the training images
    feature_distance: NDArray[np.float64]  # (N,), to that one
    nearest_feature_distance: NDArray[np.float64]  # (N,), to the nearest by features
    correlation: NDArray[np.float64]  # (N,), with that one
    ssim: NDArray[np.float64]  # (N,)
    symmetry: NDArray[np.int64]  # (N,), of the generated image

    @property
    def copy(self) -> NDArray[np.bool_]:
        """Whether each is a copy."""
        return self.by_pixels | self.by_features

    @property
    def share(self) -> float:
        """Copies among all."""
        return float(self.copy.mean())


def apartness(
    queries: EmbeddedImages,
    train: EmbeddedImages,
    symmetry: Symmetry,
    count: int = 2000,
    seed: int = 0,
) -> Apartness | None:
    """How near up to `count` drawn real images are to other patients' training images.

    None if there are no two patients.
    """
    names = np.unique([*queries.patients, *train.patients])
    mine, theirs = (np.searchsorted(names, s.patients).astype(np.int64) for s in (queries, train))
    order = generator(seed, "apartness").permutation(len(queries))
    drawn = np.sort([k for k in order if (theirs != mine[k]).any()][:count]).astype(np.int64)
    if not len(drawn):
        return None
    pixel = nearest_by_pixels(queries.images[drawn], train.index, symmetry, (mine[drawn], theirs))
    feature = np.empty(len(drawn))
    for patient in np.unique(mine[drawn]):
        own = mine[drawn] == patient
        others = train.features[torch.tensor(theirs != patient)]
        asked = queries.features[torch.tensor(drawn[own])]
        feature[own] = nearest(asked, others)[0][:, 0].numpy()
    return Apartness(feature=feature, pixel=pixel.distance)


def copy_limits(
    real: Apartness, *, quantile: float, pixel_margin: float, feature_margin: float
) -> Limits:
    """A low quantile of the distances between patients, times a margin; to confirm, without it."""
    pixel, feature = np.quantile(real.pixel, quantile), np.quantile(real.feature, quantile)
    return Limits(
        feature=float(feature_margin * feature),
        pixel_confirms=float(pixel),
        pixel=float(pixel_margin * pixel),
    )


def find_copies(
    generated: EmbeddedImages,
    train: EmbeddedImages,
    limits: Limits,
    symmetry: Symmetry,
    *,
    with_ssim: bool = True,
) -> Copies:
    """Each generated image's nearest training image, and whether it is a copy of it.

    Features see no symmetry of their own: a mirrored copy is found by its pixels.

    Args:
        generated: Images of a generator.
        train: What it was trained on; the set keeps its index for the next call.
        limits: From `copy_limits`.
        symmetry: In which forms the generator was shown its images.
        with_ssim: It decides nothing, and takes a third of the time at 256 px; else NaN.

    Raises:
        TableError: sizes, channels or features of the two differ.
    """
    if generated.features.shape[1] != train.features.shape[1]:
        raise TableError(
            f"{generated.features.shape[1]} features of generated images and "
            f"{train.features.shape[1]} of training images; use one extractor for both"
        )
    near, place = (found[:, 0].numpy() for found in nearest(generated.features, train.features))
    pairs = nearest_by_pixels(generated.images, train.index, symmetry)
    copied = pairs.distance < limits.pixel
    resembles = np.zeros(len(generated), bool)
    if len(asked := np.flatnonzero(near < limits.feature)):
        others = similarity_of_pairs(generated.images[asked], train.index, place[asked], symmetry)
        resembles[asked] = others.distance < limits.pixel_confirms
        pairs = _replaced(pairs, others, asked, resembles & ~copied)
    away = (generated.features - train.features[torch.tensor(pairs.reference)]).norm(dim=1)
    alike = np.full(len(generated), np.nan)
    return Copies(
        by_pixels=copied,
        by_features=resembles,
        nearest=pairs.reference,
        feature_distance=away.numpy(),
        nearest_feature_distance=near,
        correlation=pairs.correlation,
        ssim=ssim_of_pairs(generated.images, train.index, pairs) if with_ssim else alike,
        symmetry=pairs.symmetry,
    )


def _replaced(pairs: Pairs, others: Pairs, places: Indices, use: NDArray[np.bool_]) -> Pairs:
    """The pairs, but where `use` the other one; those are of the queries at `places`."""
    found = {name: getattr(pairs, name).copy() for name in vars(pairs)}
    for name, values in found.items():
        values[use] = getattr(others, name)[use[places]]
    return Pairs(**found)
