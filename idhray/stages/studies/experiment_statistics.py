"""Statistics of an augmentation experiment, as files and text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import manifest_hash
from idhray.config import Identity, identity_of, settings_dict
from idhray.experiment.arms import parse_arm
from idhray.report.content import ReportTable
from idhray.report.html import tables_html
from idhray.stages.experiment.classifier_table import (
    baseline_predictions,
    classifier_report_table,
    classifiers_of,
)
from idhray.stages.experiment.outcome import SweepOutcome, read_outcome
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.state import StageState, folder_state
from idhray.stages.studies.paper_tables import plain_text
from idhray.stats.arms.columns import UNBLINDED
from idhray.stats.arms.printed import CAPTIONS, MARKS, experiment_tables_text
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.tables import (
    ExperimentTables,
    answer_text,
    experiment_files,
    experiment_tables,
)
from idhray.stats.footnotes import marks_in
from idhray.stats.papers.liu.tables import LiuTables, liu_files, liu_tables
from idhray.stats.settings import GROWING, StatsSettings
from idhray.storage import join, publish

OWNS = ("*.csv", "*.json", "tables.html")
PRINTED = ("Contrasts", "Arms", "Baselines")
"""Tables that a terminal shows."""


def fit_experiment(
    out: str,
    rows: pd.DataFrame,
    cohort: pd.DataFrame | None,
    rule: DecisionRule,
    settings: StatsSettings,
    *,
    inputs: Mapping[str, Any],
    overwrite: bool,
    trials: pd.DataFrame | None = None,
    source: str = "predictions",
    further_files: Mapping[str, bytes] | None = None,
    further_tables: Sequence[ReportTable] = (),
) -> tuple[dict[str, Any], ExperimentTables]:
    """Statistics of an experiment, published in `out`.

    Args:
        out: Folder for the tables.
        rows: Predictions of any program.
        cohort: One row per patient with age, sex, grade and site; None leaves out what needs them.
        rule: The rule of the decision.
        settings: Threshold, model and age groups.
        inputs: Seals or hashes of the inputs, for the identity of the folder.
        overwrite: Start again, whatever an earlier run left in `out`.
        trials: Further columns of single trainings (fold, repeat, arm).
        source: Name of the predictions in errors.
        further_files: Other files to publish, by name.
        further_tables: Other tables of the page, which the terminal shows as well.

    Returns:
        The result that the command prints, and the tables for a report.
    """
    identity = _identity(inputs, rule, cohort, settings)
    tables = experiment_tables(rows, cohort, rule, settings, trials=trials, source=source)
    shown = [*experiment_report_tables(tables), *further_tables]
    page = tables_html(
        title="Do synthetic images help? The statistics",
        answer=tables.verdict.answer,
        verdict=answer_text(tables),
        tables=shown,
        notes=tables.notes,
    )
    files = {**experiment_files(tables), "tables.html": page.encode(), **(further_files or {})}
    with stage_folder(out, identity, overwrite=overwrite, owns=OWNS):
        for name, data in files.items():
            publish(join(out, name), data)
    printed_titles = {*PRINTED, *(table.title for table in further_tables)}
    main = [plain_text(table) for table in shown if table.title in printed_titles]
    verdict = tables.verdict
    result = {
        "out": out,
        "answer": verdict.answer,
        "sentence": answer_text(tables),
        "text": "\n\n".join([answer_text(tables), *main]),
    }
    return result, tables


def fit_sweep(
    out: str,
    sweep: str,
    cohort: pd.DataFrame | None,
    settings: StatsSettings,
    *,
    overwrite: bool = False,
) -> tuple[dict[str, Any], ExperimentTables]:
    """Statistics of a finished sweep by the rule of its protocol; see `fit_experiment`.

    Args:
        out: Folder for the tables.
        sweep: Folder of `idhray sweep`.
        cohort: One row per patient with age, sex, grade and site, or None.
        settings: Threshold and age groups. `model` chooses another classifier than the one that
            gives the verdict.
        overwrite: Start again, whatever an earlier run left in `out`.
    """
    outcome = read_outcome(sweep)
    model, rule = _judged(outcome, settings)
    rows, trials = outcome.of_model(model)
    trials = trials.drop(columns=["seconds", "gpu_seconds"])  # the same statistics on any machine
    paper = paper_tables(outcome, cohort, settings)
    files = {} if paper is None else liu_files(paper)
    files = {f"liu2020-{name}": data for name, data in files.items()}
    files["predictions.csv"] = predictions_file(rows, rule)
    side_by_side = classifiers_of(outcome, settings.threshold)
    if len(side_by_side) > 1:
        files["classifiers.csv"] = side_by_side.to_csv(index=False).encode()
    return fit_experiment(
        out,
        rows,
        cohort,
        rule,
        settings,
        inputs={"predictions": [seal(sweep)]},
        overwrite=overwrite,
        trials=trials,
        source=sweep,
        further_files=files,
        further_tables=[classifier_report_table(outcome, settings.threshold)]
        if len(side_by_side) > 1
        else [],
    )


def statistics_state(
    out: str, sweep: str, cohort: pd.DataFrame | None, settings: StatsSettings
) -> StageState:
    """State of the statistics of a finished sweep; see `fit_sweep` for the arguments."""
    rule = _judged(read_outcome(sweep), settings)[1]
    identity = _identity({"predictions": [seal(sweep)]}, rule, cohort, settings)
    return folder_state(out, identity, inputs=None)


def _judged(outcome: SweepOutcome, settings: StatsSettings) -> tuple[str, DecisionRule]:
    """The classifier that is judged, and the rule."""
    model, rule = settings.model or outcome.model, outcome.rule
    if model == outcome.model:
        return model, rule
    # One of several classifiers, picked when results existed.
    reason = f"classifier {model} in place of {outcome.model}, which the protocol names"
    return model, replace(rule, exploratory=rule.exploratory or reason)


def _identity(
    inputs: Mapping[str, Any],
    rule: DecisionRule,
    cohort: pd.DataFrame | None,
    settings: StatsSettings,
) -> Identity:
    """Values that decide the statistics of an experiment."""
    recorded = settings_dict(rule)
    if not rule.unblinded:  # as earlier versions wrote it
        del recorded["unblinded"]
    values = {
        "stage": "fit_stats",
        **inputs,
        "rule": recorded,
        "manifest_hash": manifest_hash(cohort) if cohort is not None else None,
    }
    return identity_of(inputs=values, settings=settings, growing=GROWING)


def predictions_file(rows: pd.DataFrame, rule: DecisionRule) -> bytes:
    """Predictions of a sweep for other programs, with what its protocol says of them.

    `fit-stats` reads these columns, so that a choice on validation or an amendment is not lost.
    """
    judged = rows["repeat"].isin(rule.repeats or rows["repeat"].unique())
    columns = {
        "primary_arm": rule.primary,
        "judged": judged.map({True: "yes", False: "no"}),
        "exploratory": rule.exploratory,
        **({UNBLINDED: rule.unblinded} if rule.unblinded else {}),
    }
    text: str = rows.assign(**columns).to_csv(index=False, lineterminator="\n")
    return text.encode()


def paper_tables(
    outcome: SweepOutcome, cohort: pd.DataFrame | None, settings: StatsSettings
) -> LiuTables | None:
    """Tables 1 to 4 of Liu et al. from the planned trainings; None with several folds."""
    if cohort is None or outcome.protocol.decisive["fold_count"] != 1:
        return None
    model = settings.model or outcome.model
    rows, _ = outcome.of_model(model)
    planned = rows["repeat"] <= outcome.protocol.planned_repeats
    arms = rows["arm"].map(parse_arm)
    swept = arms.map(lambda arm: arm.kind in ("real", "synthetic") and not arm.online)
    baselines = baseline_predictions(outcome, settings.threshold)
    others = baselines[baselines["model"] != model]
    return liu_tables(
        pd.concat([rows[planned & swept], others]), cohort, replace(settings, model=model)
    )


def experiment_report_tables(tables: ExperimentTables) -> list[ReportTable]:
    """Contrasts, arms, baselines and strata as the tables of a report."""
    return [
        ReportTable(
            title=title,
            header=list(frame.columns),
            rows=frame.astype(str).to_numpy().tolist(),
            caption=CAPTIONS[title],
            notes=marks_in(frame, MARKS),
            grouped=title == "Strata",
        )
        for title, frame in experiment_tables_text(tables).items()
    ]
