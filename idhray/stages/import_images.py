"""Images of other tools -> PATCHES; patient, label and split come from the manifest."""

import logging
import os
from typing import Any, Literal

import pandas as pd

from idhray import ledger
from idhray.cohort import LABELS, SPLITS, manifest_hash, read_manifest, slide_name, with_split
from idhray.config import settings_hash
from idhray.errors import ConfigError, LeakageError, ManifestError, StorageError, TableError
from idhray.exchange import folder, stylegan, tfrecord, webdataset
from idhray.exchange.patients import People, checked_pattern
from idhray.exchange.rows import safe_name, size_of
from idhray.exchange.sample import PLACE, Reader, Sample, place_of, stored
from idhray.ledger import Fate, check_failures, counts, fates
from idhray.stages.folder import stage_folder
from idhray.stages.mapping import Item, Outcome, map_items
from idhray.stages.session import connect
from idhray.storage import absolute, is_uri
from idhray.tables import PATCHES

logger = logging.getLogger(__name__)

Format = Literal["folder", "tfrecord", "webdataset", "stylegan"]
READERS: dict[str, Reader] = {
    "folder": folder.READER,
    "tfrecord": tfrecord.READER,
    "webdataset": webdataset.READER,
    "stylegan": stylegan.READER,
}
CHUNK = 256  # images of a part
SAID = ("slide", "study", *PLACE)
SHOWN = 10  # images that a message names


def import_images(
    source: str,
    manifest: str,
    out: str,
    *,
    format: Format,  # noqa: A002 - it is the flag's name
    patient_pattern: str | None = None,
    image_px: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    address: str | None = None,
    max_failures: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Take images of another tool into a PATCHES table; JPEG and PNG keep their bytes.

    An image belongs to the patient or slide that its file names (images.csv, JSON, TFRecord), else
    to the patient or slide of the manifest with which its file's name, or a folder's, begins.

    Args:
        source: Folder of images, or the shards: one file, or a folder of them.
        manifest: CSV, TSV or Parquet with the column patient, and idh, split and slide.
        out: Folder of the PATCHES table.
        format: folder: PNG, JPEG, TIFF, BMP or WebP files. tfrecord: slideflow's. webdataset: tar
            files. stylegan: zips of images.
        patient_pattern: Regular expression for an image's path in the source; its first group is
            the patient or the slide. It replaces the rule above.
        image_px: Side that every image must have; that of the first one when not given.
        seed: Of the split by patient, where the manifest does not give one.
        workers: Parts of 256 images at a time; as many as there are CPUs when not given.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        max_failures: Broken images and shards that may be left out; each is a row of the ledger.
        overwrite: Start anew where the folder was made with other settings.
    """
    if is_uri(source):
        raise ConfigError(f"--source {source}: copy it to a disk that every worker sees")
    source, manifest, out = absolute(source), absolute(manifest), absolute(out)
    if not os.path.exists(source):
        raise StorageError(f"{source}: no such file or folder")
    cohort = with_split(read_manifest(manifest), seed)
    chunks = _chunks(source, READERS[format], cohort, manifest, checked_pattern(patient_pattern))
    said = {
        "stage": "import_images",
        "format": format,
        "manifest_hash": manifest_hash(cohort.assign(slide=cohort["slide"].map(slide_name))),
        "image_px": image_px or _side(chunks, READERS[format]),
        "images": settings_hash({"chunks": [[c["name"], c["images"]] for c in chunks]}),
    }
    with stage_folder(out, said, overwrite=overwrite):
        connect(address)
        shared = {"out": out, "format": format, "image_px": said["image_px"]}
        items = _items(chunks, shared, fates(out))
        found = map_items(items, import_some, out=out, schema=PATCHES, workers=workers)
        check_failures(out, found, max_failures)
    return {"out": out, **counts(found), "patients": len({p for c in chunks for p in c["people"]})}


Chunk = dict[str, Any]


def _chunks(
    source: str, reader: Reader, cohort: pd.DataFrame, manifest: str, pattern: str | None
) -> list[Chunk]:
    """The images of every shard, some hundred at a time, each with its patient.

    Raises:
        ManifestError: images of no patient, or labelled otherwise than the manifest says.
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
        chunk = {"shard": shard, "name": short, "first": 0, "images": [], "people": {}}
        try:
            images = _listed(shard, reader, people, pattern)
        except TableError as error:
            logger.warning("%s", error)
            chunks.append({**chunk, "broken": True})
            continue
        nobody += [f"{short}#{sample.name}" for sample, patient in images if patient is None]
        mine = [(sample, patient) for sample, patient in images if patient is not None]
        for first in range(0, len(mine), CHUNK):
            part = mine[first : first + CHUNK]
            who = {patient: known.loc[patient].tolist() for _, patient in part}
            for sample, patient in part:
                _refuse_torn(f"{shard}: {sample.name}", sample.said, patient, who[patient])
            said = [[sample.name, patient, _place(sample)] for sample, patient in part]
            chunks.append({**chunk, "first": first, "images": said, "people": who})
    if nobody:
        shown = "\n  ".join(nobody[:SHOWN])
        raise ManifestError(
            f"{source}: {len(nobody)} images match no patient or slide of {manifest}; add "
            f"their patients, or say by --patient-pattern where the name stands:\n  {shown}"
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
        found.append((sample, people.patient(name, sample.said, pattern)))
    return found


def _place(sample: Sample) -> dict[str, Any]:
    return {name: sample.said[name] for name in SAID if name in sample.said}


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
        raise ManifestError(f"{where} is labelled {said['idh']}, the manifest has {idh}")


def _side(chunks: list[Chunk], reader: Reader) -> int:
    """The side of the first image that can be opened.

    Raises:
        StorageError: none can.
    """
    for chunk in chunks:
        for name, *_ in chunk["images"][:SHOWN]:
            try:
                for sample in reader.images(chunk["shard"], [name]):
                    return size_of(sample.data)[0]
            except TableError:
                continue
    raise StorageError("none of the images can be opened; is it the right --format?")


def _items(chunks: list[Chunk], shared: dict[str, Any], before: dict[str, Fate]) -> list[Item]:
    """The chunks, and those images alone that an earlier run found broken."""
    items, alone = [], []
    for chunk in chunks:
        shard = chunk["name"]
        last = chunk["first"] + len(chunk["images"]) - 1
        name = f"{shard} images {chunk['first']}-{last}".strip() if chunk["images"] else shard
        decides = {key: value for key, value in chunk.items() if key != "shard"}
        apart = [image for image in chunk["images"] if _name(shard, image[0]) in before]
        alone += [
            _alone(_name(shard, image[0]), {**chunk, "images": [image], **shared, "alone": True})
            for image in apart
        ]
        hashed = settings_hash({**decides, "image_px": shared["image_px"]})
        values = {**chunk, **shared, "apart": [image[0] for image in apart]}
        items.append(Item(name=name, settings_hash=hashed, values=values))
    return items + alone


def _name(shard: str, image: str) -> str:
    """How the ledger calls one image."""
    return f"{shard}#{image}" if shard else image


def _alone(name: str, values: dict[str, Any]) -> Item:
    return Item(name=name, settings_hash=_hash_alone(values["image_px"]), values=values)


def _hash_alone(image_px: int) -> str:
    return settings_hash({"image_px": image_px})


def import_some(values: dict[str, Any]) -> Outcome:
    """The PATCHES rows of some images; those that are broken get rows of the ledger."""
    reader = READERS[values["format"]]
    if values.get("broken"):
        list(reader.listing(values["shard"]))  # says why
        raise TableError(f"{values['shard']}: could not be read at first; give the command again")
    wanted = {image[0]: image for image in values["images"]}
    for name in values.get("apart", ()):
        del wanted[name]
    rows, reasons = [], dict.fromkeys(wanted, "is not there any more")
    for sample in reader.images(values["shard"], list(wanted)):
        try:
            rows.append(_row(sample, wanted[sample.name], values))
            del reasons[sample.name]
        except TableError as error:
            reasons[sample.name] = ledger.reason(error)
    if values.get("alone") and reasons:
        name, reason = reasons.popitem()
        raise TableError(f"{name}: {reason}")
    for name, reason in reasons.items():
        fate = Fate(
            input=_name(values["name"], name),
            status="failed",
            error=f"{name}: {reason}",
            settings_hash=_hash_alone(values["image_px"]),
        )
        ledger.record(values["out"], fate)
    note = f"{len(reasons)} of {len(wanted)} images are broken" if reasons else ""
    return Outcome(rows=rows, status="done" if rows else "skipped", note=note)


def _row(sample: Sample, listed: list[Any], values: dict[str, Any]) -> dict[str, Any]:
    _, patient, listed_place = listed
    slide = sample.said.get("slide")
    if slide and slide != listed_place.get("slide"):
        raise TableError(f"is of {slide}, in a file of {listed_place.get('slide')}")
    place = place_of({**listed_place, **sample.said})
    data, ending = stored(sample.data, values["image_px"])
    idh, split = values["people"][patient]
    stem = os.path.splitext(sample.name)[0]
    stem = f"{safe_name(place['slide'] or patient)}-{stem}" if stem.isdecimal() else stem
    image = {"bytes": data, "path": f"{stem}.{ending}"}
    return {"patient": patient, "idh": idh, "split": split, **place, "image": image}
