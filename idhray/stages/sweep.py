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
from datetime import date
from typing import Any, get_args

import numpy as np
import pandas as pd
import ray

from idhray import ledger
from idhray.cohorts.folds import FOLDS_FILE, write_folds
from idhray.config import identity_of
from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.experiment.arms import GENERATED, ControlKind, parse_arm
from idhray.experiment.protocol import Protocol, merged_protocol, protocol_from, protocol_values
from idhray.experiment.settings import fresh_arms
from idhray.experiment.trials import Trial, planned_trials
from idhray.generator_records import read_gate, read_generator
from idhray.leakage import refuse_failed
from idhray.ledger import Fate, check_failures
from idhray.planning.experiment.printing import experiment_summary
from idhray.stages.experiment.checks import refuse_impossible_trials, refuse_other_patients
from idhray.stages.experiment.data import load_data
from idhray.stages.experiment.outcome import (
    GENERATORS_FILE,
    PROTOCOL_FILE,
    SELECTION_FILE,
    main_model,
    precise_enough,
)
from idhray.stages.experiment.plan import (
    TrialPlan,
    absent_arms,
    assigned_generators,
    folds_of,
    images_by_fold,
    listed_images,
    plan_protocol,
)
from idhray.stages.experiment.rates import dry_run_text
from idhray.stages.experiment.settings import PRESETS as PRESETS
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.experiment.trial import TRIALS_FOLDER, TrialTask, run_trial
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.resuming import is_open
from idhray.stages.runtime.session import connect, task_gpus, wait_for_room
from idhray.stages.runtime.training import with_absolute_weights
from idhray.stats.arms.rule import needed_repeats
from idhray.stats.roc.area import auc
from idhray.stats.sample import Scored
from idhray.storage import SETTINGS, absolute, exists, join, publish_json, read_json
from idhray.table_parts import parts, read_table
from idhray.tables import PREDICTIONS

logger = logging.getLogger(__name__)

FROZEN_TRIALS = 25
"""Trials of the frozen encoder that share a Ray task; one takes well under a second."""
OWNS = (PROTOCOL_FILE, SELECTION_FILE, GENERATORS_FILE, FOLDS_FILE, TRIALS_FOLDER)


@dataclass(frozen=True, kw_only=True)
class SweepFlags(RunFlags):
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
    """Reason to change the protocol after results exist. The comparison is then exploratory."""
    dry_run: bool = False
    """Print trainings, generators, hours and bytes by rates measured on this machine, and stop."""
    seed: int = 0
    """Seed of the experiment."""
    workers: int | None = None
    """Trainings at the same time. Default: as many as the cluster has room for."""
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
    settings = replace(flags.settings, classifier=with_absolute_weights(flags.settings.classifier))
    synthetic = tuple(absolute(folder) for folder in flags.synthetic)
    refuse_failed(synthetic, allowed=flags.allow_failed_gan)
    _refuse_older_sweep(out)
    plan = _plan(images, synthetic, out, settings, flags)
    if flags.dry_run:
        return {"out": out, "text": dry_run_text(plan, flags.cpus_per_trial)}
    identity = identity_of(inputs={"stage": "sweep", "images": plan.images_seal, "experiment": 1})
    with stage_folder(out, identity, overwrite=flags.overwrite, owns=OWNS):
        plan = _with_protocol(plan, out, flags)
        trials = _run_planned(plan, out, images, flags)
        primary = plan.protocol.primary
        if plan.settings.protocol.selection == "validation":
            primary, plan = _selected(plan, out)
            trials += _fresh(plan, primary)
            _run(trials, plan, out, images, flags)
        fates = ledger.fates(out)
    rows = ledger.tally(fates)["rows"]
    return {"out": out, "trainings": len(trials), "predictions": rows, "primary": primary}


def _refuse_older_sweep(out: str) -> None:
    """Refuse a folder of version 0.1, which has neither folds nor a protocol."""
    if exists(join(out, SETTINGS)) and "counts" in read_json(join(out, SETTINGS)):
        raise SettingsChangedError(
            f"{out}: a sweep of an earlier version, without controls and protocol; `report` and "
            "`fit-stats` read it, but it cannot be continued: choose another --out"
        )


def _plan(
    images: str,
    synthetic: Sequence[str],
    out: str,
    settings: ExperimentSettings,
    flags: SweepFlags,
) -> TrialPlan:
    """Folds, images, protocol and generators; everything is checked before Ray starts."""
    images_seal, listed = seal(images), listed_images(images)
    written = None if flags.overwrite else join(out, FOLDS_FILE)
    folds = folds_of(images, flags.folds, written, settings, flags.seed)
    refuse_other_patients(listed, folds, images)
    by_fold = images_by_fold(images, listed, folds, settings)
    protocol = plan_protocol(folds, by_fold, settings, flags.seed)
    needs_generator = any(parse_arm(arm).kind in GENERATED for arm in protocol.arms)
    repeats = range(1, _last_repeat(protocol, settings) + 1)
    generators = assigned_generators(synthetic, folds, settings, repeats) if needs_generator else {}
    used = sorted({folder for pair in generators.values() for folder in pair})
    plan = TrialPlan(
        folds=folds,
        images=listed,
        fold_images=by_fold,
        protocol=protocol,
        settings=settings,
        images_seal=images_seal,
        seed=flags.seed,
        generators=generators,
        seals={folder: seal(folder) for folder in used},
    )
    refuse_impossible_trials(plan, images)
    return plan


def _last_repeat(protocol: Protocol, settings: ExperimentSettings) -> int:
    chosen_later = settings.protocol.selection == "validation"
    return protocol.repeats + (settings.protocol.fresh_repeats if chosen_later else 0)


def _with_protocol(plan: TrialPlan, out: str, flags: SweepFlags) -> TrialPlan:
    """The plan with the protocol of the folder, continued; folds and protocol are written."""
    path, fates = join(out, PROTOCOL_FILE), ledger.fates(out)
    earlier = protocol_from(read_json(path)) if exists(path) else None
    has_results = any(fate.status == "done" for fate in fates.values())
    if has_results and earlier is None:
        raise StorageError(
            f"{out}: {len(fates)} trainings, but no {PROTOCOL_FILE}; restore it, or choose another "
            "--out: a protocol that is written after results fixes nothing"
        )
    protocol = merged_protocol(
        earlier,
        plan.protocol,
        defaults=plan.settings.defaults(),
        has_results=has_results,
        amend=flags.amend,
        today=date.today().isoformat(),
    )
    if not protocol.detectable:
        protocol = replace(protocol, detectable=planned_detectable(plan))
    # Everything is refused before the first file changes: a refused command loses nothing.
    _refuse_repeats_after_selection(out, protocol)
    _refuse_changed(out, fates, _hashes_of_all(replace(plan, protocol=protocol)))
    write_folds(join(out, FOLDS_FILE), plan.folds)
    publish_json(path, protocol_values(protocol))
    publish_json(join(out, GENERATORS_FILE), {"generators": generator_entries(plan)})
    logger.info("%s: protocol %s. %s", out, protocol.hash, protocol.detectable)
    return replace(plan, protocol=protocol)


def _refuse_repeats_after_selection(out: str, protocol: Protocol) -> None:
    """Refuse more repeats once validation has selected the count on the planned ones."""
    path = join(out, SELECTION_FILE)
    if protocol.primary is None and exists(path):
        selected_on = int(read_json(path)["first_fresh_repeat"]) - 1
        if protocol.repeats != selected_on:
            raise ConfigError(
                f"{out}: validation selected the count on {selected_on} repeats, now --repeats is "
                f"{protocol.repeats}; give the old number, or choose another --out"
            )


def _hashes_of_all(plan: TrialPlan) -> dict[str, str]:
    """Digest of each trial that the protocol may have, by name."""
    trials = planned_trials(
        plan.folds.numbers(),
        range(1, _last_repeat(plan.protocol, plan.settings) + 1),
        tuple(plan.protocol.arms),
        plan.settings.classifiers,
    )
    return {trial.name: plan.trial_hash(trial) for trial in trials}


def planned_detectable(plan: TrialPlan) -> str:
    """Gain that the planned experiment can show, in words; empty if it is too small to judge."""
    labels, folds = list(plan.folds.labels().values()), len(plan.folds.numbers())
    if folds == 1:
        roles = plan.folds.roles(1)
        labels = [idh for name, idh in plan.folds.labels().items() if roles[name] == "test"]
    mutant, wildtype = labels.count("mutant"), labels.count("wildtype")
    repeats = plan.protocol.planned_repeats
    if min(mutant, wildtype) < 2 * folds or repeats < needed_repeats(folds):
        return ""
    return experiment_summary(mutant, wildtype, folds=folds, repeats=repeats)


def generator_entries(plan: TrialPlan) -> list[dict[str, Any]]:
    """Generators of the experiment with their ancestry and the result of their gate.

    They name no folder, so that a study that was moved keeps its seal.
    """
    entries = []
    for folder in sorted(plan.seals):
        record, gate = read_generator(folder), read_gate(folder)
        state = "not tested" if gate is None else "passed" if gate.passed else "failed"
        entries.append(
            {
                "generator": record.generator,
                "idh": record.idh,
                "fold": record.fold,
                "seed": record.seed,
                "weights": record.weights,
                "trained_on": record.trained_on,
                "patients": len(record.patients),
                "gate": state,
                "reasons": list(gate.reasons) if gate else [],
            }
        )
    return entries


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
        if plan.protocol.primary or parse_arm(arm).kind not in get_args(ControlKind)
    )
    return planned_trials(
        plan.folds.numbers(), range(1, repeats + 1), arms, plan.settings.classifiers
    )


def _fresh(plan: TrialPlan, primary: str) -> list[Trial]:
    """Trials of the count that validation selected, with repeats that the selection never saw."""
    first = plan.protocol.repeats + 1
    repeats = range(first, first + plan.settings.protocol.fresh_repeats)
    arms = [arm.name for arm in fresh_arms(plan.settings.protocol, parse_arm(primary).count)]
    arms = [name for name in arms if name in plan.protocol.arms]
    return planned_trials(plan.folds.numbers(), repeats, arms, plan.settings.classifiers)


def _selected(plan: TrialPlan, out: str) -> tuple[str, TrialPlan]:
    """Arm with the highest mean AUC on validation, recorded, and the plan with its controls."""
    path = join(out, SELECTION_FILE)
    if not exists(path):
        first_fresh = plan.protocol.repeats + 1
        rows = read_table(out, PREDICTIONS).to_pandas()
        if (rows["repeat"] >= first_fresh).any():
            raise StorageError(
                f"{out}: fresh trainings of a selected count, but no {SELECTION_FILE}; restore it, "
                "or choose another --out: a selection after them would not be fresh"
            )
        areas = validation_areas(rows[rows["model"] == main_model(plan.protocol)])
        chosen = max(areas, key=lambda arm: (areas[arm], -parse_arm(arm).count))
        publish_json(path, {"arm": chosen, "val_auc": areas, "first_fresh_repeat": first_fresh})
        logger.info("%s: validation selected %s", out, chosen)
    primary = str(read_json(path)["arm"])
    arms = fresh_arms(plan.settings.protocol, parse_arm(primary).count)
    absent = absent_arms(arms, plan.fold_images)
    today = date.today().isoformat()
    joined = {arm.name: today for arm in arms if arm.name not in absent}
    protocol = replace(
        plan.protocol,
        arms=joined | dict(plan.protocol.arms),
        absent={**plan.protocol.absent, **absent},
    )
    publish_json(join(out, PROTOCOL_FILE), protocol_values(protocol))
    return primary, replace(plan, protocol=protocol)


def validation_areas(rows: pd.DataFrame) -> dict[str, float]:
    """Mean AUC on validation of each arm with synthetic images, over folds and repeats.

    Args:
        rows: PREDICTIONS rows of one classifier.
    """
    areas: dict[str, list[float]] = {}
    for (arm, _, _), group in rows[rows["split"] == "val"].groupby(["arm", "fold", "repeat"]):
        if parse_arm(str(arm)).kind == "synthetic":
            sample = Scored((group["idh"] == "mutant").astype(int), group["p_mutant"])
            areas.setdefault(str(arm), []).append(auc(sample))
    return {arm: float(np.mean(values)) for arm, values in areas.items()}


def _run(
    trials: Sequence[Trial], plan: TrialPlan, out: str, images: str, flags: SweepFlags
) -> None:
    """Run the trials that are not finished.

    Raises:
        SettingsChangedError: finished trials were of other images or settings.
        StorageError: trials failed.
    """
    hashes = {trial.name: plan.trial_hash(trial) for trial in trials}
    fates = ledger.fates(out)
    _refuse_changed(out, fates, hashes)
    existing_parts = set(parts(out))
    todo = [trial for trial in trials if is_open(out, fates.get(trial.name), existing_parts)]
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
    )
    check_failures(out, fates, 0)


def _refuse_changed(out: str, fates: dict[str, Fate], hashes: dict[str, str]) -> None:
    changed = [
        name
        for name, fate in fates.items()
        if name in hashes and fate.status == "done" and fate.settings_hash != hashes[name]
    ]
    if changed:
        raise SettingsChangedError(
            f"{out}: {len(changed)} finished trainings were of other images, generators or "
            f"settings ({changed[0]}, ...); give the old ones, or choose another --out"
        )


def _item(
    trial: Trial, plan: TrialPlan, settings_hash: str, out: str, gpus: float
) -> Item[TrialTask]:
    generators = plan.generators_of(trial)
    names = "+".join(read_generator(folder).generator for folder in generators)
    task = TrialTask(
        trial=trial,
        generators=generators,
        generator_names=names,
        settings=plan.settings.classifier,
        budget=plan.settings.protocol.budget,
        seed=plan.seed,
        gpus=gpus,
        out=out,
    )
    # The largest start first, so trainings of the network run in the order of their blocks.
    size = FROZEN_TRIALS + 1 if trial.classifier == "network" else 1
    return Item(name=trial.name, settings_hash=settings_hash, task=task, size=size)
