"""Records of a generator: the patients and images it was trained on, and the verdict on its images.

A folder of SYNTHETIC images holds `_generator.json`, the record of the generator that made them,
and, if the generator was evaluated, `_gate.json`, the result of the test for copies and diversity.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal

from idhray.errors import LeakageError, StorageError
from idhray.storage import exists, join, publish_json, read_json

GateState = Literal["failed", "passed", "not judged"]
RecordSource = Literal["recorded", "declared"]
"""recorded: this package trained the generator and recorded its patients. declared: a person says
who they are."""
GENERATOR = "_generator.json"
GATE = "_gate.json"
CLASS_GATES = ("_gate-wildtype.json", "_gate-mutant.json")
"""Verdicts on the classes of one network, in the folder of its checkpoint."""


def patients_hash(patients: Iterable[str]) -> str:
    """Hash of a set of patients, 16 hex digits, independent of their order."""
    text = "\n".join(sorted(set(patients)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_list_of(patients: Iterable[str], trained_on: str, remaining: str | None) -> bool:
    """True if a record lists the patients that its hashes stand for.

    Args:
        patients: Patients of the record; withdrawn ones as keyed hashes, see `withdrawals.py`.
        trained_on: `patients_hash` at the time of the training.
        remaining: `patients_hash` of the list after the last withdrawal; None without one.
    """
    return patients_hash(patients) == (trained_on if remaining is None else remaining)


@dataclass(frozen=True, kw_only=True)
class GeneratorTable:
    """Images of one table that a generator was trained on."""

    digest: str
    """Seal of the table at the time of the training."""
    rows: str | None = None
    """Digest of the images that were used; None if unknown."""
    last_ranks: dict[str, int] | None = None
    """Largest rank of an image by patient, as `image_ranks` counts; None if unknown. A training
    takes the first images of each patient, so it is also their number."""


@dataclass(frozen=True, kw_only=True)
class GeneratorRecord:
    """Record of the generator that made a folder of synthetic images."""

    generator: str
    idh: str
    patients: tuple[str, ...]
    """All patients of its training set."""
    trained_on: str
    """`patients_hash` of `patients`, as they were at the training."""
    fold: int | None = None
    """Number of the fold whose training patients it was trained on; None without folds."""
    seed: int | None = None
    """Seed of its training; None if unknown."""
    weights: str | None = None
    """Digest of the weights that make its images; None if unknown."""
    tables: tuple[GeneratorTable, ...] | None = None
    """Images of its last training, and of earlier ones; None if unknown."""
    remaining: str | None = None
    """`patients_hash` of `patients` after a withdrawal, which turned names into keyed hashes; None
    if nobody withdrew."""
    image_digests: str | None = None
    """Digests of the pixels of all images that shaped it, from `packed_digests`; None if
    unknown."""
    ancestry: tuple[str, ...] = ()
    """Sentences on what is unknown of its ancestors."""
    conditional: bool = False
    """True if one network makes the images of both classes; `patients` are then those of both."""
    source: RecordSource = "recorded"
    declared_by: str = ""
    """Person who declares the patients of a generator of another program."""
    declared_on: str = ""
    """Day of this declaration, such as 2026-11-30."""

    @classmethod
    def of(
        cls,
        generator: str,
        idh: str,
        patients: Iterable[str],
        *,
        fold: int | None = None,
        seed: int | None = None,
        weights: str | None = None,
        tables: tuple[GeneratorTable, ...] | None = None,
        trained_on: str | None = None,
        image_digests: str | None = None,
        ancestry: Iterable[str] = (),
        conditional: bool = False,
    ) -> "GeneratorRecord":
        """Record of a generator that was trained on `patients`.

        `trained_on` is given for a checkpoint whose patients withdrew in part.
        """
        names = tuple(sorted(set(patients)))
        listed = patients_hash(names)
        return cls(
            generator=generator,
            idh=idh,
            patients=names,
            trained_on=trained_on or listed,
            fold=fold,
            seed=seed,
            weights=weights,
            tables=tables,
            remaining=None if trained_on in (None, listed) else listed,
            image_digests=image_digests,
            ancestry=tuple(ancestry),
            conditional=conditional,
        )

    def same_weights(self, other: "GeneratorRecord") -> bool:
        """True if both are of one checkpoint, or of checkpoints whose generators are equal."""
        equal = self.weights is not None and self.weights == other.weights
        return equal or self.generator == other.generator


@dataclass(frozen=True, kw_only=True)
class GateRecord:
    """Result of the test for copies and diversity, stored with a checkpoint and with its images."""

    generator: str
    """Seal of the checkpoint that was evaluated."""
    passed: bool
    reasons: tuple[str, ...]
    """Reasons why the generator failed."""
    images: str
    """Folder of its training images, in which copies are searched."""
    images_digest: str
    features: str
    """Feature extractor, as given by the flag `features`."""
    extractor: str
    """Network of the feature extractor, and a digest of its weights."""
    psi: float
    """Truncation of the images that were evaluated; images of a lower psi vary less."""
    limits: dict[str, float]
    """Distances below which an image is a copy."""
    evaluation: str
    """Folder of the evaluation's figures."""
    pretraining: tuple[dict[str, Any], ...] = ()
    """Tables of earlier trainings in which copies are searched, too: folder, digest, idh, and the
    patients if that training took those of a fold."""
    not_judged: tuple[str, ...] = ()
    """One sentence for each test that could not be made; none in records of earlier versions."""

    @property
    def state(self) -> GateState:
        """Result in words."""
        return gate_state(passed=self.passed, not_judged=self.not_judged)


def gate_state(*, passed: bool, not_judged: Sequence[str]) -> GateState:
    """Result of the test for copies and diversity: nothing passed where a test was not made.

    Args:
        passed: No test failed.
        not_judged: One sentence for each test that could not be made.
    """
    if not passed:
        return "failed"
    return "not judged" if not_judged else "passed"


def gate_path(folder: str, idh: str | None = None) -> str:
    """File of a gate record; a checkpoint of both classes has one for each class `idh`."""
    return join(folder, GATE if idh is None else f"_gate-{idh}.json")


def write_gate(folder: str, record: GateRecord, idh: str | None = None) -> None:
    """Write the gate record of a generator into a folder, at its `gate_path`."""
    publish_json(gate_path(folder, idh), asdict(record))


def read_gate(folder: str, idh: str | None = None) -> GateRecord | None:
    """Gate record in a folder, or None if the generator was not evaluated.

    Args:
        folder: Folder of a checkpoint or of its images.
        idh: Class of a checkpoint of both classes.

    Raises:
        StorageError: The file is not a gate record.
    """
    path = gate_path(folder, idh)
    if not exists(path):
        return None
    values = read_json(path)
    if {*values, "not_judged"} != {field.name for field in fields(GateRecord)}:
        raise StorageError(f"{path}: not a gate record; run `idhray evaluate-gan` again")
    names = ("reasons", "pretraining", "not_judged")
    lists = {name: tuple(values.get(name, ())) for name in names}
    return GateRecord(**{**values, **lists})


def write_generator(folder: str, record: GeneratorRecord) -> None:
    """Write the generator record into a folder of synthetic images."""
    publish_json(join(folder, GENERATOR), asdict(record))


def read_generator(folder: str) -> GeneratorRecord:
    """Generator record of a folder of synthetic images.

    Raises:
        LeakageError: There is no record, or its hash does not match its patients.
        StorageError: The file is not a generator record.
    """
    path = join(folder, GENERATOR)
    if not exists(path):
        raise LeakageError(
            f"{folder}: no {GENERATOR}, so the training patients of its generator are unknown; "
            "make the images with `idhray synthesize`"
        )
    values = read_json(path)
    optional = {field.name for field in fields(GeneratorRecord) if field.default is not MISSING}
    required = {field.name for field in fields(GeneratorRecord)} - optional
    if set(values) - optional != required or not isinstance(values["patients"], list):
        raise StorageError(f"{path}: needs {', '.join(sorted(required))}; synthesize again")
    tables = values.get("tables")
    changes = {
        "patients": tuple(values["patients"]),
        "ancestry": tuple(values.get("ancestry", ())),
        "tables": None if tables is None else tuple(GeneratorTable(**table) for table in tables),
    }
    record = GeneratorRecord(**{**values, **changes})
    if not is_list_of(record.patients, record.trained_on, record.remaining):
        raise LeakageError(
            f"{path}: trained_on is {record.trained_on}, but the hash of its "
            f"{len(record.patients)} patients is {patients_hash(record.patients)}; the list was "
            "changed: synthesize again"
        )
    return record
