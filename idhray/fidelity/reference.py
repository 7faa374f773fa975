"""Real side of an evaluation: features of the real images, and the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from idhray.chance import generator
from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray, Indices
from idhray.fidelity.channels import RGB_CHANNELS, channels_of, constant_channels
from idhray.fidelity.features import Extractor
from idhray.fidelity.halves import Draw, draws_of
from idhray.fidelity.scores import MetricValues, score
from idhray.fidelity.settings import FidelitySettings


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Features and scores of real images, computed once; a training adds its generated images."""

    extractor: Extractor
    settings: FidelitySettings
    name: str
    channels: tuple[str, ...]
    left_out: tuple[str, ...]
    shape: tuple[int, ...]
    """(height, width, channels) of the images."""
    draws: tuple[Draw, ...]
    n_patients: int
    n_generated: int
    features: dict[str, tuple[Tensor, ...]]
    """Channel -> (n, F) of the reference's real images, one tensor per draw."""
    floors: dict[str, tuple[MetricValues, ...]]
    """Channel -> floor of each draw; empty with one patient."""

    @property
    def n(self) -> int:
        """Number of images on either side of every comparison."""
        return len(self.draws[0].reference)


def reference_of(
    real: ImageArray,
    patients: Sequence[str],
    extractor: Extractor,
    settings: FidelitySettings,
    *,
    reference: str,
    n_generated: int,
    channels: Sequence[str] = RGB_CHANNELS,
) -> Reference:
    """Real side of `evaluate`, for `n_generated` images that `compare` takes later.

    Raises:
        TableError: For the same reasons as in `evaluate`.
    """
    if len(patients) != len(real):
        raise TableError(
            f"{len(real)} real images, but {len(patients)} patients; name one patient per image"
        )
    left_out = constant_channels(real, channels)
    draws = draws_of(patients, n_generated, settings)
    reference_samples = [draw.reference for draw in draws]
    floor_samples = [draw.floor for draw in draws if draw.floor is not None]
    features, floors = {}, {}
    for channel, images in channels_of(real, channels, left_out).items():
        sample_features = features_of(images, [*reference_samples, *floor_samples], extractor)
        features[channel] = sample_features[: len(reference_samples)]
        floors[channel] = tuple(
            score(x, y, settings, subset_chance(settings, draw))
            for x, y, draw in zip(
                sample_features[len(reference_samples) :], sample_features, draws, strict=False
            )
        )
    patient_names = np.asarray(patients, dtype=str)
    return Reference(
        extractor=extractor,
        settings=settings,
        name=reference,
        channels=tuple(channels),
        left_out=left_out,
        shape=real.shape[1:],
        draws=draws,
        n_patients=min(len(np.unique(patient_names[sample])) for sample in reference_samples),
        n_generated=n_generated,
        features=features,
        floors=floors,
    )


def features_of(
    images: ImageArray, samples: list[Indices], extractor: Extractor
) -> tuple[Tensor, ...]:
    """(n, F) of each sample of images; an image in several samples is embedded once."""
    used_images, rows = np.unique(np.concatenate(samples), return_inverse=True)
    features = extractor(images[used_images])
    ends = np.cumsum([len(sample) for sample in samples])[:-1]
    return tuple(features[sample_rows] for sample_rows in np.split(rows, ends))


def subset_chance(settings: FidelitySettings, draw: Draw) -> np.random.Generator:
    """Generator that draws KID's subsets, the same for the floor and for the generated images."""
    return generator(settings.seed, "fidelity", "subsets", draw.number)
