"""Generators, trainings and hours of a study of slides before it runs."""

import torch

from idhray.cohorts.folds import Folds
from idhray.experiment.settings import KeepModels, planned_arms, primary_arm, resolved_counts
from idhray.experiment.trials import planned_trials
from idhray.gan.rate import training_seconds
from idhray.stages.experiment.kept_models import fresh_pairs, models_line
from idhray.stages.experiment.rates import network_line
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.studies.generators import planned_generators
from idhray.stages.studies.settings import StudySettings


def study_dry_run(folds: Folds, settings: StudySettings, keep: KeepModels) -> str:
    """Lines for a terminal: folds, arms, generators and hours, by rates measured on this machine.

    The slides are not read: every class is taken to have `train_per_class` training images.

    Args:
        folds: Folds of the study.
        settings: Settings of the study.
        keep: Trainings whose models are kept.
    """
    protocol, classifier = settings.protocol, settings.classifier
    n_real = 2 * settings.patches.train_per_class
    arms = planned_arms(protocol, resolved_counts(protocol, n_real))
    shown = [n_real + (arm.count if protocol.budget == "epochs" else 0) for arm in arms]
    steps = sum(count // classifier.batch_size for count in shown) * classifier.epochs
    blocks = len(folds.numbers()) * protocol.repeats
    trainings = f"{len(folds.numbers())} folds x {protocol.repeats} repeats x {len(arms)} arms"
    lines = [
        f"{len(folds.labels())} patients; {trainings}: {blocks * len(arms)} trainings",
        f"arms: {', '.join(arm.name for arm in arms)}",
        generators_line(settings),
        network_line(classifier, steps * blocks, blocks * len(arms), 1),
    ]
    if protocol.selection == "validation":
        lines.append(
            f"then {protocol.fresh_repeats} fresh repeats of the selected count and its controls"
        )
    experiment = ExperimentSettings(protocol=protocol, classifier=classifier)
    primary = primary_arm(protocol, resolved_counts(protocol, n_real))
    numbers, repeats = folds.numbers(), range(1, protocol.repeats + 1)
    trials = planned_trials(numbers, repeats, [a.name for a in arms], experiment.classifiers)
    chosen_later = protocol.selection == "validation"
    name = None if chosen_later else primary.name if primary else ""
    fresh = fresh_pairs(numbers, experiment, protocol.repeats)
    lines.append(models_line(trials, keep, name, experiment, fresh))
    lines.append("not counted: tiles, patches, evaluation of the generators, statistics")
    return "\n".join(lines)


def generators_line(settings: StudySettings) -> str:
    """Number and hours of the generators, by steps timed along their schedule."""
    generators = planned_generators(settings.protocol, one_network=settings.one_network)
    count = len({each.network for each in generators})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    hours = training_seconds(settings.generator_settings, device=device, threads=1) / 3600
    where = "GPU" if device == "cuda" else "CPU core"
    networks = ", one network of both classes" if settings.one_network else ""
    return (
        f"generators: {count} of {settings.generator} "
        f"({settings.protocol.generators}{networks}), "
        f"{settings.generator_settings.total_kimg:g} kimg "
        f"each; {hours:.2f} hours each on one {where} here: {count * hours:.1f} hours"
    )
