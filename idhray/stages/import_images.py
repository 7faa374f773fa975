"""Images of other tools -> PATCHES; patient, label and split come from the manifest."""

import os
from dataclasses import dataclass
from typing import Any, Literal

from idhray import ledger
from idhray.cohorts.manifest import manifest_hash, slide_name
from idhray.config import settings_hash
from idhray.errors import ConfigError, StorageError, TableError
from idhray.exchange import folder, stylegan, tfrecord, webdataset
from idhray.exchange.patients import checked_pattern
from idhray.exchange.rows import safe_name
from idhray.exchange.sample import Reader, Sample, place_of, stored
from idhray.ledger import Fate, check_failures, counts, fates
from idhray.stages.import_listing import WHOSE, Chunk, chunks_of, cohort_with_split, first_side
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.mapping import Item, Outcome, map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.storage import absolute, is_uri
from idhray.tables import PATCHES

Format = Literal["folder", "tfrecord", "webdataset", "stylegan"]
READERS: dict[str, Reader] = {
    "folder": folder.READER,
    "tfrecord": tfrecord.READER,
    "webdataset": webdataset.READER,
    "stylegan": stylegan.READER,
}


@dataclass(frozen=True, kw_only=True)
class ImportImagesFlags(ItemFlags):
    """Flags of `idhray import-images`."""

    source: str
    """Folder of images, or the shards: one file, or a folder of them. A folder in it that is
    called train, val or test says the split of its images, as images.csv does."""
    manifest: str
    """CSV, TSV or Parquet with the column patient, and idh, split and slide."""
    out: str
    """Folder of the PATCHES table."""
    format: Format
    """folder: PNG, JPEG, TIFF, BMP or WebP files. tfrecord: slideflow's. webdataset: tar files.
    stylegan: zips of images."""
    patient_pattern: str | None = None
    """Regular expression for an image's path in the source; its first group is the patient or the
    slide. It replaces the rule above."""
    image_px: int | None = None
    """Side that every image must have; that of the first one when not given."""
    seed: int = 0
    """Of the split by patient, where the manifest does not give one."""


def import_images(flags: ImportImagesFlags) -> dict[str, Any]:
    """Take images of another tool into a PATCHES table; JPEG and PNG keep their bytes.

    An image belongs to the patient or slide that its file names (images.csv, JSON, TFRecord), else
    to the patient or slide of the manifest with which its file's name, or a folder's, begins. A
    name that goes on with `-` or a blank and a letter or digit is another name (P1-3 is not P1),
    but for patients of TCGA and CPTAC.

    Where the manifest has no split, one is drawn; if it names slides, as tile_slides draws it from
    the same manifest and seed, without patients who have none. Safer is a manifest that carries the
    split: the `_cohort.parquet` of the tiles that the patients were first used in.
    """
    if is_uri(flags.source):
        raise ConfigError(f"--source {flags.source}: copy it to a disk that every worker sees")
    source, manifest, out = absolute(flags.source), absolute(flags.manifest), absolute(flags.out)
    if not os.path.exists(source):
        raise StorageError(f"{source}: no such file or folder")
    cohort = cohort_with_split(manifest, flags.seed)
    chunks = chunks_of(
        source, READERS[flags.format], cohort, manifest, checked_pattern(flags.patient_pattern)
    )
    said = {
        "stage": "import_images",
        "format": flags.format,
        "manifest_hash": manifest_hash(cohort.assign(slide=cohort["slide"].map(slide_name))),
        "image_px": flags.image_px or first_side(chunks, READERS[flags.format]),
        "images": settings_hash({"chunks": [[c["name"], c["images"]] for c in chunks]}),
    }
    with stage_folder(out, said, overwrite=flags.overwrite):
        connect(flags.address)
        shared = {"out": out, "format": flags.format, "image_px": said["image_px"]}
        items = _items(chunks, shared, fates(out))
        found = map_items(items, import_some, out=out, schema=PATCHES, workers=flags.workers)
        check_failures(out, found, flags.max_failures)
    return {"out": out, **counts(found), "patients": len({p for c in chunks for p in c["people"]})}


def _items(chunks: list[Chunk], shared: dict[str, Any], before: dict[str, Fate]) -> list[Item]:
    """The chunks, and those images alone that an earlier run found broken.

    A hash holds the marks of the sources, so that one that was replaced is noticed. An image that
    was broken may be: for it stands what it was at first, and once it is in, what it was then.
    """
    items, alone = [], []
    for chunk in chunks:
        shard = chunk["name"]
        last = chunk["first"] + len(chunk["images"]) - 1
        name = f"{shard} images {chunk['first']}-{last}".strip() if chunk["images"] else shard
        decides = {key: value for key, value in chunk.items() if key not in ("shard", "marks")}
        apart = [image for image in chunk["images"] if _name(shard, image[0]) in before]
        alone += [_alone(image, chunk, shared, before) for image in apart]
        hashes = [_first_hash(image[0], chunk, shared, before) for image in chunk["images"]]
        hashed = settings_hash({**decides, "image_px": shared["image_px"], "each": hashes})
        values = {**chunk, **shared, "apart": [image[0] for image in apart]}
        items.append(Item(name=name, settings_hash=hashed, values=values))
    return items + alone


def _name(shard: str, image: str) -> str:
    """How the ledger calls one image."""
    return f"{shard}#{image}" if shard else image


def _alone(image: list[Any], chunk: Chunk, shared: dict[str, Any], before: dict[str, Fate]) -> Item:
    name, found = _name(chunk["name"], image[0]), chunk["marks"].get(image[0], "")
    hashed = _first_hash(image[0], chunk, shared, before)
    if before[name].status == "done" and before[name].error != _mended(found):
        hashed = _hash_alone(shared["image_px"], found)  # was mended, is in, and was replaced
    values = {**chunk, "images": [image], **shared, "alone": True}
    return Item(name=name, settings_hash=hashed, values=values)


def _first_hash(image: str, chunk: Chunk, shared: dict[str, Any], before: dict[str, Fate]) -> str:
    """Of an image as it is, or as it was when it was found broken."""
    if fate := before.get(_name(chunk["name"], image)):
        return fate.settings_hash
    return _hash_alone(shared["image_px"], chunk["marks"].get(image, ""))


def _hash_alone(image_px: int, found: str) -> str:
    return settings_hash({"image_px": image_px, "mark": found})


def _mended(found: str) -> str:
    """What the ledger says of an image that was broken and is in."""
    return f"was broken at first, came in as {found}"


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
    for sample in reader.images(values["shard"], {n: image[-1] for n, image in wanted.items()}):
        try:
            rows.append(_row(sample, wanted[sample.name], values))
            del reasons[sample.name]
        except TableError as error:
            reasons[sample.name] = ledger.reason(error)
    if values.get("alone"):
        for name, reason in reasons.items():
            raise TableError(f"{name}: {reason}")
        return Outcome(rows=rows, note=_mended(values["marks"].get(values["images"][0][0], "")))
    for name, reason in reasons.items():
        fate = Fate(
            input=_name(values["name"], name),
            status="failed",
            error=f"{name}: {reason}",
            settings_hash=_hash_alone(values["image_px"], values["marks"].get(name, "")),
        )
        ledger.record(values["out"], fate)
    note = f"{len(reasons)} of {len(wanted)} images are broken" if reasons else ""
    return Outcome(rows=rows, status="done" if rows else "skipped", note=note)


def _row(sample: Sample, listed: list[Any], values: dict[str, Any]) -> dict[str, Any]:
    _, patient, said, _ = listed
    if sample.broken:
        raise TableError(sample.broken)
    for name in WHOSE:
        if sample.metadata.get(name) and sample.metadata[name] != said.get(name):
            raise TableError(f"is of {name} {sample.metadata[name]}, in a file of {said.get(name)}")
    place = place_of({**said, **sample.metadata})
    data, ending = stored(sample.data, values["image_px"])
    idh, split = values["people"][patient]
    stem = safe_name(os.path.splitext(os.path.basename(sample.name))[0])
    stem = f"{safe_name(place['slide'] or patient)}-{stem}" if stem.isdecimal() else stem
    image = {"bytes": data, "path": f"{stem}.{ending}"}
    return {"patient": patient, "idh": idh, "split": split, **place, "image": image}
