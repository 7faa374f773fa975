"""MRI to slices: manifest -> SLICES, one part and one ledger row a study.

quality/STUDY.png shows brain outlines and the registered pair as a checkerboard, for a person's
eye. quality/STUDY.json and, at the end, quality.csv hold the method of brain extraction and the
motion of FLAIR.
"""

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import read_manifest, write_manifest
from idhray.cohorts.modality import (
    COHORT,
    SCAN_FILES,
    earlier_cohort,
    tell_missing_files,
    with_earlier_split,
    with_scans,
    with_split_if_enough,
)
from idhray.config import Identity, identity_of, recorded_values, settings_hash
from idhray.entity_tags import entity_tags
from idhray.errors import MriError
from idhray.images import encode, image_cell
from idhray.input_digest import content_digest
from idhray.ledger import check_failures, tally
from idhray.mri.patient import PRESETS as PRESETS
from idhray.mri.patient import MriSettings, Scans, prepare, series_of
from idhray.stages.runtime.dry_run import dry_run_result
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import FileTableFlags
from idhray.stages.runtime.resuming import FOLLOW, remove_unlisted_files
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.share import parse_share, shared_stage_folder
from idhray.stages.runtime.state import ItemsOf, StageState, folder_state
from idhray.stages.runtime.verification import forget_changed_inputs
from idhray.stages.runtime.versions import stage_version
from idhray.storage import (
    absolute,
    file_size,
    is_remote,
    join,
    list_files,
    local_file,
    publish,
    publish_json,
    read_json,
)
from idhray.tables import SLICES

MOST_LISTED = 20
"""Failed studies that the last line names at most."""
OWNS = ("quality", "quality.csv")


@dataclass(frozen=True, kw_only=True)
class PrepareMriFlags(FileTableFlags):
    """Flags of `idhray prepare-mri`."""

    manifest: str
    """CSV, TSV or Parquet with patient, t1ce and flair (NIfTI files or DICOM folders), and idh for
    labels; brain_mask and tumor_mask if there are masks, on the grid of the CE-T1w. If a DICOM
    folder holds several series, name one as FOLDER#SERIES_INSTANCE_UID."""
    out: str
    """Folder of the SLICES table; quality/ in it gets a picture and figures of each study."""
    settings: MriSettings
    """Brain extraction, registration, intensity, slices."""
    seed: int = 0
    """Seed of the patient split, used only if the manifest has no `split`."""
    gpus_per_worker: float = 0
    """GPUs of one worker for the brain extraction network; may be a fraction."""
    memory_gb_per_worker: float = 3.0
    """Memory that one study may take. About 1.3 with deepbet, 2.5 with HD-BET. Without a GPU,
    HD-BET takes some 13 CPU-minutes a scan, or 20 s with `hdbet_folds` 1 and `hdbet_mirrors`
    off."""


@dataclass(frozen=True, kw_only=True)
class PrepareMriTask:
    """Task of a worker: prepare one study."""

    study: str
    patient: str
    idh: str
    split: str
    t1ce: str
    flair: str
    brain_mask: str
    """Path of the mask, or ""."""
    tumor_mask: str
    """Path of the mask, or ""."""
    settings: MriSettings
    out: str


def prepare_mri(flags: PrepareMriFlags) -> dict[str, Any]:
    """Turn the CE-T1w and FLAIR of every study of a manifest into paired axial slices."""
    out, plan = absolute(flags.out), _plan(flags)
    if flags.dry_run:
        state = folder_state(out, plan.identity, items_of=plan.items)
        studies = f"{len(plan.cohort)} studies"
        reads, writes = [f"{studies} of {flags.manifest}"], f"SLICES of {studies}"
        return dry_run_result(out, state, reads=reads, writes=writes, overwrite=flags.overwrite)
    if flags.address is None:  # the disks of a cluster need not be those of this machine
        tell_missing_files(plan.cohort, SCAN_FILES, flags.manifest)
    share = parse_share(flags.part, overwrite=flags.overwrite)
    folder = (
        shared_stage_folder(out, plan.identity, share)
        if share
        else stage_folder(out, plan.identity, overwrite=flags.overwrite, owns=OWNS)
    )
    with folder as recorded:
        connect(flags.address, flags)
        items = plan.items(recorded)
        items = share.of(items) if share else items
        verified = {}
        if flags.verify_inputs:
            digest_of = {i.name: functools.partial(_digest, _scans(i.task)) for i in items}
            verified = forget_changed_inputs(out, items, digest_of).counts()
        fates = map_items(
            items,
            prepare_one,
            out=out,
            schema=SLICES,
            workers=flags.workers,
            gpus=flags.gpus_per_worker,
            memory_bytes=int(flags.memory_gb_per_worker * 2**30),
            shared=share is not None,
            on_change=FOLLOW[flags.update],
            version=stage_version("prepare_mri"),
        )
        if share:
            check_failures(out, fates, flags.max_failures)
            return {"out": out, "part": flags.part, **tally(fates), **verified}
        remove_unlisted_files(join(out, "quality"), fates)
        write_manifest(join(out, COHORT), plan.cohort.drop(columns="study"))
        rows = [read_json(path) for path in list_files(join(out, "quality"), suffix=".json")]
        publish(join(out, "quality.csv"), pd.DataFrame(rows).to_csv(index=False).encode())
        check_failures(out, fates, flags.max_failures)
    failed = sorted(name for name, fate in fates.items() if fate.status == "failed")
    return {"out": out, **tally(fates), "failed_studies": failed[:MOST_LISTED], **verified}


def slices_state(flags: PrepareMriFlags) -> StageState:
    """State of the SLICES table; no scan is read."""
    plan = _plan(flags)
    return folder_state(absolute(flags.out), plan.identity, items_of=plan.items)


@dataclass(frozen=True, kw_only=True)
class _SlicesPlan:
    """Work of a run, before anything is done."""

    cohort: pd.DataFrame
    """Rows of the manifest, with their study and split."""
    identity: Identity
    items: ItemsOf


def _plan(flags: PrepareMriFlags) -> _SlicesPlan:
    """Cohort, identity and items of a run."""
    manifest, out = absolute(flags.manifest), absolute(flags.out)
    cohort = with_scans(read_manifest(manifest), manifest)
    earlier = None if flags.overwrite else earlier_cohort(out)
    cohort = with_split_if_enough(with_earlier_split(cohort, earlier), flags.seed, manifest)

    def items(recorded: dict[str, Any]) -> Sequence[Item[Any]]:
        hashed = recorded_values(flags.settings, recorded)
        return [_item(row, flags.settings, hashed, out) for row in cohort.to_dict("records")]

    identity = identity_of(
        inputs={"stage": "prepare_mri"},
        flags=flags,
        names=("seed",),
        settings=flags.settings,
        dropped=("manifest_hash",),
    )
    return _SlicesPlan(cohort=cohort, identity=identity, items=items)


def _item(
    row: dict[Any, Any], settings: MriSettings, hashed: dict[str, Any], out: str
) -> Item[PrepareMriTask]:
    """Item of one study. The hash leaves out paths: a moved archive is the same archive."""
    names = {name: row[name] for name in ("study", "patient", "idh", "split")}
    masks = [name for name in ("brain_mask", "tumor_mask") if row[name]]
    values = {"study": row["study"], "masks": masks, "settings": hashed}
    files = {name: row[name] for name in SCAN_FILES if row[name]}
    values["files"] = {name: _mark(path) for name, path in files.items()}
    former = [values, {**names, "masks": masks, "settings": hashed}]
    tags = entity_tags(each for path in files.values() for each in _files(path))
    task = PrepareMriTask(
        **names, **{name: row[name] for name in SCAN_FILES}, settings=settings, out=out
    )
    return Item(
        name=task.study,
        settings_hash=settings_hash({**values, "entity_tags": tags} if tags else values),
        former_hashes=[settings_hash(each) for each in former],
        people={task.patient: {"idh": task.idh, "split": task.split}},
        task=task,
    )


def _scans(task: PrepareMriTask) -> list[str]:
    """Paths of the scans and masks of a study."""
    return [path for name in SCAN_FILES if (path := getattr(task, name))]


def _digest(scans: Sequence[str]) -> str:
    return content_digest((file for path in scans for file in _files(path)), whole=True)


def _files(path: str) -> list[str]:
    """The file of a scan, or all files of its DICOM folder."""
    folder, _ = series_of(path)
    return list_files(folder) if not is_remote(path) and os.path.isdir(folder) else [path]


def _mark(path: str) -> list[Any]:
    """Name and size of a scan; name, number and size of the files of a DICOM folder."""
    folder, series = series_of(path)
    sizes = [file_size(each) for each in _files(path)]
    return [os.path.basename(folder), series or "", len(sizes), sum(sizes)]


def prepare_one(task: PrepareMriTask) -> Outcome:
    """The slices of one study as SLICES rows. Its picture and figures are published."""
    study, folder = task.study, join(task.out, "quality")
    with _local_scans(task) as scans:
        digest = _digest([path for name in SCAN_FILES if (path := getattr(scans, name))])
        prepared = prepare(scans, task.settings)
    publish(join(folder, f"{study}.png"), encode(prepared.picture))
    publish_json(join(folder, f"{study}.json"), {"study": study, **prepared.figures})
    if prepared.rejected:
        raise MriError(prepared.rejected)
    rows = [
        {
            "patient": task.patient,
            "idh": task.idh,
            "split": task.split,
            "study": study,
            "z_mm": axial.z_mm,
            "brain_fraction": axial.brain_fraction,
            "tumor_fraction": axial.tumor_fraction,
            "image": image_cell(axial.image, f"{study}-{number:03d}"),
        }
        for number, axial in enumerate(prepared.slices)
    ]
    if not rows:
        note = f"{study}: {prepared.none_reason}"
        return Outcome(status="skipped", note=note, input_digest=digest)
    return Outcome(rows=rows, note="; ".join(prepared.notes), input_digest=digest)


@contextlib.contextmanager
def _local_scans(task: PrepareMriTask) -> Iterator[Scans]:
    """Local paths of the files of a study; DICOM folders must be local already."""
    with contextlib.ExitStack() as stack:

        def local(path: str) -> str:
            if not is_remote(path) and os.path.isdir(series_of(path)[0]):
                return path
            if not is_remote(path) and not os.path.isfile(path):
                raise MriError(f"{task.study}: no file {path}; correct its manifest row")
            return stack.enter_context(local_file(path))

        yield Scans(
            study=task.study,
            t1ce=local(task.t1ce),
            flair=local(task.flair),
            brain_mask=local(task.brain_mask) if task.brain_mask else None,
            tumor_mask=local(task.tumor_mask) if task.tumor_mask else None,
        )
