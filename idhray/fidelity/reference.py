"""The real side of an evaluation: what is compared, and the floor."""

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
    """The real images once seen and scored, so that a training only adds its generated ones."""

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
    """By channel and draw: (n, F) of the real images of the reference."""
    floors: dict[str, tuple[MetricValues, ...]]
    """By channel and draw; empty where there is one patient."""

    @property
    def n(self) -> int:
        """Images on either side of every comparison."""
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
    """The real side of `evaluate`, for `n_generated` images that `compare` will be given.

    Raises:
        TableError: as `evaluate`.
    """
    if len(patients) != len(real):
        raise TableError(f"{len(real)} real images, but {len(patients)} patients; name one each")
    left_out = constant_channels(real, channels)
    draws = draws_of(patients, n_generated, settings)
    sides = [draw.reference for draw in draws]
    others = [draw.floor for draw in draws if draw.floor is not None]
    features, floors = {}, {}
    for channel, images in channels_of(real, channels, left_out).items():
        found = features_of(images, [*sides, *others], extractor)
        features[channel] = found[: len(sides)]
        floors[channel] = tuple(
            score(other, side, settings, subset_chance(settings, draw))
            for other, side, draw in zip(found[len(sides) :], found, draws, strict=False)
        )
    names = np.asarray(patients, dtype=str)
    return Reference(
        extractor=extractor,
        settings=settings,
        name=reference,
        channels=tuple(channels),
        left_out=left_out,
        shape=real.shape[1:],
        draws=draws,
        n_patients=min(len(np.unique(names[side])) for side in sides),
        n_generated=n_generated,
        features=features,
        floors=floors,
    )


def features_of(
    images: ImageArray, chosen: list[Indices], extractor: Extractor
) -> tuple[Tensor, ...]:
    """(n, F) of each choice of images; an image in several choices is seen once."""
    used, places = np.unique(np.concatenate(chosen), return_inverse=True)
    features = extractor(images[used])
    ends = np.cumsum([len(choice) for choice in chosen])[:-1]
    return tuple(features[part] for part in np.split(places, ends))


def subset_chance(settings: FidelitySettings, draw: Draw) -> np.random.Generator:
    """Of KID's subsets: the same for the floor and for the generated images."""
    return generator(settings.seed, "fidelity", "subsets", draw.number)
