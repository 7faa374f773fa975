"""Sections of a report by which a clinician judges: patients, flow, probabilities, strata."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from idhray.cohorts.manifest import LABELS
from idhray.report.content import Flow, Picture, ReportTable
from idhray.report.judgment_figures import (
    FlowBox,
    JudgedArm,
    StratumRow,
    flow_figure,
    forest_figure,
    probabilities_figure,
)
from idhray.stages.studies.wrong_calls import mean_scores
from idhray.stats.api import table_1
from idhray.stats.arms.tables import ExperimentTables
from idhray.stats.interface.answer import Answer
from idhray.stats.probabilities.decision import decision_curve
from idhray.stats.probabilities.reliability import reliability, smooth_curve
from idhray.stats.sample import SampleError, Scored
from idhray.stats.table1.characteristics import Characteristic
from idhray.stats.table1.printing import printed_characteristics

THRESHOLDS = tuple(np.round(np.arange(0.05, 0.96, 0.05), 2))
LISTED_REASONS = 3
LONGEST_REASON = 60
LEAST_PER_CLASS = 2
"""Patients of each class in a row of the forest plot; fewer have no meaningful interval."""


def cohort_table(cohort: pd.DataFrame, title: str = "Table 1: patients") -> list[ReportTable]:
    """Table 1: age, sex, grade, site and diagnosis of mutant and wildtype patients."""
    frame = cohort[cohort["idh"].isin(LABELS)]
    numbers = [name for name in ("age",) if frame[name].notna().any()]
    levels = [name for name in ("sex", "grade", "diagnosis", "site") if _has_levels(frame, name)]
    if frame["idh"].nunique() < 2 or not (numbers or levels):
        return []
    texts = frame.assign(**{name: frame[name].map(_level) for name in levels})
    try:
        answer = table_1(texts, group="idh", continuous=numbers, categorical=levels)
    except SampleError as error:
        return [ReportTable(title=title, header=["Variable"], rows=[], notes=[str(error)])]
    printed = printed_characteristics(answer.figures)
    return [
        ReportTable(
            title=title,
            header=[str(name) for name in printed.columns],
            rows=printed.astype(str).to_numpy().tolist(),
            caption="Patients of known IDH status: median and quartiles, or number and share.",
            notes=_notes(answer),
        )
    ]


def _notes(answer: Answer[list[Characteristic]]) -> Sequence[str]:
    return tuple(dict.fromkeys(answer.notes))


def _has_levels(frame: pd.DataFrame, name: str) -> bool:
    values = frame[name].map(_level)
    return name in frame and 1 <= values[values != ""].nunique() <= 12


def _level(value: Any) -> str | None:
    """Level as text; a whole number without its decimals; None if missing."""
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def flow_picture(cohort: pd.DataFrame, flows: Sequence[Flow], tested: str) -> Picture:
    """Flow of patients and inputs (STARD 2015), from the manifest and the ledgers.

    Args:
        cohort: One row per patient.
        flows: Fates of the inputs of each step.
        tested: Text of the last box.
    """
    unknown = int((cohort["idh"] == "").sum())
    boxes = [
        FlowBox(
            text=f"{len(cohort)} patients in the manifest",
            left_out=f"{unknown} of unknown IDH status" if unknown else "",
        )
    ]
    boxes += [FlowBox(text=f"{f.step}: {f.done} inputs done", left_out=_left_out(f)) for f in flows]
    boxes.append(FlowBox(text=tested))
    return Picture(
        title="Flow of patients and inputs",
        data=flow_figure(boxes),
        alt="; ".join(
            box.text + (f" (left out: {box.left_out})" if box.left_out else "") for box in boxes
        ).replace("\n", ", "),
        caption="From the manifest and the ledgers. Inputs are slides, studies or trainings.",
    )


def _left_out(flow: Flow) -> str:
    """Numbers of inputs that are not done, with the most frequent reasons."""
    if not flow.skipped + flow.failed:
        return ""
    reasons = pd.Series([_short(reason) for _, _, reason in flow.reasons]).value_counts()
    lines = [f"{flow.skipped} skipped, {flow.failed} failed"]
    lines += [f"{count} x {reason}" for reason, count in reasons.head(LISTED_REASONS).items()]
    return "\n".join(lines)


def _short(reason: str) -> str:
    """Reason without the name of its input, on one line."""
    text = " ".join(reason.rpartition(": ")[2].split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."


def probability_pictures(rows: pd.DataFrame, tables: ExperimentTables) -> list[Picture]:
    """Calibration, decision curve, and precision-recall of the baseline and the primary arm.

    Args:
        rows: PREDICTIONS of one classifier, with val and test rows.
        tables: Statistics of the experiment.
    """
    arms = [arm for arm in (tables.rule.baseline, tables.rule.primary) if arm]
    scores = mean_scores(rows, arms, tables.plan.judged)
    samples = {arm: _sample(scores["idh"], scores[arm]) for arm in arms if arm in scores}
    return judged_pictures(
        {arm: sample for arm, sample in samples.items() if sample is not None},
        "Each patient's mean probability over the judged trainings, on the fold that held the "
        "patient out.",
    )


def judged_pictures(samples: Mapping[str, Scored], origin: str) -> list[Picture]:
    """Calibration, decision curve, and precision-recall of scores; none without scores.

    Args:
        samples: Name of a score -> the score and the status of each patient.
        origin: Sentence on the scores.
    """
    if not samples:
        return []
    judged = [_judged(name, sample) for name, sample in samples.items()]
    first = next(iter(samples.values()))
    everyone = [(p.threshold, p.treat_all) for p in decision_curve(first, THRESHOLDS)]
    return [
        Picture(
            title="Calibration, decision curve, precision and recall",
            data=probabilities_figure(judged, everyone, float(first.labels.mean())),
            alt="Three panels: share of mutants against probability; net benefit against the "
            "threshold; precision against recall",
            caption=f"{origin} Dots: groups of similar probability with 95% intervals (Wilson). "
            "The decision curve takes probabilities at face value: see the calibration first.",
        )
    ]


def _sample(idh: "pd.Series[str]", p_mutant: "pd.Series[float]") -> Scored | None:
    """Status and mean probability of each patient; None if a class is missing."""
    is_scored = p_mutant.notna()
    labels = (idh[is_scored] == "mutant").astype(int).to_numpy()
    if len(set(labels)) < 2:
        return None
    return Scored(labels, p_mutant[is_scored].to_numpy())


def _judged(arm: str, sample: Scored) -> JudgedArm:
    try:
        smooth = smooth_curve(sample)
    except SampleError:
        smooth = None
    precision, recall, _ = precision_recall_curve(sample.labels, sample.single_training())
    return JudgedArm(
        arm=arm,
        smooth=smooth,
        groups=[
            (
                group.expected,
                group.observed.value,
                group.observed.wilson_low,
                group.observed.wilson_high,
            )
            for group in reliability(sample)
        ],
        benefit=[(p.threshold, p.model) for p in decision_curve(sample, THRESHOLDS)],
        recall=recall[::-1],
        precision=precision[::-1],
    )


def forest_pictures(tables: ExperimentTables) -> list[Picture]:
    """Areas within age group, grade, sex and site: the baseline, the primary arm, and age."""
    frame = tables.strata
    if not len(frame):
        return []
    compared_arms = [arm for arm in (tables.rule.baseline, tables.rule.primary) if arm]
    images = frame[(frame["predictor"] == "image") & frame["arm"].isin(compared_arms)]
    enough = images[images[["n_mutant", "n_wildtype"]].min(axis=1) >= LEAST_PER_CLASS]
    shown = enough.dropna(subset=["auc"]).drop_duplicates(["stratum", "level"])
    if not len(shown):
        return []
    order = [(row["stratum"], row["level"]) for row in shown.to_dict("records")]
    groups = {
        f"image ({arm})": [_stratum(images[images["arm"] == arm], *key) for key in order]
        for arm in compared_arms
    }
    areas = tables.arms.set_index("arm")["auc"]
    overall = {f"image ({arm})": float(areas[arm]) for arm in compared_arms if arm in areas}
    return [
        Picture(
            title="Areas within strata",
            data=forest_figure(groups, overall, "AUC within the stratum, 95% interval"),
            alt="Forest plot of the AUC within age groups, grades, sexes and sites",
            caption=f"Strata with {LEAST_PER_CLASS} or more patients of each class. Dotted lines: "
            "all patients. Wide intervals mean few patients, not a difference.",
        )
    ]


def _stratum(rows: pd.DataFrame, stratum: str, level: Any) -> StratumRow:
    of_level = rows[(rows["stratum"] == stratum) & (rows["level"] == level)]
    if not len(of_level):
        return StratumRow(label=f"{stratum} {level}", mean=np.nan, low=np.nan, high=np.nan)
    row = of_level.iloc[0]
    label = f"{stratum} {level} ({row['n_mutant']} + {row['n_wildtype']})"
    return StratumRow(label=label, mean=row["auc"], low=row["auc_low"], high=row["auc_high"])
