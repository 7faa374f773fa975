"""Listing of an import: the images of a source in chunks, each with its patient and split."""

import logging
import os
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import LABELS, SPLITS, read_manifest
from idhray.cohorts.modality import COHORT, with_earlier_split, with_slides, with_split_if_enough
from idhray.cohorts.slide_names import row_slide_name
from idhray.errors import LeakageError, ManifestError, StorageError, TableError
from idhray.exchange.files import mark
from idhray.exchange.patients import People
from idhray.exchange.proposals import proposed_pattern
from idhray.exchange.rows import size_of
from idhray.exchange.sample import PLACE, ByteRange, Reader, Sample
from idhray.exchange.selection import NameSelection

logger = logging.getLogger(__name__)

IMAGES_PER_CHUNK = 256
ORIGIN = ("slide", "patient", "split", "idh")
LISTED = (*ORIGIN, "study", *PLACE)
ALL_NAMES = NameSelection()
EXAMPLES = 10  # images that a message names, or that are tried


@dataclass(frozen=True, kw_only=True)
class ListedImage:
    """One image of a source that belongs to a patient of the manifest."""

    name: str
    """Name in its shard."""
    patient: str
    metadata: dict[str, Any]
    """The metadata of `LISTED` that its file has."""
    span: ByteRange | None
    """Place of its bytes in the shard, if they can be read without the rest."""
    mark: str
    """Mark of its file, if the image has a file of its own; see `files.mark`."""
    slide: str = ""
    """Slide that it names; "" if it names none."""
    rank: int | None = None
    """Rank among the tiles of its slide, if its file names one."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some images of one shard, or a shard that cannot be read."""

    shard: str
    """Path of the shard."""
    name: str
    """Path of the shard in its source; "" for the source itself."""
    first: int = 0
    """Number of the first image among those of the shard."""
    images: tuple[ListedImage, ...] = ()
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Patient -> IDH status and split."""
    mark: str = ""
    """Mark of the shard; see `files.mark`."""
    broken: bool = False
    """True if the shard cannot be read; there are no images then."""

    @property
    def identities(self) -> list[list[Any]]:
        """Name, patient, metadata and place of each image: the values that a digest covers."""
        return [[image.name, image.patient, image.metadata, image.span] for image in self.images]


def cohort_with_split(
    manifest: str, seed: int, earlier: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The manifest with a split. If it names slides, a drawn split is that of `tile_slides`.

    Fewer than 3 patients of a label leave the split empty, which is logged.

    Args:
        manifest: Path of the manifest.
        seed: Seed of a split that is drawn.
        earlier: Cohort of an earlier run, whose patients keep their split; None without one.

    Raises:
        ManifestError: the manifest contradicts itself.
    """
    cohort = with_earlier_split(read_manifest(manifest), earlier)
    if (cohort["split"] != "").all():
        return cohort
    if (cohort["split"] == "").all():
        logger.warning(
            "%s: no split; one is drawn with seed %d. If these patients were split before, give "
            "the manifest of that time, such as TILES/%s",
            *(manifest, seed, COHORT),
        )
    has_slides = bool((cohort["slide"] != "").any())
    placed = with_slides(cohort, manifest) if has_slides else cohort
    return with_split_if_enough(placed, seed, manifest)


def chunks_of(
    source: str,
    reader: Reader,
    cohort: pd.DataFrame,
    manifest: str,
    pattern: str | None,
    *,
    selection: NameSelection = ALL_NAMES,
) -> list[Chunk]:
    """The images of every shard in chunks, each image with its patient.

    Args:
        source: Path of the source.
        reader: Reader of its format.
        cohort: Rows of the manifest, with a split.
        manifest: Path of the manifest, for messages.
        pattern: Regular expression for the patient or slide in an image's name.
        selection: Choice of images by their names.

    Raises:
        ManifestError: images belong to no patient, or their label is not that of the manifest.
        LeakageError: images name another split than the manifest.
        StorageError: there are no images.
    """
    slides = {row_slide_name(row): row["patient"] for row in _rows_with_slide(cohort)}
    people = People.of(slides, set(cohort["patient"]))
    statuses = _statuses(cohort)
    chunks: list[Chunk] = []
    unmatched: list[str] = []
    names: list[str] = []
    for shard in reader.files(source):
        name = os.path.relpath(shard, source).removeprefix(".")
        try:
            listed = _samples(shard, reader, people, pattern)
        except TableError as error:
            logger.warning("%s", error)
            chunks.append(Chunk(shard=shard, name=name, broken=True))
            continue
        names += [sample.name for sample, _ in listed]
        samples = [pair for pair in listed if selection.admits(pair[0].name)]
        unmatched += [f"{name}#{sample.name}" for sample, patient in samples if patient is None]
        images = [
            _listed(sample, patient, people) for sample, patient in samples if patient is not None
        ]
        for sample, patient in samples:
            if patient is not None:
                _check_consistent(
                    f"{shard}: {sample.name}", sample.metadata, patient, *statuses[patient]
                )
        chunks += _chunks_of_shard(shard, name, images, statuses)
    selection.refuse_unused(names, source)
    if unmatched:
        raise ManifestError(_unmatched_message(source, manifest, unmatched, [*cohort["patient"]]))
    if not chunks:
        raise StorageError(f"{source}: no images there")
    return chunks


def _unmatched_message(
    source: str, manifest: str, unmatched: list[str], patients: list[str]
) -> str:
    """Message on images without a patient, with a pattern that would find one, if there is one."""
    examples = "\n  ".join(unmatched[:EXAMPLES])
    advice = (
        "add their patients, leave the images out by --exclude, or say by --patient-pattern where "
        "the name stands (P1-3 is not taken for P1)"
    )
    if proposal := proposed_pattern([name.split("#", 1)[-1] for name in unmatched], patients):
        advice = (
            f"--patient-pattern '{proposal.pattern}' finds one in {proposal.matched} of them "
            f"({proposal.example[0]} for {proposal.example[1]}); or {advice}"
        )
    return (
        f"{source}: {len(unmatched)} images match no patient or slide of {manifest}; {advice}:\n  "
        f"{examples}"
    )


def _chunks_of_shard(
    shard: str, name: str, images: list[ListedImage], statuses: dict[str, tuple[str, str]]
) -> list[Chunk]:
    """The images of one shard, `IMAGES_PER_CHUNK` at a time."""
    shard_mark = mark(shard)
    starts = range(0, len(images), IMAGES_PER_CHUNK)
    parts = [images[first : first + IMAGES_PER_CHUNK] for first in starts]
    return [
        Chunk(
            shard=shard,
            name=name,
            first=first,
            images=tuple(part),
            people={image.patient: statuses[image.patient] for image in part},
            mark=shard_mark,
        )
        for first, part in zip(starts, parts, strict=True)
    ]


def _statuses(cohort: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Patient -> IDH status and split."""
    patients = cohort.drop_duplicates("patient")
    columns = (patients[name] for name in ("patient", "idh", "split"))
    return {patient: (idh, split) for patient, idh, split in zip(*columns, strict=True)}


def _samples(
    shard: str, reader: Reader, people: People, pattern: str | None
) -> list[tuple[Sample, str | None]]:
    """The images of a shard with their patients."""
    samples = []
    for sample in reader.listing(shard):
        # Records have numbers; their file is named after the slide.
        name = os.path.basename(shard) if sample.name.isdecimal() else sample.name
        samples.append((sample, people.patient(name, sample.metadata, pattern)))
    return samples


def _listed(sample: Sample, patient: str, people: People) -> ListedImage:
    rank = str(sample.metadata.get("rank", ""))
    return ListedImage(
        name=sample.name,
        patient=patient,
        metadata={name: sample.metadata[name] for name in LISTED if name in sample.metadata},
        span=sample.span,
        mark=sample.mark,
        slide=str(sample.metadata.get("slide") or people.slide(sample.name, patient)),
        rank=int(rank) if rank.isdecimal() else None,
    )


def _rows_with_slide(cohort: pd.DataFrame) -> list[dict[Any, Any]]:
    return [row for row in cohort.to_dict("records") if row["slide"]]


def _check_consistent(
    location: str, metadata: dict[str, Any], patient: str, idh: str, split: str
) -> None:
    """Refuse an image whose file names another split or label than the manifest."""
    if metadata.get("split") in SPLITS and metadata["split"] != split:
        raise LeakageError(
            f"{location} says that {patient} is in {metadata['split']}, the manifest (or the split "
            f"drawn for it) has {split}; write the split of its first study into the manifest"
        )
    if metadata.get("idh") in LABELS and idh and metadata["idh"] != idh:
        raise ManifestError(f"{location} is labeled {metadata['idh']}, the manifest has {idh}")


def first_side(chunks: list[Chunk], reader: Reader) -> int:
    """Side in pixels of the first image that can be opened.

    Raises:
        StorageError: no image can be opened.
    """
    for chunk in chunks:
        for image in chunk.images[:EXAMPLES]:
            try:
                for sample in reader.images(chunk.shard, {image.name: image.span}):
                    return size_of(sample.data)[0]
            except TableError:
                continue
    raise StorageError("none of the images can be opened; is it the right --format?")
