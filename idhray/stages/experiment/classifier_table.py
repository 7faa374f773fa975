"""Classifiers of a sweep on the arm `real`, side by side; table 1 of Liu et al. on one split."""

import pandas as pd

from idhray.experiment.arms import REAL
from idhray.report.content import ReportTable
from idhray.stages.experiment.outcome import SweepOutcome
from idhray.stages.studies.paper_tables import liu_table1
from idhray.stats.arms.classifiers import classifier_table
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.arms.printed import classifier_table_text
from idhray.stats.papers.liu.predictions import checked_predictions
from idhray.stats.papers.liu.sweep import baseline_table


def classifiers_of(outcome: SweepOutcome, threshold: float) -> pd.DataFrame:
    """One row per classifier on the planned repeats of the arm `real`; see `classifier_table`."""
    planned = range(1, outcome.protocol.planned_repeats + 1)
    return classifier_table(prediction_rows(outcome.predictions), REAL.name, planned, threshold)


def baseline_predictions(outcome: SweepOutcome, threshold: float) -> pd.DataFrame:
    """Predictions of the arm `real` by all classifiers that have all planned repeats."""
    table, planned = classifiers_of(outcome, threshold), outcome.protocol.planned_repeats
    complete = table.loc[table["repeats"] == planned, "model"]
    rows = outcome.predictions
    return rows[
        (rows["arm"] == REAL.name) & rows["model"].isin(complete) & (rows["repeat"] <= planned)
    ]


def classifier_report_table(outcome: SweepOutcome, threshold: float = 0.5) -> ReportTable:
    """The classifiers as the table of a report: on one split that of Liu et al."""
    if outcome.protocol.decisive["fold_count"] == 1:
        checked = checked_predictions(baseline_predictions(outcome, threshold))
        return liu_table1(baseline_table(checked, threshold))
    frame = classifier_table_text(classifiers_of(outcome, threshold))
    return ReportTable(
        title="Classifiers",
        header=list(frame.columns),
        rows=frame.astype(str).to_numpy().tolist(),
        caption="Classifiers on the arm real: means over folds and repeats, with 95% intervals.",
    )
