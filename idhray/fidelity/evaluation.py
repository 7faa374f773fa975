"""Distance of generated from real images, beside the distance between real images (the floor)."""

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
    """Every metric of the generated images in every channel, each beside its floor.

    Args:
        generated: (N, height, width, C) uint8.
        real: (M, height, width, C) uint8.
        patients: M names, the patient of each real image.
        extractor: Network that turns images into features.
        settings: Size and number of the comparisons.
        reference: Name of the real images, such as "validation split", repeated in every row.
        channels: One name per channel, or `("RGB",)`.

    Raises:
        TableError: A side has fewer than two images, shapes or channels differ, no channel
            varies, or features are not finite.
    """
    _check(generated, (len(generated), *real.shape[1:]))
    real_side = reference_of(
        real,
        patients,
        extractor,
        settings,
        reference=reference,
        channels=channels,
        n_generated=len(generated),
    )
    return compare(generated, real_side)


def compare(generated: ImageArray, reference: Reference) -> Fidelity:
    """Figures of generated images beside the floor of the reference.

    Args:
        generated: (`reference.n_generated`, height, width, C) uint8.
        reference: Real side, from `reference_of`.

    Raises:
        TableError: Number, shape or type of the images do not fit the reference, or features are
            not finite.
    """
    _check(generated, (reference.n_generated, *reference.shape))
    samples = [draw.generated for draw in reference.draws]
    figures = []
    pictures = channels_of(generated, reference.channels, reference.left_out)
    for channel, images in pictures.items():
        features = features_of(images, samples, reference.extractor)
        sides = zip(features, reference.features[channel], reference.draws, strict=True)
        draw_scores = [
            score(x, y, reference.settings, subset_chance(reference.settings, draw))
            for x, y, draw in sides
        ]
        figures += [_figure(metric, channel, draw_scores, reference) for metric in METRICS]
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


def _figure(
    metric: str, channel: str, draw_scores: list[MetricValues], reference: Reference
) -> Figure:
    values = [scores.values[metric] for scores in draw_scores]
    floors = [scores.values[metric] for scores in reference.floors[channel]] or [math.nan]
    notes = [draw_scores[0].notes[metric]] if metric in draw_scores[0].notes else []
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
