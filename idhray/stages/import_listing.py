"""What an import finds: the images of a source in chunks, each with its patient and split."""

import logging
import os
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import LABELS, SPLITS, read_manifest, slide_name, with_split
from idhray.errors import LeakageError, ManifestError, StorageError, TableError
from idhray.exchange.files import mark
from idhray.exchange.patients import People
from idhray.exchange.rows import size_of
from idhray.exchange.sample import PLACE, Reader, Sample
from idhray.stages.tile_slides import COHORT, with_slides

logger = logging.getLogger(__name__)

CHUNK = 256  # images of a part
WHOSE = ("slide", "patient", "split", "idh")
SAID = (*WHOSE, "study", *PLACE)
SHOWN = 10  # images that a message names, or that are tried

Chunk = dict[str, Any]


def cohort_with_split(manifest: str, seed: int) -> pd.DataFrame:
    """The manifest with a split; one that is drawn is that of tile_slides, where there are slides.

    Raises:
        ManifestError: it contradicts itself, or has too few patients for a split.
    """
    cohort = read_manifest(manifest)
    if (cohort["split"] != "").any():
        return cohort
    logger.warning(
        "%s: gives no split; one is drawn with seed %d. If these patients were split before, give "
        "the manifest of then, such as TILES/%s",
        *(manifest, seed, COHORT),
    )
    has_slides = bool((cohort["slide"] != "").any())
    return with_split(with_slides(cohort, manifest) if has_slides else cohort, seed)


def chunks_of(
    source: str, reader: Reader, cohort: pd.DataFrame, manifest: str, pattern: str | None
) -> list[Chunk]:
    """The images of every shard, some hundred at a time, each with its patient.

    Raises:
        ManifestError: images of no patient, or labeled otherwise than the manifest says.
        LeakageError: images that say that they are of another split.
        StorageError: there are none.
    """
    slides = {slide_name(row["slide"]): row["patient"] for row in _with_slide(cohort)}
    people = People.of(slides, set(cohort["patient"]))
    known = cohort.drop_duplicates("patient").set_index("patient")[["idh", "split"]]
    chunks: list[Chunk] = []
    nobody: list[str] = []
    for shard in reader.files(source):
        short = os.path.relpath(shard, source).removeprefix(".")
        chunk = {"shard": shard, "name": short, "first": 0, "images": [], "marks": {}, "people": {}}
        try:
            images = _listed(shard, reader, people, pattern)
        except TableError as error:
            logger.warning("%s", error)
            chunks.append({**chunk, "broken": True})
            continue
        nobody += [f"{short}#{sample.name}" for sample, patient in images if patient is None]
        shard_mark = mark(shard)
        mine = [(sample, patient) for sample, patient in images if patient is not None]
        for first in range(0, len(mine), CHUNK):
            part = mine[first : first + CHUNK]
            who = {patient: known.loc[patient].tolist() for _, patient in part}
            for sample, patient in part:
                _refuse_torn(f"{shard}: {sample.name}", sample.metadata, patient, who[patient])
            changed = {
                "first": first,
                "images": [[s.name, patient, _place(s), s.span] for s, patient in part],
                "marks": {sample.name: sample.mark for sample, _ in part if sample.mark},
                "people": who,
            }
            chunks.append({**chunk, **changed, "mark": shard_mark})
    if nobody:
        shown = "\n  ".join(nobody[:SHOWN])
        raise ManifestError(
            f"{source}: {len(nobody)} images match no patient or slide of {manifest}; add their "
            "patients, or say by --patient-pattern where the name stands (P1-3 is not taken for "
            f"P1):\n  {shown}"
        )
    if not chunks:
        raise StorageError(f"{source}: no images there")
    return chunks


def _listed(
    shard: str, reader: Reader, people: People, pattern: str | None
) -> list[tuple[Sample, str | None]]:
    """The images of a shard with their patients."""
    found = []
    for sample in reader.listing(shard):
        # Records have numbers, their file is named after the slide.
        name = os.path.basename(shard) if sample.name.isdecimal() else sample.name
        found.append((sample, people.patient(name, sample.metadata, pattern)))
    return found


def _place(sample: Sample) -> dict[str, Any]:
    return {name: sample.metadata[name] for name in SAID if name in sample.metadata}


def _with_slide(cohort: pd.DataFrame) -> list[dict[str, Any]]:
    return [row for row in cohort.to_dict("records") if row["slide"]]


def _refuse_torn(where: str, said: dict[str, Any], patient: str, known: list[str]) -> None:
    """Images must not change their split, nor their label, on their way through a tool."""
    idh, split = known
    if said.get("split") in SPLITS and said["split"] != split:
        raise LeakageError(
            f"{where} says that {patient} is in {said['split']}, the manifest (or the split drawn "
            f"for it) has {split}; write the split of its first study into the manifest"
        )
    if said.get("idh") in LABELS and idh and said["idh"] != idh:
        raise ManifestError(f"{where} is labeled {said['idh']}, the manifest has {idh}")


def first_side(chunks: list[Chunk], reader: Reader) -> int:
    """The side of the first image that can be opened.

    Raises:
        StorageError: none can.
    """
    for chunk in chunks:
        for name, *_, span in chunk["images"][:SHOWN]:
            try:
                for sample in reader.images(chunk["shard"], {name: span}):
                    return size_of(sample.data)[0]
            except TableError:
                continue
    raise StorageError("none of the images can be opened; is it the right --format?")
