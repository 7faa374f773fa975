"""Search for the settings of a classifier: images of training patients -> best settings per fold.

part-*.parquet  TUNING, one row for each trial
best.json       settings of each fold, and the patients that decided them, for `sweep --settings`
trials-*.png    parallel coordinates of all trials of a fold, and the importance of each setting

A fold is tuned on inner validation patients of its training part. Its validation and test patients
are never loaded.
"""

import json
import logging
from dataclasses import dataclass, replace
from typing import Any

from idhray import ledger
from idhray.classify.encoders import with_absolute_file
from idhray.cohorts.folds import FOLDS_FILE, write_folds
from idhray.config import identity_of, settings_dict
from idhray.errors import ConfigError, StorageError
from idhray.experiment.search_space import SearchSpace, check_space, space_from_text
from idhray.experiment.trials import ON_FEATURES
from idhray.report.tuning_figures import tuning_figure
from idhray.stages.experiment.experiment_folds import folds_digest, folds_of, images_by_fold
from idhray.stages.experiment.feature_tables import feature_tables, prepared_as
from idhray.stages.experiment.image_identities import listed_images
from idhray.stages.experiment.settings import PART_OF_KIND, ExperimentSettings
from idhray.stages.experiment.settings import PRESETS as PRESETS
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import connect, task_gpus, wait_for_room
from idhray.stages.runtime.training import with_absolute_weights
from idhray.stages.tuning.best import BEST_FILE, RULE
from idhray.stages.tuning.inner_data import inner_data
from idhray.stages.tuning.run import (
    SchedulerKind,
    SearchTask,
    finished_trials,
    search_fold,
)
from idhray.stages.tuning.search import SearchKind, importances
from idhray.stages.tuning.spaces import FIXED, SPACES
from idhray.storage import absolute, exists, join, publish, publish_json, read_bytes
from idhray.table_fingerprints import table_fingerprints

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TuneFlags(RunFlags):
    """Flags of `idhray tune`."""

    images: str
    """Folder of a PATCHES or SLICES table."""
    out: str
    """Folder of the TUNING table and of best.json."""
    settings: ExperimentSettings
    """Settings to start from. The first of --classifiers is tuned."""
    space: str | None = None
    """TOML file of the search space: [SETTING] with log_uniform, uniform or integer = [LOW, HIGH],
    or choice = [...]. Default: the space of the classifier."""
    features: tuple[str, ...] = ()
    """Folders of FEATURES tables, from `encode`; needed for a classifier on features."""
    folds: str | None = None
    """File of folds, from `split-cohort` or of the experiment that will use the result. Default:
    newly drawn with --seed, as `sweep` does."""
    search: SearchKind = "optuna"
    """optuna: tree-structured Parzen estimator. random: independent draws."""
    scheduler: SchedulerKind = "asha"
    """asha: stop the worse trials after one inner fold and later (asynchronous successive
    halving). none: train every trial on all inner folds."""
    trials: int = 20
    """Trials of each fold; may be raised later."""
    hours: float | None = None
    """Hours of all trials of all folds together, on CPUs or GPUs. Default: no limit."""
    inner_folds: int = 3
    """Inner folds over the training patients of a fold."""
    seed: int = 0
    """Seed of folds, draws and trainings."""
    workers: int | None = None
    """Trials at the same time. Default: as many as the cluster has room for."""
    cpus_per_trial: float = 1
    """CPUs of each trial."""
    gpus_per_trial: float | None = None
    """GPUs of each trial; may be a fraction. Default: one if the cluster has GPUs, else none."""


@with_dry_run(
    reads=("images", "features", "folds", "space"),
    writes="the best settings of each fold, all trials and their plots",
)
def tune(flags: TuneFlags) -> dict[str, Any]:
    """Search for the settings of a classifier on the training patients of each fold.

    The objective is the AUC by patient on inner validation patients. Settings that are tuned on the
    arm `real` serve all arms. The same command continues a search that was killed.
    """
    images, out, settings = absolute(flags.images), absolute(flags.out), _settings(flags)
    kind = settings.classifiers[0]
    tables = feature_tables([*map(absolute, flags.features)]) if flags.features else None
    if kind in ON_FEATURES and tables is None:
        raise ConfigError(f"--classifiers {kind} needs --features; run `idhray encode` first")
    space = _space(flags, settings)
    if flags.trials < 1 or flags.inner_folds < 2:
        raise ConfigError("--trials must be 1 or more, --inner-folds 2 or more")
    settings = replace(settings, classifier=prepared_as(tables, settings.classifier))
    images_seal, listed = seal(images), listed_images(images)
    folds = folds_of(images, flags.folds, join(out, FOLDS_FILE), settings, flags.seed)
    by_fold = images_by_fold(images, listed, folds, settings)
    fingerprints = table_fingerprints(images)
    part = getattr(settings, PART_OF_KIND[kind])
    identity = identity_of(
        inputs={
            "stage": "tune",
            "images": images_seal,
            "folds_digest": folds_digest(folds),
            "classifier": kind,
            "values": settings_dict(part),
            "features": dict(tables.record) if tables else None,
            "space": [settings_dict(dimension) for dimension in space],
        },
        flags=flags,
        names=("search", "scheduler", "inner_folds", "seed", "trials"),
        growing=("trials",),
    )
    owns = (BEST_FILE, FOLDS_FILE, *(f"trials-{number}.png" for number in folds.numbers()))
    with stage_folder(out, identity, overwrite=flags.overwrite, owns=owns):
        write_folds(join(out, FOLDS_FILE), folds)
        connect(flags.address, flags)
        gpus = task_gpus(flags.gpus_per_trial)
        wait_for_room(cpus=flags.cpus_per_trial, gpus=gpus)
        entries, spent = {}, 0.0
        for number in folds.numbers():
            task = SearchTask(
                fold=number,
                kind=kind,
                settings=settings,
                space=space,
                search=flags.search,
                scheduler=flags.scheduler,
                trials=flags.trials,
                seconds=flags.hours and flags.hours * 3600 / len(folds.numbers()),
                seed=flags.seed,
                workers=flags.workers,
                cpus=flags.cpus_per_trial,
                gpus=gpus,
                out=out,
            )
            if len(finished_trials(out, number)) < flags.trials:
                data = inner_data(
                    images,
                    number,
                    by_fold[number],
                    folds.roles(number),
                    settings.classifier,
                    tables=tables,
                    decode=kind not in ON_FEATURES,
                    inner_folds=flags.inner_folds,
                    seed=flags.seed,
                    fingerprints=fingerprints,
                )
                search_fold(task, data)
            trained_on = {n for n, role in folds.roles(number).items() if role == "train"}
            entries[str(number)] = _entry(task, sorted(trained_on & set(listed.patients.tolist())))
            spent += sum(row["seconds"] for row in finished_trials(out, number))
            _draw(task)
        publish_json(
            join(out, BEST_FILE),
            {
                "classifier": kind,
                "folds": entries,
                "trials": flags.trials,
                "rule": RULE,
                "hours": spent / 3600,
                "gpu_hours": spent * gpus / 3600,
            },
        )
    return {
        "out": out,
        "best": join(out, BEST_FILE),
        "trials": len(ledger.fates(out)),
        "inner_auc": {number: entry["auc"] for number, entry in entries.items()},
    }


def _settings(flags: TuneFlags) -> ExperimentSettings:
    return replace(
        flags.settings,
        classifier=with_absolute_weights(flags.settings.classifier),
        encoder=with_absolute_file(flags.settings.encoder),
    )


def _space(flags: TuneFlags, settings: ExperimentSettings) -> SearchSpace:
    """Search space of the flags, checked against the settings of the classifier."""
    kind = settings.classifiers[0]
    path = flags.space and absolute(flags.space)
    if path and not exists(path):
        raise StorageError(f"--space {path}: not there")
    source = path or f"the space of {kind}"
    space = space_from_text(read_bytes(path).decode() if path else SPACES[kind], source)
    check_space(space, getattr(settings, PART_OF_KIND[kind]), source, FIXED)
    return space


def _entry(task: SearchTask, patients: list[str]) -> dict[str, Any]:
    """Best finished trial of a fold, and the patients that it was chosen on.

    Raises:
        StorageError: no trial is finished.
    """
    rows = finished_trials(task.out, task.fold)
    whole = [row for row in rows if row["status"] == "done"] or rows
    if not whole:
        raise StorageError(f"{task.out}: fold {task.fold} has no finished trial; run again")
    best = max(whole, key=lambda row: (row["objective"], -row["trial"]))
    return {
        "settings": json_values(best),
        "trial": best["trial"],
        "auc": best["auc"],
        "log_loss": best["log_loss"],
        "patients": patients,
    }


def json_values(row: dict[str, Any]) -> dict[str, Any]:
    """Settings that a trial changed."""

    values: dict[str, Any] = json.loads(row["values"])
    return values


def _draw(task: SearchTask) -> None:
    """Parallel coordinates and importances of the trials of a fold."""
    rows = finished_trials(task.out, task.fold)
    pairs = [(json_values(row), row["objective"]) for row in rows]
    picture = tuning_figure(
        [(values, row["auc"]) for (values, _), row in zip(pairs, rows, strict=True)],
        {d.name: (d.kind, d.values) for d in task.space},
        importances(task.space, pairs, task.seed),
        title=f"Fold {task.fold}: {len(rows)} trials",
    )
    publish(join(task.out, f"trials-{task.fold}.png"), picture)
