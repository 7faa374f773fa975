"""The report of a reader study on MRI: its folders -> one self-contained report.html."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from idhray.cohorts.manifest import patients_of, read_manifest
from idhray.config import recorded_settings
from idhray.leakage import patient_splits, refuse_leaks
from idhray.ledger import fates, tally
from idhray.mri.alignment import channel_information, outline_dice, shuffled_information
from idhray.planning.cluster_cost import Prices
from idhray.report.content import (
    GeneratorSummary,
    KeyFigure,
    Picture,
    ReportContent,
)
from idhray.report.figures import RocCurve, pair_sheet, roc_figure
from idhray.stages.gan_training.synthetic_card import synthetic_card
from idhray.stages.studies.appendix import write_appendix
from idhray.stages.studies.deviations import recorded_deviations
from idhray.stages.studies.generator_section import (
    CARDS_NOTE,
    ancestry_note,
    evaluation_figures,
    evaluation_limits,
    evaluation_note,
    history_pictures,
    pairs_picture,
    walk_picture,
)
from idhray.stages.studies.judgment_section import cohort_table, flow_picture
from idhray.stages.studies.numbered_folder import current_folder
from idhray.stages.studies.paper_tables import park_report_tables
from idhray.stages.studies.record import APPENDIX_PAGE, study_settings
from idhray.stages.studies.sample_images import images_of_table
from idhray.stages.studies.settings import PRESETS, MriStudySettings
from idhray.stages.studies.shared_sections import (
    data_card_files,
    ledger_flows,
    manifest_flow,
    provenance_of,
    publish_report,
    settings_groups,
    shown_gain,
    split_counts,
    tested_text,
    with_preset_first,
)
from idhray.stages.studies.statistics import SOURCES, readings_rows
from idhray.stages.studies.work_section import work_table
from idhray.stats.papers.park.readings_table import read_readings
from idhray.stats.papers.park.tables import ParkTables, park_tables
from idhray.stats.roc.curve import roc_points
from idhray.stats.sample import Scored
from idhray.stats.settings import StatsSettings
from idhray.stats.text import printed, signed
from idhray.storage import SETTINGS, exists, join, read_json

SHOWN = 12  # pairs of a kind on the sheet
MEASURED = 200  # images of a kind whose channels are compared
STEPS = ("slices", "slices-normal")
LIMITS = (
    "One split of one cohort, one draw of synthetic cases, and these readers: others may give "
    "another answer. Without an external test set this study says nothing of other hospitals.",
    "Synthetic cases repeat what the training patients showed. They count as cases of models 2 and "
    "3, whose standard errors are therefore too small, and are judged in no set.",
    "IDH status goes with age and grade, and readers may have recognized either.",
)


def reader_report(
    study: str, tables: ParkTables | None = None, prices: Prices | None = None
) -> dict[str, Any]:
    """Write `report.html` into the folder of a reader study.

    Args:
        study: Folder that `idhray study` made.
        tables: The statistics of the study; computed again from its readings if not given.
        prices: Prices of the work; None leaves its cost out.
    """
    cohort = patients_of(read_manifest(join(study, "cohort.parquet")))
    card = synthetic_card(
        current_folder(study, "synthetic-mutant"),
        checkpoint=current_folder(study, "gan-mutant"),
        evaluation=current_folder(study, "evaluation-mutant"),
    )
    content = _content(study, cohort, tables or _tables(study, cohort), prices)
    if write_appendix(study):
        content = replace(content, appendix=APPENDIX_PAGE)
    return publish_report(study, content, data_card_files({"mutant": card}))


def _content(
    study: str, cohort: pd.DataFrame, tables: ParkTables, prices: Prices | None
) -> ReportContent:
    settings = study_settings(study)
    made_up = bool(cohort["cohort"].str.startswith("phantom").all())
    judged = current_folder(study, "evaluation-mutant")
    counts = split_counts(cohort)
    flows = [*manifest_flow(study), *ledger_flows(study, STEPS)]
    limits = [*LIMITS, *evaluation_limits({"IDH-mutant tumors": judged})]
    if settings.get("simulate_readers"):
        limits.insert(0, "The readers are programs that err at a stated rate; nobody looked.")
    return ReportContent(
        title="IDH mutation from MRI: do GAN-made cases help the readers' model?",
        question="Does adding GAN-made IDH-mutant cases to the training set improve a model of "
        "readers' findings in patients nobody trained on, by how much, and could this cohort have "
        "shown it?",
        answer=tables.verdict.answer,
        verdict=tables.verdict.sentence,
        demonstration=made_up,
        key_figures=_key_figures(tables),
        banner_note="The readers are programs that err at a stated rate; nobody looked."
        if settings.get("simulate_readers")
        else "",
        cohort=counts,
        flows=flows,
        tables=[
            *cohort_table(cohort, "Patients by IDH status"),
            *park_report_tables(tables),
            *work_table(
                study,
                study,
                [current_folder(study, name) for name in ("gan-normal", "gan-mutant")],
                prices,
            ),
            *recorded_deviations(settings),
        ],
        conventions=tables.notes,
        figures=[
            flow_picture(cohort, flows, tested_text(counts)),
            *_figures(tables),
            *history_pictures(
                {
                    title: current_folder(study, folder)
                    for title, folder in (
                        ("normal brains", "gan-normal"),
                        ("IDH-mutant tumors", "gan-mutant"),
                    )
                }
            ),
        ],
        generators=_generators(study),
        generators_note=_generators_note(study),
        sheets=[
            _sheet(study),
            *pairs_picture(judged, "IDH-mutant tumors", "CE-T1w is red, FLAIR green."),
            *walk_picture(judged, "IDH-mutant tumors"),
        ],
        settings=with_preset_first(
            settings_groups(settings),
            {name: each for name, each in PRESETS.items() if isinstance(each, MriStudySettings)},
        ),
        provenance=provenance_of(study),
        limits=limits,
    )


def _tables(study: str, cohort: pd.DataFrame) -> ParkTables:
    """The statistics, computed again from the readings that they were made of."""
    settings = recorded_settings(StatsSettings, read_json(join(study, "statistics", SETTINGS)))
    sources = read_json(join(study, "statistics", SOURCES))
    rows = readings_rows(sources["readings"])
    settled = readings_rows(sources["consensus"]) if sources["consensus"] else None
    return park_tables(read_readings(rows, cohort, settled), settings)


def _key_figures(tables: ParkTables) -> list[KeyFigure]:
    verdict = tables.verdict
    if not verdict.split:
        return []
    method = verdict.ci_method.split(" of ")[0]
    interval = f"95% CI {signed(verdict.ci_low)} to {signed(verdict.ci_high)} ({method})"
    return [
        KeyFigure(
            label="Difference in AUC, real and synthetic against real",
            value=signed(verdict.difference),
            detail=f"{interval}; mean of the readers",
        ),
        KeyFigure(
            label="Gain that this cohort could have shown",
            value=shown_gain(verdict.detectable),
            detail="in AUC, with 80% power",
        ),
        KeyFigure(
            label="Patients judged",
            value=f"{verdict.n_mutant} mutant, {verdict.n_wildtype} wildtype",
            detail="nobody trained on them",
        ),
        *_turing(tables.turing),
    ]


def _turing(table: pd.DataFrame) -> list[KeyFigure]:
    return [
        KeyFigure(
            label=f"Real told from synthetic, {row['reader']}",
            value=printed(row["rate"], 2),
            detail=f"95% CI {printed(row['rate_low'], 2)} to {printed(row['rate_high'], 2)}",
        )
        for row in table.to_dict("records")
    ]


def _figures(tables: ParkTables) -> list[Picture]:
    """ROC curves of every model on the patients that nobody trained on, one panel per reader."""
    frame = tables.by_patient[~tables.by_patient["age"].astype(bool)]
    panels: dict[str, list[RocCurve]] = {}
    for (split, reader, model), rows in frame.groupby(["split", "reader", "model"]):
        fpr, tpr = roc_points(Scored(rows["label"], rows["p_mutant"]))
        name = {"val": "Validation", "test": "Test"}[str(split)]
        panels.setdefault(f"{name}, {reader}", []).append(
            RocCurve(
                label=f"Model {model}: AUC {_area(tables, split, reader, model)}", fpr=fpr, tpr=tpr
            )
        )
    if not panels:
        return []
    return [
        Picture(
            title="Receiver operating characteristic",
            data=roc_figure(panels),
            alt="ROC curves of models 1 to 3, one panel for each set and reader",
            caption="From the image alone. Model 1: real mutants; 2: synthetic; 3: both.",
        )
    ]


def _area(tables: ParkTables, split: Any, reader: Any, model: Any) -> str:
    rows = tables.table3
    row = rows[
        (rows["split"] == split)
        & (rows["reader"] == reader)
        & (rows["model"] == model)
        & ~rows["age"].astype(bool)
    ].iloc[0]
    return f"{printed(row['auc'])} ({printed(row['auc_low'])}\u2013{printed(row['auc_high'])})"


def _generators(study: str) -> list[GeneratorSummary]:
    generators = []
    for name, title in (("gan-normal", "normal brains"), ("gan-mutant", "IDH-mutant tumors")):
        if not exists(join(current_folder(study, name), "model.json")):
            continue
        model = read_json(join(current_folder(study, name), "model.json"))
        figures = {"Resolution": f"{model['settings']['resolution_px']} px"}
        if name == "gan-mutant":
            images_made = tally(fates(current_folder(study, "synthetic-mutant")))["rows"]
            judged = evaluation_figures(current_folder(study, "evaluation-mutant"))
            figures |= {"Images made": str(images_made), **_alignment(study), **judged}
        generators.append(
            GeneratorSummary(
                name=f"StyleGAN2 of {title}",
                training_patients=len(model["patients"]),
                training_images=model["images"],
                kimg=model["images_shown"] / 1000,
                figures=figures,
            )
        )
    return generators


def _alignment(study: str) -> dict[str, str]:
    """Agreement of the two channels of real and of synthetic images, in words and numbers."""
    figures = {}
    training_mutants = {"idh": "mutant", "split": "train"}
    kinds = {
        "real": images_of_table(join(study, "slices"), MEASURED, training_mutants),
        "synthetic": images_of_table(current_folder(study, "synthetic-mutant"), MEASURED, {}),
    }
    for kind, images in kinds.items():
        dice = float(np.nanmean([outline_dice(image) for image in images]))
        shared = float(np.nanmean([channel_information(image) for image in images]))
        figures[f"Outlines of the two channels, Dice, {kind}"] = printed(dice, 2)
        figures[f"Mutual information of the channels, {kind} (shuffled)"] = (
            f"{printed(shared)} ({printed(shuffled_information(images))})"
        )
    return figures


def _generators_note(study: str) -> str:
    """Result of the leakage check, repeated on the tables on disk; a leak stops the report."""
    refuse_leaks(join(study, "slices"), [current_folder(study, "synthetic-mutant")])
    splits = patient_splits(join(study, "slices"))
    held_out = sum(split != "train" for split in splits.values())
    return (
        f"Checked when this report was made: none of the {held_out} validation and test patients "
        "was among those that the generator saw. (In Park et al. 2021 the numbers suggest that it "
        f"saw all mutants of the validation set.) {CARDS_NOTE}"
        + ancestry_note([current_folder(study, "synthetic-mutant")])
        + evaluation_note(current_folder(study, "evaluation-mutant"), "IDH-mutant tumors")
    )


def _sheet(study: str) -> Picture:
    training_mutants = {"idh": "mutant", "split": "train"}
    kinds = {
        "Real IDH-mutant": images_of_table(join(study, "slices"), SHOWN, training_mutants),
        "Synthetic IDH-mutant": images_of_table(
            current_folder(study, "synthetic-mutant"), SHOWN, {}
        ),
    }
    return Picture(
        title="Real and synthetic pairs",
        data=pair_sheet(kinds),
        alt="Rows of CE-T1w above FLAIR, real training slices and synthetic ones",
        caption="CE-T1w above, FLAIR below. Real training slices, spread over patients; the first "
        "synthetic ones, not selected.",
    )
