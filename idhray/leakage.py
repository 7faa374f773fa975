"""Refusal of training sets by which held-out patients or bad images would reach a classifier.

Every training and every prediction passes `assert_untouched`. The patients and images that it holds
out may not be among those of any ancestor: training set, generators, weights and encoders.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from idhray.ancestry import Ancestor, ancestor_of_record, joined_remarks
from idhray.errors import LeakageError
from idhray.generator_records import GENERATOR, GeneratorRecord, read_gate, read_generator
from idhray.patients import same_patients, shown
from idhray.table_fingerprints import TableFingerprints, table_fingerprints
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


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Patients and images that no ancestor may have seen."""

    cohort: str
    """Name of what holds them out, such as `fold 2 of FILE`, for messages."""
    roles: Mapping[str, str]
    """Role of each of these patients: val or test."""
    images: TableFingerprints | None = None
    """Fingerprints of their images; None if they are out of reach, such as for a report."""
    table: TableFingerprints | None = None
    """Fingerprints of all images of the table that they are in."""
    purpose: str = "holds out for validation or test"

    @classmethod
    def of_roles(
        cls, roles: Mapping[str, str], images: TableFingerprints | None, cohort: str
    ) -> "HeldOut":
        """Patients of a fold or split who are not trained on.

        Args:
            roles: Role of each patient: train; any other one is held out, "" is none.
            images: Fingerprints of all images of the table.
            cohort: Name of the patients with roles.
        """
        held_out = {name: role for name, role in roles.items() if role not in ("train", "")}
        selected = None if images is None else images.of_patients(held_out)
        return cls(cohort=cohort, roles=held_out, images=selected, table=images)


def assert_untouched(held_out: HeldOut, ancestors: Sequence[Ancestor]) -> tuple[str, ...]:
    """The only door to every training and prediction: no ancestor saw what is held out.

    Patients are compared by their canonical key, images by the digest of their pixels, so neither
    another spelling nor a pseudonym passes.

    Args:
        held_out: Patients and images of validation and test.
        ancestors: Training set, generators, weights and encoders that the result descends from.

    Returns:
        Sentences on ancestors of which something is unknown. They stop nothing; verdict, card and
        report repeat them.

    Raises:
        LeakageError: an ancestor saw a held-out patient or image, or a held-out image lies under
            two patients.
    """
    _refuse_torn_images(held_out)
    for ancestor in ancestors:
        _refuse_seen_patients(held_out, ancestor)
        _refuse_seen_images(held_out, ancestor)
    return tuple(joined_remarks(ancestors))


def _refuse_seen_patients(held_out: HeldOut, ancestor: Ancestor) -> None:
    patients = with_names(ancestor.folder, ancestor.patients or (), held_out.roles)
    others = same_patients(sorted(held_out.roles), patients)
    if not others:
        return
    written = [
        shown(name) if name == other else f"{shown(name)} (there {shown(other)})"
        for name, other in others.items()
    ]
    first = next(iter(others))
    raise LeakageError(
        f"{ancestor.name} {ancestor.verb} patients that {held_out.cohort} {held_out.purpose}, "
        f"{len(others)} in all: {_listed(written)} ({shown(first)}: {held_out.roles[first]}); "
        f"{ancestor.advice}"
    )


def _refuse_seen_images(held_out: HeldOut, ancestor: Ancestor) -> None:
    images = held_out.images
    if images is None or ancestor.digests is None or not len(images):
        return
    places = np.flatnonzero(np.isin(images.pixels, ancestor.digests))
    if len(places):
        patients = sorted({str(name) for name in images.patients[places]})
        raise LeakageError(
            f"{ancestor.name} {ancestor.verb} images that {held_out.cohort} {held_out.purpose} "
            f"under another name, {len(places)} in all, of {_listed(patients)} "
            f"({images.place(int(places[0]))}): the pixels are equal; {ancestor.advice}, and give "
            "each patient one name in all tables"
        )


def _refuse_torn_images(held_out: HeldOut) -> None:
    if held_out.table is None:
        return
    pairs = [
        pair
        for pair in shared_images(held_out.table)
        if pair[0] in held_out.roles or pair[2] in held_out.roles
    ]
    if pairs:
        raise LeakageError(shared_text(held_out.cohort, pairs))


def refuse_shared_images(folder: str) -> None:
    """Refuse a table in which one image lies under two patients, whatever their roles are.

    Raises:
        LeakageError: naming both patients and the places of both images.
    """
    if pairs := shared_images(table_fingerprints(folder)):
        raise LeakageError(shared_text(folder, pairs))


def shared_text(cohort: str, pairs: Sequence[tuple[str, str, str, str]]) -> str:
    """Message on images that lie under two patients, from `shared_images`."""
    first, first_place, second, second_place = pairs[0]
    return (
        f"{cohort}: the same image lies under two patients, {shown(first)} ({first_place}) and "
        f"{shown(second)} ({second_place}), {len(pairs)} such images in all; find out whose it is "
        "and remove the other rows, or give one person one name"
    )


def shared_images(images: TableFingerprints) -> list[tuple[str, str, str, str]]:
    """Images with equal pixels of different patients: patient and place of both, once each."""
    order = np.argsort(images.pixels, kind="stable")
    pixels, patients = images.pixels[order], images.patients[order]
    same = np.flatnonzero((pixels[1:] == pixels[:-1]) & (patients[1:] != patients[:-1]))
    return [
        (
            *(str(patients[k]), images.place(int(order[k]))),
            *(str(patients[k + 1]), images.place(int(order[k + 1]))),
        )
        for k in same
    ]


def training_set(
    roles: Mapping[str, str], images: TableFingerprints | None, cohort: str
) -> Ancestor:
    """The training patients of a fold or split, who are an ancestor of what is trained on them."""
    names = tuple(sorted(name for name, role in roles.items() if role == "train"))
    digests = None if images is None else np.unique(images.of_patients(names).pixels)
    return Ancestor(
        name=f"{cohort}: the training set",
        patients=names,
        digests=np.zeros(0, np.uint64) if digests is None else digests,
        verb="holds",
        advice="find out whose they are",
    )


def refuse_leaks(
    images: str, synthetic: Sequence[str], weights: Sequence[Ancestor] = ()
) -> list[GeneratorRecord]:
    """`refuse_leaks_of_roles` with the splits of a table as roles.

    Args:
        images: PATCHES or SLICES folder with all its splits.
        synthetic: SYNTHETIC folders.
        weights: Ancestors of the weights that a training starts from.

    Returns:
        Generator records of the synthetic folders.

    Raises:
        LeakageError: A patient of `images` is in two splits or has two labels; or a folder is
            refused by `refuse_leaks_of_roles`.
    """
    splits, fingerprints = patient_splits(images), table_fingerprints(images)
    return refuse_leaks_of_roles(
        splits, synthetic, cohort=images, images=fingerprints, weights=weights
    )


def refuse_leaks_of_roles(
    roles: Mapping[str, str],
    synthetic: Sequence[str],
    *,
    cohort: str = "this fold",
    images: TableFingerprints | None = None,
    weights: Sequence[Ancestor] = (),
) -> list[GeneratorRecord]:
    """Refuse ancestors by which held-out patients would reach the training of a classifier.

    Patients of a generator without a role, such as those of an earlier training, are no reason to
    refuse it; one warning per folder counts them.

    Args:
        roles: Role of each patient: train; any other one, such as val and test, is held out.
        synthetic: SYNTHETIC folders.
        cohort: Name of the patients with roles, for the messages.
        images: Fingerprints of all images of the table.
        weights: Ancestors of the weights that a training starts from.

    Returns:
        Generator records of the synthetic folders.

    Raises:
        LeakageError: `assert_untouched` refuses the training set, a generator or the weights; a
            record is missing or does not fit its images; a patient's image is synthetic.
    """
    held_out = HeldOut.of_roles(roles, images, cohort)
    assert_untouched(held_out, [training_set(roles, images, cohort), *weights])
    records = []
    for folder in synthetic:
        record = read_generator(folder)
        assert_untouched(held_out, [ancestor_of_record(folder, record)])
        _refuse_synthetic_patients(folder, images, cohort)
        _warn_of_unnamed(folder, record, roles, cohort)
        _check_rows(folder, record)
        records.append(record)
    return records


def _refuse_synthetic_patients(folder: str, images: TableFingerprints | None, cohort: str) -> None:
    """Refuse images of a SYNTHETIC folder under the name of a patient, held out or not."""
    if images is not None:
        real = HeldOut(cohort=cohort, roles={}, images=images, purpose="lists as a patient's")
        generated = Ancestor(
            name=f"{folder}: the generator",
            patients=(),
            digests=np.unique(table_fingerprints(folder).pixels),
            verb="made",
            advice="remove them from the table",
        )
        _refuse_seen_images(real, generated)


def _warn_of_unnamed(
    folder: str, record: GeneratorRecord, roles: Mapping[str, str], cohort: str
) -> None:
    patients = with_names(folder, record.patients, roles)
    if unnamed := [name for name in without_tokens(patients) if name not in roles]:
        logger.warning(
            "%s: its generator was also trained on %d patients that %s does not name (%s)",
            *(folder, len(unnamed), cohort, _listed(unnamed)),
        )


@dataclass(frozen=True, kw_only=True)
class SuitableGenerators:
    """SYNTHETIC folders, sorted by whether a fold may use their images."""

    records: dict[str, GeneratorRecord]
    """Record of each folder whose generator never saw a held-out patient of the fold."""
    refusals: dict[str, str]
    """Reason for each other folder, in one line that names it."""


def suitable_generators(
    roles: Mapping[str, str], folders: Sequence[str], images: TableFingerprints | None = None
) -> SuitableGenerators:
    """Folders of synthetic images that may serve a fold, and the reasons why others may not.

    Args:
        roles: Role of each patient in the fold: train, val or test.
        folders: SYNTHETIC folders, of any fold.
        images: Fingerprints of all images of the cohort.
    """
    records, refusals = {}, {}
    for folder in folders:
        try:
            (records[folder],) = refuse_leaks_of_roles(roles, [folder], images=images)
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
