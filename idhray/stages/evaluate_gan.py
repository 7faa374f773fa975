"""Evaluation of a GAN's images, and search for copies: checkpoint + real images -> verdict.

fidelity.csv     every metric by channel, beside the floor between real patients
realism.json     measures that need no network, and their verdict in words
gate.json        copies and diversity: passed or not, reasons, and all figures
images.csv       each generated image: its nearest training image, and whether it is a copy of it
pairs.png        the closest pairs: generated, training image, difference
samples.png      the first generated images
walk.png         a walk through the latents; mixing.png: mixed styles of two images (StyleGAN2)
The verdict is also written to the checkpoint's folder (`_gate.json`), where `synthesize` reads it.
`--synthetic` judges the images of a table, of any generator, in the same way.
"""

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import ray
import torch

from idhray.chance import seed_for
from idhray.cohorts.manifest import LABELS, Label
from idhray.config import Identity, identity_of, settings_dict, settings_from
from idhray.errors import ConfigError, LeakageError
from idhray.fidelity.copies.search import Limits, find_copies
from idhray.fidelity.evaluation import evaluate
from idhray.fidelity.gate import Gate, copies_gate
from idhray.fidelity.gate_settings import CopySettings
from idhray.fidelity.settings import PRESETS as FIDELITY
from idhray.fidelity.settings import FidelitySettings
from idhray.gan.checkpoint import class_of_network, read_model
from idhray.gan.pictures import interpolation, strip, style_mixing, style_mixing_grid
from idhray.gan.sample import TrainedGenerator, generate, load_generator
from idhray.generator_records import (
    GateRecord,
    gate_state,
    read_gate,
    read_generator,
    write_gate,
)
from idhray.images import encode
from idhray.stages.gan_training.evaluation_files import (
    REALISM_FILE,
    csv_bytes,
    realism_of,
    write_figures,
    write_realism,
)
from idhray.stages.gan_training.extractors import absolute_features, extractor_of
from idhray.stages.gan_training.fold import evaluated_images, selection_of_model
from idhray.stages.gan_training.image_sets import (
    RealImages,
    channel_names,
    embedding_of,
    real_images,
    training_images,
)
from idhray.stages.gan_training.pretraining import (
    EarlierTable,
    earlier_sets,
    pretraining_tables,
    unseen_tables,
    with_copies_of_class,
    with_earlier_copies,
)
from idhray.stages.gan_training.synthetic_card import write_synthetic_card
from idhray.stages.gan_training.synthetic_evaluation import (
    SyntheticEvaluationTask,
    compared_images,
    evaluate_synthetic,
)
from idhray.stages.runtime.dry_run import dry_run_result
from idhray.stages.runtime.folder import refuse_changed_checkpoint, seal, stage_folder
from idhray.stages.runtime.leased import leased
from idhray.stages.runtime.losses import RESTARTS, result_of
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.placement import placed
from idhray.stages.runtime.session import connect, task_gpus, wait_for_room
from idhray.stages.runtime.state import StageState, folder_state
from idhray.storage import absolute, join, publish, read_bytes, read_json
from idhray.withdrawals import is_token, with_names

logger = logging.getLogger(__name__)

OWNS = (
    "fidelity.csv",
    REALISM_FILE,
    "gate.json",
    "images.csv",
    "pairs.png",
    "samples.png",
    "walk.png",
    "mixing.png",
)
LEAST = 20  # generated images; a verdict on fewer means nothing


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """Sizes of the comparisons, and limits of the gate."""

    fidelity: FidelitySettings = field(default_factory=FidelitySettings)
    copies: CopySettings = field(default_factory=CopySettings)


PRESETS = {
    "standard": EvaluationSettings(),
    "demo": EvaluationSettings(fidelity=FIDELITY["demo"]),
}


@dataclass(frozen=True, kw_only=True)
class EvaluateGanFlags(RunFlags):
    """Flags of `idhray evaluate-gan`."""

    images: str
    """Folder of the PATCHES or SLICES table that the GAN was trained on."""
    out: str
    """Folder of the figures."""
    settings: EvaluationSettings
    """Sizes of the comparisons, and limits."""
    checkpoint: str | None = None
    """Folder of a checkpoint of `train-gan`."""
    idh: Label | None = None
    """Class to judge. Needed for a generator of both classes (`train-gan --idh both`), of which
    each class has a verdict of its own."""
    synthetic: str | None = None
    """Folder of a SYNTHETIC table, such as that of `import-synthetic`: its images are judged
    without a checkpoint. A single copy fails them."""
    folds: str | None = None
    """With --synthetic: file of folds, whose validation patients are the control. Default: the
    split of the table."""
    count: int = 1000
    """Number of generated images in the evaluation."""
    features: str = "random"
    """Network that makes features of images: random (seeded weights), inception:FILE (FID's own),
    classifier:FOLDER (of train-classifier) or timm:NAME:FILE."""
    pretraining_images: tuple[str, ...] = ()
    """Folders of the tables of earlier trainings, if the GAN started from another one. Copies of
    their images are searched for, too."""
    psi: float = 1.0
    """Truncation of a StyleGAN2, as it will be used for the synthetic images."""
    seed: int = 0
    """Seed of the evaluated images, which differ from those of `synthesize`."""
    gpus: float | None = None
    """GPUs of the evaluation. Default: one if the cluster has GPUs, else none."""


@dataclass(frozen=True, kw_only=True)
class EvaluateGanTask:
    """Task of the worker: evaluate one generator."""

    checkpoint: str
    generator: str
    """Seal of the checkpoint."""
    images: str
    """Folder of the training images."""
    images_digest: str
    """Digest of the images that are used; see `evaluated_images`."""
    out: str
    settings: EvaluationSettings
    count: int
    features: str
    pretraining: tuple[EarlierTable, ...]
    psi: float
    seed: int
    idh: Label | None = None
    """Class of a generator of both classes; None for that of the generator."""


def evaluate_gan(flags: EvaluateGanFlags) -> dict[str, Any]:
    """Evaluate a GAN: fidelity beside the floor between real patients, copies, and diversity.

    The real images are those of its training. Validation patients of its class, which it never saw,
    are the control. Test patients are not used. The roles of the patients are those of the fold
    that the checkpoint records, or else the split of the table.
    """
    if bool(flags.checkpoint) == bool(flags.synthetic):
        raise ConfigError("give either --checkpoint or --synthetic")
    if flags.synthetic:
        return _evaluate_table(flags)
    if flags.dry_run:
        reads = [f"generator of {flags.checkpoint}", f"its training images in {flags.images}"]
        return dry_run_result(
            absolute(flags.out),
            evaluation_state(flags),
            reads=reads,
            writes=f"figures of {flags.count} generated images",
            overwrite=flags.overwrite,
        )
    task = _task(flags)
    refuse_changed_checkpoint(task.checkpoint)
    identity = _identity(task, flags)
    _run(task, identity, flags, _evaluate)
    return _result(task.out, task.checkpoint)


def _evaluate_table(flags: EvaluateGanFlags) -> dict[str, Any]:
    """Evaluate a SYNTHETIC table without a checkpoint."""
    if flags.psi != 1 or flags.pretraining_images or flags.idh:
        raise ConfigError("--psi, --idh and --pretraining-images belong to --checkpoint")
    synthetic, images = absolute(flags.synthetic or ""), absolute(flags.images)
    seal(images)
    folds, record = absolute(flags.folds) if flags.folds else None, read_generator(synthetic)
    task = SyntheticEvaluationTask(
        synthetic=synthetic,
        generator=seal(synthetic),
        images=images,
        images_digest=compared_images(record, images, folds),
        folds=folds,
        out=absolute(flags.out),
        fidelity=flags.settings.fidelity,
        copies=flags.settings.copies,
        count=_checked_count(flags),
        features=absolute_features(flags.features),
    )
    inputs = {
        "stage": "evaluate_gan",
        "generator": task.generator,
        "images": task.images_digest,
        "features": task.features,
        "synthetic": True,
    }
    identity = identity_of(inputs=inputs, flags=flags, names=("count",), settings=flags.settings)
    if flags.dry_run:
        return dry_run_result(
            task.out,
            folder_state(task.out, identity, inputs=None),
            reads=[f"images of {synthetic}", f"real images of {images}"],
            writes=f"figures of {flags.count} images at most",
            overwrite=flags.overwrite,
        )
    _run(task, identity, flags, _evaluate_images)
    write_synthetic_card(synthetic, evaluation=task.out)
    return _result(task.out, synthetic)


def _run(
    task: Any, identity: Identity, flags: EvaluateGanFlags, work: Callable[[dict[str, Any]], None]
) -> None:
    """Evaluate in a worker of Ray."""
    with stage_folder(task.out, identity, overwrite=flags.overwrite, owns=OWNS):
        connect(flags.address, flags)
        gpus = task_gpus(flags.gpus)
        wait_for_room(cpus=1, gpus=gpus)
        remote = ray.remote(leased(work)).options(
            num_cpus=1, num_gpus=gpus, max_retries=RESTARTS, **placed()
        )
        result_of(remote.remote(settings_dict(task)), task.out)


def _result(out: str, judged: str) -> dict[str, Any]:
    """Result of an evaluation for the terminal.

    Args:
        out: Folder of the evaluation.
        judged: Folder of the checkpoint or of the images.
    """
    verdict = read_json(join(out, "gate.json"))
    for sentence in (*verdict["reasons"], *verdict["notes"]):
        logger.info("%s: %s", judged, sentence)
    state = gate_state(passed=verdict["passed"], not_judged=verdict["notes"])
    return {
        "out": out,
        "passed": None if state == "not judged" else verdict["passed"],
        "gate": state,
        "not_judged": verdict["notes"],
        "realism": realism_of(out).get("verdict"),
        "copies": verdict["figures"]["copies"],
        "generated": verdict["figures"]["generated"],
        "text": _text(out, verdict),
    }


def evaluation_state(flags: EvaluateGanFlags) -> StageState:
    """State of the evaluation; nothing is generated. Any change makes it out of date."""
    task = _task(flags)
    state = folder_state(task.out, _identity(task, flags), inputs=None)
    gate = read_gate(task.checkpoint, task.idh)
    if state.is_done and (gate is None or gate.generator != task.generator):
        return StageState(status="to do", reason="the checkpoint does not record it")
    return state


def _identity(task: EvaluateGanTask, flags: EvaluateGanFlags) -> Identity:
    """Values that decide the figures of an evaluation."""
    inputs: dict[str, Any] = {
        "stage": "evaluate_gan",
        "generator": task.generator,
        "images": task.images_digest,
        "features": task.features,
    }
    if task.idh:
        inputs["idh"] = task.idh
    if task.pretraining:
        inputs["pretraining"] = [table["digest"] for table in task.pretraining]
    identity = identity_of(
        inputs=inputs, flags=flags, names=("count", "psi", "seed"), settings=flags.settings
    )
    return replace(identity, former={**identity.values, "images": seal(task.images)})


def _task(flags: EvaluateGanFlags) -> EvaluateGanTask:
    """Task of these flags.

    Raises:
        ConfigError: a flag is out of range, or does not fit the generator.
    """
    checkpoint, images = absolute(flags.checkpoint or ""), absolute(flags.images)
    earlier = [absolute(folder) for folder in flags.pretraining_images]
    return EvaluateGanTask(
        checkpoint=checkpoint,
        generator=seal(checkpoint),
        images=images,
        images_digest=evaluated_images(images, read_model(checkpoint)),
        out=absolute(flags.out),
        settings=flags.settings,
        count=_checked_count(flags),
        features=absolute_features(flags.features),
        pretraining=tuple(pretraining_tables(read_model(checkpoint), earlier)),
        psi=flags.psi,
        seed=flags.seed,
        idh=class_of_network(checkpoint, flags.idh),
    )


def _checked_count(flags: EvaluateGanFlags) -> int:
    """Number of images to judge.

    Raises:
        ConfigError: it is too small for a verdict.
    """
    if flags.count < LEAST:
        raise ConfigError(f"--count must be {LEAST} or more, got {flags.count}")
    return flags.count


def _evaluate_images(values: dict[str, Any]) -> None:
    """Evaluate a SYNTHETIC table in a worker of Ray, which takes plain values."""
    evaluate_synthetic(settings_from(SyntheticEvaluationTask, values))


def _evaluate(values: dict[str, Any]) -> None:
    """Evaluate one generator in a worker of Ray, which takes plain values."""
    evaluate_generator(settings_from(EvaluateGanTask, values))


def evaluate_generator(task: EvaluateGanTask) -> None:
    """Generate, compare, and write all figures and the gate record."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = read_model(task.checkpoint)
    generator = load_generator(task.checkpoint, device, idh=task.idh)
    selection = selection_of_model(model)
    learned = training_images(task.images, model["idh"], generator.settings, selection)
    control = real_images(task.images, model["idh"], "val", generator.settings, selection)
    candidates = {*learned.patients, *control.patients}
    patients = list(with_names(task.checkpoint, model["patients"], candidates))
    _check_patients(learned, control, patients, task.images)
    if len(model.get("tables", [])) == 1:  # no earlier training, whose patients are elsewhere
        _check_complete(learned, patients, task.images)
    train, held_out = learned, control
    if task.idh:
        train, held_out = learned.of_label(task.idh), control.of_label(task.idh)
    seed = seed_for(task.seed, "evaluation")
    images = generate(generator, seed, range(task.count), task.psi)
    extractor = extractor_of(task.features, device)
    fidelity = evaluate(
        images,
        train.images,
        train.patients,
        extractor,
        task.settings.fidelity,
        reference="training patients",
        channels=channel_names(task.images, generator.settings),
    )
    publish(join(task.out, "fidelity.csv"), csv_bytes(list(fidelity.rows())))
    write_realism(task.out, images, train, task.settings.fidelity)
    embedding = embedding_of(task.images, learned, extractor, generator.settings)
    generated = embedding.of_generated(images)
    symmetry, copy_settings = generator.settings.symmetry, task.settings.copies
    gate = copies_gate(
        generated,
        embedding.of_real(train),
        embedding.of_real(held_out) if held_out.names else None,
        copy_settings,
        symmetry,
    )
    limits = Limits(**gate.figures["limits"])
    sets = earlier_sets(task.pretraining, generator.settings, embedding)
    earlier_copies = [find_copies(generated, real, limits, symmetry) for real in sets]
    verdict = with_earlier_copies(
        gate.as_dict(), earlier_copies, task.pretraining, copy_settings.max_copy_share
    )
    if task.idh:
        (other,) = (label for label in LABELS if label != task.idh)
        real = embedding.of_real(learned.of_label(other))
        verdict = with_copies_of_class(
            verdict, find_copies(generated, real, limits, symmetry), other,
            copy_settings.max_copy_share,
        )  # fmt: skip
    verdict["notes"] += unseen_tables(model, task.pretraining)
    write_figures(task.out, gate, verdict, images, train)
    _write_pictures(task.out, generator, seed, task.psi)
    write_gate(task.checkpoint, _gate_record(task, gate, verdict, extractor.name), task.idh)


def _gate_record(
    task: EvaluateGanTask, gate: Gate, verdict: dict[str, Any], extractor: str
) -> GateRecord:
    """Record of the verdict for the folder of the checkpoint."""
    return GateRecord(
        generator=task.generator,
        passed=verdict["passed"],
        reasons=tuple(verdict["reasons"]),
        images=task.images,
        images_digest=task.images_digest,
        features=task.features,
        extractor=extractor,
        psi=task.psi,
        limits=gate.figures["limits"],
        evaluation=task.out,
        pretraining=task.pretraining,
        not_judged=tuple(verdict["notes"]),
    )


def _check_complete(train: RealImages, gan_patients: list[str], folder: str) -> None:
    """Refuse images that lack a training patient of the generator.

    Raises:
        LeakageError: there are such patients.
    """
    absent = sorted(set(gan_patients) - set(train.patients))
    if any(map(is_token, absent)):
        raise LeakageError(
            f"{folder}: {len(absent)} patients whom this generator saw are gone, some of them by "
            "withdrawal, so copies of their images cannot be looked for; train it anew"
        )
    if absent:
        raise LeakageError(
            f"{folder}: no training image of {len(absent)} patients whom this generator saw, "
            f"{absent[0]} the first; give the images that it was trained on"
        )


def _check_patients(
    train: RealImages, held_out: RealImages, gan_patients: list[str], folder: str
) -> None:
    """Refuse training patients that the generator never saw, and validation patients that it saw.

    Raises:
        LeakageError: there are such patients.
    """
    if missing := sorted(set(train.patients) - set(gan_patients)):
        raise LeakageError(
            f"{folder}: {len(missing)} training patients whom this generator never saw, "
            f"{missing[0]} the first; give the images that it was trained on"
        )
    if both := sorted(set(held_out.patients) & set(gan_patients)):
        raise LeakageError(
            f"{folder}: the generator saw {len(both)} validation patients, {both[0]} the first; "
            "train it on the training patients only"
        )


def _write_pictures(out: str, generator: TrainedGenerator, seed: int, psi: float) -> None:
    """Write a walk through the latents and, if there are styles, mixed styles."""
    walk = interpolation(generator, seed, range(4), steps=6, psi=psi)
    publish(join(out, "walk.png"), encode(strip(walk)))
    if generator.architecture.styles:
        half = generator.growth.level + 1  # half of the layers: shape below, texture above
        cells = style_mixing(
            generator, seed, rows=range(4), columns=range(4, 9), crossover=half, psi=psi
        )
        publish(join(out, "mixing.png"), encode(style_mixing_grid(cells)))


def _text(out: str, gate: dict[str, Any]) -> str:
    """Main figures as text for a terminal."""
    table = pd.read_csv(io.BytesIO(read_bytes(join(out, "fidelity.csv"))))
    lines = [f"{table['extractor'].iloc[0]}; reference: {table['reference'].iloc[0]}"]
    for row in table.to_dict("records"):
        numbers = [_number(row[name]) for name in ("value", "floor")]
        lines.append(
            f"{row['channel']:<20}{row['metric']:<12}{numbers[0]:>10}   real against real "
            f"{numbers[1]:>10}   ({row['n']} images, {row['n_patients']} patients)"
        )
    state = gate_state(passed=gate["passed"], not_judged=gate["notes"])
    sentences = gate["reasons"] if state == "failed" else gate["notes"]
    verdict = ": ".join(
        [state.upper() if sentences else state, *filter(None, [" ".join(sentences)])]
    )
    figures = gate["figures"]
    if judged := realism_of(out):
        lines.append(f"Without a network: {judged['sentence']}")
    lines.append(f"Copies and diversity: {verdict}")
    lines.append(
        f"{figures['copies']} of {figures['generated']} generated images are copies of training "
        "images; see pairs.png"
    )
    return "\n".join(lines)


def _number(value: Any) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.3g}"
