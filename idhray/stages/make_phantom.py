"""A made-up cohort with a known truth: slides or MRI, masks, ages, and its manifest."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from idhray.config import identity_of, settings_dict, settings_hash
from idhray.ledger import Fate, check_failures, tally
from idhray.phantom.mri.files import mri_files, write_mri
from idhray.phantom.mri.patients import PRESETS as MRI
from idhray.phantom.mri.patients import MriPatient, MriPhantomSettings, mri_patients
from idhray.phantom.patients import PRESETS as SLIDES
from idhray.phantom.patients import Patient, PhantomSettings, phantom_patients
from idhray.phantom.slide import make_slide
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.storage import absolute, join, publish
from idhray.tables import MRI_TRUTH, TRUTH

SLIDE_PATIENTS = 72
OWNS = ("slides", "masks", "mri", "manifest.csv", "normals.csv")
PRESETS: dict[str, PhantomSettings | MriPhantomSettings] = {
    **SLIDES,
    "park2021": MRI["park2021"],
    "demo-mri": MRI["demo"],
}
MANIFEST_COLUMNS = ("patient", "idh", "age", "sex", "grade", "diagnosis", "cohort", "site")
ManifestRows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class MakePhantomFlags(ItemFlags):
    """Flags of `idhray make-phantom`."""

    out: str
    """Folder for manifest.csv and the truth as a table. Slides go to slides/ (Aperio) and masks/,
    MRI to mri/ (CE-T1w, FLAIR, masks); normals.csv is a manifest of normal brains."""
    settings: PhantomSettings | MriPhantomSettings
    """Properties of the cohort. For MRI, they include the number of normal brains."""
    patients: int | None = None
    """Number of patients with a tumor. Default: 72, or for MRI the value of `tumours`."""
    seed: int = 0
    """Seed of the cohort. The same seed gives the same bytes."""


@dataclass(frozen=True, kw_only=True)
class SlidePhantomTask:
    """Task of a worker: make one slide."""

    patient: Patient
    index: int
    """Number of the slide among those of the patient, from 0."""
    settings: PhantomSettings
    seed: int
    out: str


@dataclass(frozen=True, kw_only=True)
class MriPhantomTask:
    """Task of a worker: make the scans of one patient."""

    patient: MriPatient
    settings: MriPhantomSettings
    seed: int
    out: str


@with_dry_run(reads=(), writes="a made-up cohort with its truth and manifest")
def make_phantom(flags: MakePhantomFlags) -> dict[str, Any]:
    """Make up a cohort of slides or of MRI, as the preset says, with its truth and a manifest."""
    out = absolute(flags.out)
    settings, patients = flags.settings, flags.patients
    if isinstance(settings, MriPhantomSettings):
        settings = settings if patients is None else replace(settings, tumours=patients)
        patients = settings.tumours
    patients = SLIDE_PATIENTS if patients is None else patients
    identity = identity_of(
        inputs={"stage": "make_phantom", "patients": patients},
        flags=flags,
        names=("seed",),
        settings=settings,
    )
    with stage_folder(out, identity, overwrite=flags.overwrite, owns=OWNS) as recorded:
        connect(flags.address, flags)
        if isinstance(settings, MriPhantomSettings):
            fates, manifests = _mri_phantom(settings, settings_hash(recorded), flags)
        else:
            fates, manifests = _slide_phantom(patients, settings, settings_hash(recorded), flags)
        check_failures(out, fates, flags.max_failures)
        # Last: a manifest promises that its files exist.
        for name, rows in manifests.items():
            publish(join(out, f"{name}.csv"), pd.DataFrame(rows).to_csv(index=False).encode())
    return {"out": out, **{name: join(out, f"{name}.csv") for name in manifests}, **tally(fates)}


def _slide_phantom(
    count: int, settings: PhantomSettings, identity_hash: str, flags: MakePhantomFlags
) -> tuple[dict[str, Fate], dict[str, ManifestRows]]:
    """Make the slides of `count` patients; return the fates and the rows of the manifest."""
    out = absolute(flags.out)
    slides = [
        SlidePhantomTask(patient=patient, index=index, settings=settings, seed=flags.seed, out=out)
        for patient in phantom_patients(count, settings, flags.seed)
        for index in range(settings.slides_per_patient)
    ]
    items = [
        Item(
            name=f"{task.patient.patient}-{task.index + 1}", settings_hash=identity_hash, task=task
        )
        for task in slides
    ]
    fates = map_items(items, make_one, out=out, schema=TRUTH, workers=flags.workers)
    return fates, {"manifest": [_manifest_row(task.patient, task.index) for task in slides]}


def _mri_phantom(
    settings: MriPhantomSettings, identity_hash: str, flags: MakePhantomFlags
) -> tuple[dict[str, Fate], dict[str, ManifestRows]]:
    """Make the scans of all patients; return the fates and the rows of the two manifests."""
    out = absolute(flags.out)
    cohort = mri_patients(settings, flags.seed)
    items = [
        Item(
            name=f"{patient.patient}-1",
            settings_hash=identity_hash,
            task=MriPhantomTask(patient=patient, settings=settings, seed=flags.seed, out=out),
        )
        for patient in cohort
    ]
    fates = map_items(items, make_one_mri, out=out, schema=MRI_TRUTH, workers=flags.workers)
    manifests: dict[str, ManifestRows] = {
        "manifest": [_mri_row(patient) for patient in cohort if patient.has_tumor],
        "normals": [_mri_row(patient) for patient in cohort if not patient.has_tumor],
    }
    return fates, {name: rows for name, rows in manifests.items() if rows}


def make_one(task: SlidePhantomTask) -> Outcome:
    """Make and publish one slide and its mask; return its row of the truth."""
    slide = make_slide(task.patient, task.index, task.settings, task.seed)
    publish(join(task.out, "masks", f"{slide.name}.png"), slide.mask_png)
    publish(join(task.out, "slides", f"{slide.name}.svs"), slide.svs)
    return Outcome(rows=[slide.truth])


def make_one_mri(task: MriPhantomTask) -> Outcome:
    """Make and publish the scans and masks of one patient; return the row of the truth."""
    truth = write_mri(join(task.out, "mri"), task.patient, task.settings, task.seed)
    return Outcome(rows=[truth])


def _manifest_row(patient: Patient, index: int) -> dict[str, Any]:
    """Row of the manifest of slides."""
    return {**settings_dict(patient), "slide": f"slides/{patient.patient}-{index + 1}.svs"}


def _mri_row(patient: MriPatient) -> dict[str, Any]:
    """Row of the manifest of MRI. The features are the truth and stay out of it."""
    columns = {name: getattr(patient, name) for name in MANIFEST_COLUMNS}
    files = {name: f"mri/{file}" for name, file in mri_files(patient).items()}
    row = {**columns, "t1ce": files["t1ce"], "flair": files["flair"]}
    if not patient.has_tumor:
        return {**row, "idh": "", "grade": ""}
    return {**row, "tumor_mask": files["tumour_mask"]}
