"""A made-up cohort with a known truth: slides, tissue masks, ages, and its manifest."""

from typing import Any

import pandas as pd

from idhray.config import settings_dict, settings_from, settings_hash
from idhray.ledger import check_failures, counts
from idhray.phantom.patients import PRESETS as PRESETS
from idhray.phantom.patients import Patient, PhantomSettings, phantom_patients
from idhray.phantom.slide import make_slide
from idhray.stages.folder import stage_folder
from idhray.stages.mapping import Item, Outcome, map_items
from idhray.stages.session import connect
from idhray.storage import absolute, join, publish
from idhray.tables import TRUTH

OWNS = ("slides", "masks", "manifest.csv")


def make_phantom(
    out: str,
    patients: int,
    settings: PhantomSettings,
    *,
    seed: int = 0,
    workers: int | None = None,
    address: str | None = None,
    max_failures: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make up a cohort: Aperio slides with their true tissue masks, and a manifest.

    Args:
        out: Folder for slides/, masks/, manifest.csv and the truth as a table.
        patients: How many.
        settings: What they are like.
        seed: The same seed gives the same bytes.
        workers: Slides at a time; as many as there are CPUs when not given.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        max_failures: Slides that may fail before the command does.
        overwrite: Start anew where the folder was made with other settings.
    """
    out = absolute(out)
    cohort = phantom_patients(patients, settings, seed)
    said = {"stage": "make_phantom", "patients": patients, "seed": seed, **settings_dict(settings)}
    with stage_folder(out, said, overwrite=overwrite, owns=OWNS):
        connect(address)
        manifest = pd.DataFrame(
            [_manifest_row(p, i) for p in cohort for i in range(settings.slides_per_patient)]
        )
        items = [
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
            for index in range(settings.slides_per_patient)
        ]
        found = map_items(items, make_one, out=out, schema=TRUTH, workers=workers)
        check_failures(out, found, max_failures)
        # Last: a manifest promises that its slides are there.
        publish(join(out, "manifest.csv"), manifest.to_csv(index=False).encode())
    return {"out": out, "manifest": join(out, "manifest.csv"), **counts(found)}


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
