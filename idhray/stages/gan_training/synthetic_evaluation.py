"""Evaluation of a SYNTHETIC table without its checkpoint: images of any generator.

Training patients are those of the record `_generator.json`. The images of a table cannot be made
again, so a single copy among them fails the gate: it has to leave the source.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from idhray.cohorts.folds import read_folds
from idhray.config import settings_hash
from idhray.errors import LeakageError, TableError
from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.evaluation import evaluate
from idhray.fidelity.gate import Gate, copies_gate
from idhray.fidelity.gate_settings import CopySettings
from idhray.fidelity.settings import FidelitySettings
from idhray.gan.checks import ImageSymmetry
from idhray.generator_records import GateRecord, GeneratorRecord, read_generator, write_gate
from idhray.images import decode
from idhray.leakage import patient_splits
from idhray.patients import same_patients
from idhray.stages.gan_training.evaluation_files import csv_bytes, write_figures, write_realism
from idhray.stages.gan_training.extractors import extractor_of
from idhray.stages.gan_training.image_sets import (
    ImageSelection,
    RealImages,
    channel_names,
    embedding_of,
    images_read,
    real_images,
)
from idhray.storage import join, publish
from idhray.table_parts import parts, read_part


@dataclass(frozen=True, kw_only=True)
class SyntheticEvaluationTask:
    """Task of the worker: evaluate one SYNTHETIC table."""

    synthetic: str
    generator: str
    """Seal of the table."""
    images: str
    """Folder of the PATCHES or SLICES table of the cohort."""
    images_digest: str
    """Digest of the images that are used; see `compared_images`."""
    folds: str | None
    out: str
    fidelity: FidelitySettings
    copies: CopySettings
    count: int
    features: str


@dataclass(frozen=True, kw_only=True)
class SyntheticForm:
    """Size and channels of the images of a table, as real images are read beside them."""

    resolution_px: int
    channels: int
    symmetry: ImageSymmetry = "none"


def evaluate_synthetic(task: SyntheticEvaluationTask) -> None:
    """Compare the images of a table with real ones, and write all figures and the gate record.

    Raises:
        TableError: there are no training images to compare with, or too few synthetic ones.
        LeakageError: the generator saw a validation patient of its fold.
    """
    record = read_generator(task.synthetic)
    images, total = synthetic_images(task.synthetic, task.count)
    form = SyntheticForm(resolution_px=images.shape[1], channels=images.shape[3])
    selection = selection_of_record(record, task.images, task.folds)
    train = real_images(task.images, record.idh, "train", form, selection)
    held_out = real_images(task.images, record.idh, "val", form, selection)
    if not train.names:
        raise TableError(
            f"{task.images}: no {record.idh} image of the patients whom {task.synthetic} names as "
            "its training patients; give the table that the generator was trained on"
        )
    extractor = extractor_of(task.features, "cuda" if torch.cuda.is_available() else "cpu")
    fidelity = evaluate(
        images,
        train.images,
        train.patients,
        extractor,
        task.fidelity,
        reference="training patients",
        channels=channel_names(task.images, form),
    )
    publish(join(task.out, "fidelity.csv"), csv_bytes(list(fidelity.rows())))
    write_realism(task.out, images, train, task.fidelity)
    embedding = embedding_of(task.images, train, extractor, form)
    gate = copies_gate(
        embedding.of_generated(images),
        embedding.of_real(train),
        embedding.of_real(held_out) if held_out.names else None,
        task.copies,
        form.symmetry,
    )
    verdict = with_declared_limits(gate, record, train, total)
    write_figures(task.out, gate, verdict, images, train)
    write_gate(task.synthetic, _gate_record(task, verdict, gate, extractor.name))


def synthetic_images(folder: str, count: int) -> tuple[ImageArray, int]:
    """First images of a SYNTHETIC table by index, and the number of all.

    Args:
        folder: SYNTHETIC folder.
        count: Most images that are read.

    Returns:
        (N, R, R, C) uint8, with one channel if all images are gray.

    Raises:
        TableError: images differ in size, or are not square.
    """
    listed = sorted(
        (int(index), path, row)
        for path in parts(folder)
        for row, index in enumerate(read_part(path, ["index"])["index"].to_pylist())
    )
    by_part: dict[str, list[tuple[int, int]]] = {}
    for place, (_, path, row) in enumerate(listed[:count]):
        by_part.setdefault(path, []).append((row, place))
    images: dict[int, NDArray[np.uint8]] = {}
    for path, places in by_part.items():
        cells = read_part(path, ["image"])["image"]
        for row, place in places:
            images[place] = decode(cells[row]["bytes"].as_py())
    shapes = {image.shape for image in images.values()}
    if len(shapes) != 1 or next(iter(shapes))[0] != next(iter(shapes))[1]:
        raise TableError(
            f"{folder}: images of {len(shapes)} sizes, or not square: {sorted(shapes)}"
        )
    stack = np.stack([images[place] for place in range(len(images))])
    is_gray = bool((stack == stack[..., :1]).all())
    return (stack[..., :1] if is_gray else stack), len(listed)


def selection_of_record(record: GeneratorRecord, images: str, folds: str | None) -> ImageSelection:
    """Roles of the cohort's patients for one generator.

    Those whom its record names train. Validation patients are those of its fold, or of the split
    of the table. For a generator that never saw the cohort, its training patients are the
    reference of fidelity.

    Raises:
        LeakageError: the record names a validation patient.
    """
    splits = patient_splits(images)
    roles = dict(splits)
    if folds is not None:
        all_folds = read_folds(folds)
        roles = all_folds.roles(record.fold or all_folds.numbers()[0])
    matched = same_patients(sorted(splits), record.patients)
    if both := [name for name in matched if roles.get(name) == "val"]:
        raise LeakageError(
            f"{images}: the generator saw {len(both)} validation patients, {both[0]} the first; "
            "train it on the training patients only"
        )
    held_out = {name: role for name, role in roles.items() if role == "val"}
    if record.patients:
        return ImageSelection(roles={**held_out, **dict.fromkeys(matched, "train")})
    train = {name: "train" for name in splits if roles.get(name, "") in ("train", "")}
    return ImageSelection(roles={**held_out, **train})


def compared_images(record: GeneratorRecord, images: str, folds: str | None) -> str:
    """Digest of the real images that an evaluation reads."""
    selection = selection_of_record(record, images, folds)
    read = [images_read(images, record.idh, split, selection) for split in ("train", "val")]
    return settings_hash(read)


def with_declared_limits(
    gate: Gate, record: GeneratorRecord, train: RealImages, total: int
) -> dict[str, Any]:
    """Verdict on the images of a table: what could not be compared, and copies that are in it.

    Args:
        gate: Verdict on the images that were compared.
        record: Record of the generator.
        train: Training images that they were compared with.
        total: Number of all images of the table.
    """
    verdict = gate.as_dict()
    notes, reasons = list(verdict["notes"]), list(verdict["reasons"])
    compared = int(verdict["figures"]["generated"])
    if compared < total:
        notes.append(f"Copies were looked for among {compared} of {total} images; give --count.")
    absent = len(record.patients) - len(set(train.patients))
    if not record.patients:
        notes.append("The images that the generator was trained on are not here: not compared.")
    elif absent > 0:
        notes.append(f"{absent} of its training patients have no image here: not compared.")
    copies = int(verdict["figures"]["copies"])
    if copies:
        reasons.append(
            f"{copies} of {compared} images are copies of training images (images.csv names them); "
            "remove them from the source and import it again."
        )
    return {**verdict, "notes": notes, "reasons": reasons, "passed": not reasons}


def _gate_record(
    task: SyntheticEvaluationTask, verdict: dict[str, Any], gate: Gate, extractor: str
) -> GateRecord:
    """Record of the verdict for the folder of the images."""
    return GateRecord(
        generator=task.generator,
        passed=verdict["passed"],
        reasons=tuple(verdict["reasons"]),
        images=task.images,
        images_digest=task.images_digest,
        features=task.features,
        extractor=extractor,
        psi=1.0,
        limits=gate.figures["limits"],
        evaluation=task.out,
        not_judged=tuple(verdict["notes"]),
    )
