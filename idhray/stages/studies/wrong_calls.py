"""Patients whom the baseline or the primary arm calls wrongly, for the report of an experiment."""

import pandas as pd

from idhray.cohorts.manifest import LABELS
from idhray.report.content import ReportTable
from idhray.stats.arms.columns import TEST
from idhray.stats.arms.tables import ExperimentTables
from idhray.stats.text import printed

MOST_ROWS = 100
"""Patients on the page at most; those furthest from the threshold."""
DETAILS = ("age", "sex", "grade", "site")


def wrong_calls_table(
    rows: pd.DataFrame, tables: ExperimentTables, cohort: pd.DataFrame
) -> list[ReportTable]:
    """Patients called wrongly at the threshold by one of both arms; none if there are none.

    A patient's score is the mean over the judged repeats, each by the fold that held the patient
    out.

    Args:
        rows: PREDICTIONS of one classifier.
        tables: Statistics of the experiment.
        cohort: One row per patient.
    """
    arms = [arm for arm in (tables.rule.baseline, tables.rule.primary) if arm]
    scores = mean_scores(rows, arms, tables.plan.judged)
    if scores.empty:
        return []
    threshold = tables.settings.threshold
    wrong = scores.drop(columns="idh").apply(
        lambda p: (p >= threshold) != (scores["idh"] == "mutant"), axis=0
    )
    wrong &= scores.drop(columns="idh").notna()
    shown = scores[wrong.any(axis=1)]
    if shown.empty:
        return []
    distance = (shown[arms] - threshold).abs().where(wrong.loc[shown.index]).max(axis=1)
    order = distance.sort_values(ascending=False, kind="stable").index
    people = cohort.set_index("patient")
    details = [name for name in DETAILS if people[name].map(_text).ne("").any()]
    counts = [f"{arm}: {int(wrong[arm].sum())} of {int(scores[arm].notna().sum())}" for arm in arms]
    more = len(order) - MOST_ROWS
    return [
        ReportTable(
            title="Patients called wrongly",
            header=[
                "Patient",
                "IDH status",
                *map(str.capitalize, details),
                *(f"Score, {arm}" for arm in arms),
            ],
            rows=[
                [
                    str(name),
                    str(shown.loc[name, "idh"]),
                    *(_text(people.loc[name, detail]) for detail in details),
                    *(_score(shown.loc[name, arm], bool(wrong.loc[name, arm])) for arm in arms),
                ]
                for name in order[:MOST_ROWS]
            ],
            caption=f"Called wrongly at {threshold:g}: {'; '.join(counts)}. Scores are mean "
            "probabilities of mutation over the judged repeats; those furthest from the threshold "
            "come first. Look at their images: a wrong label, a poor slide and a hard case look "
            "alike here.",
            notes=["* called wrongly by this arm"]
            + ([f"{more} more are in statistics/predictions.csv."] if more > 0 else []),
        )
    ]


def mean_scores(
    rows: pd.DataFrame, arms: list[str], judged: tuple[int, ...] | list[int]
) -> pd.DataFrame:
    """One row per test patient of known status: idh, and the mean score of each arm.

    Args:
        rows: PREDICTIONS of one classifier.
        arms: Names of the arms.
        judged: Repeats that are judged.
    """
    is_judged = (rows["split"] == TEST) & rows["idh"].isin(LABELS) & rows["repeat"].isin(judged)
    chosen = rows[is_judged & rows["arm"].isin(arms)]
    if chosen.empty:
        return pd.DataFrame()
    means = chosen.pivot_table(index="patient", columns="arm", values="p_mutant", aggfunc="mean")
    status = chosen.drop_duplicates("patient").set_index("patient")["idh"]
    return means.reindex(columns=arms).assign(idh=status)


def _score(p: float, is_wrong: bool) -> str:
    return printed(p) + ("*" if is_wrong else "")


def _text(value: object) -> str:
    """Value as text; whole numbers without decimals, and nothing for a missing one."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is not equal to itself
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
