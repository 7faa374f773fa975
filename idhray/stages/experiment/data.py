"""Images of an experiment in memory, read once and shared by all trials."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from idhray.classify.dataset import load_images, load_synthetic
from idhray.classify.image_set import ImageRows, ImageSet
from idhray.classify.settings import ClassifierSettings
from idhray.errors import StorageError
from idhray.experiment.arms import GENERATED, parse_arm
from idhray.experiment.images import ArmImages, CohortImages, FoldImages, arm_images
from idhray.experiment.trials import Trial
from idhray.stages.experiment.plan import ExperimentPlan

PairKey = tuple[str, ...]  # SYNTHETIC folders, one for each class


@dataclass(frozen=True, kw_only=True)
class ExperimentData:
    """Preprocessed images, and the rows of each fold."""

    real: ImageSet
    """All images of the cohort."""
    classic: ImageSet | None
    """The same images, each turned, mirrored and jittered; None without the arm `classic`."""
    synthetic: Mapping[PairKey, ImageSet]
    """Images of each pair of generators, classes alternating."""
    images: CohortImages
    folds: Mapping[int, FoldImages]
    seed: int


def load_data(
    images: str, plan: ExperimentPlan, trials: Iterable[Trial], settings: ClassifierSettings
) -> ExperimentData:
    """Read and preprocess the images that some trials need.

    Raises:
        StorageError: the table changed while it was read.
        TableError: a generator made fewer images than an arm adds.
    """
    arms = [(trial, parse_arm(trial.arm)) for trial in trials]
    per_class: dict[PairKey, int] = {}
    for trial, arm in arms:
        if arm.kind in GENERATED:
            pair = plan.generators_of(trial)
            per_class[pair] = max(per_class.get(pair, 0), arm.count // 2)
    real = load_images(images, None, settings)
    if not np.array_equal(real.patients, plan.images.patients):
        raise StorageError(f"{images}: the table changed while it was read; run again")
    return ExperimentData(
        real=real,
        classic=None,
        synthetic={
            pair: load_synthetic(pair, count, settings) for pair, count in sorted(per_class.items())
        },
        images=plan.images,
        folds=plan.fold_images,
        seed=plan.seed,
    )


def training_images(
    data: ExperimentData, trial: Trial, generators: PairKey
) -> tuple[ImageRows, ImageRows | None, ArmImages]:
    """Real and added images of a trial as views, and their rows."""
    rows = arm_images(
        parse_arm(trial.arm),
        data.images,
        data.folds[trial.fold],
        seed=data.seed,
        fold_number=trial.fold,
        repeat=trial.repeat,
    )
    real = data.real.view(rows.real)
    if rows.source is None:
        return real, None, rows
    sources = {"real": data.real, "classic": data.classic}
    source = data.synthetic[generators] if rows.source == "synthetic" else sources[rows.source]
    assert source is not None
    return real, ImageRows(source, rows.added, rows.added_labels), rows
