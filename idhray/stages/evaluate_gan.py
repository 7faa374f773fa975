"""How good a GAN's images are, and whether they are copies: checkpoint + real images -> verdict.

fidelity.csv     every metric by channel, beside the floor between real patients
gate.json        copies and diversity: passed or not, why, and all figures
images.csv       each generated image: its nearest training image, and whether it is a copy of it
pairs.png        the closest pairs: generated, training image, difference
samples.png      the first generated images
walk.png         a walk through the latents; mixing.png: styles of two images each (StyleGAN2)
The verdict is put into the checkpoint's folder, too (`_gate.json`), where `synthesize` finds it.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import ray
import torch

from idhray.chance import seed_for
from idhray.config import identity_of, settings_from
from idhray.errors import ConfigError, IdhrayError, LeakageError
from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.channels import constant_channels
from idhray.fidelity.copies.pair_picture import closest_pairs, pair_picture
from idhray.fidelity.copies.search import EmbeddedImages, Limits, find_copies
from idhray.fidelity.evaluation import evaluate
from idhray.fidelity.gate import Gate, copies_gate
from idhray.fidelity.gate_settings import CopySettings
from idhray.fidelity.settings import PRESETS as FIDELITY
from idhray.fidelity.settings import FidelitySettings
from idhray.gan.checkpoint import read_model
from idhray.gan.pictures import interpolation, strip, style_mixing, style_mixing_grid
from idhray.gan.sample import TrainedGenerator, generate, image_grid, load_generator
from idhray.images import encode
from idhray.leakage import GateRecord, write_gate
from idhray.stages.gan_training.extractors import absolute_features, extractor_of
from idhray.stages.gan_training.image_sets import (
    RealImages,
    channel_names,
    image_set,
    real_images,
    training_images,
)
from idhray.stages.gan_training.pretraining import (
    earlier_sets,
    pretraining_tables,
    unseen_tables,
    with_earlier_copies,
)
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import cluster_gpus, connect
from idhray.storage import absolute, join, publish, publish_json, read_json

logger = logging.getLogger(__name__)

OWNS = (
    "fidelity.csv",
    "gate.json",
    "images.csv",
    "pairs.png",
    "samples.png",
    "walk.png",
    "mixing.png",
)
SAMPLES = 36
LEAST = 20  # generated images; fewer say nothing


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is compared, and what fails."""

    fidelity: FidelitySettings = field(default_factory=FidelitySettings)
    copies: CopySettings = field(default_factory=CopySettings)


PRESETS = {
    "standard": EvaluationSettings(),
    "demo": EvaluationSettings(fidelity=FIDELITY["demo"]),
}


@dataclass(frozen=True, kw_only=True)
class EvaluateGanFlags(RunFlags):
    """Flags of `idhray evaluate-gan`."""

    checkpoint: str
    """Folder of `train-gan`."""
    images: str
    """The PATCHES or SLICES folder that it was trained on."""
    out: str
    """Folder of the figures."""
    settings: EvaluationSettings
    """Sizes of the comparisons, and limits."""
    count: int = 1000
    """Generated images that are judged."""
    features: str = "random"
    """Network that makes features of images: random (seeded weights), inception:FILE (FID's own),
    classifier:FOLDER (of train-classifier) or timm:NAME:FILE."""
    pretraining_images: tuple[str, ...] = ()
    """Folders that generators were trained on from which this one started; copies are looked for
    in these, too."""
    psi: float = 1.0
    """Truncation of a StyleGAN2, as the images will be made."""
    seed: int = 0
    """Of the images that are judged; those of `synthesize` are others."""
    gpus: float | None = None
    """One when the cluster has GPUs, else none."""


def evaluate_gan(flags: EvaluateGanFlags) -> dict[str, Any]:
    """Judge a GAN: fidelity beside the floor of real patients, copies, and diversity.

    Real images are those that it was trained on; validation patients of its class, whom it never
    saw, are the control. Test patients are not looked at.
    """
    checkpoint, images, out = (
        absolute(flags.checkpoint),
        absolute(flags.images),
        absolute(flags.out),
    )
    if flags.count < LEAST:
        raise ConfigError(f"--count must be {LEAST} or more, got {flags.count}")
    features = absolute_features(flags.features)
    inputs: dict[str, Any] = {
        "stage": "evaluate_gan",
        "generator": seal(checkpoint),
        "images": seal(images),
        "features": features,
    }
    earlier = [absolute(folder) for folder in flags.pretraining_images]
    tables = pretraining_tables(read_model(checkpoint), earlier)
    if tables:
        inputs["pretraining"] = [table["digest"] for table in tables]
    identity = identity_of(
        inputs=inputs, flags=flags, names=("count", "psi", "seed"), settings=flags.settings
    )
    with stage_folder(out, identity, overwrite=flags.overwrite, owns=OWNS):
        connect(flags.address)
        share = min(cluster_gpus(), 1.0) if flags.gpus is None else flags.gpus
        task = ray.remote(_evaluate).options(num_cpus=1, num_gpus=share)
        values = {
            **identity.values,
            "checkpoint": checkpoint,
            "folder": images,
            "out": out,
            "tables": tables,
        }
        try:
            ray.get(task.remote(values))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, IdhrayError):
                raise error.cause from None  # without the worker's traceback
            raise
    found = read_json(join(out, "gate.json"))
    for reason in (*found["reasons"], *found["notes"]):
        logger.info("%s: %s", checkpoint, reason)
    return {
        "out": out,
        "passed": found["passed"],
        "copies": found["figures"]["copies"],
        "generated": found["figures"]["generated"],
        "text": _text(out, found),
    }


def _evaluate(values: dict[str, Any]) -> None:
    """In one worker: draw, compare, write."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint, folder, out = values["checkpoint"], values["folder"], values["out"]
    model, generator = read_model(checkpoint), load_generator(checkpoint, device)
    train = training_images(folder, model["idh"], generator.settings)
    held_out = real_images(folder, model["idh"], "val", generator.settings)
    _check_patients(train, held_out, model["patients"], folder)
    seed = seed_for(values["seed"], "evaluation")
    made = generate(generator, seed, range(values["count"]), values["psi"])
    extractor = extractor_of(values["features"], device)
    names = channel_names(folder, generator.settings)
    settings = settings_from(
        EvaluationSettings, {name: values[name] for name in ("fidelity", "copies")}
    )
    fidelity = evaluate(
        made,
        train.images,
        train.patients,
        extractor,
        settings.fidelity,
        reference="training patients",
        channels=names,
    )
    publish(join(out, "fidelity.csv"), _csv(list(fidelity.rows())))
    left_out = constant_channels(train.images, names)

    def with_features(found: RealImages | None, pixels: ImageArray) -> EmbeddedImages:
        return image_set(found, pixels, extractor, names, left_out)

    generated = with_features(None, made)
    gate = copies_gate(
        generated,
        with_features(train, train.images),
        with_features(held_out, held_out.images) if held_out.names else None,
        settings.copies,
        generator.settings.symmetry,
    )
    symmetry, tables = generator.settings.symmetry, values["tables"]
    limits = Limits(**gate.figures["limits"])
    sets = earlier_sets(tables, generator.settings, extractor, names, left_out)
    earlier = [find_copies(generated, known, limits, symmetry) for known in sets]
    verdict = with_earlier_copies(gate.as_dict(), earlier, tables, settings.copies.max_copy_share)
    verdict["notes"] += unseen_tables(model, tables)
    _write(out, gate, verdict, made, train)
    _pictures(out, generator, seed, values["psi"])
    record = GateRecord(
        generator=values["generator"],
        passed=verdict["passed"],
        reasons=tuple(verdict["reasons"]),
        images=folder,
        images_digest=values["images"],
        features=values["features"],
        extractor=extractor.name,
        psi=values["psi"],
        limits=gate.figures["limits"],
        evaluation=out,
        pretraining=tuple(tables),
    )
    write_gate(checkpoint, record)


def _check_patients(train: RealImages, held_out: RealImages, seen: list[str], folder: str) -> None:
    if missing := sorted(set(train.patients) - set(seen)):
        raise LeakageError(
            f"{folder}: {len(missing)} training patients whom this generator never saw, "
            f"{missing[0]} the first; give the images that it was trained on"
        )
    if both := sorted(set(held_out.patients) & set(seen)):
        raise LeakageError(
            f"{folder}: the generator saw {len(both)} validation patients, {both[0]} the first; "
            "train it on the training split only"
        )


def _write(
    out: str, gate: Gate, verdict: dict[str, Any], made: ImageArray, train: RealImages
) -> None:
    shown = closest_pairs(gate.copies, 12)
    publish(join(out, "pairs.png"), encode(pair_picture(made, train.images, gate.copies, shown)))
    publish(join(out, "samples.png"), encode(image_grid(made[:SAMPLES], columns=6)))
    publish(join(out, "images.csv"), _csv([dict(row) for row in gate.images]))
    publish_json(join(out, "gate.json"), {k: v for k, v in verdict.items() if k != "images"})


def _pictures(out: str, generator: TrainedGenerator, seed: int, psi: float) -> None:
    """What a latent does, for a person's eye."""
    walk = interpolation(generator, seed, range(4), steps=6, psi=psi)
    publish(join(out, "walk.png"), encode(strip(walk)))
    if generator.architecture.styles:
        half = generator.growth.level + 1  # half of the layers: shape below, texture above
        cells = style_mixing(
            generator, seed, rows=range(4), columns=range(4, 9), crossover=half, psi=psi
        )
        publish(join(out, "mixing.png"), encode(style_mixing_grid(cells)))


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text: str = pd.DataFrame(rows).to_csv(index=False)
    return text.encode()


def _text(out: str, gate: dict[str, Any]) -> str:
    """The main figures, for a terminal."""
    table = pd.read_csv(join(out, "fidelity.csv"))
    lines = [f"{table['extractor'].iloc[0]}; reference: {table['reference'].iloc[0]}"]
    for row in table.to_dict("records"):
        numbers = [_number(row[name]) for name in ("value", "floor")]
        lines.append(
            f"{row['channel']:<20}{row['metric']:<12}{numbers[0]:>10}   real against real "
            f"{numbers[1]:>10}   ({row['n']} images, {row['n_patients']} patients)"
        )
    verdict = "passed" if gate["passed"] else f"FAILED: {' '.join(gate['reasons'])}"
    figures = gate["figures"]
    lines.append(f"Copies and diversity: {verdict}")
    lines.append(
        f"{figures['copies']} of {figures['generated']} generated images are copies of training "
        "images; see pairs.png"
    )
    return "\n".join(lines)


def _number(value: Any) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.3g}"
