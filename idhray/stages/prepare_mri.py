"""MRI to slices: manifest -> SLICES, one part and one LEDGER row a study, a picture of each.

quality/STUDY.png: brain outlines and the registered pair as a checkerboard, for a person's eye.
quality/STUDY.json and, at the end, quality.csv: how the brains were found and how far FLAIR moved.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import manifest_hash, read_manifest, with_split, write_manifest
from idhray.config import settings_dict, settings_from, settings_hash
from idhray.errors import ManifestError, MriError
from idhray.images import encode, image_cell
from idhray.ledger import check_failures, counts
from idhray.mri.patient import PRESETS as PRESETS
from idhray.mri.patient import MriSettings, Scans, prepare, series_of
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.mapping import Item, Outcome, map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.storage import (
    absolute,
    is_uri,
    join,
    list_files,
    local_file,
    publish,
    publish_json,
    read_json,
)
from idhray.tables import SLICES

COHORT = "_cohort.parquet"
OWNS = ("quality", "quality.csv")
FILES = ("t1ce", "flair", "brain_mask", "tumor_mask")


@dataclass(frozen=True, kw_only=True)
class PrepareMriFlags(ItemFlags):
    """Flags of `idhray prepare-mri`."""

    manifest: str
    """CSV, TSV or Parquet with patient, t1ce and flair (NIfTI files or DICOM folders), and idh for
    labels; brain_mask and tumor_mask where there are masks, on the grid of the CE-T1w. Of a DICOM
    folder with several series, FOLDER#SERIES_INSTANCE_UID is one."""
    out: str
    """Folder of the SLICES table, and of a picture and figures of each study in quality/."""
    settings: MriSettings
    """Brain extraction, registration, intensity, slices."""
    seed: int = 0
    """Of the split by patient, where the manifest does not give one."""
    gpus_per_worker: float = 0
    """For the brain extraction network; may be a fraction."""
    memory_gb_per_worker: float = 3.0
    """What a study may take: about 1.3 with deepbet, 2.5 with HD-BET (which takes some 13
    CPU-minutes a scan without a GPU, unless `hdbet_folds` is 1 and `hdbet_mirrors` off: 20 s)."""


def prepare_mri(flags: PrepareMriFlags) -> dict[str, Any]:
    """Turn the CE-T1w and FLAIR of every study of a manifest into paired axial slices."""
    manifest, out = absolute(flags.manifest), absolute(flags.out)
    cohort = with_split(with_scans(read_manifest(manifest), manifest), flags.seed)
    said = {
        "stage": "prepare_mri",
        "manifest_hash": manifest_hash(_portable(cohort)),
        "seed": flags.seed,
        **settings_dict(flags.settings),
    }
    with stage_folder(out, said, overwrite=flags.overwrite, owns=OWNS):
        connect(flags.address)
        write_manifest(join(out, COHORT), cohort.drop(columns="study"))
        items = [_item(row, flags.settings, out) for row in cohort.to_dict("records")]
        found = map_items(
            items,
            prepare_one,
            out=out,
            schema=SLICES,
            workers=flags.workers,
            gpus=flags.gpus_per_worker,
            memory_bytes=int(flags.memory_gb_per_worker * 2**30),
        )
        rows = [read_json(path) for path in list_files(join(out, "quality"), suffix=".json")]
        publish(join(out, "quality.csv"), pd.DataFrame(rows).to_csv(index=False).encode())
        check_failures(out, found, flags.max_failures)
    return {"out": out, **counts(found)}


def with_scans(cohort: pd.DataFrame, manifest: str) -> pd.DataFrame:
    """The rows with both sequences, and a column `study`: the patient, numbered where several.

    Raises:
        ManifestError: a row has one sequence only, or none has both.
    """
    one_only = cohort[(cohort["t1ce"] == "") != (cohort["flair"] == "")]
    if len(one_only):
        raise ManifestError(
            f"{manifest}: {len(one_only)} rows name only one of t1ce and flair, patient "
            f"{one_only['patient'].iloc[0]} the first; name both or neither"
        )
    scans = cohort[cohort["t1ce"] != ""].sort_values(["patient", "t1ce"], ignore_index=True)
    if scans.empty:
        raise ManifestError(f"{manifest}: no row names t1ce and flair")
    number = scans.groupby("patient").cumcount() + 1
    several = scans.groupby("patient")["patient"].transform("size") > 1
    names = scans["patient"] + ("-" + number.astype(str)).where(several, "")
    return scans.assign(study=names)


def prepare_one(values: dict[str, Any]) -> Outcome:
    """The slices of one study as SLICES rows; its picture and figures are published."""
    settings = settings_from(MriSettings, values["settings"])
    study, folder = values["study"], join(values["out"], "quality")
    with _local(values) as paths:
        found = prepare(Scans(study=study, **paths), settings)
    publish(join(folder, f"{study}.png"), encode(found.picture))
    publish_json(join(folder, f"{study}.json"), {"study": study, **found.figures})
    who = {name: values[name] for name in ("patient", "idh", "split")}
    rows = [
        {
            **who,
            "study": study,
            "z_mm": one.z_mm,
            "brain_fraction": one.brain_fraction,
            "tumor_fraction": one.tumor_fraction,
            "image": image_cell(one.image, f"{study}-{number:03d}"),
        }
        for number, one in enumerate(found.slices)
    ]
    if not rows:
        return Outcome(status="skipped", note=f"{study}: {found.none_reason}")
    return Outcome(rows=rows, note="; ".join(found.notes))


@contextlib.contextmanager
def _local(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Local paths of a study's files; DICOM folders must be local already."""
    with contextlib.ExitStack() as stack:
        paths: dict[str, Any] = {}
        for name in FILES:
            path = values["paths"][name]
            if not path or (not is_uri(path) and os.path.isdir(series_of(path)[0])):
                paths[name] = path or None
                continue
            if not is_uri(path) and not os.path.isfile(path):
                raise MriError(f"{values['study']}: no file {path}; correct its manifest row")
            paths[name] = stack.enter_context(local_file(path))
        yield paths


def _item(row: dict[str, Any], settings: MriSettings, out: str) -> Item:
    values = {
        **{name: row[name] for name in ("study", "patient", "idh", "split")},
        "masks": [name for name in FILES[2:] if row[name]],
        "settings": settings_dict(settings),
    }
    # Paths are left out: an archive that was moved is the same archive.
    return Item(
        name=row["study"],
        settings_hash=settings_hash(json.loads(json.dumps(values))),
        values={**values, "out": out, "paths": {name: row[name] for name in FILES}},
    )


def _portable(cohort: pd.DataFrame) -> pd.DataFrame:
    """The cohort without the folders that its files lie in."""
    return cohort.assign(**{name: cohort[name].map(os.path.basename) for name in FILES})
