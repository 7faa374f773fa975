"""Plan of a run of `idhray sweep`, checked before Ray starts."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from idhray.ancestry import Ancestor, ancestor_of_record, joined_remarks
from idhray.classify.encoders import card_ancestry, encoder_card, with_absolute_file
from idhray.cohorts.folds import FOLDS_FILE
from idhray.experiment.arms import GENERATED, parse_arm
from idhray.generator_records import read_generator
from idhray.leakage import refuse_failed
from idhray.stages.experiment.checks import refuse_impossible_trials, refuse_other_patients
from idhray.stages.experiment.experiment_folds import folds_of, images_by_fold
from idhray.stages.experiment.feature_tables import feature_tables, prepared_as
from idhray.stages.experiment.fold_generators import (
    GeneratorsOfTrial,
    assigned_generators,
    refuse_leaks_of_folds,
)
from idhray.stages.experiment.generator_order import ordered_generators
from idhray.stages.experiment.image_identities import listed_images
from idhray.stages.experiment.outcome import refuse_older_version
from idhray.stages.experiment.plan import TrialPlan, plan_protocol
from idhray.stages.experiment.protocol_file import last_repeat
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.experiment.sweep_flags import SweepFlags
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.training import with_absolute_weights
from idhray.stages.tuning.best import tuned_text
from idhray.storage import absolute, join
from idhray.table_fingerprints import table_fingerprints

logger = logging.getLogger(__name__)


def planned_sweep(flags: SweepFlags, *, generators_follow: bool = False) -> TrialPlan:
    """Folds, images, protocol and generators; everything is checked before Ray starts.

    Args:
        flags: Flags.
        generators_follow: Generators are not trained yet. The protocol has all arms; the plan has
            the trainings without generators only.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    settings = replace(
        flags.settings,
        classifier=with_absolute_weights(flags.settings.classifier),
        encoder=with_absolute_file(flags.settings.encoder),
    )
    tables = feature_tables([*map(absolute, flags.features)]) if flags.features else None
    if tables:
        settings = replace(settings, features=json.dumps(tables.record, sort_keys=True))
        if "network" not in settings.classifiers:  # no image is decoded, but its channels checked
            settings = replace(settings, classifier=prepared_as(tables, settings.classifier))
    synthetic = () if generators_follow else tuple(map(absolute, flags.synthetic))
    if not synthetic and not generators_follow:
        settings = without_generators(settings)
    refuse_failed(synthetic, allowed=flags.allow_failed_gan)
    refuse_older_version(out, overwrite=flags.overwrite)
    images_seal, listed = seal(images), listed_images(images)
    written = None if flags.overwrite else join(out, FOLDS_FILE)
    folds = folds_of(images, flags.folds, written, settings, flags.seed)
    refuse_other_patients(listed, folds, images)
    if flags.tuned:
        settings = replace(settings, tuned=tuned_text(absolute(flags.tuned), folds, settings))
    by_fold = images_by_fold(images, listed, folds, settings)
    protocol = plan_protocol(folds, by_fold, settings, flags.seed)
    needs_generator = any(parse_arm(arm).kind in GENERATED for arm in protocol.arms)
    needs_generator &= not generators_follow
    repeats = range(1, last_repeat(protocol, settings) + 1)
    ordered = ordered_generators(synthetic, None if flags.overwrite else out)
    fingerprints = table_fingerprints(images)
    weights = refuse_leaks_of_folds(images, folds, settings, fingerprints)
    generators: GeneratorsOfTrial = {}
    if needs_generator:
        generators = assigned_generators(ordered, folds, settings, repeats, fingerprints)
    encoder: Mapping[str, str] = {}
    if settings.on_features:
        encoder = tables.card if tables else encoder_card(settings.encoder)
    used = {folder for pair in generators.values() for folder in pair}
    plan = TrialPlan(
        folds=folds,
        images=listed,
        fold_images=by_fold,
        protocol=protocol,
        settings=settings,
        images_seal=images_seal,
        seed=flags.seed,
        generators=generators,
        seals={folder: seal(folder) for folder in ordered if folder in used},
        features=tables,
        encoder=encoder,
        ancestry=_ancestry(encoder, sorted(used), weights),
    )
    refuse_impossible_trials(plan, images)
    return plan


def without_generators(settings: ExperimentSettings) -> ExperimentSettings:
    """Settings of a run without synthetic images: the arm `real` alone, if no count is asked for.

    Counts that are given, or selected on validation, need generators and are refused later.
    """
    protocol = settings.protocol
    if protocol.counts or protocol.real_only or protocol.selection == "validation":
        return settings
    logger.warning(
        "no --synthetic and no --counts: the arm `real` alone is trained, and nothing is compared "
        "with it"
    )
    return replace(settings, protocol=replace(protocol, ratios=(), stop_early=False))


def _ancestry(
    encoder: Mapping[str, str], synthetic: Sequence[str], weights: Sequence[Ancestor]
) -> tuple[str, ...]:
    """Sentences on what is unknown of generators, weights and encoder."""
    generators = [ancestor_of_record(folder, read_generator(folder)) for folder in synthetic]
    return (*joined_remarks([*weights, *generators]), *(card_ancestry(encoder) if encoder else ()))
