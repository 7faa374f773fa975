"""One GAN on one class of images, through Ray Train: PATCHES or SLICES -> checkpoint."""

import tempfile
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import ray.train
import ray.train.torch
from numpy.typing import NDArray

from idhray.cohort import Label
from idhray.config import settings_dict
from idhray.errors import ConfigError, TableError
from idhray.gan import checkpoint as gan_checkpoint
from idhray.gan.config import PRESETS as PRESETS
from idhray.gan.config import GanSettings, architecture_of, gan_settings
from idhray.gan.pggan_config import PgganSettings
from idhray.gan.run import Run
from idhray.gan.sample import generate, generator_of, grid
from idhray.gan.schedule import growth_at
from idhray.gan.trainer import Report, new_run, train
from idhray.gan.transfer import init_from as start_from
from idhray.images import decode, encode, gray, resize
from idhray.stages.folder import seal, stage_folder
from idhray.stages.session import connect
from idhray.stages.training import add_to_history, fit, this_worker
from idhray.storage import absolute, exists, join, publish, read_json
from idhray.tables import parts, read_part

SAMPLES = 36  # images of a sample sheet, 6 by 6


OWNS = ("weights.safetensors", "training.pt", "model.json", "samples")


def train_gan(
    images: str,
    idh: Label | Literal["any"],
    out: str,
    settings: GanSettings,
    *,
    init_from: str | None = None,
    freeze_layers: int = 0,
    seed: int = 0,
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
        workers: Processes that share each batch; any number trains on the same batches.
        gpus_per_worker: May be a fraction; one when the cluster has GPUs, else none.
        cpus_per_worker: CPUs of each process.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        overwrite: Start anew where the folder was made with other settings.
    """
    images, out = absolute(images), absolute(out)
    init_from = absolute(init_from) if init_from else None
    _check(settings)
    if freeze_layers and not init_from:
        raise ConfigError("--freeze-layers keeps weights of --init-from, which is not given")
    said = {
        "stage": "train_gan",
        "images": seal(images),
        "idh": idh,
        "init_from": seal(init_from) if init_from else None,
        "freeze_layers": freeze_layers,
        "seed": seed,
        "architecture": architecture_of(settings),
        **settings_dict(settings),
    }
    with stage_folder(out, said, overwrite=overwrite, owns=OWNS):
        if not exists(join(out, gan_checkpoint.MODEL)):
            connect(address)
            config = {
                "images": images,
                "idh": idh,
                "out": out,
                "init_from": init_from,
                "freeze_layers": freeze_layers,
                "seed": seed,
                "architecture": architecture_of(settings),
                "settings": settings_dict(settings),
            }
            fit(
                train_loop,
                config,
                out=out,
                files=(gan_checkpoint.WEIGHTS, gan_checkpoint.TRAINING, gan_checkpoint.MODEL),
                workers=workers,
                gpus_per_worker=gpus_per_worker,
                cpus_per_worker=cpus_per_worker,
            )
        model = read_json(join(out, gan_checkpoint.MODEL))
    return {
        "checkpoint": out,
        "kimg": model["images_shown"] / 1000,
        "images": model["images"],
        "patients": len(model["patients"]),
        "trained_on": model["trained_on"],
    }


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


def class_images(
    images: str, idh: str, settings: GanSettings
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """All training images of a class, (N, R, R, C) uint8 in the order of the table; its patients.

    Class `any` is every training image, whatever its class.

    Raises:
        TableError: there is none.
    """
    found: list[NDArray[np.uint8]] = []
    patients: set[str] = set()
    for path in parts(images):
        for row in read_part(path, ["patient", "idh", "split", "image"]).to_pylist():
            if row["split"] == "train" and idh in (row["idh"], "any"):
                image = resize(decode(row["image"]["bytes"]), settings.resolution_px)
                found.append(image if settings.channels == 3 else gray(image)[..., None])
                patients.add(row["patient"])
    if not found:
        raise TableError(f"{images}: no training image of class {idh}")
    return np.stack(found), tuple(sorted(patients))


def train_loop(config: dict[str, Any]) -> None:
    """In every worker of Ray Train: load, continue, report."""
    settings = gan_settings(config["architecture"], config["settings"])
    images, patients = class_images(config["images"], config["idh"], settings)
    run = new_run(
        images,
        settings,
        seed=config["seed"],
        idh=config["idh"],
        patients=patients,
        worker=this_worker(),
        device=ray.train.torch.get_device(),
    )
    if config["init_from"]:
        start_from(run, config["init_from"], config["freeze_layers"])
    if last := ray.train.get_checkpoint():
        with last.as_directory() as folder:
            gan_checkpoint.restore(run, folder)
    train(run, lambda run, report: _report(run, report, config["out"]))


def _report(run: Run, report: Report, out: str) -> None:
    metrics = asdict(report)
    leads = run.worker.rank == 0
    if leads:
        add_to_history(out, metrics)
    if leads and report.sample_due:
        sheet = grid(generate(generator_of(run), run.seed, range(SAMPLES)), columns=6)
        publish(join(out, "samples", f"kimg-{report.kimg:09.3f}.png"), encode(sheet))
    with tempfile.TemporaryDirectory() as folder:
        saved = None
        if leads and report.checkpoint_due:
            gan_checkpoint.save(run, folder)
            saved = ray.train.Checkpoint.from_directory(folder)
        ray.train.report(metrics, checkpoint=saved)
