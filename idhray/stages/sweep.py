"""The augmentation experiment: a training for each fold, repeat and arm, and their predictions.

protocol.json   arms, margin and rules of the verdict, written before the first training
folds.parquet   role of each patient in each fold
part-*.parquet  PREDICTIONS of validation and test patients, one part for each training
trials/         TRIALS, one row for each training

Images are decoded once, and every training reads its share from Ray's object store. A training that
is lost with its worker starts again from its last epoch; finished ones are not run again.
"""

import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import ray

from idhray import ledger
from idhray.ancestry import Ancestor, ancestor_of_record, joined_remarks
from idhray.classify.encoders import encoder_ancestry
from idhray.cohorts.folds import FOLDS_FILE
from idhray.config import identity_of
from idhray.errors import ConfigError, SettingsChangedError
from idhray.experiment.arms import GENERATED, ControlKind, parse_arm
from idhray.experiment.protocol import protocol_values
from idhray.experiment.settings import fresh_arms
from idhray.experiment.trials import Trial, planned_trials
from idhray.generator_records import read_generator
from idhray.leakage import refuse_failed
from idhray.ledger import check_failures
from idhray.stages.experiment.checks import refuse_impossible_trials, refuse_other_patients
from idhray.stages.experiment.classifier_table import classifier_report_table
from idhray.stages.experiment.data import load_data
from idhray.stages.experiment.generator_order import ordered_generators, recorded_entries
from idhray.stages.experiment.outcome import (
    GENERATORS_FILE,
    PROTOCOL_FILE,
    SELECTION_FILE,
    precise_enough,
    read_outcome,
    refuse_older_version,
)
from idhray.stages.experiment.plan import (
    GeneratorsOfTrial,
    TrialPlan,
    assigned_generators,
    folds_of,
    images_by_fold,
    listed_images,
    plan_protocol,
    refuse_leaks_of_folds,
)
from idhray.stages.experiment.protocol_file import (
    changed_trials,
    continued_plan,
    generator_entries,
    last_repeat,
    possible_trials,
    trial_hashes,
    with_protocol,
)
from idhray.stages.experiment.rates import dry_run_text
from idhray.stages.experiment.selection import with_selected_count
from idhray.stages.experiment.settings import PRESETS as PRESETS
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.experiment.trial import TRIALS_FOLDER, TrialTask, delete_states, run_trial
from idhray.stages.runtime.folder import DONE, seal, stage_folder
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.resuming import is_open
from idhray.stages.runtime.session import connect, task_gpus, wait_for_room
from idhray.stages.runtime.state import UP_TO_DATE, StageState
from idhray.stages.runtime.training import with_absolute_weights
from idhray.stages.studies.paper_tables import plain_text
from idhray.stats.arms.rule import needed_repeats
from idhray.storage import absolute, exists, join, read_json
from idhray.table_fingerprints import table_fingerprints
from idhray.table_parts import parts
from idhray.tables import PREDICTIONS

logger = logging.getLogger(__name__)

FROZEN_TRIALS = 25
"""Trials of the frozen encoder that share a Ray task; one takes well under a second."""
RESTARTS = 10
"""New starts of a training whose worker was lost; each continues from its last epoch, so that a
machine that is taken away costs little."""
OWNS = (PROTOCOL_FILE, SELECTION_FILE, GENERATORS_FILE, FOLDS_FILE, TRIALS_FOLDER)
IDENTITY = identity_of(inputs={"stage": "sweep", "experiment": 1}, dropped=("images",))


@dataclass(frozen=True, kw_only=True)
class SweepFlags(ItemFlags):
    """Flags of `idhray sweep`."""

    images: str
    """Folder of a PATCHES or SLICES table."""
    out: str
    """Folder of the PREDICTIONS table, the protocol and the folds."""
    settings: ExperimentSettings
    """Protocol and classifiers."""
    synthetic: tuple[str, ...] = ()
    """Folders of SYNTHETIC tables. Each serves the folds whose validation and test patients its
    generator never saw."""
    folds: str | None = None
    """File of folds, from `split-cohort`. Default: those in the output folder; else newly drawn, by
    patient within each label."""
    allow_failed_gan: bool = False
    """Also use images of a generator that failed `evaluate-gan`. The verdict says so."""
    amend: str = ""
    """Reason to change the protocol or the images after results exist. Trainings of other images
    are run again, and the comparison is then exploratory."""
    dry_run: bool = False
    """Print trainings, generators, hours and bytes by rates measured on this machine, and stop."""
    seed: int = 0
    """Seed of the experiment."""
    workers: int | None = None
    """Trainings at the same time. Default: as many as the cluster has room for."""
    max_failures: int = 0
    """Trainings that may fail, after their retries, before the command exits with an error. All
    others are run in either case; the same command tries the failed ones again."""
    gpus_per_trial: float | None = None
    """GPUs of each training; may be a fraction. Default: one if the cluster has GPUs, else none."""
    cpus_per_trial: int = 1
    """CPUs of each training."""
    room_timeout: float = 600
    """Seconds to wait for a cluster that has no room for one training, but may grow."""


def sweep(flags: SweepFlags) -> dict[str, Any]:
    """Train every arm in every fold and repeat, and predict the held-out patients.

    The protocol is written first; after the first result it changes by --amend only. The same
    command continues. More repeats or arms may be added later.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    plan = planned_sweep(flags)
    if flags.dry_run:
        return {"out": out, "text": dry_run_text(plan, flags.cpus_per_trial)}
    with stage_folder(out, IDENTITY, overwrite=flags.overwrite, owns=OWNS, grows=not flags.amend):
        plan = with_protocol(plan, out, amend=flags.amend)
        trials = _run_planned(plan, out, images, flags)
        primary = plan.protocol.primary
        if plan.settings.protocol.selection == "validation":
            primary, plan = with_selected_count(plan, out)
            trials += _fresh(plan, primary)
            _run(trials, plan, out, images, flags)
        fates = ledger.fates(out)
        delete_states(out, [name for name, fate in fates.items() if fate.status == "done"])
    rows = ledger.tally(fates)["rows"]
    result = {"out": out, "trainings": len(trials), "predictions": rows, "primary": primary}
    if plan.settings.networks or plan.settings.protocol.real_only:
        result["text"] = plain_text(classifier_report_table(read_outcome(out)))
    return result


def sweep_before_generators(flags: SweepFlags) -> None:
    """Train the arms that need no generator, while generators train; `sweep` continues.

    The protocol is written as `sweep` would write it. The folder is not finished by this.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    plan = planned_sweep(flags, generators_follow=True)
    grows = not flags.amend
    with stage_folder(out, IDENTITY, overwrite=False, owns=OWNS, grows=grows, finishes=False):
        plan = with_protocol(plan, out, amend=flags.amend)
        repeats = plan.protocol.repeats
        if plan.settings.protocol.stop_early:
            repeats = min(repeats, needed_repeats(len(plan.folds.numbers())))
        _run(_planned(plan, repeats), plan, out, images, flags)


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


def sweep_state(flags: SweepFlags) -> StageState:
    """State of an experiment; nothing is trained or written.

    It is out of date if finished trainings or the protocol would change. With `--amend` these are
    to do.
    """
    out, plan = absolute(flags.out), planned_sweep(flags)
    fates, path = ledger.fates(out), join(out, PROTOCOL_FILE)
    try:
        plan = continued_plan(plan, out, amend=flags.amend)
    except (ConfigError, SettingsChangedError) as error:
        return StageState(status="out of date", reason=str(error), is_finished=bool(fates))
    hashes, changed = trial_hashes(possible_trials(plan), plan, fates)
    finished = {name for name, fate in fates.items() if fate.status == "done"} - set(changed)
    trials = _planned(plan, plan.protocol.repeats)
    left = len(trials) - sum(trial.name in finished for trial in trials)
    recorded = recorded_entries(out)
    is_written = (
        exists(join(out, DONE))
        and exists(path)
        and read_json(path) == protocol_values(plan.protocol)
        and recorded == generator_entries(plan, recorded)
    )
    existing_parts = set(parts(out))
    lost = any(is_open(out, fates[name], existing_parts) for name in hashes if name in fates)
    if is_written and not changed and not lost:
        return UP_TO_DATE
    seconds = [fates[name].seconds for name in finished]
    reason = f"{len(changed)} of other images or settings, " if changed else ""
    return StageState(
        status="to do",
        reason=f"{reason}{left} of {len(trials)} trainings",
        seconds=left * sum(seconds) / len(seconds) if seconds else None,
    )


def planned_sweep(flags: SweepFlags, *, generators_follow: bool = False) -> TrialPlan:
    """Folds, images, protocol and generators; everything is checked before Ray starts.

    Args:
        flags: Flags.
        generators_follow: Generators are not trained yet. The protocol has all arms; the plan has
            the trainings without generators only.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    settings = replace(flags.settings, classifier=with_absolute_weights(flags.settings.classifier))
    synthetic = () if generators_follow else tuple(map(absolute, flags.synthetic))
    if not synthetic and not generators_follow:
        settings = without_generators(settings)
    refuse_failed(synthetic, allowed=flags.allow_failed_gan)
    refuse_older_version(out, overwrite=flags.overwrite)
    images_seal, listed = seal(images), listed_images(images)
    written = None if flags.overwrite else join(out, FOLDS_FILE)
    folds = folds_of(images, flags.folds, written, settings, flags.seed)
    refuse_other_patients(listed, folds, images)
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
        ancestry=_ancestry(settings, sorted(used), weights),
    )
    refuse_impossible_trials(plan, images)
    return plan


def _ancestry(
    settings: ExperimentSettings, synthetic: Sequence[str], weights: Sequence[Ancestor]
) -> tuple[str, ...]:
    """Sentences on what is unknown of generators, weights and encoder."""
    generators = [ancestor_of_record(folder, read_generator(folder)) for folder in synthetic]
    of_encoder = encoder_ancestry(settings.encoder) if "frozen" in settings.classifiers else ()
    return (*joined_remarks([*weights, *generators]), *of_encoder)


def _run_planned(plan: TrialPlan, out: str, images: str, flags: SweepFlags) -> list[Trial]:
    """Run the planned trials, or fewer repeats where the protocol allows it; the finished ones."""
    last = plan.protocol.repeats
    if plan.protocol.primary is None and exists(join(out, SELECTION_FILE)):
        return _planned(plan, last)  # finished; they are completed with the fresh ones
    if not plan.settings.protocol.stop_early:
        trials = _planned(plan, last)
        _run(trials, plan, out, images, flags)
        return trials
    finished = [int(name.split()[1].removeprefix("repeat=")) for name in ledger.fates(out)]
    first = max([needed_repeats(len(plan.folds.numbers())), *finished])
    for repeats in range(min(first, last), last + 1):
        trials = _planned(plan, repeats)
        _run(trials, plan, out, images, flags)
        if precise_enough(out):
            logger.info("%s: %d repeats are precise enough", out, repeats)
            break
    return trials


def _planned(plan: TrialPlan, repeats: int) -> list[Trial]:
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


def _fresh(plan: TrialPlan, primary: str) -> list[Trial]:
    """Trials of the count that validation selected, with repeats that the selection never saw."""
    first = plan.protocol.repeats + 1
    repeats = range(first, first + plan.settings.protocol.fresh_repeats)
    arms = [arm.name for arm in fresh_arms(plan.settings.protocol, parse_arm(primary).count)]
    arms = [name for name in arms if name in plan.protocol.arms]
    return planned_trials(plan.folds.numbers(), repeats, arms, plan.settings.classifiers)


def _run(
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
    connect(flags.address)
    gpus = task_gpus(flags.gpus_per_trial)
    wait_for_room(cpus=flags.cpus_per_trial, gpus=gpus, timeout_s=flags.room_timeout)
    start = time.monotonic()
    data = load_data(images, plan, todo, gpus)
    logger.info("%s: images read in %.0f s", out, time.monotonic() - start)
    work = functools.partial(run_trial, data=ray.put(data))
    items = [_item(trial, plan, hashes[trial.name], out, gpus) for trial in trials]
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
    trial: Trial, plan: TrialPlan, settings_hash: str, out: str, gpus: float
) -> Item[TrialTask]:
    generators, settings = plan.generators_of(trial), plan.settings.classifier
    names = "+".join(read_generator(folder).generator for folder in generators)
    task = TrialTask(
        trial=trial,
        generators=generators,
        generator_names=names,
        settings=replace(settings, backbone=trial.network) if trial.network else settings,
        budget=plan.settings.protocol.budget,
        seed=plan.seed,
        gpus=gpus,
        out=out,
    )
    # The largest start first, so trainings of the network run in the order of their blocks.
    size = FROZEN_TRIALS + 1 if trial.classifier == "network" else 1
    return Item(name=trial.name, settings_hash=settings_hash, task=task, size=size)
