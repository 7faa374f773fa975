"""Trials of an experiment on Ray: those that are planned, and the run of the open ones."""

import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import ray

from idhray import ledger
from idhray.classify.trial_models import ModelOrigin
from idhray.experiment.arms import ControlKind, parse_arm
from idhray.experiment.settings import fresh_arms
from idhray.experiment.trials import Trial, planned_trials
from idhray.generator_records import read_generator
from idhray.ledger import check_failures
from idhray.stages.experiment.data import load_data
from idhray.stages.experiment.feature_tables import prepared_as
from idhray.stages.experiment.kept_models import kept_origins
from idhray.stages.experiment.outcome import SELECTION_FILE, precise_enough
from idhray.stages.experiment.plan import TrialPlan
from idhray.stages.experiment.protocol_file import changed_trials, trial_hashes
from idhray.stages.experiment.sweep_flags import SweepFlags
from idhray.stages.experiment.trial import TrialTask, run_trial
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.losses import RESTARTS
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.resuming import is_open
from idhray.stages.runtime.session import connect, task_gpus, wait_for_room
from idhray.stats.arms.rule import needed_repeats
from idhray.storage import exists, join
from idhray.table_parts import parts
from idhray.tables import PREDICTIONS

logger = logging.getLogger(__name__)

FROZEN_TRIALS = 25
"""Trials of the frozen encoder that share a Ray task; one takes well under a second."""


def run_planned(plan: TrialPlan, out: str, images: str, flags: SweepFlags) -> list[Trial]:
    """Run the planned trials, or fewer repeats where the protocol allows it; the finished ones."""
    last = plan.protocol.repeats
    if plan.protocol.primary is None and exists(join(out, SELECTION_FILE)):
        return planned_by_protocol(plan, last)  # finished; they are completed with the fresh ones
    if not plan.settings.protocol.stop_early:
        trials = planned_by_protocol(plan, last)
        run_trials(trials, plan, out, images, flags)
        return trials
    finished = [int(name.split()[1].removeprefix("repeat=")) for name in ledger.fates(out)]
    first = max([needed_repeats(len(plan.folds.numbers())), *finished])
    for repeats in range(min(first, last), last + 1):
        trials = planned_by_protocol(plan, repeats)
        run_trials(trials, plan, out, images, flags)
        if precise_enough(out):
            logger.info("%s: %d repeats are precise enough", out, repeats)
            break
    return trials


def planned_by_protocol(plan: TrialPlan, repeats: int) -> list[Trial]:
    """Trials of the planned repeats. Controls of a count that validation selects come later."""
    arms = tuple(
        arm
        for arm in plan.protocol.arms
        if plan.has_images_of(arm)
        and (plan.protocol.primary or parse_arm(arm).kind not in get_args(ControlKind))
    )
    return planned_trials(
        plan.folds.numbers(),
        range(1, repeats + 1),
        arms,
        plan.settings.classifiers,
        plan.settings.networks,
    )


def fresh_trials(plan: TrialPlan, primary: str) -> list[Trial]:
    """Trials of the count that validation selected, with repeats that the selection never saw."""
    first = plan.protocol.repeats + 1
    repeats = range(first, first + plan.settings.protocol.fresh_repeats)
    arms = [arm.name for arm in fresh_arms(plan.settings.protocol, parse_arm(primary).count)]
    arms = [name for name in arms if name in plan.protocol.arms]
    return planned_trials(plan.folds.numbers(), repeats, arms, plan.settings.classifiers)


def run_trials(
    trials: Sequence[Trial], plan: TrialPlan, out: str, images: str, flags: SweepFlags
) -> None:
    """Run the trials that are not finished.

    Raises:
        SettingsChangedError: finished trials were of other images or settings.
        StorageError: trials failed.
    """
    fates = ledger.fates(out)
    hashes, changed = trial_hashes(trials, plan, fates)
    if changed and not flags.amend:
        raise changed_trials(out, changed)
    existing_parts = set(parts(out))
    todo = [
        trial
        for trial in trials
        if trial.name in changed or is_open(out, fates.get(trial.name), existing_parts)
    ]
    if not todo:
        return
    connect(flags.address, flags)
    gpus = task_gpus(flags.gpus_per_trial)
    wait_for_room(cpus=flags.cpus_per_trial, gpus=gpus)
    start = time.monotonic()
    data = load_data(images, plan, todo, gpus)
    logger.info("%s: images read in %.0f s", out, time.monotonic() - start)
    work = functools.partial(run_trial, data=ray.put(data))
    origins = kept_origins(trials, plan, images, out, flags.keep_models)
    items = [
        _item(
            trial,
            plan,
            hashes[trial.name],
            out,
            gpus,
            origin=origins.get(trial.name),
            state_minutes=flags.state_minutes,
        )
        for trial in trials
    ]
    fates = map_items(
        items,
        work,
        out=out,
        schema=PREDICTIONS,
        workers=flags.workers,
        cpus=flags.cpus_per_trial,
        gpus=gpus,
        task_size=FROZEN_TRIALS,
        retries=RESTARTS,
        other_inputs=True,
        on_change="redo" if flags.amend else "refuse",
    )
    check_failures(out, {name: fates[name] for name in hashes}, flags.max_failures)


def _item(
    trial: Trial,
    plan: TrialPlan,
    settings_hash: str,
    out: str,
    gpus: float,
    *,
    origin: ModelOrigin | None,
    state_minutes: float,
) -> Item[TrialTask]:
    generators = plan.generators_of(trial)
    of_fold = plan.settings.of_fold(trial.fold, trial.classifier)
    settings = of_fold.classifier
    if trial.classifier != "network":
        settings = prepared_as(plan.features, settings)
    names = "+".join(read_generator(folder).generator for folder in generators)
    task = TrialTask(
        trial=trial,
        generators=generators,
        generator_names=names,
        settings=replace(settings, backbone=trial.network) if trial.network else settings,
        mil=of_fold.mil,
        budget=plan.settings.protocol.budget,
        seed=plan.seed,
        gpus=gpus,
        out=out,
        origin=origin,
        state_s=60 * state_minutes,
    )
    # The largest start first, so trainings of the network run in the order of their blocks.
    size = 1 if trial.classifier in ("frozen", "mean-pool") else FROZEN_TRIALS + 1
    return Item(name=trial.name, settings_hash=settings_hash, task=task, size=size)
