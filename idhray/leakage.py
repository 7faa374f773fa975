"""Refusal of training sets by which held-out patients or bad images would reach a classifier.

Every training of a classifier passes its synthetic images through `refuse_leaks_of_roles`.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from idhray.errors import LeakageError
from idhray.generator_records import GENERATOR, GeneratorRecord, read_gate, read_generator
from idhray.table_parts import parts, read_part
from idhray.withdrawals import with_names, without_tokens

logger = logging.getLogger(__name__)

MAX_NAMES = 5  # patients that a message names


def refuse_failed(synthetic: Sequence[str], *, allowed: bool) -> None:
    """Refuse images of a generator that failed its gate; warn if it was not evaluated.

    Args:
        synthetic: SYNTHETIC folders.
        allowed: Accept images of a generator that failed.

    Raises:
        LeakageError: A generator failed, and this is not allowed.
    """
    for folder in synthetic:
        gate = read_gate(folder)
        if gate is None:
            logger.warning("%s: not tested for copies; run `idhray evaluate-gan`", folder)
        elif not gate.passed and not allowed:
            raise LeakageError(
                f"{folder}: its generator failed the test for copies and diversity "
                f"({' '.join(gate.reasons)} See {gate.evaluation}); train another one, or "
                "use its images anyway with --allow-failed-gan"
            )


def patient_splits(images: str) -> dict[str, str]:
    """Split of every patient of a PATCHES or SLICES folder.

    Raises:
        LeakageError: A patient is in two splits or has two labels.
    """
    splits, labels = defaultdict(set), defaultdict(set)
    for path in parts(images):
        table = read_part(path, ["patient", "split", "idh"])
        for row in table.group_by(table.column_names).aggregate([]).to_pylist():
            splits[row["patient"]].add(row["split"] or "")
            labels[row["patient"]].add(row["idh"] or "")
    for noun, by_patient in (("split", splits), ("label", labels)):
        if torn := sorted(patient for patient, values in by_patient.items() if len(values) > 1):
            values = ", ".join(sorted(by_patient[torn[0]]))
            raise LeakageError(
                f"{images}: more than one {noun} for {_listed(torn)} ({torn[0]}: {values}); "
                "make the table again from one manifest"
            )
    return {patient: next(iter(values)) for patient, values in splits.items()}


def refuse_leaks(images: str, synthetic: Sequence[str]) -> list[GeneratorRecord]:
    """`refuse_leaks_of_roles` with the splits of a table as roles.

    Args:
        images: PATCHES or SLICES folder with all its splits.
        synthetic: SYNTHETIC folders.

    Returns:
        Generator records of the synthetic folders.

    Raises:
        LeakageError: A patient of `images` is in two splits or has two labels; or a folder is
            refused by `refuse_leaks_of_roles`.
    """
    return refuse_leaks_of_roles(patient_splits(images), synthetic, cohort=images)


def refuse_leaks_of_roles(
    roles: Mapping[str, str], synthetic: Sequence[str], *, cohort: str = "this fold"
) -> list[GeneratorRecord]:
    """Refuse synthetic images by which held-out patients would reach the training of a classifier.

    Patients of a generator without a role, such as those of an earlier training, are no reason to
    refuse it; one warning per folder counts them.

    Args:
        roles: Role of each patient: train; any other one, such as val and test, is held out.
        synthetic: SYNTHETIC folders.
        cohort: Name of the patients with roles, for the messages.

    Returns:
        Generator records of the synthetic folders.

    Raises:
        LeakageError: A generator was trained on a held-out patient, or its record is missing or
            does not fit its images.
    """
    records = []
    for folder in synthetic:
        record = read_generator(folder)
        patients = with_names(folder, record.patients, roles)
        held_out = [name for name in patients if roles.get(name, "train") != "train"]
        if held_out:
            raise LeakageError(
                f"{folder}: its generator was trained on patients that {cohort} holds out for "
                f"validation or test, {len(held_out)} in all: {_listed(held_out)} "
                f"({held_out[0]}: {roles[held_out[0]]}); train the generator on the training "
                "patients only"
            )
        if unnamed := [name for name in without_tokens(patients) if name not in roles]:
            logger.warning(
                "%s: its generator was also trained on %d patients that %s does not name (%s)",
                folder,
                len(unnamed),
                cohort,
                _listed(unnamed),
            )
        _check_rows(folder, record)
        records.append(record)
    return records


@dataclass(frozen=True, kw_only=True)
class SuitableGenerators:
    """SYNTHETIC folders, sorted by whether a fold may use their images."""

    records: dict[str, GeneratorRecord]
    """Record of each folder whose generator never saw a held-out patient of the fold."""
    refusals: dict[str, str]
    """Reason for each other folder, in one line that names it."""


def suitable_generators(roles: Mapping[str, str], folders: Sequence[str]) -> SuitableGenerators:
    """Folders of synthetic images that may serve a fold, and the reasons why others may not.

    Args:
        roles: Role of each patient in the fold: train, val or test.
        folders: SYNTHETIC folders, of any fold.
    """
    records, refusals = {}, {}
    for folder in folders:
        try:
            (records[folder],) = refuse_leaks_of_roles(roles, [folder])
        except LeakageError as error:
            refusals[folder] = str(error)
    return SuitableGenerators(records=records, refusals=refusals)


def refuse_equal_weights(records: Mapping[str, GeneratorRecord]) -> None:
    """Refuse two generators of one class and fold that are the same: one luck would count twice.

    Args:
        records: Generator record of each SYNTHETIC folder.

    Raises:
        LeakageError: Two generators of one class and fold have equal weights.
    """
    for (first, record), (second, other) in itertools.combinations(records.items(), 2):
        if (record.idh, record.fold) == (other.idh, other.fold) and record.same_weights(other):
            fold = "" if record.fold is None else f", fold {record.fold}"
            raise LeakageError(
                f"{first} and {second}: two generators with equal weights ({record.idh}{fold}); "
                "train the second one with another seed, or leave its images out"
            )


def _check_rows(folder: str, record: GeneratorRecord) -> None:
    """Refuse images that were not made by the generator of the record."""
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


def _listed(patients: Sequence[str]) -> str:
    more = f" and {len(patients) - MAX_NAMES} more" if len(patients) > MAX_NAMES else ""
    return ", ".join(patients[:MAX_NAMES]) + more
