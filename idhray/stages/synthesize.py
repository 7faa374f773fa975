"""Synthetic images from a trained generator: checkpoint -> SYNTHETIC."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from idhray.config import settings_hash
from idhray.errors import ConfigError
from idhray.gan.checkpoint import read_model
from idhray.gan.sample import generate, load_generator
from idhray.images import image_cell
from idhray.leakage import GeneratorRecord, write_generator
from idhray.ledger import check_failures, counts
from idhray.stages.folder import seal, stage_folder
from idhray.stages.mapping import Item, Outcome, map_items
from idhray.stages.session import cluster_gpus, connect
from idhray.storage import absolute
from idhray.tables import SYNTHETIC

CHUNK = 128  # images of a part


def synthesize(
    checkpoint: str,
    count: int,
    out: str,
    *,
    psi: float = 1.0,
    seed: int = 0,
    workers: int | None = None,
    gpus_per_worker: float | None = None,
    address: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Draw images from a generator; image i depends on the seed and on i alone.

    Args:
        checkpoint: Folder of `train-gan`.
        count: How many.
        out: Folder of the SYNTHETIC table.
        psi: Truncation of a StyleGAN2: below 1 images are nearer to the mean, less varied.
        seed: Of the latents.
        workers: Parts of 128 images at a time; as many as there is room for when not given.
        gpus_per_worker: One when the cluster has GPUs, else none.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        overwrite: Start anew where the folder was made with other settings.
    """
    checkpoint, out = absolute(checkpoint), absolute(out)
    if count < 1:
        raise ConfigError(f"--count must be 1 or more, got {count}")
    model = read_model(checkpoint)
    generator = seal(checkpoint)  # of its weights, among others
    truncates = model["architecture"] == "stylegan2"
    if psi != 1 and not truncates:
        raise ConfigError(f"--psi {psi:g}: a {model['architecture']} has no truncation; leave it 1")
    said = {"stage": "synthesize", "generator": generator, "count": count, "seed": seed}
    said |= {"psi": psi} if truncates else {}
    with stage_folder(out, said, overwrite=overwrite):
        connect(address)
        write_generator(out, GeneratorRecord.of(generator, model["idh"], model["patients"]))
        gpus = min(cluster_gpus(), 1.0) if gpus_per_worker is None else gpus_per_worker
        items = [
            Item(
                name=f"images {first}-{min(first + CHUNK, count) - 1}",
                settings_hash=settings_hash({**said, "first": first}),
                values={
                    "checkpoint": checkpoint,
                    "generator": generator,
                    "seed": seed,
                    "psi": psi if truncates else None,
                    "first": first,
                    "end": min(first + CHUNK, count),
                },
            )
            for first in range(0, count, CHUNK)
        ]
        found = map_items(
            items, synthesize_some, out=out, schema=SYNTHETIC, workers=workers, gpus=gpus
        )
        check_failures(out, found, 0)
    return {"out": out, "generator": generator, **counts(found)}


def _picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3), or (H, W) of a gray one."""
    return image[..., 0] if image.shape[-1] == 1 else image


def synthesize_some(values: dict[str, Any]) -> Outcome:
    """One part of SYNTHETIC rows."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = values["checkpoint"]
    model = read_model(folder)
    generator = load_generator(folder, device)
    indices = range(values["first"], values["end"])
    psi = values["psi"]
    images = generate(generator, values["seed"], indices, 1.0 if psi is None else psi)
    shared = {
        "generator": values["generator"],
        "seed": values["seed"],
        "psi": psi,  # null: PGGAN has no truncation
        "idh": model["idh"],
        "trained_on": model["trained_on"],
    }
    rows = [
        {**shared, "index": index, "image": image_cell(_picture(image), f"{model['idh']}-{index}")}
        for index, image in zip(indices, images, strict=True)
    ]
    return Outcome(rows=rows)
