"""Facts from the statistics, predictions and figures of an experiment."""

import io
from typing import Any

import numpy as np
import pandas as pd

from idhray.report.checklists.guidelines import StudyFact
from idhray.stages.studies.record import REPORT_FILES
from idhray.stages.studies.wrong_calls import mean_scores
from idhray.storage import exists, join, list_files, list_folders, read_bytes, read_json

STATISTICS = "statistics"
FIGURES = {
    "figures.flow": ("flow-of-patients", "flow diagram"),
    "figures.table1": ("table-1", "table of characteristics"),
    "figures.probabilities": ("calibration", "calibration, decision and precision-recall curves"),
    "figures.strata": ("areas-within-strata", "forest plot of areas within strata"),
    "figures.arms": ("arms-of-the-experiment", "areas and differences of all arms"),
}
"""Fact -> start of the name of a file of the report, and its content."""
MOST_ROWS = 12


def result_facts(root: str) -> dict[str, StudyFact]:
    """Facts from the statistics of an experiment and the files of its report."""
    return {**_verdict(root), **_tables(root), **_predictions(root), **_figures(root)}


def _verdict(root: str) -> dict[str, StudyFact]:
    path = join(root, STATISTICS, "statistics.json")
    if not exists(path):
        return {}
    recorded = read_json(path)
    verdict, source = recorded["verdict"], f"{STATISTICS}/statistics.json: "
    facts = {}
    if text := verdict.get("text") or verdict.get("sentence"):
        facts["result.verdict"] = StudyFact(text=text, source=f"{source}verdict.text")
    if (gain := verdict.get("detectable")) and np.isfinite(gain):
        text = f"a true gain of {gain:.3f} of AUC is found with 80% power"
        facts["result.detectable"] = StudyFact(text=text, source=f"{source}verdict.detectable")
    if notes := recorded.get("notes"):
        facts["result.conventions"] = StudyFact(text=" ".join(notes), source=f"{source}notes")
    return facts


def _frame(root: str, name: str) -> pd.DataFrame:
    """A table of the statistics; empty if it is not there, or has no rows."""
    path = join(root, STATISTICS, f"{name}.csv")
    if not exists(path) or not (data := read_bytes(path)).strip():
        return pd.DataFrame()
    return pd.read_csv(io.BytesIO(data))


def _tables(root: str) -> dict[str, StudyFact]:
    facts = {}
    arms, contrasts = _frame(root, "arms"), _frame(root, "contrasts")
    if len(arms):
        areas = _rows(arms, "{arm}: {auc:.3f} (95% CI {auc_low:.3f} to {auc_high:.3f})")
        columns = "{arm}: accuracy {accuracy:.3f}, sensitivity {sensitivity:.3f}, "
        columns += "specificity {specificity:.3f}"
        facts["result.areas"] = _fact(areas, "arms.csv: auc, auc_low, auc_high")
        facts["result.measures"] = _fact(
            _rows(arms, columns), "arms.csv: accuracy, sensitivity, specificity"
        )
        facts["result.brier"] = _fact(_rows(arms, "{arm}: {brier:.3f}"), "arms.csv: brier")
    if len(contrasts):
        line = "{arm} - {baseline}: {estimate:+.3f} (95% CI {ci_low:+.3f} to {ci_high:+.3f})"
        facts["result.contrasts"] = _fact(_rows(contrasts, line), "contrasts.csv: estimate, ci")
        methods = "; ".join(dict.fromkeys(contrasts["method"]))
        facts["result.method"] = _fact(methods, "contrasts.csv: method")
    strata = _frame(root, "strata")
    if len(strata):
        judged = strata[(strata["predictor"] == "image") & strata["auc"].notna()]
        line = "{stratum} {level}, {arm}: {auc:.2f} ({auc_low:.2f} to {auc_high:.2f})"
        for name, rows in (("strata", judged), ("sites", judged[judged["stratum"] == "site"])):
            if len(rows):
                facts[f"result.{name}"] = _fact(_rows(rows, line), "strata.csv: auc")
    baselines = _frame(root, "baselines")
    if len(baselines):
        of_arm = baselines["arm"].map(lambda arm: f" of arm {arm}" if isinstance(arm, str) else "")
        judged = baselines.assign(arm=of_arm)[baselines["auc"].notna()]
        line = "{predictor}{arm}: {auc:.3f} (95% CI {auc_low:.3f} to {auc_high:.3f})"
        facts["result.baselines"] = _fact(_rows(judged, line), "baselines.csv: auc")
    return facts


def _fact(text: str, place: str) -> StudyFact:
    return StudyFact(text=text, source=f"{STATISTICS}/{place}")


def _rows(frame: pd.DataFrame, line: str) -> str:
    """Rows of a table as text; the first ones of a long table."""
    texts = [" ".join(line.format(**row).split()) for row in _records(frame.head(MOST_ROWS))]
    more = len(frame) - MOST_ROWS
    return "; ".join(texts) + (f"; and {more} more rows" if more > 0 else "")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _predictions(root: str) -> dict[str, StudyFact]:
    """Facts from the scores of test patients: their number, calls by class, wrong calls."""
    rows = _frame(root, "predictions")
    if not len(rows) or not {"p_mutant", "arm", "judged", "primary_arm"} <= set(rows.columns):
        return {}
    settings = read_json(join(root, STATISTICS, "statistics.json"))["settings"]
    judged = rows[(rows["split"] == "test") & (rows["judged"] == "yes") & rows["idh"].notna()]
    arms = ["real", *dict.fromkeys(judged["primary_arm"].dropna())]
    means = mean_scores(judged, arms, judged["repeat"].unique().tolist())
    texts, wrong = [], []
    for arm in (each for each in arms if each in means and means[each].notna().any()):
        of_arm = means[means[arm].notna()]
        calls = np.where(of_arm[arm] >= settings["threshold"], "mutant", "wildtype")
        table = pd.crosstab(of_arm["idh"], calls)
        cells = [
            f"{truth} called {call} {int(table.loc[truth].get(call, 0))}"
            for truth in table.index
            for call in ("mutant", "wildtype")
        ]
        texts.append(f"{arm}: {', '.join(cells)}")
        wrong.append(f"{arm}: {int((calls != of_arm['idh']).sum())} of {len(of_arm)}")
    images = judged["n_images"].describe()
    return {
        "predictions.patients": _fact(
            f"{judged['patient'].nunique()} test patients", "predictions.csv: patient"
        ),
        "predictions.score": _fact(
            "the mean probability of mutation over a patient's images (median "
            f"{images['50%']:g} images)",
            "predictions.csv: p_mutant, n_images",
        ),
        "predictions.calls": _fact("; ".join(texts), "predictions.csv: idh, p_mutant"),
        "predictions.wrong": _fact("; ".join(wrong), "predictions.csv: idh, p_mutant"),
    }


def _figures(root: str) -> dict[str, StudyFact]:
    """Figures and tables that the report wrote as files."""
    names = [path.rpartition("/")[2] for path in list_files(join(root, REPORT_FILES))]
    facts = {}
    for fact, (start, content) in FIGURES.items():
        if matches := [name for name in names if name.startswith(start)]:
            text = f"{content} in {REPORT_FILES}/{matches[0]}"
            facts[fact] = StudyFact(text=text, source=f"{REPORT_FILES}/{matches[0]}")
    return facts


def external_facts(root: str) -> dict[str, StudyFact]:
    """Facts on the cohorts that the kept models were applied to."""
    folder = join(root, "external")
    names = [
        name
        for name in list_folders(folder)
        if exists(join(folder, name, STATISTICS, "statistics.json"))
    ]
    if not names:
        return {}
    text = f"external cohorts: {', '.join(names)}"
    source = f"external/*/{STATISTICS}/statistics.json"
    facts = {"external.cohorts": StudyFact(text=text, source=source)}
    areas = []
    for name in names:
        models = _frame(join(folder, name), "models")
        if len(models) and "auc" in models:
            areas.append(f"{name}: {_rows(models[models['auc'].notna()], '{arm} {auc:.3f}')}")
    if areas:
        source = f"external/*/{STATISTICS}/models.csv: auc"
        facts["external.areas"] = StudyFact(text="; ".join(areas), source=source)
    return facts
