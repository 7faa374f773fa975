"""How far generated images are from real ones, beside how far real ones are from each other."""

import math
from collections.abc import Sequence

import numpy as np

from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.channels import RGB_CHANNELS, channels_of
from idhray.fidelity.features import Extractor
from idhray.fidelity.figures import Fidelity, Figure
from idhray.fidelity.reference import Reference, features_of, reference_of, subset_chance
from idhray.fidelity.scores import METRICS, MetricValues, score
from idhray.fidelity.settings import FidelitySettings


def evaluate(
    generated: ImageArray,
    real: ImageArray,
    patients: Sequence[str],
    extractor: Extractor,
    settings: FidelitySettings,
    *,
    reference: str,
    channels: Sequence[str] = RGB_CHANNELS,
) -> Fidelity:
    """Every metric of the generated images, by channel, beside its floor.

    Args:
        generated: (N, height, width, C) uint8.
        real: (M, height, width, C) uint8.
        patients: M, whose image each real one is.
        extractor: What makes features of images.
        settings: Size and number of the comparisons.
        reference: What the real images are, e.g. "validation split"; it is said in every row.
        channels: Names, one a channel, or `("RGB",)`.

    Raises:
        TableError: fewer than two images on a side, images of other shapes or channels, no channel
            that varies, or features that are no finite numbers.
    """
    _check(generated, (len(generated), *real.shape[1:]))
    known = reference_of(
        real,
        patients,
        extractor,
        settings,
        reference=reference,
        channels=channels,
        n_generated=len(generated),
    )
    return compare(generated, known)


def compare(generated: ImageArray, reference: Reference) -> Fidelity:
    """The figures of generated images beside the reference's floor.

    Args:
        generated: (n_generated of the reference, height, width, C) uint8.
        reference: From `reference_of`.

    Raises:
        TableError: another number, shape or kind of images than the reference is for, or features
            that are no finite numbers.
    """
    _check(generated, (reference.n_generated, *reference.shape))
    sides = [draw.generated for draw in reference.draws]
    figures = []
    pictures = channels_of(generated, reference.channels, reference.left_out)
    for channel, images in pictures.items():
        found = features_of(images, sides, reference.extractor)
        scores = [
            score(x, y, reference.settings, subset_chance(reference.settings, draw))
            for x, y, draw in zip(found, reference.features[channel], reference.draws, strict=True)
        ]
        figures += [_figure(metric, channel, scores, reference) for metric in METRICS]
    return Fidelity(
        extractor=reference.extractor.name,
        reference=reference.name,
        figures=tuple(figures),
        left_out=reference.left_out,
    )


def _check(generated: ImageArray, expected: tuple[int, ...]) -> None:
    if generated.shape != expected or generated.dtype != np.uint8:
        raise TableError(
            f"generated images are {generated.shape} {generated.dtype}, but the real ones need "
            f"{expected} uint8: (images, height, width, channels)"
        )


def _figure(metric: str, channel: str, scores: list[MetricValues], reference: Reference) -> Figure:
    values = [part.values[metric] for part in scores]
    floors = [part.values[metric] for part in reference.floors[channel]] or [math.nan]
    notes = [scores[0].notes[metric]] if metric in scores[0].notes else []
    if not reference.floors[channel]:
        notes.append("no floor: the real images are of one patient")
    return Figure(
        channel=channel,
        metric=metric,
        value=_mean(values),
        value_min=min(values),
        value_max=max(values),
        floor=_mean(floors),
        floor_min=min(floors),
        floor_max=max(floors),
        n=reference.n,
        n_patients=reference.n_patients,
        draws=len(reference.draws),
        notes=tuple(notes),
    )


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
