"""A made-up cohort with a known truth: slides or MRI, masks, ages, and its manifest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from idhray.config import settings_dict, settings_from, settings_hash
from idhray.ledger import check_failures, counts
from idhray.phantom.mri.files import mri_files, write_mri
from idhray.phantom.mri.patients import PRESETS as MRI
from idhray.phantom.mri.patients import MriPatient, MriPhantomSettings, mri_patients
from idhray.phantom.patients import PRESETS as SLIDES
from idhray.phantom.patients import Patient, PhantomSettings, phantom_patients
from idhray.phantom.slide import make_slide
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.mapping import Item, Outcome, map_items
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
_WHO = ("patient", "idh", "age", "sex", "grade", "diagnosis", "cohort", "site")


@dataclass(frozen=True, kw_only=True)
class MakePhantomFlags(ItemFlags):
    """Flags of `idhray make-phantom`."""

    out: str
    """Folder for manifest.csv and the truth as a table; slides/ and masks/ of Aperio slides; or
    mri/ (CE-T1w, FLAIR, masks) and normals.csv, a manifest of normal brains."""
    settings: PhantomSettings | MriPhantomSettings
    """What they are like; of MRI, how many normal brains come on top."""
    patients: int | None = None
    """How many with a tumor; when not given 72, or of MRI as many as `tumours` says."""
    seed: int = 0
    """The same seed gives the same bytes."""


def make_phantom(flags: MakePhantomFlags) -> dict[str, Any]:
    """Make up a cohort of slides or of MRI, as the preset says, with its truth and a manifest."""
    out = absolute(flags.out)
    settings, patients = flags.settings, flags.patients
    if isinstance(settings, MriPhantomSettings):
        settings = settings if patients is None else replace(settings, tumours=patients)
        patients = settings.tumours
    patients = SLIDE_PATIENTS if patients is None else patients
    said = {
        "stage": "make_phantom",
        "patients": patients,
        "seed": flags.seed,
        **settings_dict(settings),
    }
    with stage_folder(out, said, overwrite=flags.overwrite, owns=OWNS):
        connect(flags.address)
        if isinstance(settings, MriPhantomSettings):
            cohort = mri_patients(settings, flags.seed)
            items = _items(cohort, 1, settings, said, seed=flags.seed, out=out)
            found = map_items(items, make_one_mri, out=out, schema=MRI_TRUTH, workers=flags.workers)
            manifests = _mri_manifests(cohort)
        else:
            people = phantom_patients(patients, settings, flags.seed)
            each = settings.slides_per_patient
            items = _items(people, each, settings, said, seed=flags.seed, out=out)
            found = map_items(items, make_one, out=out, schema=TRUTH, workers=flags.workers)
            manifests = {"manifest": [_manifest_row(p, i) for p in people for i in range(each)]}
        check_failures(out, found, flags.max_failures)
        # Last: a manifest promises that its files are there.
        for name, rows in manifests.items():
            publish(join(out, f"{name}.csv"), pd.DataFrame(rows).to_csv(index=False).encode())
    return {"out": out, **{name: join(out, f"{name}.csv") for name in manifests}, **counts(found)}


def _items(
    cohort: Sequence[Patient],
    each: int,
    settings: PhantomSettings | MriPhantomSettings,
    said: dict[str, Any],
    *,
    seed: int,
    out: str,
) -> list[Item]:
    """What is to be made: `each` slides of every patient, or one study."""
    return [
        Item(
            name=f"{patient.patient}-{index + 1}",
            settings_hash=settings_hash(said),
            values={
                "patient": settings_dict(patient),
                "index": index,
                "settings": settings_dict(settings),
                "seed": seed,
                "out": out,
            },
        )
        for patient in cohort
        for index in range(each)
    ]


def _mri_manifests(cohort: Sequence[MriPatient]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the patients with a tumor, and of the normal brains if there are any."""
    rows: dict[str, list[dict[str, Any]]] = {
        "manifest": [_mri_row(one) for one in cohort if one.has_tumor],
        "normals": [_mri_row(one) for one in cohort if not one.has_tumor],
    }
    return {name: found for name, found in rows.items() if found}


def make_one_mri(values: dict[str, Any]) -> Outcome:
    """Make and publish one patient's scans and masks; the row of the truth comes back."""
    patient = settings_from(MriPatient, values["patient"])
    settings = settings_from(MriPhantomSettings, values["settings"])
    truth = write_mri(join(values["out"], "mri"), patient, settings, values["seed"])
    return Outcome(rows=[truth])


def _mri_row(patient: MriPatient) -> dict[str, Any]:
    """A row of the manifest; the features are the truth and stay out of it."""
    own = {name: getattr(patient, name) for name in _WHO}
    files = {name: f"mri/{file}" for name, file in mri_files(patient).items()}
    row = {**own, "t1ce": files["t1ce"], "flair": files["flair"]}
    if not patient.has_tumor:
        return {**row, "idh": "", "grade": ""}
    return {**row, "tumor_mask": files["tumour_mask"]}


def make_one(values: dict[str, Any]) -> Outcome:
    """Make and publish one slide and its mask; its row of the truth comes back."""
    patient = settings_from(Patient, values["patient"])
    settings = settings_from(PhantomSettings, values["settings"])
    slide = make_slide(patient, values["index"], settings, values["seed"])
    publish(join(values["out"], "masks", f"{slide.name}.png"), slide.mask_png)
    publish(join(values["out"], "slides", f"{slide.name}.svs"), slide.svs)
    return Outcome(rows=[slide.truth])


def _manifest_row(patient: Patient, index: int) -> dict[str, Any]:
    return {**settings_dict(patient), "slide": f"slides/{patient.patient}-{index + 1}.svs"}
