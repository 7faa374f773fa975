"""Tables of an experiment as text."""

from collections.abc import Callable, Mapping

import pandas as pd

from idhray.stats.arms.tables import ExperimentTables
from idhray.stats.text import p_cell, printed, signed, with_interval

CAPTIONS = {
    "Contrasts": "Differences in AUC: mean over folds and repeats, with 95% intervals.",
    "Arms": "Figures of each arm: means over folds and repeats.",
    "Baselines": "Age, sex, grade and image as predictors, alone and together.",
    "Strata": "Areas among patients of the same grade, site, sex or age group.",
}
FITTED_HERE = "*"
MARKS = {FITTED_HERE: "fitted on patients who had already chosen the epoch, or may have"}

PrintedCells = Mapping[str, object]


def experiment_tables_text(tables: ExperimentTables) -> dict[str, pd.DataFrame]:
    """Title -> table with text in every cell; strata have their stratum first, as a heading."""
    frames = {
        "Contrasts": _table(tables.contrasts, _contrast),
        "Arms": _table(tables.arms, _arm),
        "Baselines": _table(tables.baselines, _baseline),
        "Strata": _table(shown_strata(tables.strata), _stratum),
    }
    return {title: frame for title, frame in frames.items() if len(frame)}


def classifier_table_text(table: pd.DataFrame) -> pd.DataFrame:
    """Table of the classifiers (`classifiers.classifier_table`) with text in every cell."""
    return _table(table, lambda row: {"Classifier": row["model"], **_arm(row)})


def shown_strata(strata: pd.DataFrame) -> pd.DataFrame:
    """Strata, with one row for all levels that have too few patients of a class for any area."""
    if strata.empty:
        return strata
    level = ["stratum", "level"]
    empty = strata.groupby(level)["auc"].transform(lambda areas: areas.isna().all())
    shown = [strata[~empty]]
    for _, rows in strata[empty].drop_duplicates(level).groupby("stratum", sort=False):
        row = rows.iloc[:1].assign(predictor="-", arm="", fitted_here=False)
        if len(rows) > 1:
            totals = {name: rows[name].sum() for name in ("n_mutant", "n_wildtype", "pairs")}
            row = row.assign(level=f"({len(rows)} with too few patients of a class)", **totals)
        shown.append(row)
    return pd.concat([part for part in shown if len(part)]).sort_values(
        "stratum", key=_first_places, kind="stable"
    )


def _first_places(names: pd.Series) -> pd.Series:
    """Place of the first row of each name, so that a stratum's rows stay together."""
    return names.map({name: place for place, name in enumerate(names.unique())})


def _table(frame: pd.DataFrame, cells: Callable[[dict[str, object]], PrintedCells]) -> pd.DataFrame:
    return pd.DataFrame([cells(row) for row in frame.to_dict("records")])


def _contrast(row: dict[str, object]) -> PrintedCells:
    low, high = _number(row, "ci_low"), _number(row, "ci_high")
    interval = "-" if low != low else f"{signed(low)} to {signed(high)}"  # noqa: PLR0124 - NaN
    return {
        "Arm": row["arm"],
        "Compared with": row["baseline"],
        "Role": row["role"],
        "Difference": signed(_number(row, "estimate")),
        "95% CI": interval,
        "P": p_cell(_number(row, "p")),
        "P (Holm)": p_cell(_number(row, "p_holm")),
        "Folds x repeats": f"{row['folds']} x {row['repeats']}",
        "Variance paired / unpaired": printed(_number(row, "variance_ratio"), 2),
    }


def _arm(row: dict[str, object]) -> PrintedCells:
    return {
        "Arm": row["arm"],
        "AUC (95% CI)": with_interval(row, "auc"),
        "SD of trainings": printed(_number(row, "sd_repeats")),
        "Accuracy": printed(_number(row, "accuracy")),
        "Sensitivity": printed(_number(row, "sensitivity")),
        "Specificity": printed(_number(row, "specificity")),
        "AUPRC": printed(_number(row, "auprc")),
        "Brier": printed(_number(row, "brier")),
        "Repeats": str(row["repeats"]),
    }


def _baseline(row: dict[str, object]) -> PrintedCells:
    return {
        "Predictor": _predictor(row),
        "Mutant + wildtype": f"{row['n_mutant']} + {row['n_wildtype']}",
        "AUC (95% CI)": _area(row),
        "AUPRC": printed(_number(row, "auprc")),
        "Fitted on": row["fitted_on"],
    }


def _stratum(row: dict[str, object]) -> PrintedCells:
    return {
        "Stratum": f"{row['stratum']} {row['level']}",
        "Predictor": _predictor(row),
        "Mutant + wildtype": f"{row['n_mutant']} + {row['n_wildtype']}",
        "Pairs": str(row["pairs"]),
        "AUC (95% CI)": _area(row),
        "AUPRC": printed(_number(row, "auprc")),
    }


def _predictor(row: dict[str, object]) -> str:
    name = f"{row['predictor']} ({row['arm']})" if row["arm"] else str(row["predictor"])
    return name + (FITTED_HERE if row["fitted_here"] else "")


def _area(row: dict[str, object]) -> str:
    return "-" if printed(_number(row, "auc")) == "-" else with_interval(row, "auc")


def _number(row: dict[str, object], name: str) -> float:
    return float(row[name])  # type: ignore[arg-type]
