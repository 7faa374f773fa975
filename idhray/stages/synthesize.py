"""Synthetic images from a trained generator: checkpoint -> SYNTHETIC."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from idhray.ancestry import ANCESTRY, IMAGE_DIGESTS
from idhray.cohorts.manifest import Label
from idhray.config import Identity, default_values, settings_hash
from idhray.errors import ConfigError, StorageError
from idhray.fidelity.copies.search import EmbeddedImages, Limits, find_copies
from idhray.fidelity.gate_settings import CopySettings
from idhray.fingerprints import marked_synthetic
from idhray.gan.architectures import ARCHITECTURES
from idhray.gan.checkpoint import BOTH, class_of_network, read_model
from idhray.gan.config import GanSettings
from idhray.gan.png import png_of
from idhray.gan.sample import TrainedGenerator, image_blocks, load_generator
from idhray.gan.weights import read_weights
from idhray.generator_records import (
    GateRecord,
    GeneratorRecord,
    GeneratorTable,
    read_gate,
    write_gate,
    write_generator,
)
from idhray.ledger import Fate, check_failures, fates, tally
from idhray.stages.gan_training.extractors import extractor_of
from idhray.stages.gan_training.fold import evaluated_images, fold_of_model, selection_of_model
from idhray.stages.gan_training.image_sets import Embedding, embedding_of, training_images
from idhray.stages.gan_training.pretraining import PUBLISHED, earlier_sets
from idhray.stages.gan_training.synthetic_card import write_synthetic_card
from idhray.stages.gan_training.synthetic_parts import (
    IndexRange,
    complete_start,
    in_chunks,
    part_name,
    rows_of,
)
from idhray.stages.runtime.dry_run import dry_run_result
from idhray.stages.runtime.folder import DONE, refuse_changed_checkpoint, seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import connect, task_gpus
from idhray.stages.runtime.state import StageState, folder_state
from idhray.stages.runtime.versions import stage_version
from idhray.storage import absolute, exists, join
from idhray.tables import SYNTHETIC

logger = logging.getLogger(__name__)

GPU_THREADS = 4  # of a worker with a GPU, which would wait for the encoder otherwise
MAX_COPY_SHARE = 0.5  # copies per requested image; with more, the generator makes no set


@dataclass(frozen=True, kw_only=True)
class SynthesizeFlags(RunFlags):
    """Flags of `idhray synthesize`."""

    checkpoint: str
    """Folder of a checkpoint of `train-gan`."""
    count: int
    """Number of images. A larger number than before adds images; the others stay as they are. A
    smaller one changes nothing: the first images are the same for any number."""
    out: str
    """Folder of the SYNTHETIC table."""
    idh: Label | None = None
    """Class of the images. Needed for a generator of both classes (`train-gan --idh both`), of
    which each class has a folder of its own."""
    psi: float = 1.0
    """Truncation of a StyleGAN2: below 1, images are closer to the mean and less varied. NVIDIA's
    sampling script has 0.5, which shows typical images; a training set needs all of them."""
    seed: int = 0
    """Seed of the latents."""
    workers: int | None = None
    """Parts of 128 images made at the same time. Default: as many as the cluster has room for."""
    gpus_per_worker: float | None = None
    """GPUs of each part. Default: one if the cluster has GPUs, else none."""


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
    idh: Label | None = None
    """Class of the images of a generator of both classes; None for that of the generator."""
    first: int = 0
    """Index of the first image."""
    end: int = 0
    """Index after the last image."""


def synthesize(flags: SynthesizeFlags) -> dict[str, Any]:
    """Make synthetic images; image i depends on the seed and on i alone.

    A table may grow: it then holds the images that it would have got from the start. If
    `evaluate-gan` has evaluated the generator, copies of training images are left out, and the
    same number of further images is made; the LEDGER names each copy.
    """
    checkpoint, out = absolute(flags.checkpoint), absolute(flags.out)
    if flags.dry_run:
        state = synthetic_state(flags)
        reads, writes = [f"generator of {checkpoint}"], f"{flags.count} SYNTHETIC images"
        return dry_run_result(out, state, reads=reads, writes=writes, overwrite=flags.overwrite)
    _check(flags)
    refuse_changed_checkpoint(checkpoint)
    generator = seal(checkpoint)
    idh = _asked_class(flags)
    task = _task(flags, valid_gate(checkpoint, generator, flags.psi, idh))
    count = flags.count if flags.overwrite else max(flags.count, _finished_count(out, flags.count))
    with stage_folder(out, _identity(task), overwrite=flags.overwrite) as recorded:
        connect(flags.address, flags)
        record = generator_record(checkpoint, generator, read_model(checkpoint), idh)
        write_generator(out, record)
        if task.gate:
            write_gate(out, task.gate)
        part_fates, end = _made_parts(count, recorded, task, flags)
    write_synthetic_card(out, checkpoint=checkpoint)
    return {"out": out, "generator": generator, **tally(part_fates), "copies": end - count}


def synthetic_state(flags: SynthesizeFlags) -> StageState:
    """State of the SYNTHETIC table; no image is made."""
    _check(flags)
    out, gate = absolute(flags.out), read_gate(absolute(flags.checkpoint), _asked_class(flags))
    current = gate is not None and gate.generator == seal(absolute(flags.checkpoint))
    identity = _identity(_task(flags, gate if current else None))
    state = folder_state(out, identity, inputs=("generator", "limits", "features"))
    missing = flags.count - rows_of(fates(out))
    if state.is_done and missing > 0:
        made_before = flags.count - missing
        return StageState(status="to do", reason=f"{missing} images after {made_before}")
    return state


def _check(flags: SynthesizeFlags) -> None:
    """Refuse flags that make no images.

    Raises:
        ConfigError: naming the flag.
    """
    if flags.count < 1:
        raise ConfigError(f"--count must be 1 or more, got {flags.count}")
    _asked_class(flags)
    architecture = ARCHITECTURES[read_model(absolute(flags.checkpoint))["architecture"]]
    if flags.psi != 1 and architecture.styles is None:
        raise ConfigError(
            f"--psi {flags.psi:g}: a {architecture.title} has no truncation; leave it at 1"
        )


def _asked_class(flags: SynthesizeFlags) -> Label | None:
    """Class of the images of a generator of both classes; None for a generator of one class.

    Raises:
        ConfigError: it is missing, or the generator is of another class.
    """
    return class_of_network(absolute(flags.checkpoint), flags.idh)


def _task(flags: SynthesizeFlags, gate: GateRecord | None) -> SynthesizeTask:
    """Task of the workers, without the indices of a part."""
    checkpoint = absolute(flags.checkpoint)
    truncates = ARCHITECTURES[read_model(checkpoint)["architecture"]].styles is not None
    return SynthesizeTask(
        checkpoint=checkpoint,
        generator=seal(checkpoint),
        seed=flags.seed,
        psi=flags.psi if truncates else None,
        gate=gate,
        idh=_asked_class(flags),
    )


def _identity(task: SynthesizeTask) -> Identity:
    """Values that decide the images. Their number does not: more of them join a table."""
    values: dict[str, Any] = {
        "stage": "synthesize",
        "generator": task.generator,
        "seed": task.seed,
    }
    values |= {} if task.psi is None else {"psi": task.psi}
    values |= {} if task.idh is None else {"idh": task.idh}
    if task.gate is not None:
        values |= {"limits": task.gate.limits, "features": task.gate.features}
    return Identity(values, {"limits": default_values(CopySettings)}, frozenset({"count"}))


def _finished_count(out: str, count: int) -> int:
    """Images of a finished table, which has them whatever number is asked for now; 0 if none is."""
    if not exists(join(out, DONE)):
        return 0
    rows = rows_of(fates(out))
    if rows > count:
        logger.info("%s: holds %d images, of which --count %d is a part", out, rows, count)
    return rows


def _made_parts(
    count: int, recorded: dict[str, Any], task: SynthesizeTask, flags: SynthesizeFlags
) -> tuple[dict[str, Fate], int]:
    """Make all missing parts of a table.

    Returns:
        The fates of all parts, and the index after the last image.

    Raises:
        StorageError: parts failed, or more than half of the images are copies.
    """
    out = absolute(flags.out)
    parts = complete_start(fates(out), count)
    missing = count - rows_of(fates(out), parts)
    end = parts[-1].end if parts else 0
    while True:  # a second time only if there are copies
        parts, end = parts + in_chunks(end, end + missing), end + missing
        part_fates = map_items(
            [_item(part, recorded, task) for part in parts],
            synthesize_some,
            out=out,
            schema=SYNTHETIC,
            workers=flags.workers,
            gpus=task_gpus(flags.gpus_per_worker),
            on_change="redo and remove many",  # parts of a run for another count, never finished
            version=stage_version("synthesize"),
        )
        check_failures(out, part_fates, 0)
        missing = count - rows_of(part_fates)
        if not missing:
            return part_fates, end
        if missing > MAX_COPY_SHARE * count:
            raise StorageError(
                f"{flags.checkpoint}: {missing} of {end} images are copies of training images; "
                "train another generator"
            )


def generator_record(
    checkpoint: str, generator: str, model: Mapping[str, Any], idh: Label | None = None
) -> GeneratorRecord:
    """Record of a checkpoint for the folder of its images.

    Args:
        checkpoint: Folder of the checkpoint.
        generator: Seal of that folder.
        model: Content of its model.json.
        idh: Class of the images of a generator of both classes.
    """
    fold = fold_of_model(model)
    return GeneratorRecord.of(
        generator,
        idh or model["idh"],
        model["patients"],
        fold=fold.number if fold else None,
        seed=model["seed"],
        weights=read_weights(checkpoint).digest("generator_ema"),
        tables=_generator_tables(model),
        trained_on=model["trained_on"],
        image_digests=model.get(IMAGE_DIGESTS),
        ancestry=model.get(ANCESTRY, ()),
        conditional=model["idh"] == BOTH,
    )


def _generator_tables(model: Mapping[str, Any]) -> tuple[GeneratorTable, ...] | None:
    """Images that shaped a generator; None for a checkpoint of a version that did not record it."""
    tables = model.get("tables", [])
    if not tables or (model.get("initialised_from") and len(tables) < 2):
        return None
    return tuple(
        GeneratorTable(
            digest=table["digest"], rows=table.get("rows"), last_ranks=table.get("last_ranks")
        )
        for table in tables
        if not table.get(PUBLISHED)
    )


def valid_gate(
    checkpoint: str, generator: str, psi: float, idh: Label | None = None
) -> GateRecord | None:
    """Gate record of a generator; None, with a warning, if it was not evaluated in this state.

    Args:
        checkpoint: Folder of its checkpoint.
        generator: Seal of that folder.
        psi: Truncation of the images to be made; a warning follows if another one was evaluated.
        idh: Class of the images of a generator of both classes, which has its own verdict.
    """
    gate = read_gate(checkpoint, idh)
    if gate is None or gate.generator != generator:
        logger.warning(
            "%s: not evaluated by `idhray evaluate-gan`; copies of training images stay in",
            checkpoint,
        )
        return None
    if gate.psi != psi:
        logger.warning(
            "%s: evaluated at psi %g, not %g; the diversity of these images is unknown",
            checkpoint,
            gate.psi,
            psi,
        )
    if gate.state == "not judged":
        logger.warning("%s: not judged: %s", checkpoint, " ".join(gate.not_judged))
    if not gate.passed:
        logger.warning("%s: failed its gate: %s", checkpoint, " ".join(gate.reasons))
    return gate


def _item(part: IndexRange, recorded: dict[str, Any], task: SynthesizeTask) -> Item[SynthesizeTask]:
    """Item of one part. Earlier versions recorded the number of all images, which decides none."""
    decisive = {name: value for name, value in recorded.items() if name != "count"}
    former = [settings_hash({**recorded, "first": part.first})] if "count" in recorded else []
    return Item(
        name=part_name(part),
        settings_hash=settings_hash({**decisive, "first": part.first}),
        former_hashes=former,
        task=replace(task, first=part.first, end=part.end),
    )


def _picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) image, or (H, W) if it is gray."""
    return image[..., 0] if image.shape[-1] == 1 else image


def _marked_cell(image: NDArray[np.uint8], name: str, generator: str) -> dict[str, Any]:
    """PNG of a synthetic image that says so, by which it is refused among images of patients."""
    return {"bytes": marked_synthetic(png_of(_picture(image)), generator), "path": f"{name}.png"}


def synthesize_some(task: SynthesizeTask) -> Outcome:
    """Rows of one part of the SYNTHETIC table.

    While a GPU computes a block of images, threads encode earlier ones and draw for later ones.
    """
    model, generator = _loaded(task)
    idh = task.idh or model["idh"]
    indices, side = range(task.first, task.end), generator.settings.resolution_px
    images = np.empty((len(indices), side, side, generator.settings.channels), np.uint8)
    threads = GPU_THREADS if generator.device.type == "cuda" else 1
    cells: dict[int, Future[dict[str, Any]]] = {}
    with ThreadPoolExecutor(threads) as pool:
        psi = 1.0 if task.psi is None else task.psi
        for places, block in image_blocks(generator, task.seed, indices, psi, threads=threads):
            images[places] = block
            for place, image in zip(places, block, strict=True):
                name = f"{idh}-{indices[place]}"
                cells[place] = pool.submit(_marked_cell, image, name, task.generator)
    shared = {
        "generator": task.generator,
        "seed": task.seed,
        "psi": task.psi,  # null without truncation
        "idh": idh,
        "trained_on": model["trained_on"],
    }
    copies = _copies(task, images, model, generator.settings)
    rows = [
        {**shared, "index": index, "image": cells[place].result()}
        for place, index in enumerate(indices)
        if index not in copies
    ]
    return Outcome(rows=rows, note="; ".join(copies.values()))


_Loaded = tuple[dict[str, Any], TrainedGenerator]
_cached_generator: dict[tuple[str, str, str | None], _Loaded] = {}  # that of a worker's last part


def _loaded(task: SynthesizeTask) -> _Loaded:
    """Record and networks of the generator, which a worker loads once."""
    key = (task.checkpoint, task.generator, task.idh)
    if key not in _cached_generator:
        _cached_generator.clear()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        _cached_generator[key] = (
            read_model(task.checkpoint),
            load_generator(task.checkpoint, device, idh=task.idh),
        )
    return _cached_generator[key]


def _copies(
    task: SynthesizeTask,
    images: NDArray[np.uint8],
    model: Mapping[str, Any],
    settings: GanSettings,
) -> dict[int, str]:
    """Index -> note for the ledger, for each copy of a training image; none without a gate."""
    gate = task.gate
    if gate is None:
        return {}
    embedding, training_sets = _training_sets(gate, model, settings)
    generated = embedding.of_generated(images)
    notes: dict[int, str] = {}
    for real in training_sets:
        copies = find_copies(
            generated, real, Limits(**gate.limits), settings.symmetry, with_ssim=False
        )
        for place in map(int, np.flatnonzero(copies.copy)):
            index, nearest = task.first + place, int(copies.nearest[place])
            text = f"left out: {index} copies {real.id(nearest)} of {real.patients[nearest]}"
            notes.setdefault(index, text)
    return notes


_TrainingSets = tuple[Embedding, list[EmbeddedImages]]
_cached_sets: dict[tuple[str, str, str], _TrainingSets] = {}  # those of a worker's last part


def _training_sets(
    gate: GateRecord, model: Mapping[str, Any], settings: GanSettings
) -> _TrainingSets:
    """Images of all trainings with their features, the last training first.

    A worker reads them once.

    Raises:
        StorageError: a table is missing or has changed.
    """
    key = (gate.images_digest, gate.features, gate.generator)
    if key not in _cached_sets:
        if gate.images_digest not in (seal(gate.images), evaluated_images(gate.images, model)):
            raise StorageError(
                f"{gate.images}: not the images that the generator was evaluated with; "
                "run `idhray evaluate-gan` again"
            )
        real = training_images(gate.images, model["idh"], settings, selection_of_model(model))
        extractor = extractor_of(gate.features, "cuda" if torch.cuda.is_available() else "cpu")
        if extractor.name != gate.extractor:
            raise StorageError(
                f"{gate.features}: features of {extractor.name}, the generator was evaluated with "
                f"{gate.extractor}; run `idhray evaluate-gan` again"
            )
        embedding = embedding_of(gate.images, real, extractor, settings)
        sets = [embedding.of_real(real), *earlier_sets(gate.pretraining, settings, embedding)]
        _cached_sets.clear()
        _cached_sets[key] = (embedding, sets)
    return _cached_sets[key]
