"""Features of images by a frozen encoder: PATCHES, SLICES or SYNTHETIC -> FEATURES.

Each input of the table, such as a slide, is encoded by a worker that has loaded the network once.
The features are stored as float16, in the order of the images.
"""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from idhray.classify.backbones import ImageClassifier
from idhray.classify.encoders import (
    CPU_BATCH,
    GPU_BATCH,
    encode_images,
    encoder_card,
    encoder_identity,
    encoder_name,
    encoder_network,
    encoder_record,
    half_precision,
    with_absolute_file,
)
from idhray.classify.image_set import ImageSet
from idhray.classify.preprocessing import SLICES_COLUMNS, preprocess, refuse_channels
from idhray.classify.settings import ClassifierSettings, InputChannels
from idhray.config import Identity, identity_of, settings_hash
from idhray.errors import ConfigError, TableError
from idhray.ledger import check_failures, tally
from idhray.stages.experiment.feature_tables import ENCODER_FILE
from idhray.stages.experiment.image_parts import InputParts, inputs_with_parts
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import TableFlags
from idhray.stages.runtime.resuming import FOLLOW
from idhray.stages.runtime.session import connect, task_gpus
from idhray.stages.runtime.versions import stage_version
from idhray.storage import absolute, join, publish_json
from idhray.table_parts import column_names, read_part
from idhray.tables import features_schema

COPIED = ("slide", "x_l0", "y_l0", "study", "z_mm", "generator", "index")
"""Columns of the images that the features get, too."""
TASK_IMAGES = 256
"""Small inputs share a Ray task up to this number of images."""
OWNS = (ENCODER_FILE,)
ChannelChoice = Literal["auto", "gray", "rgb", "two-channel"]


@dataclass(frozen=True, kw_only=True)
class EncodeSettings:
    """Settings that decide the features, apart from the encoder."""

    channels: ChannelChoice = "auto"
    """Input of the network: gray (prepared as in Liu et al. 2020), rgb, or two-channel (CE-T1w and
    FLAIR). auto: two-channel for SLICES, rgb for all other images. Synthetic MRI slices need
    two-channel."""
    image_px: int | None = None
    """Side length that images are resized to. Default: that of the encoder's training."""

    def __post_init__(self) -> None:
        if self.image_px is not None and self.image_px < 1:
            raise ConfigError(f"image_px must be 1 or more, got {self.image_px}")


@dataclass(frozen=True, kw_only=True)
class EncodeFlags(TableFlags):
    """Flags of `idhray encode`."""

    images: str
    """Folder of a PATCHES, SLICES or SYNTHETIC table."""
    encoder: str
    """Frozen encoder: NAME:FILE, or NAME alone if a package holds its weights. NAME is
    efficientnet_lite0, uni2_h, virchow2, h_optimus_0, h_optimus_1, midnight, conch, or any network
    of timm. Nothing is downloaded."""
    out: str
    """Folder of the FEATURES table."""
    settings: EncodeSettings
    """ChannelChoice and size of the images."""
    gpus_per_worker: float | None = None
    """GPUs of one worker. Default: one if the cluster has GPUs, else none."""
    cpus_per_worker: int = 1
    """CPUs of one worker; its threads decode images while the network works."""


@dataclass(frozen=True, kw_only=True)
class EncodeTask:
    """Task of a worker: encode the images of one input."""

    paths: tuple[str, ...]
    digests: tuple[str, ...]
    encoder: str
    channels: InputChannels
    image_px: int
    cpus: int


@with_dry_run(reads=("images",), writes="FEATURES of the images")
def encode(flags: EncodeFlags) -> dict[str, Any]:
    """Turn images into features of a frozen encoder, for linear probes and attention pooling.

    The same command continues. License and pretraining of the encoder are recorded beside the
    table, and `sweep --features` carries them into the report.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    spec = with_absolute_file(flags.encoder)
    record = encoder_record(spec)
    seal(images)
    inputs = inputs_with_parts(images)
    if not inputs:
        raise TableError(f"{images}: no images; give a folder of PATCHES, SLICES or SYNTHETIC")
    channels = _channels(inputs[0].paths[0], flags.settings.channels)
    side = flags.settings.image_px or record.image_px
    preparation = ClassifierSettings(channels=channels, image_px=side)
    refuse_channels(inputs[0].paths[0], column_names(inputs[0].paths[0]), preparation)
    encoder_network(spec, channels)  # refused before Ray starts
    identity = identity_of(
        inputs={
            "stage": "encode",
            **encoder_identity(spec),
            "channels": channels,
            "image_px": side,
            "dimensions": record.dimensions,
        }
    )
    with stage_folder(out, identity, overwrite=flags.overwrite, owns=OWNS):
        publish_json(join(out, ENCODER_FILE), encoder_card(spec))
        connect(flags.address, flags)
        gpus = task_gpus(flags.gpus_per_worker)
        fates = map_items(
            [_item(each, identity, spec, flags.cpus_per_worker) for each in inputs],
            encode_one,
            out=out,
            schema=features_schema(record.dimensions),
            workers=flags.workers,
            cpus=flags.cpus_per_worker,
            gpus=gpus,
            task_size=TASK_IMAGES,
            on_change=FOLLOW[flags.update],
            version=stage_version("encode"),
            keep_processes=True,
        )
        check_failures(out, fates, flags.max_failures)
    return {"out": out, **tally(fates), **encoder_card(spec)}


def _channels(path: str, channels: ChannelChoice) -> InputChannels:
    """ChannelChoice of the images of a table."""
    if channels != "auto":
        return channels
    return "two-channel" if set(column_names(path)) >= SLICES_COLUMNS else "rgb"


def _item(inputs: InputParts, identity: Identity, spec: str, cpus: int) -> Item[EncodeTask]:
    """Item of one input; its hash leaves out paths."""
    names = [name for name in ("patient", "idh", "split") if name in column_names(inputs.paths[0])]
    rows = [row for path in inputs.paths for row in read_part(path, names).to_pylist()]
    people = {
        str(row["patient"]): {"idh": row["idh"] or "", "split": row["split"] or ""}
        for row in rows
        if len(names) == 3
    }
    task = EncodeTask(
        paths=inputs.paths,
        digests=inputs.digests,
        encoder=spec,
        channels=identity.values["channels"],
        image_px=identity.values["image_px"],
        cpus=cpus,
    )
    return Item(
        name=inputs.name,
        settings_hash=settings_hash({**identity.values, "parts": list(inputs.digests)}),
        task=task,
        people=people,
        size=len(rows),
    )


def encode_one(task: EncodeTask) -> Outcome:
    """FEATURES rows of one input."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = _network(task.encoder, task.channels, device)
    rows = []
    for path, digest in zip(task.paths, task.digests, strict=True):
        present = column_names(path)
        names = [name for name in ("patient", "idh", "split", *COPIED) if name in present]
        listed = read_part(path, names).to_pylist()
        start = 0
        for features in _features_of_part(path, network, task, device):
            for place, vector in enumerate(features, start):
                values = {**listed[place], "part": digest, "row": place}
                rows.append({**values, "encoder": encoder_name(task.encoder), "features": vector})
            start += len(features)
    return Outcome(rows=rows)


@functools.lru_cache(maxsize=1)
def _network(spec: str, channels: InputChannels, device: str) -> ImageClassifier:
    """Network of a worker, loaded once."""
    network: ImageClassifier = encoder_network(spec, channels).to(device)
    return network


def _features_of_part(
    path: str, network: ImageClassifier, task: EncodeTask, device: str
) -> Iterator[NDArray[np.float16]]:
    """Features of the images of a part in batches, (n, D) float16 each."""
    cells = read_part(path, ["image"])["image"]
    settings = ClassifierSettings(channels=task.channels, image_px=task.image_px)
    size = CPU_BATCH if device == "cpu" else GPU_BATCH

    def prepare(row: int) -> NDArray[np.uint8]:
        try:
            return preprocess(cells[row]["bytes"].as_py() or b"", settings)
        except TableError as error:
            raise TableError(f"{path}: row {row}: {error}; recreate this part") from None

    with ThreadPoolExecutor(task.cpus) as pool:
        batches = [range(k, min(k + size, len(cells))) for k in range(0, len(cells), size)]
        ahead = [pool.map(prepare, rows) for rows in batches[:2]]
        for number in range(len(batches)):
            pixels = np.stack([*ahead.pop(0)])
            ahead += [pool.map(prepare, rows) for rows in batches[number + 2 : number + 3]]
            n = len(pixels)
            images = ImageSet(pixels, np.zeros(n, np.int8), np.full(n, ""), np.arange(1, n + 1))
            features = encode_images(images.view(), network, device=device)
            yield half_precision(features, f"{path}: images {number * size + 1} and on")
