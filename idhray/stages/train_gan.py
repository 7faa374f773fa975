"""One GAN on one class of images, through Ray Train: PATCHES or SLICES -> checkpoint."""

import logging
from dataclasses import asdict
from typing import Any, Literal

from idhray.cohort import Label
from idhray.config import settings_dict
from idhray.errors import ConfigError
from idhray.gan.checkpoint import MODEL, TRAINING, WEIGHTS, read_model
from idhray.gan.config import PRESETS as PRESETS
from idhray.gan.config import GanSettings, architecture_of
from idhray.gan.engine import Engine, Precision
from idhray.gan.pggan_config import PgganSettings
from idhray.gan.schedule import growth_at
from idhray.gan.snapshots import newest_snapshot, publish_files, remove_folder
from idhray.stages.feature_extractor import RANDOM, absolute_features
from idhray.stages.folder import seal, stage_folder
from idhray.stages.gan_fidelity import IMAGES, LEAST
from idhray.stages.gan_loop import BEST, KEPT, LAST, STOP, WhenWorse, train_loop
from idhray.stages.session import connect
from idhray.stages.training import remove_run, run_workers, sigterm_asks_to_stop
from idhray.storage import absolute, exists, join, read_bytes, read_json, remove

logger = logging.getLogger(__name__)

FILES = (WEIGHTS, TRAINING, MODEL)
OWNS = (*FILES, "samples", "best", "last", KEPT)


def train_gan(
    images: str,
    idh: Label | Literal["any"],
    out: str,
    settings: GanSettings,
    *,
    init_from: str | None = None,
    freeze_layers: int = 0,
    seed: int = 0,
    precision: Precision = "auto",
    compile: bool = False,  # noqa: A002 - the name of the flag
    micro_batch: int | None = None,
    fidelity_every_kimg: float | None = None,
    fidelity_images: int = IMAGES,
    features: str = RANDOM,
    keep: Literal["last", "best"] = "last",
    keep_every_kimg: float | None = None,
    when_worse: WhenWorse = "continue",
    workers: int = 1,
    gpus_per_worker: float | None = None,
    cpus_per_worker: int = 1,
    address: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Train a GAN on the training patients of one class; the same command resumes.

    Args:
        images: Folder of a PATCHES or SLICES table; only its rows of split `train` and class `idh`
            are used.
        idh: The class; any takes all training patients, also those of unknown status (normal
            brains, to start another GAN from).
        out: Folder of the checkpoint and of sample sheets.
        settings: The networks and their schedule.
        init_from: Folder of a StyleGAN2 whose weights this one starts from. Its patients count as
            seen by this one, too.
        freeze_layers: Blocks of the discriminator, those nearest the image, that keep its weights.
        seed: Decides weights, order and latents.
        precision: Of feature maps; auto is bfloat16 on a GPU that has it, else float32. It may
            change when a training is continued, as may the next two.
        compile: Compile each phase: a minute or more at the start, then faster steps.
        micro_batch: Images that a worker holds at a time; it trains the same with less memory.
        fidelity_every_kimg: How often KID is measured; `sample_kimg` when not given, 0 for never.
            No weight depends on it.
        fidelity_images: Images that are generated for it: 200 of 64 px take a CPU core 1 to 2 s.
        features: Network that makes features of images: random (seeded weights), inception:FILE,
            classifier:FOLDER (of train-classifier) or timm:NAME:FILE.
        keep: Which checkpoint `out` holds at the end: the last, or the one with the lowest KID. The
            other is in its subfolder `best` or `last`.
        keep_every_kimg: Leave a generator behind this often, in the subfolder `kept`.
        when_worse: What to do when the score gap is out of hand or fidelity gets worse and worse:
            warn and continue, or stop, which publishes the best.
        workers: Processes that share each batch; any number trains on the same batches.
        gpus_per_worker: May be a fraction; one when the cluster has GPUs, else none.
        cpus_per_worker: CPUs of each process.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        overwrite: Start anew where the folder was made with other settings.
    """
    images, out = absolute(images), absolute(out)
    init_from = absolute(init_from) if init_from else None
    engine = Engine(precision=precision, compile=compile, micro_batch=micro_batch)
    every = settings.sample_kimg if fidelity_every_kimg is None else fidelity_every_kimg
    _check(settings)
    _check_fidelity(every, fidelity_images, keep, keep_every_kimg, when_worse)
    if freeze_layers and not init_from:
        raise ConfigError("--freeze-layers keeps weights of --init-from, which is not given")
    measured = {
        "fidelity_every_kimg": every,
        "fidelity_images": fidelity_images,
        "features": absolute_features(features),
    }
    chosen = {"keep": keep, "when_worse": when_worse}
    asked = {
        "idh": idh,
        "freeze_layers": freeze_layers,
        "seed": seed,
        "architecture": architecture_of(settings),
    }
    said = {
        "stage": "train_gan",
        "images": seal(images),
        "init_from": seal(init_from) if init_from else None,
        **asked,
        **settings_dict(settings),
        # Only where they decide what comes out.
        **(chosen | measured if chosen != {"keep": "last", "when_worse": "continue"} else {}),
    }
    with stage_folder(out, said, overwrite=overwrite, owns=OWNS):
        if not exists(join(out, MODEL)):
            connect(address)
            config = {
                **asked,
                **measured,
                "images": images,
                "out": out,
                "init_from": init_from,
                "settings": settings_dict(settings),
                "engine": asdict(engine),
                "keep_every_kimg": keep_every_kimg,
                "when_worse": when_worse,
            }
            remove_run(out)  # we go on from our own snapshots; Ray's list of its may be cut short
            remove(join(out, STOP))
            with sigterm_asks_to_stop(join(out, STOP)):
                run_workers(
                    train_loop,
                    config,
                    out=out,
                    workers=workers,
                    gpus_per_worker=gpus_per_worker,
                    cpus_per_worker=cpus_per_worker,
                )
            _publish(out, keep)
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


def _publish(out: str, keep: str) -> None:
    """Copy the chosen snapshot to `out` and the other one, if it is another, to its subfolder."""
    last, best = (newest_snapshot(join(out, name)) for name in (LAST, BEST))
    assert last is not None
    keep_best = best is not None and (keep == "best" or read_model(last).get("stopped"))
    chosen, other, name = (best, last, "last") if keep_best else (last, best, "best")
    assert chosen is not None
    if other and read_model(other)["images_shown"] != read_model(chosen)["images_shown"]:
        publish_files({file: read_bytes(join(other, file)) for file in FILES}, join(out, name))
    publish_files({file: read_bytes(join(chosen, file)) for file in FILES}, out)


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


def _check_fidelity(
    every_kimg: float, images: int, keep: str, keep_every_kimg: float | None, when_worse: str
) -> None:
    """Refuse flags that contradict each other.

    Raises:
        ConfigError: the message says which.
    """
    if not every_kimg >= 0 or not (keep_every_kimg is None or keep_every_kimg > 0):
        raise ConfigError(
            f"--fidelity-every-kimg must be 0 or more and --keep-every-kimg above 0, got "
            f"{every_kimg} and {keep_every_kimg}"
        )
    if images < LEAST:
        raise ConfigError(f"--fidelity-images must be {LEAST} or more, got {images}")
    if keep not in ("last", "best") or when_worse not in ("continue", "stop"):
        raise ConfigError(
            f"keep must be last or best, when_worse continue or stop, got {keep!r}, {when_worse!r}"
        )
    if keep == "best" and not every_kimg:
        raise ConfigError("--keep best goes by fidelity; let --fidelity-every-kimg be above 0")


def _check(settings: GanSettings) -> None:
    """Refuse what would end in images that nobody wants.

    Raises:
        ConfigError: the schedule ends before full resolution, or images are neither gray nor RGB.
    """
    if isinstance(settings, PgganSettings):
        grown = growth_at(settings, round(settings.total_kimg * 1000))
        if grown.level < settings.levels - 1 or grown.alpha < 1:
            raise ConfigError(
                f"total_kimg {settings.total_kimg:g} ends at {4 << grown.level} px, before "
                f"{settings.resolution_px} px is in; raise it, or lower stabilise_kimg and "
                "fade_kimg"
            )
    if settings.channels not in (1, 3):
        raise ConfigError(f"channels must be 1 (gray) or 3 (RGB) here, got {settings.channels}")
