"""Which patients a generator saw, and the refusal of sets in which patients would meet.

A folder of SYNTHETIC images holds `_generator.json`, the record of the generator that made them,
and `_gate.json`, whether that one copies, if it was judged.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

from idhray.errors import LeakageError, StorageError
from idhray.storage import exists, join, publish_json, read_json
from idhray.tables import parts, read_part

logger = logging.getLogger(__name__)

GENERATOR = "_generator.json"
GATE = "_gate.json"
SHOWN = 5  # patients that a message names


def patients_hash(patients: Iterable[str]) -> str:
    """16 hex digits of a set of patients, whatever their order."""
    text = "\n".join(sorted(set(patients)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class GeneratorRecord:
    """What is known of the generator that made a folder of synthetic images."""

    generator: str
    idh: str
    patients: tuple[str, ...]
    """All patients that it saw in training."""
    trained_on: str
    """`patients_hash` of them."""

    @classmethod
    def of(cls, generator: str, idh: str, patients: Iterable[str]) -> "GeneratorRecord":
        """The record of a generator that was trained on `patients`."""
        names = tuple(sorted(set(patients)))
        return cls(generator=generator, idh=idh, patients=names, trained_on=patients_hash(names))


@dataclass(frozen=True, kw_only=True)
class GateRecord:
    """What an evaluation found of a generator, beside its checkpoint and beside its images."""

    generator: str
    """Seal of the checkpoint that was judged."""
    passed: bool
    reasons: tuple[str, ...]
    """Why it failed."""
    images: str
    """The images that it was trained on, in which copies are looked for."""
    images_digest: str
    features: str
    """What made features of images, as a flag says it."""
    extractor: str
    """The network that it was, and a digest of its weights."""
    psi: float
    """Truncation of the images that were judged; below it they vary less."""
    limits: dict[str, float]
    """Below these distances an image is a copy."""
    evaluation: str
    """Folder of the figures."""
    pretraining: tuple[dict[str, str], ...] = ()
    """Tables of earlier trainings in which copies are looked for, too: folder, digest and idh."""


def write_gate(folder: str, record: GateRecord) -> None:
    """Put the verdict on a generator into a folder."""
    publish_json(join(folder, GATE), asdict(record))


def read_gate(folder: str) -> GateRecord | None:
    """The verdict in a folder; None where nobody judged.

    Raises:
        StorageError: it is none.
    """
    path = join(folder, GATE)
    if not exists(path):
        return None
    values = read_json(path)
    if set(values) != {field.name for field in fields(GateRecord)}:
        raise StorageError(f"{path}: no verdict on a generator; run `idhray evaluate-gan` again")
    lists = {name: tuple(values[name]) for name in ("reasons", "pretraining")}
    return GateRecord(**{**values, **lists})


def refuse_failed(synthetic: Sequence[str], *, allowed: bool) -> None:
    """Refuse images of a generator that copies or repeats itself; warn where nobody judged it.

    Args:
        synthetic: SYNTHETIC folders.
        allowed: Take those of a generator that failed.

    Raises:
        LeakageError: a generator failed, and that is not allowed.
    """
    for folder in synthetic:
        gate = read_gate(folder)
        if gate is None:
            logger.warning("%s: nobody looked for copies (`idhray evaluate-gan`)", folder)
        elif not gate.passed and not allowed:
            raise LeakageError(
                f"{folder}: its generator failed the test for copies and diversity "
                f"({' '.join(gate.reasons)} See {gate.evaluation}); train another one, or "
                "take its images all the same with --allow-failed-gan"
            )


def write_generator(folder: str, record: GeneratorRecord) -> None:
    """Put the record into a folder of synthetic images."""
    publish_json(join(folder, GENERATOR), asdict(record))


def read_generator(folder: str) -> GeneratorRecord:
    """The record of a folder of synthetic images.

    Raises:
        LeakageError: there is none, or its hash is not that of its patients.
        StorageError: it is no such record.
    """
    path = join(folder, GENERATOR)
    if not exists(path):
        raise LeakageError(
            f"{folder}: no {GENERATOR}, so nobody can tell which patients its generator saw; "
            "make the images with `idhray synthesize`"
        )
    values = read_json(path)
    names = {field.name for field in fields(GeneratorRecord)}
    if set(values) != names or not isinstance(values["patients"], list):
        raise StorageError(f"{path}: needs {', '.join(sorted(names))}; synthesize again")
    record = GeneratorRecord(**{**values, "patients": tuple(values["patients"])})
    if record.trained_on != patients_hash(record.patients):
        raise LeakageError(
            f"{path}: trained_on is {record.trained_on}, but its {len(record.patients)} patients "
            f"make {patients_hash(record.patients)}; the list was changed: synthesize again"
        )
    return record


def patient_splits(images: str) -> dict[str, str]:
    """The split of every patient of a PATCHES or SLICES folder.

    Raises:
        LeakageError: a patient is in two splits or has two labels.
    """
    splits, labels = defaultdict(set), defaultdict(set)
    for path in parts(images):
        table = read_part(path, ["patient", "split", "idh"])
        for row in table.group_by(table.column_names).aggregate([]).to_pylist():
            splits[row["patient"]].add(row["split"] or "")
            labels[row["patient"]].add(row["idh"] or "")
    for what, found in (("split", splits), ("label", labels)):
        if torn := sorted(patient for patient, values in found.items() if len(values) > 1):
            values = ", ".join(sorted(found[torn[0]]))
            raise LeakageError(
                f"{images}: more than one {what} for {_named(torn)} ({torn[0]}: {values}); "
                "make the table anew from one manifest"
            )
    return {patient: next(iter(values)) for patient, values in splits.items()}


def refuse_leaks(images: str, synthetic: Sequence[str]) -> list[GeneratorRecord]:
    """The records of the synthetic folders, if a classifier may be trained on `images` with them.

    Args:
        images: A PATCHES or SLICES folder with all its splits.
        synthetic: SYNTHETIC folders.

    Raises:
        LeakageError: a patient of `images` is in two splits or has two labels; a generator saw a
            patient that is not in the training split; or its record does not fit its images.
    """
    held_out = {name: split for name, split in patient_splits(images).items() if split != "train"}
    records = []
    for folder in synthetic:
        record = read_generator(folder)
        if seen := sorted(set(record.patients) & set(held_out)):
            raise LeakageError(
                f"{folder}: its generator saw {len(seen)} patients that {images} keeps for "
                f"validation or test: {_named(seen)} ({seen[0]}: {held_out[seen[0]]}); train the "
                "generator on the training split only"
            )
        _check_rows(folder, record)
        records.append(record)
    return records


def _check_rows(folder: str, record: GeneratorRecord) -> None:
    """Refuse images that the generator of the record did not make."""
    for path in parts(folder):
        table = read_part(path, ["trained_on", "idh"])
        if others := sorted(set(table["trained_on"].to_pylist()) - {record.trained_on}, key=str):
            raise LeakageError(
                f"{path}: images of a generator trained on {others[0]}, but {GENERATOR} lists the "
                f"patients of {record.trained_on}; synthesize again"
            )
        if others := sorted(set(table["idh"].to_pylist()) - {record.idh}, key=str):
            raise LeakageError(
                f"{path}: images labeled {others[0]!r} of a generator of {record.idh!r}; "
                "synthesize again"
            )


def _named(patients: Sequence[str]) -> str:
    more = f" and {len(patients) - SHOWN} more" if len(patients) > SHOWN else ""
    return ", ".join(patients[:SHOWN]) + more
