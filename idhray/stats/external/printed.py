"""Tables of an external cohort as text."""

import pandas as pd

from idhray.stats.arms.printed import shown_strata
from idhray.stats.external.scores import RESEARCH
from idhray.stats.external.tables import ExternalTables
from idhray.stats.table1.printing import printed_characteristics
from idhray.stats.text import p_cell, printed, records, signed, with_interval

CAPTIONS = {
    "Table 1": "Patients of the cohort by IDH status: median [quartiles] or number (%).",
    "Models": "Area under the ROC curve of single trainings (mean, SD, range) and of their mean "
    "score, with 95% interval over patients; at the threshold: sensitivity, specificity.",
    "Calibration": "Calibration of the mean score. In the large: 0 is ideal, above 0 the scores "
    "are too low. Slope: 1 is ideal, below 1 they are too extreme.",
    "Contrasts": "Mean difference in AUC of single trainings, which are readers of the same "
    "patients (K = 1).",
    "Baselines": "Age alone and the mean scores.",
    "Strata": "Areas among patients of the same grade, site, sex or age group.",
    "Net benefit": "Decision curve: net benefit per patient of acting on the mean score.",
    "Patients": f"Mean probability of IDH mutation over the models, with their spread; {RESEARCH}. "
    "It must not guide the treatment of a patient.",
}
SHOWN_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def external_tables_text(tables: ExternalTables) -> dict[str, pd.DataFrame]:
    """Title -> table with text in every cell; empty tables are left out."""
    frames = {
        "Table 1": printed_characteristics(tables.table1) if tables.table1 else pd.DataFrame(),
        "Models": pd.DataFrame([_model(row) for row in records(tables.models)]),
        "Calibration": pd.DataFrame([_calibration(row) for row in records(tables.models)]),
        "Contrasts": pd.DataFrame([_contrast(row) for row in records(tables.contrasts)]),
        "Baselines": pd.DataFrame([_baseline(row) for row in records(tables.baselines)]),
        "Strata": pd.DataFrame([_stratum(row) for row in records(shown_strata(tables.strata))]),
        "Net benefit": _net_benefit(tables.decision),
        "Patients": _patients(tables.patients),
    }
    return {title: frame for title, frame in frames.items() if len(frame)}


def summary_sentence(tables: ExternalTables) -> str:
    """The result in a sentence or two."""
    counts = tables.counts
    people = f"{counts['mutant']} IDH-mutant and {counts['wildtype']} IDH-wildtype patients" + (
        f", {counts['unknown']} of unknown status" if counts["unknown"] else ""
    )
    if not tables.is_judged:
        return f"{people}: they have a score; nothing is judged."
    areas = [
        f"{row['model']}, arm {row['arm']}: AUC {with_interval(row, 'auc')} by the mean score of "
        f"{row['trainings']} trainings"
        for row in records(tables.models)
    ]
    differences = [
        f"{row['arm']} minus {row['baseline']} ({row['model']}): {signed(row['estimate'])} "
        f"(95% CI {_interval(row)})"
        for row in records(tables.contrasts)
    ]
    text = f"{people}. {'; '.join(areas)}."
    return (
        f"{text} Mean difference in AUC of single trainings, {'; '.join(differences)}."
        if differences
        else text
    )


def _interval(row: dict[str, object]) -> str:
    low, high = _number(row, "ci_low"), _number(row, "ci_high")
    return "-" if low != low else f"{signed(low)} to {signed(high)}"  # noqa: PLR0124 - NaN


def _model(row: dict[str, object]) -> dict[str, object]:
    spread = f"{printed(_number(row, 'auc_lowest'))} to {printed(_number(row, 'auc_highest'))}"
    return {
        "Classifier": row["model"],
        "Arm": row["arm"],
        "Trainings": str(row["trainings"]),
        "Mutant + wildtype": f"{row['n_mutant']} + {row['n_wildtype']}",
        "AUC of a training": printed(_number(row, "auc_of_trainings")),
        "SD": printed(_number(row, "sd_trainings")),
        "Range": spread,
        "AUC of the mean score (95% CI)": with_interval(row, "auc"),
        "AUPRC (share of mutants)": f"{printed(_number(row, 'auprc'))} "
        f"({printed(_number(row, 'share_mutant'))})",
        "Sensitivity": printed(_number(row, "sensitivity")),
        "Specificity": printed(_number(row, "specificity")),
    }


def _calibration(row: dict[str, object]) -> dict[str, object]:
    return {
        "Classifier": row["model"],
        "Arm": row["arm"],
        "In the large (95% CI)": _estimate(row, "in_the_large"),
        "Slope (95% CI)": _estimate(row, "slope"),
        "Observed / expected": printed(_number(row, "observed_expected"), 2),
        "Brier": printed(_number(row, "brier")),
    }


def _estimate(row: dict[str, object], name: str) -> str:
    value, low, high = (_number(row, f"{name}{end}") for end in ("", "_low", "_high"))
    if value != value:  # noqa: PLR0124 - NaN
        return "-"
    return f"{signed(value)} ({signed(low)} to {signed(high)})"


def _contrast(row: dict[str, object]) -> dict[str, object]:
    return {
        "Classifier": row["model"],
        "Arm": row["arm"],
        "Compared with": row["baseline"],
        "Difference": signed(_number(row, "estimate")),
        "95% CI": _interval(row),
        "P": p_cell(_number(row, "p")),
        "Trainings": str(row["repeats"]),
    }


def _baseline(row: dict[str, object]) -> dict[str, object]:
    return {
        "Predictor": _predictor(row),
        "Mutant + wildtype": f"{row['n_mutant']} + {row['n_wildtype']}",
        "AUC (95% CI)": _area(row),
        "AUPRC": printed(_number(row, "auprc")),
        "Fitted on": row["fitted_on"],
    }


def _stratum(row: dict[str, object]) -> dict[str, object]:
    return {
        "Stratum": f"{row['stratum']} {row['level']}",
        "Predictor": _predictor(row),
        "Mutant + wildtype": f"{row['n_mutant']} + {row['n_wildtype']}",
        "AUC (95% CI)": _area(row),
        "AUPRC": printed(_number(row, "auprc")),
    }


def _net_benefit(decision: pd.DataFrame) -> pd.DataFrame:
    """Net benefit by threshold, a column for each classifier and arm, beside treating all."""
    if decision.empty:
        return decision
    shown = decision[decision["threshold"].isin(SHOWN_THRESHOLDS)]
    wide = shown.assign(name=shown["model"] + ", " + shown["arm"]).pivot(
        index="threshold", columns="name", values="net_benefit"
    )
    wide["all called mutant"] = shown.groupby("threshold")["treat_all"].first()
    text = wide.map(signed)
    text.insert(0, "Threshold", [printed(value, 1) for value in text.index])
    return text.reset_index(drop=True)


def _patients(patients: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Patient": row["patient"],
            "IDH": row["idh"] or "unknown",
            "Classifier": row["model"],
            "Arm": row["arm"],
            "Mean p of mutation": printed(row["p_mutant"]),
            "SD of models": printed(row["sd_trainings"]),
            "Range of models": f"{printed(row['p_lowest'])} to {printed(row['p_highest'])}",
            "Models": str(row["trainings"]),
            "Use": row["use"],
        }
        for row in records(patients)
    ]
    return pd.DataFrame(rows)


def _predictor(row: dict[str, object]) -> str:
    return f"{row['predictor']} ({row['arm']})" if row["arm"] else str(row["predictor"])


def _area(row: dict[str, object]) -> str:
    return "-" if printed(_number(row, "auc")) == "-" else with_interval(row, "auc")


def _number(row: dict[str, object], name: str) -> float:
    return float(row[name])  # type: ignore[arg-type]
