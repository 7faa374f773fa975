"""GANs, each of one class of images, through Ray Train: PATCHES or SLICES -> checkpoints."""

import functools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from idhray.config import Identity, default_values
from idhray.errors import ConfigError, StorageError
from idhray.gan.architectures import PRESETS as PRESETS
from idhray.gan.checkpoint import MODEL, TRAINING, read_model
from idhray.gan.config import GanSettings
from idhray.gan.engine import Engine, Precision
from idhray.gan.snapshots import newest_snapshot, publish_files, remove_folder
from idhray.gan.weights import WEIGHTS
from idhray.stages.gan_training.callbacks import BEST, KEPT, LAST, WhenWorse, explained
from idhray.stages.gan_training.extractors import RANDOM
from idhray.stages.gan_training.fidelity_meter import IMAGES
from idhray.stages.gan_training.loop import STOP, train_loop
from idhray.stages.gan_training.task import GanTask, Idh, Keep
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.side_by_side import side_by_side
from idhray.stages.runtime.stopping import Stop, stop_on_signal
from idhray.stages.runtime.training import remove_run, run_workers, trainings_at_once
from idhray.storage import SETTINGS, absolute, exists, join, read_bytes, read_json, remove

logger = logging.getLogger(__name__)

FILES = (WEIGHTS, TRAINING, MODEL)
OWNS = (*FILES, "samples", "best", "last", KEPT)


@dataclass(frozen=True, kw_only=True)
class TrainGanFlags(RunFlags):
    """Flags of `idhray train-gan`."""

    images: str
    """Folder of a PATCHES or SLICES table; only its rows of split `train` and class `idh` are
    used."""
    idh: Idh | tuple[Idh, ...]
    """The class; any takes all training patients, also those of unknown status (normal brains, to
    start another GAN from). Several: a GAN for each, in a subfolder of its name."""
    out: str
    """Folder of the checkpoint and of sample sheets."""
    settings: GanSettings
    """The networks and their schedule."""
    init_from: str | None = None
    """Folder of a StyleGAN2 whose weights this one starts from. Its patients count as seen by this
    one, too."""
    adapt_channels: bool = False
    """Take weights of another number of channels, with first and last layers changed to fit; black
    channels (Park's null) are left out of what is carried over."""
    freeze_layers: int = 0
    """Blocks of the discriminator, those nearest the image, that keep its weights."""
    seed: int = 0
    """Decides weights, order and latents."""
    precision: Precision = "auto"
    """Of feature maps; auto is bfloat16 on a GPU that has it, else float32. It may change when a
    training is continued, as may the next three."""
    compile: bool = False
    """Compile each phase: a minute or more at the start, then faster steps."""
    cuda_graphs: bool = False
    """Compile, and replay each phase as one CUDA graph: for small steps on a GPU. Not run on one
    yet."""
    micro_batch: int | None = None
    """Images that a worker holds at a time; it trains the same with less memory."""
    fidelity_every_kimg: float | None = None
    """How often KID is measured; `sample_kimg` when not given, 0 for never. No weight depends on
    it, but for roll_back."""
    fidelity_images: int = IMAGES
    """Images that are generated for it: 200 of 64 px take a CPU core 1 to 2 s."""
    features: str = RANDOM
    """Network that makes features of images: random (seeded weights), inception:FILE,
    classifier:FOLDER (of train-classifier) or timm:NAME:FILE."""
    keep: Keep = "last"
    """Which checkpoint `out` holds at the end: the last, or the one with the lowest KID. The other
    is in its subfolder `best` or `last`."""
    keep_every_kimg: float | None = None
    """Leave a generator behind this often, in the subfolder `kept`."""
    when_worse: WhenWorse = "continue"
    """What to do when the score gap is out of hand or fidelity gets worse and worse: warn and
    continue; stop, which publishes the best; or roll_back to the best and go on at half the
    learning rate, three times at most, then stop. A loss that is not finite ends the training, but
    roll_back goes back to the last checkpoint then."""
    workers: int = 1
    """Processes that share each batch; any number trains on the same batches."""
    gpus_per_worker: float | None = None
    """May be a fraction; one when the cluster has GPUs, else none."""
    cpus_per_worker: int = 1
    """CPUs of each process."""


def train_gan(flags: TrainGanFlags) -> dict[str, Any]:
    """Train a GAN on the training patients of a class, or one for each of several.

    The same command resumes. Several train side by side, as many at a time as the cluster has room
    for: on one GPU, two with `--gpus-per-worker 0.5`. One that fails does not cost the others.
    """
    classes = (flags.idh,) if isinstance(flags.idh, str) else flags.idh
    if not classes or len(set(classes)) < len(classes):
        raise ConfigError(f"--idh needs classes, each another one, got {' '.join(classes)}".strip())
    out = absolute(flags.out)
    task = GanTask(
        images=flags.images,
        idh=classes[0],
        out=out,
        settings=flags.settings,
        init_from=flags.init_from,
        adapt_channels=flags.adapt_channels,
        freeze_layers=flags.freeze_layers,
        seed=flags.seed,
        engine=Engine(
            precision=flags.precision,
            compile=flags.compile,
            cuda_graphs=flags.cuda_graphs,
            micro_batch=flags.micro_batch,
        ),
        fidelity_every_kimg=flags.fidelity_every_kimg,
        fidelity_images=flags.fidelity_images,
        features=flags.features,
        keep=flags.keep,
        keep_every_kimg=flags.keep_every_kimg,
        when_worse=flags.when_worse,
        workers=flags.workers,
        gpus_per_worker=flags.gpus_per_worker,
        cpus_per_worker=flags.cpus_per_worker,
        overwrite=flags.overwrite,
    )
    if len(classes) == 1:
        (done,) = train_gans({str(classes[0]): task}, flags.address).values()
        return done
    if exists(join(out, SETTINGS)):
        raise StorageError(f"{out}: made by one stage; for several GANs choose another --out")
    tasks = {str(name): replace(task, idh=name, out=join(out, name)) for name in classes}
    return {"out": out, "gans": train_gans(tasks, flags.address)}


def train_gans(
    tasks: Mapping[str, GanTask], address: str | None = None
) -> dict[str, dict[str, Any]]:
    """Train each GAN that is not finished, as many at a time as there is room for.

    Args:
        tasks: By name; workers, CPUs and GPUs of the first count for all.
        address: Of a running Ray cluster.

    Returns:
        For each name what `train_gan` returns of one.

    Raises:
        TrainingError: some of several failed, or a signal stopped them; the others are finished.
    """
    first, at_once = next(iter(tasks.values())), 1
    for task in tasks.values():
        task.said()  # refuses an input that is not finished, before Ray starts
    if any(task.overwrite or not exists(join(task.out, MODEL)) for task in tasks.values()):
        connect(address)  # in the main thread, and before signals are ours
        at_once = trainings_at_once(
            first.workers,
            cpus_per_worker=first.cpus_per_worker,
            gpus_per_worker=first.gpus_per_worker,
        )
    with stop_on_signal() as stop:
        works = {name: functools.partial(_train, task, stop) for name, task in tasks.items()}
        return side_by_side(works, at_once)


def _train(task: GanTask, stop: Stop) -> dict[str, Any]:
    """One GAN, from where it is to its end."""
    out = task.out
    defaults = {"adapt_channels": False, "keep": "last", "when_worse": "continue"}
    identity = Identity(task.said(), defaults | default_values(task.settings))
    with stage_folder(out, identity, overwrite=task.overwrite, owns=OWNS):
        if not exists(join(out, MODEL)):
            remove_run(out)  # we go on from our own snapshots; Ray's list of its may be cut short
            with stop.told_by(join(out, STOP)):
                run_workers(
                    train_loop,
                    task.config(),
                    out=out,
                    workers=task.workers,
                    gpus_per_worker=task.gpus_per_worker,
                    cpus_per_worker=task.cpus_per_worker,
                )
            _publish(out, task.keep)
        _tidy(out)
        model = read_json(join(out, MODEL))
    _say(out, model)
    return {
        "checkpoint": out,
        "kimg": model["images_shown"] / 1000,
        "images": model["images"],
        "patients": len(model["patients"]),
        "trained_on": model["trained_on"],
    }


def _publish(out: str, keep: Keep) -> None:
    """Copy the chosen snapshot to `out` and the other one, if it is another, to its subfolder."""
    last, best = (newest_snapshot(join(out, name)) for name in (LAST, BEST))
    assert last is not None
    said = read_model(last)
    keep_best = best is not None and (keep == "best" or said.get("stopped"))
    chosen, other, name = (best, last, "last") if keep_best else (last, best, "best")
    assert chosen is not None
    with explained(out, said["images_shown"]):
        if other and read_model(other)["images_shown"] != read_model(chosen)["images_shown"]:
            publish_files({file: read_bytes(join(other, file)) for file in FILES}, join(out, name))
        files = {file: read_bytes(join(chosen, file)) for file in FILES}
        how = {key: said.get(key) for key in ("stopped", "rolled_back")}  # the training, to its end
        model = {**read_model(chosen), **how}
        publish_files({**files, MODEL: (json.dumps(model, indent=2) + "\n").encode()}, out)


def _tidy(out: str) -> None:
    """Remove what only a training that is under way needs."""
    remove_run(out)
    remove(join(out, STOP))
    for name in (LAST, BEST):
        remove_folder(join(out, name))


def _say(out: str, model: dict[str, Any]) -> None:
    how = model["computed"]
    compiled = "compiled" if how["compile"] else "not compiled"
    logger.info(
        "%s: %g kimg in %s, %s, on %s, torch %s; KID %s (floor %s) by %s",
        out,
        model["images_shown"] / 1000,
        how["precision"],
        compiled,
        how["device"],
        how["torch"],
        *(model.get(key) for key in ("kid", "kid_floor", "extractor")),
    )
    if model.get("stopped"):
        logger.warning("%s: stopped early: %s", out, model["stopped"])
