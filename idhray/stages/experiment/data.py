"""Images of an experiment in memory, read once and shared by all trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from idhray.chance import seed_for
from idhray.classify.augmentation import augmented_images
from idhray.classify.dataset import load_images, load_synthetic
from idhray.classify.image_set import ImageRows, ImageSet
from idhray.classify.settings import ClassifierSettings
from idhray.errors import StorageError
from idhray.experiment.arms import GENERATED, parse_arm
from idhray.experiment.images import ArmImages, CohortImages, FoldImages, arm_images
from idhray.experiment.trials import ON_FEATURES, Trial
from idhray.stages.experiment.decoding import with_pixels
from idhray.stages.experiment.features import EncodedHere, ExperimentFeatures, experiment_features
from idhray.stages.experiment.plan import TrialPlan

PairKey = tuple[str, ...]  # SYNTHETIC folders, one for each class


@dataclass(frozen=True, kw_only=True)
class ExperimentData:
    """Preprocessed images, and the rows of each fold."""

    real: ImageSet
    """All images of the cohort."""
    synthetic: Mapping[PairKey, ImageSet]
    """Images of each pair of generators, classes alternating."""
    features: ExperimentFeatures | None
    """Features of these images; None without classifiers on features."""
    images: CohortImages
    folds: Mapping[int, FoldImages]
    seed: int
    encoder: str = ""
    """Encoder with the file of its weights, for images that only a trial knows."""


def load_data(images: str, plan: TrialPlan, trials: Sequence[Trial], gpus: float) -> ExperimentData:
    """Read and preprocess the images that some trials need.

    Raises:
        StorageError: the table changed while it was read.
        TableError: a generator made fewer images than an arm adds.
    """
    settings = plan.settings.classifier
    kinds = {trial.classifier for trial in trials}
    on_features = bool(kinds & set(ON_FEATURES))
    decode = "network" in kinds or plan.features is None
    per_class: dict[PairKey, int] = {}
    for trial in trials:
        arm = parse_arm(trial.arm)
        if arm.kind in GENERATED:
            pair = plan.generators_of(trial)
            per_class[pair] = max(per_class.get(pair, 0), arm.count // 2)
    real = load_images(images, None, settings, decode=False)
    if not np.array_equal(real.patients, plan.images.patients):
        raise StorageError(f"{images}: the table changed while it was read; run again")
    synthetic = {
        pair: load_synthetic(pair, count, settings, decode=False)
        for pair, count in sorted(per_class.items())
    }
    if decode:
        real = with_pixels(real, settings)
        synthetic = {pair: with_pixels(images, settings) for pair, images in synthetic.items()}
    features = None
    if on_features:
        source = EncodedHere(encoder=plan.settings.encoder, channels=settings.channels, gpus=gpus)
        features = experiment_features(
            real, synthetic, plan.fold_images, source=plan.features or source, seed=plan.seed
        )
        features = _with_fixed_penalties(features, plan)
    return ExperimentData(
        real=real,
        synthetic=synthetic,
        features=features,
        images=plan.images,
        folds=plan.fold_images,
        seed=plan.seed,
        encoder=plan.settings.encoder,
    )


def _with_fixed_penalties(features: ExperimentFeatures, plan: TrialPlan) -> ExperimentFeatures:
    """The features with the penalties that the settings fix, for all folds or for one."""
    of_images, of_bags = dict(features.penalties), dict(features.bag_penalties)
    for fold in of_images:
        for penalties, kind in ((of_images, "frozen"), (of_bags, "mean-pool")):
            fixed = plan.settings.of_fold(fold, kind).probe.penalty
            penalties[fold] = penalties[fold] if fixed is None else fixed
    return replace(features, penalties=of_images, bag_penalties=of_bags)


def arm_rows_of(data: ExperimentData, trial: Trial) -> ArmImages:
    """Rows of the images of a trial."""
    return arm_images(
        parse_arm(trial.arm),
        data.images,
        data.folds[trial.fold],
        seed=data.seed,
        fold_number=trial.fold,
        repeat=trial.repeat,
    )


def added_images(
    trial: Trial,
    rows: ArmImages,
    generators: PairKey,
    data: ExperimentData,
    settings: ClassifierSettings,
) -> ImageRows | None:
    """Added images of a trial; None if it adds none.

    Args:
        trial: The trial.
        rows: Its rows, from `arm_rows_of`.
        generators: SYNTHETIC folders of the trial.
        data: All images.
        settings: Settings of the classifier.
    """
    if rows.source is None:
        return None
    if rows.source == "synthetic":
        return ImageRows(data.synthetic[generators], rows.added, rows.added_labels)
    listed = ImageRows(data.real, rows.added, rows.added_labels)
    if rows.source == "real":
        return listed
    seed = seed_for(data.seed, "classic", trial.fold, trial.repeat)
    return augmented_images(listed, settings, seed).view()
