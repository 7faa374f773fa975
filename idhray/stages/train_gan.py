"""Training of GANs, each on one class of images, by Ray Train: PATCHES or SLICES -> checkpoints."""

import functools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from idhray.errors import ConfigError, StorageError
from idhray.gan.architectures import PRESETS as PRESETS
from idhray.gan.checkpoint import MODEL, read_model
from idhray.gan.rate import training_seconds
from idhray.gan.snapshots import newest_snapshot, publish_files, remove_folder
from idhray.leakage import patient_splits
from idhray.stages.gan_training.callbacks import (
    BEST,
    COMPUTED_BEFORE,
    EXTENDED,
    KEPT,
    LAST,
    floor_text,
    one_line_if_unwritable,
)
from idhray.stages.gan_training.extension import (
    EARLIER,
    FILES,
    begin_extension,
    check_extension,
    is_finished,
)
from idhray.stages.gan_training.fold_check import (
    check_fold,
    refuse_few,
    refuse_seen,
    training_count,
)
from idhray.stages.gan_training.image_sets import image_counts
from idhray.stages.gan_training.loop import STOP, gan_train_loop
from idhray.stages.gan_training.task import GanFlags, GanTask, Idh, Keep, task_values
from idhray.stages.runtime.cost import training_rate
from idhray.stages.runtime.dry_run import dry_run_result, several_results
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.side_by_side import side_by_side
from idhray.stages.runtime.state import StageState, folder_state
from idhray.stages.runtime.stopping import Stop, stop_on_signal
from idhray.stages.runtime.training import remove_run, run_from_snapshots, trainings_at_once
from idhray.storage import SETTINGS, absolute, exists, join, read_bytes, read_json, remove
from idhray.table_fingerprints import table_fingerprints

logger = logging.getLogger(__name__)

TASK_INPUTS = ("training_images", "images", "init_from", "fold_trained_on", "train_per_class")
"""Values of the identity that come from earlier stages."""
OWNS = (*FILES, "samples", "tensorboard", "best", "last", KEPT, EARLIER)


@dataclass(frozen=True, kw_only=True)
class TrainGanFlags(GanFlags):
    """Flags of `idhray train-gan`."""

    idh: Idh | tuple[Idh, ...]
    """Class of the images. any: all training patients, including those of unknown status (normal
    brains, to start another GAN from). Several classes: one GAN each, in a subfolder with the name
    of the class."""
    dry_run: bool = False
    """Print what would be read and written, the state of each folder, and the hours of each
    training by steps timed on this machine, and stop."""


def train_gan(flags: TrainGanFlags) -> dict[str, Any]:
    """Train a GAN on the training patients of a class, or one GAN for each of several classes.

    The same command resumes. With a larger `total_kimg`, a finished training goes on; its
    checkpoint stays in the subfolder `earlier`. Several GANs train side by side, as many at a time
    as the cluster has room for: on one GPU, two with `--gpus-per-worker 0.5`. If one fails, the
    others continue.
    """
    classes = (flags.idh,) if isinstance(flags.idh, str) else flags.idh
    if not classes or len(set(classes)) < len(classes):
        raise ConfigError(f"--idh needs different classes, got {' '.join(classes)}".strip())
    out = absolute(flags.out)
    values = {field.name: getattr(flags, field.name) for field in fields(GanFlags)}
    task = GanTask(**{**values, "out": out, "idh": classes[0]})
    if len(classes) == 1:
        if flags.dry_run:
            return _dry_runs({str(classes[0]): task})[str(classes[0])]
        (result,) = train_gans({str(classes[0]): task}, flags.address).values()
        return result
    if exists(join(out, SETTINGS)):
        raise StorageError(f"{out}: made by one stage; for several GANs choose another --out")
    tasks = {str(name): replace(task, idh=name, out=join(out, name)) for name in classes}
    if flags.dry_run:
        return several_results(out, _dry_runs(tasks))
    return {"out": out, "gans": train_gans(tasks, flags.address)}


def _dry_runs(tasks: Mapping[str, GanTask]) -> dict[str, dict[str, Any]]:
    """Dry run of each training; its time is that of steps timed on this machine.

    Args:
        tasks: Tasks of one command, which have the same settings, by name.
    """
    states = {name: gan_state(task) for name, task in tasks.items()}
    first = next(iter(tasks.values()))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    has_work = first.overwrite or any(state.status == "to do" for state in states.values())
    seconds = training_seconds(first.settings, device=device, threads=1) if has_work else None
    where = "GPU" if device == "cuda" else "CPU core"
    return {
        name: dry_run_result(
            task.out,
            state if state.is_done and not task.overwrite else replace(state, seconds=seconds),
            reads=[f"training images of class {task.idh} in {task.images}"],
            writes=f"a generator after {task.settings.total_kimg:g} kimg",
            overwrite=task.overwrite,
            timed=f"from its start, by steps timed on one {where} of this machine",
        )
        for name, task in tasks.items()
        for state in [states[name]]
    }


def train_gans(
    tasks: Mapping[str, GanTask], address: str | None = None
) -> dict[str, dict[str, Any]]:
    """Train each GAN that is not finished, as many at a time as the cluster has room for.

    The longest trainings start first, so that none of them runs alone at the end.

    Args:
        tasks: Tasks by name. Workers, CPUs and GPUs of the first one apply to all.
        address: Address of a running Ray cluster; None to start Ray on this machine.

    Returns:
        Result of `train_gan` for one class, by name.

    Raises:
        TrainingError: some trainings failed, or a signal stopped them; the others are finished.
        LeakageError, TableError: a task does not fit its fold; nothing was trained.
    """
    first, at_once = next(iter(tasks.values())), 1
    for task in tasks.values():
        task.identity()  # refuses an input that is not finished, before Ray starts
        check_extension(task)
    open_tasks = {
        name: task for name, task in tasks.items() if task.overwrite or not is_finished(task)
    }
    order = [name for name in tasks if name not in open_tasks] + _longest_first(open_tasks)
    if open_tasks:
        connect(address, first)  # in the main thread, and before signals are handled here
        at_once = trainings_at_once(
            first.workers,
            cpus_per_worker=first.cpus_per_worker,
            gpus_per_worker=first.gpus_per_worker,
        )
    with stop_on_signal() as stop:
        works = {name: functools.partial(_train, tasks[name], stop) for name in order}
        results = side_by_side(works, at_once)
    return {name: results[name] for name in tasks}


def gan_state(task: GanTask) -> StageState:
    """State of a checkpoint folder; nothing is trained."""
    state = folder_state(task.out, task.identity(), inputs=TASK_INPUTS)
    rate = training_rate(task.out) if state.status in ("out of date", "refused") else None
    return replace(state, seconds=task.settings.total_kimg * 1000 / rate) if rate else state


def _longest_first(tasks: Mapping[str, GanTask]) -> list[str]:
    """Names of tasks by length of the training (kimg, then number of images), folds checked.

    Raises:
        LeakageError, TableError: a task does not fit its fold.
    """
    folders = {task.images for task in tasks.values()}
    tables = {images: image_counts(images) for images in folders}
    fingerprints = {images: table_fingerprints(images) for images in folders}
    splits = {images: patient_splits(images) for images in folders}
    lengths = {}
    for name, task in tasks.items():
        fold, counts = task.gan_fold(), tables[task.images]
        if fold:
            check_fold(task, fold, counts)
        if training_count(task, counts):  # else `training_images` tells what is missing
            refuse_few(task, counts)
        refuse_seen(task, fold, fingerprints[task.images], splits[task.images])
        lengths[name] = (task.settings.total_kimg, training_count(task, counts))
    return sorted(tasks, key=lambda name: lengths[name], reverse=True)


def _train(task: GanTask, stop: Stop) -> dict[str, Any]:
    """Train one GAN from its last snapshot to the end, and publish its checkpoint."""
    out = task.out
    with stage_folder(out, task.identity(), overwrite=task.overwrite, owns=OWNS):
        if not is_finished(task):
            if exists(join(out, MODEL)):
                begin_extension(out)
            remove_run(out)  # Ray's own list of checkpoints may be incomplete; ours is used
            with stop.told_by(join(out, STOP)):
                run_from_snapshots(
                    gan_train_loop,
                    task_values(task),
                    out=out,
                    workers=task.workers,
                    gpus_per_worker=task.gpus_per_worker,
                    cpus_per_worker=task.cpus_per_worker,
                )
            _publish(out, task.keep)
        _tidy(out)
        model = read_json(join(out, MODEL))
    _log_result(out, model)
    return {
        "checkpoint": out,
        "kimg": model["images_shown"] / 1000,
        "images": model["images"],
        "patients": len(model["patients"]),
        "trained_on": model["trained_on"],
        "computed": model["computed"],
        **({COMPUTED_BEFORE: before} if (before := model.get(COMPUTED_BEFORE)) else {}),
    }


def way_of(computed: Mapping[str, Any]) -> str:
    """Compilation of a training in words, from `computed` of its model.json."""
    if uncompiled := computed.get("uncompiled"):
        return f"not compiled: {', '.join(uncompiled)}"
    if not computed["compile"]:
        return "not compiled"
    return "compiled, by CUDA graphs" if computed.get("cuda_graphs") else "compiled"


def _publish(out: str, keep: Keep) -> None:
    """Copy the chosen snapshot to `out`, and the other one, if it differs, to its subfolder."""
    last, best = (newest_snapshot(join(out, name)) for name in (LAST, BEST))
    assert last is not None
    last_model = read_model(last)
    keep_best = best is not None and (keep == "best" or last_model.get("stopped"))
    chosen, other, name = (best, last, "last") if keep_best else (last, best, "best")
    assert chosen is not None
    with one_line_if_unwritable(out, last_model["images_shown"]):
        shown = read_model(chosen)["images_shown"]
        has_other = other and read_model(other)["images_shown"] != shown
        for stale in {"best", "last"} - ({name} if has_other else set()):
            remove_folder(join(out, stale))  # of the shorter training that this one extended
        if other and has_other:
            publish_files({file: read_bytes(join(other, file)) for file in FILES}, join(out, name))
        files = {file: read_bytes(join(chosen, file)) for file in FILES}
        # These describe the whole training, also if an earlier snapshot is chosen.
        whole = {key: last_model.get(key) for key in ("stopped", "rolled_back", "settings")}
        whole |= {EXTENDED: last_model[EXTENDED]} if EXTENDED in last_model else {}
        model = {**read_model(chosen), **whole}
        publish_files({**files, MODEL: (json.dumps(model, indent=2) + "\n").encode()}, out)


def _tidy(out: str) -> None:
    """Remove files that only a running training needs."""
    remove_run(out)
    remove(join(out, STOP))
    for name in (LAST, BEST):
        remove_folder(join(out, name))


def _log_result(out: str, model: dict[str, Any]) -> None:
    """Log length, computation and fidelity of a finished training."""
    computed = model["computed"]
    logger.info(
        "%s: %g kimg in %s, %s, on %s, torch %s; KID %s (floor %s) by %s",
        out,
        model["images_shown"] / 1000,
        computed["precision"],
        way_of(computed),
        computed["device"],
        computed["torch"],
        model.get("kid"),
        floor_text(model),
        model.get("extractor"),
    )
    if model.get("stopped"):
        logger.warning("%s: stopped early: %s", out, model["stopped"])
