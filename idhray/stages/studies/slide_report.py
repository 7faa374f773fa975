"""The report of a slide study: its folders -> one self-contained report.html."""

from typing import Any

import numpy as np
import pandas as pd

from idhray.cohorts.manifest import LABELS, patients_of, read_manifest
from idhray.config import recorded_settings
from idhray.images import RGB, resize
from idhray.leakage import patient_splits, refuse_leaks
from idhray.report.content import GeneratorSummary, KeyFigure, Picture, ReportContent
from idhray.report.figures import patch_sheet
from idhray.report.html import report_html
from idhray.stages.studies.generator_section import (
    evaluation_figures,
    evaluation_limits,
    evaluation_note,
    pairs_picture,
)
from idhray.stages.studies.paper_tables import liu_report_tables
from idhray.stages.studies.sample_images import images_of_table
from idhray.stages.studies.shared_sections import (
    ledger_flows,
    provenance_of,
    settings_groups,
    split_counts,
)
from idhray.stages.studies.slide_figures import slide_figures
from idhray.stats.papers.liu.tables import LiuTables, liu_tables
from idhray.stats.settings import StatsSettings
from idhray.stats.text import printed, signed
from idhray.storage import SETTINGS, exists, join, publish, read_json
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS

PATCHES_PER_CLASS = 16  # on the sheet of patches
STUDY_FILE = "_study.json"
STEPS = ("tiles", "patches", "sweep")
LIMITS = (
    "One split of one cohort: another split, or patients of another hospital, may give another "
    "answer. Without an external test set this study says nothing of them.",
    "IDH status goes with tumor type, grade and age. A model may have learned any of these; a "
    "comparison within one grade is not part of this report.",
    "Synthetic images repeat what the training patients showed; they add no patients, and never "
    "count as cases in any figure here.",
)


def slide_report(study: str) -> dict[str, Any]:
    """Write `report.html` into the folder of a slide study."""
    path = join(study, "report.html")
    publish(path, report_html(_content(study)).encode())
    return {"report": path}


def _content(study: str) -> ReportContent:
    """All that the report shows. The statistics are computed again, as by `fit-stats`."""
    settings = read_json(join(study, SETTINGS))
    cohort = patients_of(read_manifest(join(study, "cohort.parquet")))
    statistics = recorded_settings(StatsSettings, read_json(join(study, "statistics", SETTINGS)))
    predictions = read_table(join(study, "sweep"), PREDICTIONS).to_pandas()
    tables = liu_tables(predictions, cohort, statistics)
    stand_in = next((c for c in cohort["cohort"] if c.startswith("stand-in")), "")
    made_up = bool(cohort["cohort"].str.startswith("phantom").all())
    images = _images_folder(study)
    return ReportContent(
        title=f"A test of the path on {stand_in}; nothing here is about IDH"
        if stand_in
        else "IDH mutation from H&E slides: do GAN-made images help?",
        question="Does adding GAN-made images to the training set improve the prediction of IDH "
        "mutation in patients nobody trained on, by how much, and could this cohort have shown it?",
        answer=tables.verdict.answer,
        verdict=tables.verdict.sentence,
        demonstration=made_up,
        key_figures=_key_figures(tables),
        cohort=split_counts(cohort),
        flows=ledger_flows(study, STEPS),
        tables=liu_report_tables(tables),
        conventions=tables.notes,
        figures=slide_figures(tables, cohort),
        generators=[_generator(study, label) for label in LABELS],
        generators_note=_generators_note(study, images),
        sheets=[_sheet(study, images), *_pairs(study)],
        settings=settings_groups(settings),
        provenance=_provenance(study, settings),
        limits=[*LIMITS, *evaluation_limits(_evaluations(study)), *_limits_of_settings(settings)],
    )


def _images_folder(study: str) -> str:
    """Folder of the PATCHES table that the study made or was given."""
    patches = join(study, "patches")
    if exists(join(patches, SETTINGS)):
        return patches
    return str(read_json(join(study, STUDY_FILE))["patches"])


def _key_figures(tables: LiuTables) -> list[KeyFigure]:
    verdict = tables.verdict
    rows = tables.table2[tables.table2["split"] == "test"].set_index("n_synthetic")
    figures = [
        KeyFigure(
            label="AUC on test without synthetic images",
            value=printed(rows.loc[0, "auc"]),
            detail=f"{_interval(rows.loc[0])} over patients; mean over the trainings",
        )
    ]
    if verdict.n_synthetic:
        figures += [
            KeyFigure(
                label=f"AUC on test with {verdict.n_synthetic:,} synthetic images",
                value=printed(rows.loc[verdict.n_synthetic, "auc"]),
                detail=f"{_interval(rows.loc[verdict.n_synthetic])}; "
                + (
                    "best of these on validation, where none did better"
                    if verdict.preferred_none
                    else "the count that did best on validation"
                ),
            ),
            KeyFigure(
                label="Difference in AUC",
                value=signed(verdict.difference),
                detail=f"95% CI {signed(verdict.ci_low)} to {signed(verdict.ci_high)}; "
                f"{verdict.ci_method}",
            ),
            KeyFigure(
                label="Gain that this cohort could have shown",
                value=signed(verdict.detectable) if np.isfinite(verdict.detectable) else "none",
                detail="in AUC, with 80% power",
            ),
        ]
    patients = f"{verdict.n_mutant} mutant, {verdict.n_wildtype} wildtype"
    return [*figures, KeyFigure(label="Test patients", value=patients)]


def _interval(row: "pd.Series[float]") -> str:
    return f"95% CI {printed(row['auc_low'])} to {printed(row['auc_high'])}"


def _generator(study: str, label: str) -> GeneratorSummary:
    model = read_json(join(study, f"gan-{label}", "model.json"))
    synthetic = read_json(join(study, f"synthetic-{label}", SETTINGS))
    return GeneratorSummary(
        name=f"{model['architecture'].upper()} of {label}",
        training_patients=len(model["patients"]),
        training_images=model["images"],
        kimg=model["images_shown"] / 1000,
        figures={
            "Resolution": f"{model['settings']['resolution_px']} px",
            "Images made": str(synthetic["count"]),
            **evaluation_figures(_evaluations(study)[label]),
        },
    )


def _evaluations(study: str) -> dict[str, str]:
    """Folder of the evaluation of each generator."""
    return {label: join(study, f"evaluation-{label}") for label in LABELS}


def _pairs(study: str) -> list[Picture]:
    return [
        picture
        for label, folder in _evaluations(study).items()
        for picture in pairs_picture(folder, label)
    ]


def _generators_note(study: str, images: str) -> str:
    """Result of the leakage check, repeated on the tables on disk; a leak stops the report."""
    folders = [join(study, f"synthetic-{label}") for label in LABELS]
    refuse_leaks(images, folders)
    held_out = sum(split != "train" for split in patient_splits(images).values())
    return (
        f"Checked when this report was made: none of the {held_out} validation and test patients "
        "was among those that a generator saw."
        + "".join(evaluation_note(f, label) for label, f in _evaluations(study).items())
    )


def _sheet(study: str, images: str) -> Picture:
    """Real beside synthetic images of both classes, the real ones at the synthetic resolution."""
    side = read_json(join(study, "gan-mutant", "model.json"))["settings"]["resolution_px"]
    classes: dict[str, tuple[list[RGB], list[RGB]]] = {
        label: (
            _some(images, side, {"idh": label, "split": "train"}),
            _some(join(study, f"synthetic-{label}"), side, {}),
        )
        for label in LABELS
    }
    return Picture(
        title="Real and synthetic images",
        data=patch_sheet(classes),
        alt="Mosaics of real training images beside synthetic ones, for both classes",
        caption="Real training images (left), spread over patients, at the generators' "
        "resolution; the first synthetic ones (right), not selected.",
    )


def _some(folder: str, side_px: int, only: dict[str, str]) -> list[RGB]:
    """A few images of a table at one size."""
    return [resize(image, side_px) for image in images_of_table(folder, PATCHES_PER_CLASS, only)]


def _provenance(study: str, settings: dict[str, Any]) -> dict[str, str]:
    origin = provenance_of(study)
    for label in LABELS:
        model = read_json(join(study, f"gan-{label}", "model.json"))
        origin[f"hash of the GAN's {label} patients"] = model["trained_on"]
    return {**origin, "seed": str(settings["seed"])}


def _limits_of_settings(settings: dict[str, Any]) -> list[str]:
    """Limits of the result that come from settings far from the published ones."""
    small = settings["gan"]["resolution_px"]
    if small >= 256:
        return []
    return [
        f"The generators made images of {small} px (Liu et al. 2020: 256 px), so that the study "
        "runs on a small machine: synthetic images are coarser than real ones."
    ]
