"""Table 1: the cases of each group, and comparisons of the groups.

Source: Park et al. 2021, table 1; shares, quartiles, standardized differences, and the name of the
test of every row are added.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from idhray.stats.capped_ages import CAPPED
from idhray.stats.footnotes import Footnotes, Printed
from idhray.stats.papers.park.features import FEATURES
from idhray.stats.papers.park.readings import SPLITS, Readings
from idhray.stats.settings import StatsSettings
from idhray.stats.table1.characteristics import Characteristic, Comparison, characteristics
from idhray.stats.table1.printing import characteristics_frame, printed_characteristics
from idhray.stats.table1.summaries import DASH, Categorical, Continuous
from idhray.stats.text import p_cell, printed

GROUPS = {"wildtype": "Wildtype", "mutant": "Mutant", "synthetic": "Mutant (GAN)"}
_TESTS = {"chi-square": "chi-square", "Fisher": "Fisher", "Mann": "Mann-Whitney", "Welch": "Welch"}
"""Part of a test's name -> its short name in a cell."""
PAIRS = (("mutant", "synthetic"), ("wildtype", "mutant"), ("wildtype", "synthetic"))
"""P+, P* and P** of Park et al. 2021, table 1."""
VARIABLES: tuple[Continuous | Categorical, ...] = (
    Continuous(name="age", label="Age (years)"),
    *(Categorical(name=f.name, label=f.label, levels=dict(f.levels)) for f in FEATURES),
)


def characteristics_by_split(
    readings: Readings, settings: StatsSettings
) -> dict[str, list[Characteristic]]:
    """Split -> the rows of its table.

    Training cases have the features on which readers agree or that consensus settled. Other cases
    fall back on the first reader's features (Park et al. do not state theirs).

    Raises:
        SampleError: readers differ on a training case and there is no consensus.
    """
    tables = {}
    for split in SPLITS:
        cases = readings.cases[readings.cases["split"] == split]
        cases = cases[cases["real"] | (cases["label"] == 1)]  # no model uses synthetic wildtypes
        if cases.empty:
            continue
        else_first = split != "train" or settings.discordant == "first reader"
        cases = cases.join(readings.agreed_features(cases.index, else_first=else_first))
        cases["group"] = np.select(
            [~cases["real"], cases["label"] == 1], ["synthetic", "mutant"], "wildtype"
        )
        groups = {key: name for key, name in GROUPS.items() if (cases["group"] == key).any()}
        if len(groups) > 1:
            tables[split] = characteristics(
                cases,
                [_with_capped_ages(variable, cases) for variable in VARIABLES],
                group="group",
                groups=groups,
                comparisons=[pair for pair in PAIRS if set(pair) <= set(groups)],
                convention=settings.tests,
                identity="patient",
            )
    return tables


def _with_capped_ages(
    variable: Continuous | Categorical, cases: pd.DataFrame
) -> Continuous | Categorical:
    """The variable; the label of the age tells how many ages are capped."""
    capped = int((cases[CAPPED] != "").sum()) if CAPPED in cases else 0
    if variable.name != "age" or not capped:
        return variable
    return replace(variable, label=f"{variable.label[:-1]}; {capped} capped at 89 or 90)")


def characteristics_table(tables: dict[str, list[Characteristic]]) -> pd.DataFrame:
    """Figures of all splits, one per column."""
    frames = [characteristics_frame(rows).assign(split=split) for split, rows in tables.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def print_characteristics(rows: list[Characteristic]) -> Printed:
    """One split in Park's layout; each comparison is one cell: P, its test, and the difference.

    A footnote gives the reason of a dash.
    """
    footnotes = Footnotes()
    frame = printed_characteristics(rows)
    groups = list(rows[0].groups) if rows else []
    frame = frame[["Variable", "Level", *groups]].copy()
    first_lines = iter(frame.index[frame["Variable"] != ""])
    for row in rows:
        top = next(first_lines)
        for comparison in row.comparisons:
            frame.loc[top, f"{comparison.first} vs {comparison.second}"] = _comparison_cell(
                comparison, row, footnotes
            )
        for group in groups:
            lines = range(top, top + 1 + len(getattr(row.variable, "levels", ())))
            for line in lines:
                if frame.loc[line, group] == DASH:
                    frame.loc[line, group] += footnotes.mark(_empty_reason(group, row))
    return Printed(frame=frame.fillna(""), notes=footnotes.notes)


def _comparison_cell(comparison: Comparison, row: Characteristic, footnotes: Footnotes) -> str:
    """`P 0.010 (chi-square), d 0.35`, or a dash with its reason."""
    ageless = [name for name in (comparison.first, comparison.second) if not row.groups[name].n]
    if ageless:
        return "-" + footnotes.mark(_empty_reason(ageless[0], row))
    has_p = np.isfinite(comparison.test.p)
    p = (
        p_cell(comparison.test.p)
        if has_p
        else "-" + footnotes.mark(" ".join(comparison.test.notes))
    )
    name = next((short for long, short in _TESTS.items() if long in comparison.test.method), "")
    text = f"P {p}" + (f" ({name})" if name else "")
    if np.isfinite(comparison.standardized_difference):
        return f"{text}, d {printed(comparison.standardized_difference, 2)}"
    reason_notes = [note for note in row.notes if note.startswith("No standardized difference")]
    return f"{text}, d -" + footnotes.mark(
        reason_notes[0] if reason_notes else "no standardized difference"
    )


def _empty_reason(group: str, row: Characteristic) -> str:
    if group == GROUPS["synthetic"] and row.variable.name == "age":
        return "a synthetic image has no age"
    return f"{row.variable.label} is unknown of all cases of {group}"
