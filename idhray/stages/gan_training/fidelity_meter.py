"""Fidelity during a training: always the same latents, against one reference made once."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from idhray.chance import seed_for
from idhray.cohorts.manifest import LABELS
from idhray.errors import TableError
from idhray.fidelity.curve import worse_in_a_row
from idhray.fidelity.evaluation import compare
from idhray.fidelity.features import Extractor
from idhray.fidelity.figures import Figure
from idhray.fidelity.reference import Reference, reference_of
from idhray.fidelity.settings import PRESETS
from idhray.gan.run import Run
from idhray.gan.sample import generate, generator_of
from idhray.stages.gan_training.image_sets import RealImages

IMAGES = 200
LEAST = 10  # images on either side of a comparison; KID of fewer images means nothing
SHARES = ("precision", "recall", "coverage")
LEAST_SHARE = 0.05
"""Differences of coverage up to this are noise. Ours: 10 of 200 images."""
EVALUATIONS = 3
"""Evaluations in a row, each worse than the one before, that make a warning sign."""


@dataclass(frozen=True)
class Meter:
    """Measures the averaged generator (EMA) of a run, without changing the training."""

    reference: Reference
    label: int | None = None
    """Class of the images of a conditional generator."""

    def __call__(self, run: Run) -> dict[str, Any]:
        """Measures of the images, each with its floor: means over the channels.

        The floor compares real images with real images of other patients, in several draws.
        Keys: of each measure (kid, precision, recall, coverage) its name, and the name with
        `_floor`, `_floor_min` and `_floor_max`; kid_floor_spread, kid_by_channel, fidelity_images,
        extractor.
        """
        seed = seed_for(run.seed, "fidelity in training")
        images = generate(generator_of(run, self.label), seed, range(self.reference.n_generated))
        comparison = compare(images, self.reference)
        kids = [figure for figure in comparison.figures if figure.metric == "kid"]
        return {
            **_values("kid", comparison.figures),
            "kid_floor_spread": _mean([_spread(figure) for figure in kids]),
            "kid_by_channel": {figure.channel: figure.value for figure in kids},
            **{k: v for name in SHARES for k, v in _values(name, comparison.figures).items()},
            "fidelity_images": self.reference.n,
            "extractor": comparison.extractor,
        }


@dataclass(frozen=True)
class ClassMeters:
    """Measures of a conditional generator: means over its classes, and KID of each."""

    meters: Mapping[str, Meter]

    def __call__(self, run: Run) -> dict[str, Any]:
        """The keys of `Meter`, and kid_by_class. Each class has its own images and floor."""
        measures = {name: meter(run) for name, meter in self.meters.items()}
        first = next(iter(measures.values()))
        means = {
            key: _mean([each[key] for each in measures.values()])
            for key, value in first.items()
            if isinstance(value, float)
        }
        channels = {
            channel: _mean([each["kid_by_channel"][channel] for each in measures.values()])
            for channel in first["kid_by_channel"]
        }
        return {
            **first,
            **means,
            "kid_by_channel": channels,
            "kid_by_class": {name: each["kid"] for name, each in measures.items()},
        }


def is_better(now: Mapping[str, Any], best: Mapping[str, Any] | None) -> bool:
    """True if a state of the generator is a better one than the best state so far.

    KID decides if it differs by more than the floor's own spread, unless fewer of the real images
    are covered, by more than the spread of that floor: a generator that has lost a part of the
    images may still look close by the mean of its features. Within the spread of KID, coverage
    decides; if it does not differ either, the smaller KID.

    Args:
        now: Measures of the present state, by the keys of `Meter`.
        best: Those of the best state so far, None if there is none. States of earlier versions have
            KID only.
    """
    if now.get("kid") is None:
        return False
    if best is None or best.get("kid") is None:
        return True
    gain = float(best["kid"] - now["kid"])
    covered, before = now.get("coverage"), best.get("coverage")
    if covered is None or before is None:
        return gain > 0
    noise = max(LEAST_SHARE, float(now["coverage_floor_max"] - now["coverage_floor_min"]))
    tolerance = float(now["kid_floor_spread"])
    if gain > tolerance:
        return bool(covered > before - noise)
    if gain < -tolerance:
        return False
    return bool(covered > before + noise) or (gain > 0 and bool(covered >= before - noise))


def meters_of_classes(
    real: RealImages, channels: Sequence[str], extractor: Extractor, count: int
) -> ClassMeters:
    """Meters of a conditional generator, one for each class. Arguments and errors of `meter_of`."""
    meters: dict[str, Meter] = {}
    for label, name in enumerate(LABELS):
        meter = meter_of(real.of_label(name), channels, extractor, count)
        meters[name] = replace(meter, label=label)
    return ClassMeters(meters)


def meter_of(real: RealImages, channels: Sequence[str], extractor: Extractor, count: int) -> Meter:
    """Meter of a training against its own training images.

    Args:
        real: Training images, with their patients.
        channels: Names of their channels.
        extractor: Extractor of features.
        count: Images to generate each time.

    Raises:
        TableError: there are too few images or patients; the message states their number.
    """
    if len(set(real.patients)) < 2:
        raise TableError("the training images are of one patient, fidelity needs 2 or more")
    reference = reference_of(
        real.images,
        real.patients,
        extractor,
        PRESETS["training"],
        reference="training images",
        n_generated=count,
        channels=channels,
    )
    if reference.n < LEAST:
        raise TableError(
            f"{reference.n} images are all that half of the patients, or --fidelity-images {count}"
            f", give; fidelity needs {LEAST} or more"
        )
    return Meter(reference)


def newly_worse(history: Sequence[dict[str, Any]]) -> bool:
    """True if the last evaluation is the third in a row that is worse than the one before.

    A step counts only if it is larger than the spread of the floor between its draws, which is
    noise.
    """
    measured = [entry for entry in history if entry.get("kid") is not None]
    if not measured or measured[-1] is not history[-1]:
        return False
    kids = [entry["kid"] for entry in measured]
    tolerance = measured[-1]["kid_floor_spread"]
    return worse_in_a_row(kids, tolerance=tolerance) == EVALUATIONS


def _values(metric: str, figures: Iterable[Figure]) -> dict[str, float]:
    """Mean of a metric over the channels, and of its floor in all draws."""
    chosen = [figure for figure in figures if figure.metric == metric]
    return {
        metric: _mean([figure.value for figure in chosen]),
        f"{metric}_floor": _mean([figure.floor for figure in chosen]),
        f"{metric}_floor_min": _mean([figure.floor_min for figure in chosen]),
        f"{metric}_floor_max": _mean([figure.floor_max for figure in chosen]),
    }


def _spread(figure: Figure) -> float:
    return figure.floor_max - figure.floor_min


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
