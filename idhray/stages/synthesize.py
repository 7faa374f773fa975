"""Synthetic images from a trained generator: checkpoint -> SYNTHETIC."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from idhray.config import Identity, default_values, settings_hash
from idhray.errors import ConfigError, StorageError
from idhray.fidelity.channels import constant_channels
from idhray.fidelity.copies.search import EmbeddedImages, Limits, find_copies
from idhray.fidelity.features import Extractor
from idhray.fidelity.gate_settings import CopySettings
from idhray.gan.architectures import ARCHITECTURES
from idhray.gan.checkpoint import read_model
from idhray.gan.config import GanSettings
from idhray.gan.sample import generate, load_generator
from idhray.images import image_cell
from idhray.leakage import (
    GateRecord,
    GeneratorRecord,
    read_gate,
    write_gate,
    write_generator,
)
from idhray.ledger import check_failures, counts, fates
from idhray.stages.gan_training.extractors import extractor_of
from idhray.stages.gan_training.image_sets import channel_names, image_set, training_images
from idhray.stages.gan_training.pretraining import earlier_sets
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import cluster_gpus, connect
from idhray.storage import absolute
from idhray.tables import SYNTHETIC

logger = logging.getLogger(__name__)

CHUNK = 128  # images of a part
MOST_LEFT_OUT = 0.5  # of the images; a generator that copies more makes no set


@dataclass(frozen=True, kw_only=True)
class SynthesizeFlags(RunFlags):
    """Flags of `idhray synthesize`."""

    checkpoint: str
    """Folder of `train-gan`."""
    count: int
    """How many."""
    out: str
    """Folder of the SYNTHETIC table."""
    psi: float = 1.0
    """Truncation of a StyleGAN2: below 1 images are nearer to the mean, less varied."""
    seed: int = 0
    """Of the latents."""
    workers: int | None = None
    """Parts of 128 images at a time; as many as there is room for when not given."""
    gpus_per_worker: float | None = None
    """One when the cluster has GPUs, else none."""


@dataclass(frozen=True, kw_only=True)
class SynthesizeTask:
    """Task of a worker: draw the images of one part."""

    checkpoint: str
    generator: str
    """Seal of the checkpoint."""
    seed: int
    psi: float | None
    """Truncation; None for a generator without one."""
    gate: GateRecord | None
    """Record of the evaluation; copies are searched only if there is one."""
    first: int = 0
    """Index of the first image."""
    end: int = 0
    """Index after the last image."""


def synthesize(flags: SynthesizeFlags) -> dict[str, Any]:
    """Draw images from a generator; image i depends on the seed and on i alone.

    If `evaluate-gan` judged the generator, copies of training images are left out, and as many
    further images are drawn; the LEDGER names each.
    """
    checkpoint, out = absolute(flags.checkpoint), absolute(flags.out)
    if flags.count < 1:
        raise ConfigError(f"--count must be 1 or more, got {flags.count}")
    model = read_model(checkpoint)
    generator = seal(checkpoint)  # of its weights, among others
    gate = judged(checkpoint, generator, flags.psi)
    architecture = ARCHITECTURES[model["architecture"]]
    truncates = architecture.styles is not None
    if flags.psi != 1 and not truncates:
        raise ConfigError(
            f"--psi {flags.psi:g}: a {architecture.title} has no truncation; leave it at 1"
        )
    said = {"stage": "synthesize", "generator": generator, "count": flags.count, "seed": flags.seed}
    said |= {"psi": flags.psi} if truncates else {}
    said |= {"limits": gate.limits, "features": gate.features} if gate else {}
    defaults = {"limits": default_values(CopySettings)}
    with stage_folder(out, Identity(said, defaults), overwrite=flags.overwrite) as recorded:
        connect(flags.address)
        write_generator(out, GeneratorRecord.of(generator, model["idh"], model["patients"]))
        if gate:
            write_gate(out, gate)
        gpus = min(cluster_gpus(), 1.0) if flags.gpus_per_worker is None else flags.gpus_per_worker
        task = SynthesizeTask(
            checkpoint=checkpoint,
            generator=generator,
            seed=flags.seed,
            psi=flags.psi if truncates else None,
            gate=gate,
        )
        items = _items(0, flags.count, recorded, task) + _further(out, flags.count, recorded, task)
        while True:  # once, but for copies
            found = map_items(
                items, synthesize_some, out=out, schema=SYNTHETIC, workers=flags.workers, gpus=gpus
            )
            check_failures(out, found, 0)
            drawn = max(item.task.end for item in items)
            missing = flags.count - sum(fate.rows for fate in found.values())
            if not missing:
                break
            if missing > MOST_LEFT_OUT * flags.count:
                raise StorageError(
                    f"{checkpoint}: {missing} of {drawn} images are copies of training images; "
                    "train another generator"
                )
            items += _items(drawn, drawn + missing, recorded, task)
    return {"out": out, "generator": generator, **counts(found), "copies": drawn - flags.count}


def judged(checkpoint: str, generator: str, psi: float) -> GateRecord | None:
    """The verdict on a generator; None, with a warning, where nobody judged it as it is.

    Args:
        checkpoint: Its folder.
        generator: Its seal.
        psi: Truncation of the images to be made; a warning follows if others were judged.
    """
    gate = read_gate(checkpoint)
    if gate is None or gate.generator != generator:
        logger.warning(
            "%s: not judged by `idhray evaluate-gan`; copies of training images are not looked for",
            checkpoint,
        )
        return None
    if gate.psi != psi:
        logger.warning(
            "%s: judged at psi %g, not %g: how varied these images are, nobody looked",
            checkpoint,
            gate.psi,
            psi,
        )
    if not gate.passed:
        logger.warning("%s: failed its test: %s", checkpoint, " ".join(gate.reasons))
    return gate


def _items(
    first: int, end: int, recorded: dict[str, Any], task: SynthesizeTask
) -> list[Item[SynthesizeTask]]:
    """Images `first` to `end` - 1 in parts."""
    starts = range(first, end, CHUNK)
    return [_item(start, min(start + CHUNK, end), recorded, task) for start in starts]


def _further(
    out: str, count: int, recorded: dict[str, Any], task: SynthesizeTask
) -> list[Item[SynthesizeTask]]:
    """Parts that an earlier run drew in place of copies."""
    names = [name.removeprefix("images ").split("-") for name in fates(out)]
    bounds = sorted((int(first), int(last) + 1) for first, last in names)
    return [_item(first, end, recorded, task) for first, end in bounds if first >= count]


def _item(
    first: int, end: int, recorded: dict[str, Any], task: SynthesizeTask
) -> Item[SynthesizeTask]:
    return Item(
        name=f"images {first}-{end - 1}",
        settings_hash=settings_hash({**recorded, "first": first}),
        task=replace(task, first=first, end=end),
    )


def _picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3), or (H, W) of a gray one."""
    return image[..., 0] if image.shape[-1] == 1 else image


def synthesize_some(task: SynthesizeTask) -> Outcome:
    """One part of SYNTHETIC rows."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = read_model(task.checkpoint)
    generator = load_generator(task.checkpoint, device)
    indices = range(task.first, task.end)
    images = generate(generator, task.seed, indices, 1.0 if task.psi is None else task.psi)
    shared = {
        "generator": task.generator,
        "seed": task.seed,
        "psi": task.psi,  # null: PGGAN has no truncation
        "idh": model["idh"],
        "trained_on": model["trained_on"],
    }
    copies = _copies(task, images, model["idh"], generator.settings)
    rows = [
        {**shared, "index": index, "image": image_cell(_picture(image), f"{model['idh']}-{index}")}
        for index, image in zip(indices, images, strict=True)
        if index not in copies
    ]
    return Outcome(rows=rows, note="; ".join(copies.values()))


def _copies(
    task: SynthesizeTask, images: NDArray[np.uint8], idh: str, settings: GanSettings
) -> dict[int, str]:
    """Index -> note for the ledger, for each copy of a training image; none without a gate."""
    gate = task.gate
    if gate is None:
        return {}
    seen, extractor, names, left_out = _seen(gate, idh, settings)
    made = image_set(None, images, extractor, names, left_out)
    copies: dict[int, str] = {}
    for known in seen:
        found = find_copies(made, known, Limits(**gate.limits), settings.symmetry, with_ssim=False)
        for place in map(int, np.flatnonzero(found.copy)):
            index, nearest = task.first + place, int(found.nearest[place])
            text = f"left out: {index} copies {known.id(nearest)} of {known.patients[nearest]}"
            copies.setdefault(index, text)
    return copies


_Known = tuple[list[EmbeddedImages], Extractor, tuple[str, ...], tuple[str, ...]]
_kept: dict[tuple[str, str, str], _Known] = {}  # of a worker's last part


def _seen(gate: GateRecord, idh: str, settings: GanSettings) -> _Known:
    """The images of all trainings with their features, the last first; a worker reads them once.

    Raises:
        StorageError: they are not there any more, or others.
    """
    key = (gate.images_digest, gate.features, gate.generator)
    if key not in _kept:
        if seal(gate.images) != gate.images_digest:
            raise StorageError(
                f"{gate.images}: not the images that the generator was judged by; "
                "run `idhray evaluate-gan` again"
            )
        real = training_images(gate.images, idh, settings)
        extractor = extractor_of(gate.features, "cuda" if torch.cuda.is_available() else "cpu")
        if extractor.name != gate.extractor:
            raise StorageError(
                f"{gate.features}: features of {extractor.name}, the generator was judged by "
                f"{gate.extractor}; run `idhray evaluate-gan` again"
            )
        names = channel_names(gate.images, settings)
        left_out = constant_channels(real.images, names)
        sets = [image_set(real, real.images, extractor, names, left_out)]
        sets += earlier_sets(gate.pretraining, settings, extractor, names, left_out)
        _kept.clear()
        _kept[key] = (sets, extractor, names, left_out)
    return _kept[key]
