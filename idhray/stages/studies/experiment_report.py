"""Sections of the report of a slide study that come from its experiment."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from idhray.experiment.protocol import Protocol
from idhray.report.content import KeyFigure, Picture, ReportTable
from idhray.report.experiment_figures import (
    ArmDifference,
    ArmResult,
    CountResult,
    arms_figure,
    response_figure,
)
from idhray.stages.experiment.outcome import SweepOutcome, attention_by_arm
from idhray.stats.arms.printed import experiment_tables_text
from idhray.stats.arms.tables import ExperimentTables, experiment_tables
from idhray.stats.settings import StatsSettings
from idhray.stats.text import printed, signed

EXPERIMENT_LIMITS = (
    "One cohort: its folds say how training sets such as these behave. Patients of another "
    "hospital may give another answer; without an external test set this study says nothing of "
    "them.",
    "IDH status goes with tumor type, grade and age. A model may have learned any of these; the "
    "table of strata shows areas within grade and age group where there are enough patients.",
    "Synthetic images repeat what the training patients showed; they add no patients, and never "
    "count as cases in any figure here.",
)


def further_models(outcome: SweepOutcome, settings: StatsSettings) -> list[ReportTable]:
    """Contrasts of the classifiers that describe and do not judge, one table each."""
    tables = []
    for model in outcome.other_models:
        rows, trials = outcome.of_model(model)
        if outcome.rule.primary not in set(rows["arm"]):
            continue  # a network that was trained on the baseline alone
        statistics = experiment_tables(
            rows, None, outcome.rule, replace(settings, model=model), trials=trials
        )
        frame = experiment_tables_text(statistics)["Contrasts"]
        tables.append(
            ReportTable(
                title=f"Contrasts, {model}",
                header=list(frame.columns),
                rows=frame.astype(str).to_numpy().tolist(),
                caption="The same arms with another classifier; it describes and does not judge.",
            )
        )
    return tables


def protocol_table(outcome: SweepOutcome) -> ReportTable:
    """The protocol: what was fixed before the first training, and what changed since."""
    protocol = outcome.protocol
    rows = [
        [name.replace("_", " "), _text(value)]
        for name, value in protocol.decisive.items()
        if name not in ("classifier", "primary") and value is not None
    ]
    rows.insert(0, ["primary arm", outcome.rule.primary or "none, baselines alone"])
    rows += [["planned to show", detectable_text(protocol)]] if protocol.detectable else []
    rows += [["areas shown since", protocol.unblinded]] if protocol.unblinded else []
    rows += [[f"arm {arm}", f"joined {date}"] for arm, date in protocol.arms.items()]
    rows += [[f"arm {arm}", f"left out: {reason}"] for arm, reason in protocol.absent.items()]
    rows += [
        [f"amended {item.date}", f"{item.reason} ({'; '.join(item.changes)})"]
        for item in protocol.amendments
    ]
    return ReportTable(
        title="Protocol",
        header=["Item", "Value"],
        rows=rows,
        caption=f"Written {protocol.written}, before the first training; hash {protocol.hash}.",
    )


def detectable_text(protocol: Protocol) -> str:
    """Gain that the experiment was planned to show, on one line."""
    return " ".join(protocol.detectable.split()).replace(" the smallest", "; the smallest")


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def generators_table(outcome: SweepOutcome) -> list[ReportTable]:
    """All generators with their training patients and gates; none without generators."""
    if not outcome.generators:
        return []
    return [
        ReportTable(
            title="Generators",
            header=[
                *("Class", "Fold", "Seed", "Training patients", "Their list"),
                "Test for copies and diversity",
            ],
            rows=[
                [
                    f"{entry['idh']} (one network of both)"
                    if entry.get("conditional")
                    else entry["idh"],
                    "-" if entry["fold"] is None else str(entry["fold"]),
                    "-" if entry["seed"] is None else str(entry["seed"]),
                    str(entry["patients"]),
                    f"declared by {entry['declared_by']} ({entry['declared_on']})"
                    if entry.get("source") == "declared"
                    else "recorded",
                    " ".join([entry["gate"], *entry["reasons"]]),
                ]
                for entry in outcome.generators
            ],
            caption="No generator saw a validation or test patient of the folds that it serves.",
        )
    ]


def feature_tables_of_report(outcome: SweepOutcome) -> list[ReportTable]:
    """Frozen encoder, and the attention on added images; none without them."""
    tables = []
    if outcome.encoder:
        tables.append(
            ReportTable(
                title="Frozen encoder",
                header=["Item", "Value"],
                rows=[[name.replace("_", " "), value] for name, value in outcome.encoder.items()],
                caption="The license of the weights may cover features and trained models, too.",
            )
        )
    if attention := attention_by_arm(outcome.trials):
        tables.append(
            ReportTable(
                title="Attention on added images",
                header=["Arm", "Share of attention", "Share of the images seen"],
                rows=[
                    [arm, printed(means["attention_added"]), printed(means["slots_added"])]
                    for arm, means in attention.items()
                ],
                caption="Means over trainings, in bags of the last epoch. A network that passes "
                "over added images gives them less attention than their share.",
            )
        )
    return tables


def experiment_key_figures(tables: ExperimentTables) -> list[KeyFigure]:
    """Areas of baseline and primary arm, their difference, and what could have been shown."""
    rule, verdict = tables.rule, tables.verdict
    arms = tables.arms.set_index("arm") if len(tables.arms) else pd.DataFrame()
    figures = [
        KeyFigure(
            label=f"AUC, {arm}",
            value=printed(arms.loc[arm, "auc"]),
            detail=f"95% CI {printed(arms.loc[arm, 'auc_low'])} to "
            f"{printed(arms.loc[arm, 'auc_high'])}; accuracy {printed(arms.loc[arm, 'accuracy'])}",
        )
        for arm in (rule.baseline, rule.primary)
        if arm in arms.index
    ]
    return [
        *figures,
        KeyFigure(
            label="Difference in AUC",
            value=signed(verdict.difference),
            detail=f"95% CI {signed(verdict.ci_low)} to {signed(verdict.ci_high)}",
        ),
        KeyFigure(
            label="Gain that this experiment could have shown",
            value=signed(verdict.detectable) if np.isfinite(verdict.detectable) else "none",
            detail="in AUC, with 80% power",
        ),
        KeyFigure(
            label="Patients tested",
            value=f"{verdict.n_mutant} mutant, {verdict.n_wildtype} wildtype",
        ),
    ]


def experiment_figures(tables: ExperimentTables) -> list[Picture]:
    """Areas and differences of all arms, and the response to the count if there are several."""
    arms = [
        ArmResult(
            arm=row["arm"],
            mean=row["auc"],
            low=row["auc_low"],
            high=row["auc_high"],
            trainings=_trainings(tables, row["arm"]),
            primary=row["arm"] == tables.rule.primary,
        )
        for row in tables.arms.to_dict("records")
    ]
    differences = [
        ArmDifference(
            label=f"{row['arm']} \u2212 {row['baseline']}",
            estimate=row["estimate"],
            low=row["ci_low"],
            high=row["ci_high"],
            role=row["role"],
        )
        for row in tables.contrasts.to_dict("records")
    ]
    return [
        Picture(
            title="Arms of the experiment",
            data=arms_figure(arms, differences, tables.rule.margin),
            alt="AUC of every arm with its single trainings, and differences between arms",
            caption="Left: means with 95% intervals; dots are single trainings on the test "
            "patients of one fold. Right: differences with 95% intervals; blue the primary "
            "comparison, orange the controls, black secondary ones.",
        )
    ]


def response_picture(tables: ExperimentTables) -> Picture | None:
    """Response to the number of added images, the first figure; None without such arms."""
    kinds = _responses(tables)
    if not kinds:
        return None
    return Picture(
        title="Response to the number of added images",
        data=response_figure(kinds, _baseline(tables)),
        alt="AUC against the number of added images, for each kind of image; "
        + "; ".join(
            f"{kind}: {', '.join(f'{p.mean:.3f} with {p.count} images' for p in points)}"
            for kind, points in kinds.items()
        ),
        caption="Means over folds and repeats with 95% intervals; shaded: the arm without added "
        "images, at which every line starts. A gain of synthetic images counts only if it is above "
        "the controls.",
    )


def _trainings(tables: ExperimentTables, arm: str) -> list[float]:
    trials = tables.trials
    judged = (trials["arm"] == arm) & trials["repeat"].isin(tables.plan.judged)
    values: list[float] = trials.loc[judged, "auc"].dropna().tolist()
    return values


def _responses(tables: ExperimentTables) -> dict[str, list[CountResult]]:
    """Kind of the added images -> its results by count, ascending; without online arms."""
    kinds: dict[str, list[CountResult]] = {}
    for row in tables.response.sort_values("amount").to_dict("records"):
        if not row["suffix"] and row["kind"] not in ("real", "fewer-patients"):
            kinds.setdefault(row["kind"], []).append(_result(row, int(row["amount"])))
    return kinds


def _baseline(tables: ExperimentTables) -> CountResult | None:
    rows = tables.arms[tables.arms["arm"] == tables.rule.baseline].to_dict("records")
    return _result(rows[0], 0) if rows else None


def _result(row: dict[Any, Any], count: int) -> CountResult:
    return CountResult(count=count, mean=row["auc"], low=row["auc_low"], high=row["auc_high"])
