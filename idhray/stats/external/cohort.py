"""Table 1 of an external cohort, by IDH status."""

import pandas as pd

from idhray.stats.sample import SampleError
from idhray.stats.table1.characteristics import Characteristic, characteristics
from idhray.stats.table1.printing import all_notes
from idhray.stats.table1.summaries import Categorical, Continuous

GROUPS = {"mutant": "IDH-mutant", "wildtype": "IDH-wildtype", "": "IDH unknown"}
LEVELED = {"sex": "Sex", "grade": "Grade", "diagnosis": "Diagnosis", "site": "Site"}
MOST_LEVELS = 12
"""Levels of a variable above which it has no rows, such as a site of each patient."""


def external_table1(people: pd.DataFrame, notes: list[str]) -> list[Characteristic]:
    """Characteristics of the patients by IDH status; mutants and wildtypes are compared.

    Args:
        people: One row per patient with idh, and age, sex, grade, diagnosis and site as far as the
            manifest has them.
        notes: Notes of the statistics; those of the table join them.
    """
    cases = people.assign(idh=people["idh"].fillna(""))
    groups = {value: label for value, label in GROUPS.items() if (cases["idh"] == value).any()}
    variables: list[Continuous | Categorical] = []
    if "age" in cases and pd.to_numeric(cases["age"], errors="coerce").notna().any():
        cases["age"] = pd.to_numeric(cases["age"], errors="coerce")
        variables.append(Continuous(name="age", label="Age (years)"))
    for name, label in LEVELED.items():
        levels = sorted({str(v) for v in cases[name].dropna()} - {""}) if name in cases else []
        if len(levels) > MOST_LEVELS:
            notes.append(f"Table 1: {label.lower()} has {len(levels)} values and is left out.")
        elif levels:
            cases[name] = cases[name].fillna("").astype(str).replace("", None)
            named = {level: level for level in levels}
            variables.append(Categorical(name=name, label=label, levels=named))
    pairs = [("mutant", "wildtype")] if {"mutant", "wildtype"} <= set(groups) else []
    try:
        rows = characteristics(cases, variables, group="idh", groups=groups, comparisons=pairs)
    except SampleError as error:
        notes.append(f"Table 1 is left out: {error}.")
        return []
    notes += [f"Table 1, {row.variable.name}: {note}" for row in rows for note in all_notes(row)]
    return rows
