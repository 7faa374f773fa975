"""The tables that this package prints, given to its own audit: nothing in them is impossible."""

import csv
import re
from io import StringIO

import numpy as np
import pytest

from idhray.stats.arms.printed import experiment_tables_text
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.tables import experiment_tables
from idhray.stats.papers.liu.printed import printed_tables
from idhray.stats.papers.liu.tables import liu_tables

NUMBER = r"([+\u2212-]?\d\.\d+)"
INTERVAL = re.compile(NUMBER + r" \(" + NUMBER + r"(?:\u2013| to )" + NUMBER + r"\)")
SHARES = ("sensitivity", "specificity", "accuracy", "auc")


def columns_of(cell, names):
    """A printed figure with its interval as three cells; without one, only the figure."""
    match = INTERVAL.search(str(cell))
    texts = match.groups() if match else (str(cell) if re.fullmatch(NUMBER, str(cell)) else "",)
    return dict(zip(names, texts, strict=False))


def shares_of(row):
    """Cells of the figures of a printed row, whatever their headings say of intervals."""
    cells = {}
    for name in SHARES:
        heading = next((key for key in row if str(key).lower().split(" (")[0] == name), None)
        if heading:
            cells |= columns_of(row[heading], (name, f"{name}_low", f"{name}_high"))
    return cells


def audited(audit_of, rows):
    """The audit of rows as a CSV file with all their columns."""
    text = StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return audit_of(*text.getvalue().splitlines())


def liu_rows(table):
    """Rows of tables 1 to 3: set and class sizes are in the heading of each row."""
    for row in table.to_dict("records"):
        sizes = re.findall(r"(\d+) (?:mutant|wildtype)", row["Set"])
        name = row.get("Model") or row.get("Synthetic images") or row.get("Predictor")
        cells = {"set": row["Set"].split(":")[0], "row": name.split(" \u2714")[0]}
        cells |= {"n_mutant": sizes[0], "n_wildtype": sizes[1], "repeats": row.get("Repeats", "")}
        cells |= shares_of(row)
        if INTERVAL.search(str(row.get("Difference in AUC", ""))):
            cells |= columns_of(row["Difference in AUC"], ("estimate", "low", "high"))
            p = "" if row["P"].startswith("-") else row["P"]
            cells |= {"scale": "AUC difference", "p": p, "compared_with": "0 (baseline)"}
        yield cells


@pytest.mark.parametrize("repeats", [1, 3, 5])
@pytest.mark.parametrize("patients", [16, 34])
def test_tables_1_to_3_of_liu_pass(study, audit_of, repeats, patients):
    """Means of repeats are shares of all runs; their intervals are Wilson's and DeLong's."""
    printed = printed_tables(liu_tables(*study(repeats=repeats, patients=patients)))
    for name in ("table1", "table2", "table3"):
        cells = list(liu_rows(printed[name]))
        found = audited(audit_of, cells)

        assert {"sensitivity", "auc_low"} <= set(cells[0])
        assert [one for one in found.findings if one.severity != "suspicious"] == []
        assert len(found.findings) <= 1


def test_table_4_of_liu_passes(study, audit_of):
    """Accuracy is 1 less the errors of all patients of an age group."""
    table = printed_tables(liu_tables(*study(repeats=3)))["table4"]
    cells = []
    for row in table.to_dict("records"):
        n, mutants, wildtypes = re.findall(r"\d+", row["Patients (mutant : wildtype)"])
        errors = int(row["Errors (mutant : wildtype)"].split()[0])
        cells.append(
            {"row": row["Predictor"], "set": row["Set"] + row["Age"], "n": n}
            | {"n_mutant": mutants, "n_wildtype": wildtypes}
            | {"accuracy_count": f"{int(n) - errors}/{n}", **shares_of(row)}
        )

    assert [one for one in audited(audit_of, cells).findings if one.severity != "suspicious"] == []


@pytest.mark.parametrize("folds", [1, 3, 5])
def test_tables_of_an_experiment_pass(experiment, audit_of, folds):
    """Areas are means over folds and repeats, intervals by trainings as readers."""
    rule = DecisionRule(primary="synthetic:60", generators="per fold and repeat")
    rows = experiment(
        {"real": 0.0, "synthetic:60": 0.6, "duplicate:60": 0.0}, repeats=5, folds=folds
    )
    text = experiment_tables_text(experiment_tables(rows, None, rule))
    arms = [
        {"row": row["Arm"], "n_mutant": 30, "n_wildtype": 30, "folds": folds}
        | {"repeats": row["Repeats"], **shares_of(row)}
        for row in text["Arms"].to_dict("records")
    ]
    contrasts = [
        {"row": row["Arm"], "set": row["Compared with"], "scale": "AUC difference"}
        | {"estimate": row["Difference"], "p": row["P"]}
        | dict(zip(("low", "high"), row["95% CI"].split(" to "), strict=True))
        for row in text["Contrasts"].to_dict("records")
    ]

    assert "auc_low" in arms[0]
    assert [one for one in audited(audit_of, arms).findings if one.severity != "suspicious"] == []
    assert audited(audit_of, contrasts).count("impossible") == 0
    assert audited(audit_of, contrasts).count("contradiction") == 0
    assert np.isfinite(float(contrasts[0]["estimate"].replace("\u2212", "-")))
