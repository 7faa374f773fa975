"""Statistics of an external cohort, as files, a page and text."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import manifest_hash
from idhray.config import Identity, identity_of
from idhray.report.content import Picture, ReportTable
from idhray.report.figures import RocCurve, roc_figure
from idhray.report.html import external_html
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.state import StageState, folder_state
from idhray.stages.studies.judgment_section import judged_pictures
from idhray.stages.studies.paper_tables import plain_text
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.external.printed import CAPTIONS, external_tables_text, summary_sentence
from idhray.stats.external.scores import RESEARCH, ExternalScores, external_scores
from idhray.stats.external.tables import ExternalTables, external_tables
from idhray.stats.files import statistics_files
from idhray.stats.roc.curve import roc_points
from idhray.stats.sample import Scored
from idhray.stats.settings import GROWING, StatsSettings
from idhray.stats.table1.printing import characteristics_frame
from idhray.stats.text import with_interval
from idhray.storage import join, publish

OWNS = ("*.csv", "*.json", "tables.html")
FRAMES = ("patients", "models", "trainings", "contrasts", "baselines", "strata", "decision")
BANNER = f"{RESEARCH[0].upper()}{RESEARCH[1:]}. Nothing on this page is a diagnosis."
MOST_PRINTED = 30
"""Rows of a table that a terminal shows at most."""


def fit_external(
    out: str,
    rows: pd.DataFrame,
    cohort: pd.DataFrame | None,
    settings: StatsSettings,
    *,
    inputs: Mapping[str, Any],
    primary: str = "",
    overwrite: bool = False,
    source: str = "predictions",
    title: str = "Models applied to another cohort",
    without_score: Sequence[str] = (),
) -> dict[str, Any]:
    """Statistics of an external cohort, published in `out`; the result that the command prints.

    Args:
        out: Folder for the tables.
        rows: Predictions of the cohort, of any program.
        cohort: One row per patient with age, sex, grade and site, or None.
        settings: Threshold and age groups.
        inputs: Seals or hashes of the inputs, for the identity of the folder.
        primary: Arm that is compared with `real`; empty for the only one with synthetic images.
        overwrite: Start again, whatever an earlier run left in `out`.
        source: Name of the predictions in errors.
        title: Title of the page.
        without_score: Patients of the cohort who have no prediction; a note names them.
    """
    identity = external_identity(inputs, cohort, settings, primary)
    checked = prediction_rows(rows, source=source)
    scores = external_scores(checked, source=source)
    arm = primary or only_synthetic(scores)
    tables = external_tables(scores, cohort, settings, primary=arm)
    if without_score:
        tables.notes.append(
            f"{len(without_score)} patients have no score, no image of theirs could be used (see "
            f"the ledgers): {', '.join(without_score)}."
        )
    shown = external_report_tables(tables)
    page = external_html(
        title=title,
        banner=BANNER,
        summary=summary_sentence(tables),
        tables=shown,
        pictures=external_pictures(scores, tables),
        notes=tables.notes,
    )
    files = external_files(tables, settings)
    with stage_folder(out, identity, overwrite=overwrite, owns=OWNS):
        for name, data in {**files, "tables.html": page.encode()}.items():
            publish(join(out, name), data)
    return {
        "out": out,
        **{f"patients_{name}": count for name, count in tables.counts.items()},
        "sentence": summary_sentence(tables),
        "text": "\n\n".join([summary_sentence(tables), *map(_printed, shown)]),
    }


def external_identity(
    inputs: Mapping[str, Any],
    cohort: pd.DataFrame | None,
    settings: StatsSettings,
    primary: str,
) -> Identity:
    """Values that decide the statistics of an external cohort."""
    values = {
        "stage": "fit_stats",
        **inputs,
        "external": primary or "yes",
        "manifest_hash": manifest_hash(cohort) if cohort is not None else None,
    }
    return identity_of(inputs=values, settings=settings, growing=GROWING)


def external_state(out: str, identity: Identity) -> StageState:
    """State of the statistics of an external cohort."""
    return folder_state(out, identity, inputs=None)


def only_synthetic(scores: ExternalScores) -> str:
    """The only arm of synthetic images; empty if there is none, or several."""
    arms = {arm for _, arm in scores.scores if arm.startswith("synthetic:")}
    return arms.pop() if len(arms) == 1 else ""


def external_files(tables: ExternalTables, settings: StatsSettings) -> dict[str, bytes]:
    """File name -> content: one CSV per table, and statistics.json."""
    frames = {name: getattr(tables, name) for name in FRAMES}
    frames = {name: frame for name, frame in frames.items() if len(frame)}
    if tables.table1:
        frames["table1"] = characteristics_frame(tables.table1)
    others = {
        "sentence": summary_sentence(tables),
        "counts": tables.counts,
        "threshold": settings.threshold,
        "notes": tables.notes,
        "use": RESEARCH,
    }
    return statistics_files(frames, others)


def external_report_tables(tables: ExternalTables) -> list[ReportTable]:
    """All tables as those of a report; that of the patients comes last."""
    return [
        ReportTable(
            title=name,
            header=list(frame.columns),
            rows=frame.astype(str).to_numpy().tolist(),
            caption=CAPTIONS[name],
            grouped=name == "Strata",
        )
        for name, frame in external_tables_text(tables).items()
    ]


def external_pictures(scores: ExternalScores, tables: ExternalTables) -> list[Picture]:
    """ROC curves, calibration, decision curve and precision-recall of each mean score; none
    without labels."""
    if not tables.is_judged:
        return []
    samples = {
        key: Scored(scores.truth, scores.mean_scores(key)[scores.labeled]) for key in scores.scores
    }
    areas = tables.models.set_index(["model", "arm"]).to_dict("index")
    curves, named = [], {}
    for key, sample in samples.items():
        fpr, tpr = roc_points(sample)
        name = f"{key[1]} ({key[0]})"
        label = f"{name}: {with_interval({str(k): v for k, v in areas[key].items()}, 'auc')}"
        curves.append(RocCurve(label=label, fpr=fpr, tpr=tpr))
        named[name] = sample
    return [
        Picture(
            title="ROC curves",
            data=roc_figure({"External cohort": curves}),
            alt="ROC curves of the mean scores on the external cohort",
            caption="Mean score of all trainings of an arm.",
        ),
        *judged_pictures(named, "Mean score of all trainings of an arm."),
    ]


def _printed(table: ReportTable) -> str:
    """A table for a terminal, without the rows beyond the first ones."""
    if len(table.rows) <= MOST_PRINTED:
        return plain_text(table)
    short = ReportTable(title=table.title, header=table.header, rows=table.rows[:MOST_PRINTED])
    return f"{plain_text(short)}\n... {len(table.rows) - MOST_PRINTED} more rows"


def sections(folder_tables: Mapping[str, Sequence[ReportTable]]) -> list[ReportTable]:
    """Tables of external cohorts for the report of a study, their titles with the cohort's name."""
    return [
        ReportTable(
            title=f"{table.title}, external cohort {name}",
            header=table.header,
            rows=table.rows,
            caption=table.caption,
            grouped=table.grouped,
        )
        for name, tables in folder_tables.items()
        for table in tables
        if table.title != "Patients"
    ]
