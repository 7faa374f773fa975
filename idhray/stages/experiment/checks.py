"""Checks of an experiment before Ray starts: trials that could only fail, and folds of others."""

import logging
from dataclasses import replace

import numpy as np

from idhray.classify.backbones import build_network
from idhray.classify.encoders import encoder_identity, encoder_network
from idhray.classify.preprocessing import refuse_channels
from idhray.cohorts.folds import Folds, listed
from idhray.errors import ConfigError, LeakageError, TableError
from idhray.experiment.arms import GENERATED, parse_arm
from idhray.experiment.classifiers import ENCODER, ENCODER_SHA256
from idhray.experiment.images import CohortImages
from idhray.patients import refuse_twins_across
from idhray.stages.experiment.fold_generators import CLASSES
from idhray.stages.experiment.plan import TrialPlan
from idhray.stages.experiment.reserve_check import refuse_reserve_images
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stats.arms.rule import needed_repeats
from idhray.table_parts import column_names, parts, read_part

logger = logging.getLogger(__name__)


def refuse_other_patients(images: CohortImages, folds: Folds, folder: str) -> None:
    """Refuse folds whose labels are not those of the images; warn of patients that are left out.

    Args:
        images: All images of the cohort.
        folds: Folds of the experiment.
        folder: PATCHES or SLICES folder, for the messages.

    Raises:
        LeakageError: a patient has another label in the folds than in the table, or another
            spelling.
    """
    words = ("", *CLASSES)  # labels -1, 0 and 1
    names, first = np.unique(images.patients, return_index=True)
    of_table = {
        str(name): words[int(images.labels[i]) + 1] for name, i in zip(names, first, strict=True)
    }
    of_folds = folds.labels()
    other = [name for name, idh in of_folds.items() if of_table.get(name, idh) != idh]
    if other:
        name = min(other)
        raise LeakageError(
            f"{folder}: another IDH status than in the folds: {listed(sorted(other))} ({name}: "
            f"{of_table[name] or 'none'} in the table, {of_folds[name]} in the folds); make both "
            "from one manifest"
        )
    refuse_twins_across(of_table, of_folds, folder, "the folds")
    if outside := sorted(name for name, idh in of_table.items() if idh and name not in of_folds):
        logger.warning(
            "%s: %d labeled patients are in no fold and are left out: %s; `idhray split-cohort` "
            "places them",
            *(folder, len(outside), listed(outside)),
        )
    if without := sorted(set(of_folds) - set(of_table)):
        logger.warning(
            "%s: %d patients of the folds have no image: %s", folder, len(without), listed(without)
        )


def refuse_impossible_trials(plan: TrialPlan, folder: str) -> None:
    """Refuse trials that would all fail after the images were read.

    Args:
        plan: Plan of the experiment.
        folder: PATCHES or SLICES folder.

    Raises:
        ConfigError: the images do not have the channels of the settings; a batch is larger than a
            fold's training set; a backbone or an encoder does not exist.
        StorageError: the file of weights is missing or belongs to another network.
        LeakageError: a generator was trained on images that the arm `more-real` adds.
        TableError: a generator made fewer images than an arm adds, or a classifier on features
            has fewer than two training patients of a class.
    """
    settings = plan.settings.classifier
    for path in parts(folder)[:1]:
        refuse_channels(path, column_names(path), settings)
    refuse_unusable_weights(plan.settings)
    _refuse_classic_features(plan)
    if "network" in plan.settings.classifiers:
        _refuse_large_batch(plan)
    if plan.settings.on_features:
        _refuse_single_patients(plan)
    _refuse_few_synthetic(plan)
    refuse_reserve_images(plan)
    folds, repeats = len(plan.folds.numbers()), plan.protocol.planned_repeats
    if repeats < needed_repeats(folds) and not plan.settings.protocol.real_only:
        logger.warning(
            "%d repeats: a verdict with %d folds needs %d or more; this experiment will describe "
            "and not judge",
            *(repeats, folds, needed_repeats(folds)),
        )


def refuse_unusable_weights(settings: ExperimentSettings) -> None:
    """Refuse weights that no training could start from, before hours of work on generators.

    ImageNet weights are downloaded into the cache of this machine.

    Raises:
        ConfigError: a backbone or an encoder does not exist, or ImageNet weights are out of reach.
        StorageError: a file of weights is missing, broken, or belongs to another network.
    """
    if "network" in settings.classifiers:
        for backbone in (settings.classifier.backbone, *settings.networks):
            build_network(replace(settings.classifier, backbone=backbone), 0)
    if settings.on_features and not settings.features:
        encoder_network(settings.encoder, settings.classifier.channels)


def _refuse_large_batch(plan: TrialPlan) -> None:
    batch_size = plan.settings.classifier.batch_size
    for number, fold in plan.fold_images.items():
        if fold.n_real < batch_size:
            raise ConfigError(
                f"fold {number}: {fold.n_real} training images do not fill one batch of "
                f"{batch_size}; lower --batch-size"
            )


def _refuse_classic_features(plan: TrialPlan) -> None:
    """Refuse augmented images that no FEATURES table holds, where their encoder is unknown."""
    augmented = any(parse_arm(arm).kind == "classic" for arm in plan.protocol.arms)
    if plan.features is None or not plan.settings.on_features or not augmented:
        return
    values, recorded = encoder_identity(plan.settings.encoder), plan.features.record
    if any(values.get(name) != recorded.get(name) for name in (ENCODER, ENCODER_SHA256)):
        raise ConfigError(
            f"the arm `classic` encodes augmented images by {recorded[ENCODER]}, whose weights "
            "are to be given: --encoder NAME:FILE; or leave the arm out of --controls"
        )


def _refuse_single_patients(plan: TrialPlan) -> None:
    for number, fold in plan.fold_images.items():
        for name, rows in zip(CLASSES, fold.train, strict=True):
            if len(np.unique(plan.images.patients[rows])) < 2:
                raise TableError(
                    f"fold {number}: one {name} patient to train on; a classifier on features "
                    "chooses its penalty by inner folds of two or more"
                )


def _refuse_few_synthetic(plan: TrialPlan) -> None:
    arms = [parse_arm(name) for name in plan.protocol.arms]
    largest = max((arm.count // 2 for arm in arms if arm.kind in GENERATED), default=0)
    for folder in plan.seals:
        count = sum(len(read_part(path, ["index"])) for path in parts(folder))
        if count < largest:
            raise TableError(
                f"{folder}: {count} images, but the largest arm adds {largest} of each class; "
                "synthesize more, or lower --counts"
            )
