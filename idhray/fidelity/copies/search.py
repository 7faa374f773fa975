"""Search for generated images that are copies of training images.

No patient's image is a copy of another patient's, however alike they are. So the distances between
real images and their nearest image of ANOTHER patient show how near an innocent image comes. An
image clearly nearer to a training image than nearly all of those is a copy. Slices of one patient
are near-copies by nature and therefore never serve as the measure.
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
    """N images, their features, and their origin."""

    images: ImageArray  # (N, H, W, C) uint8
    features: Tensor  # (N, F) float64
    patients: Sequence[str] = ()  # N names; empty for generated images
    ids: Sequence[str] = ()  # N names of images; numbers from 0 if empty
    device: str = "cpu"
    """Device for searches in these images."""

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.features.ndim != 2 or len(self.features) != count or not count:
            raise TableError(
                f"{count} images have features {tuple(self.features.shape)}; "
                "give (N, F), one row per image, and at least one image"
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
        """Name of one image."""
        return self.ids[place] if self.ids else str(place)

    @cached_property
    def index(self) -> PixelIndex:
        """Index for searches by pixels; it is built once, so reuse the object."""
        return PixelIndex(self.images, self.device)

    def subset(self, indices: Indices) -> "EmbeddedImages":
        """Images at these indices."""
        return EmbeddedImages(
            self.images[indices],
            self.features[torch.tensor(indices)],
            [self.patients[k] for k in indices] if self.patients else (),
            [self.id(int(k)) for k in indices],
            self.device,
        )


@dataclass(frozen=True)
class Apartness:
    """Distance of each of N real images to the nearest training image of another patient."""

    feature: NDArray[np.float64]  # (N,)
    pixel: NDArray[np.float64]  # (N,), sqrt(2 - 2 r)


@dataclass(frozen=True)
class Limits:
    """Distances to a training image below which an image is a copy."""

    feature: float
    """Limit for features, if the pixels agree."""
    pixel_confirms: float
    """Limit for pixels below which they agree with the features."""
    pixel: float
    """Limit for pixels alone."""


@dataclass(frozen=True)
class Copies:
    """Nearest training image and verdict of each of N generated images.

    Of a copy, `nearest` is the copied image.
    """

    by_pixels: NDArray[np.bool_]  # (N,)
    by_features: NDArray[np.bool_]  # (N,)
    nearest: Indices  # (N,), index in the training images
    feature_distance: NDArray[np.float64]  # (N,), to `nearest`
    nearest_feature_distance: NDArray[np.float64]  # (N,), to the nearest by features
    correlation: NDArray[np.float64]  # (N,), with `nearest`
    ssim: NDArray[np.float64]  # (N,), with `nearest`
    symmetry: NDArray[np.int64]  # (N,), of the generated image

    @property
    def copy(self) -> NDArray[np.bool_]:
        """(N,): True for copies."""
        return self.by_pixels | self.by_features

    @property
    def share(self) -> float:
        """Share of copies among all images."""
        return float(self.copy.mean())


def apartness(
    queries: EmbeddedImages,
    train: EmbeddedImages,
    symmetry: Symmetry,
    count: int = 2000,
    seed: int = 0,
) -> Apartness | None:
    """Distances of up to `count` drawn real images to other patients' training images.

    None if there are no two patients.
    """
    names = np.unique([*queries.patients, *train.patients])
    query_codes, train_codes = (
        np.searchsorted(names, images.patients).astype(np.int64) for images in (queries, train)
    )
    order = generator(seed, "apartness").permutation(len(queries))
    eligible = [index for index in order if (train_codes != query_codes[index]).any()]
    drawn = np.sort(eligible[:count]).astype(np.int64)
    if not len(drawn):
        return None
    patients = query_codes[drawn], train_codes
    pixel = nearest_by_pixels(queries.images[drawn], train.index, symmetry, patients)
    feature = np.empty(len(drawn))
    for patient in np.unique(query_codes[drawn]):
        of_patient = query_codes[drawn] == patient
        other_features = train.features[torch.tensor(train_codes != patient)]
        patient_queries = queries.features[torch.tensor(drawn[of_patient])]
        feature[of_patient] = nearest(patient_queries, other_features)[0][:, 0].numpy()
    return Apartness(feature=feature, pixel=pixel.distance)


def copy_limits(
    real: Apartness, *, quantile: float, pixel_margin: float, feature_margin: float
) -> Limits:
    """Low quantiles of the distances between patients, times margins; `pixel_confirms` has none."""
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
    """Nearest training image of each generated image, and the verdict: a copy or not.

    Features do not account for symmetries: a mirrored copy is found by its pixels.

    Args:
        generated: Images of a generator.
        train: Training images of the generator; the object keeps its index for the next call.
        limits: Limits of a copy, from `copy_limits`.
        symmetry: Forms in which the generator was shown its images.
        with_ssim: Compute SSIM, otherwise NaN. It does not affect the verdict and takes a third of
            the time at 256 px.

    Raises:
        TableError: Sizes, channels or features of the two differ.
    """
    if generated.features.shape[1] != train.features.shape[1]:
        raise TableError(
            f"{generated.features.shape[1]} features of generated images and "
            f"{train.features.shape[1]} of training images; use one extractor for both"
        )
    nearest_distance, neighbor = (
        columns[:, 0].numpy() for columns in nearest(generated.features, train.features)
    )
    pairs = nearest_by_pixels(generated.images, train.index, symmetry)
    by_pixels = pairs.distance < limits.pixel
    by_features = np.zeros(len(generated), bool)
    if len(suspects := np.flatnonzero(nearest_distance < limits.feature)):
        suspect_pairs = similarity_of_pairs(
            generated.images[suspects], train.index, neighbor[suspects], symmetry
        )
        by_features[suspects] = suspect_pairs.distance < limits.pixel_confirms
        pairs = _replaced(pairs, suspect_pairs, suspects, by_features & ~by_pixels)
    pair_distance = (generated.features - train.features[torch.tensor(pairs.reference)]).norm(dim=1)
    no_ssim = np.full(len(generated), np.nan)
    return Copies(
        by_pixels=by_pixels,
        by_features=by_features,
        nearest=pairs.reference,
        feature_distance=pair_distance.numpy(),
        nearest_feature_distance=nearest_distance,
        correlation=pairs.correlation,
        ssim=ssim_of_pairs(generated.images, train.index, pairs) if with_ssim else no_ssim,
        symmetry=pairs.symmetry,
    )


def _replaced(pairs: Pairs, replacements: Pairs, indices: Indices, use: NDArray[np.bool_]) -> Pairs:
    """Pairs with replacements where `use` is True; these are of the queries at `indices`."""
    arrays = {name: getattr(pairs, name).copy() for name in vars(pairs)}
    for name, values in arrays.items():
        values[use] = getattr(replacements, name)[use[indices]]
    return Pairs(**arrays)
