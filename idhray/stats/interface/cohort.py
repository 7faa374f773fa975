"""Table 1: the characteristics of groups of patients."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from idhray.stats.interface.answer import Answer
from idhray.stats.interface.inputs import check_columns
from idhray.stats.table1.characteristics import Characteristic, characteristics
from idhray.stats.table1.choice import Convention
from idhray.stats.table1.printing import (
    all_notes,
    characteristics_frame,
    printed_characteristics,
)
from idhray.stats.table1.summaries import Categorical, Continuous


def table_1(
    frame: pd.DataFrame,
    *,
    group: str,
    continuous: Sequence[str] = (),
    categorical: Sequence[str] = (),
    convention: Convention = "choose",
    patient: str = "",
) -> Answer[list[Characteristic]]:
    """Table 1: each variable by group, with tests and standardized differences of every pair.

    Args:
        frame: One row per patient.
        group: Column of the groups, two or more.
        continuous: Columns of numbers: median and quartiles.
        categorical: Columns of levels: counts and shares.
        convention: `choose` takes each test by the data (Welch or Mann-Whitney, chi-square or
            Fisher); `park2021` follows that paper.
        patient: Column that names the patients, to refuse one who occurs twice.

    Returns:
        Frame: all figures as numbers. Summary: the table as it is printed.

    Raises:
        SampleError: a column is missing; there are fewer than two groups; a patient occurs twice;
            a value is no number.
    """
    check_columns(frame, [group, *continuous, *categorical])
    cases = frame[frame[group].notna()].assign(**{group: lambda rows: rows[group].astype(str)})
    variables: list[Continuous | Categorical] = [
        *(Continuous(name=name, label=name, digits=1) for name in continuous),
        *(Categorical(name=name, label=name, levels=_levels(cases, name)) for name in categorical),
    ]
    groups = {value: value for value in _in_order(frame[group])}
    rows = characteristics(
        cases, variables, group=group, groups=groups, convention=convention, identity=patient
    )
    notes = [f"{row.variable.name}: {note}" for row in rows for note in all_notes(row)]
    if lost := len(frame) - len(cases):
        notes.append(f"{lost} patients without {group} are left out.")
    return Answer(
        figures=rows,
        text=printed_characteristics(rows).to_string(index=False),
        table=characteristics_frame(rows),
        notes=tuple(notes),
    )


def _in_order(column: "pd.Series[Any]") -> list[str]:
    """Values that occur, as text: sorted, or in the order of a pandas category."""
    categories = pd.Categorical(column).remove_unused_categories().categories
    return [str(value) for value in categories]


def _levels(cases: pd.DataFrame, name: str) -> dict[str, str]:
    filled = cases[name].astype(object).replace("", None).dropna()
    categorical = isinstance(cases[name].dtype, pd.CategoricalDtype)
    levels = _in_order(cases[name] if categorical else filled)
    return {level: level for level in levels if level}
