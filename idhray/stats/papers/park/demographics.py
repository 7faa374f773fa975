"""Table 1: the cases of each group, and whether the groups differ.

Source: Park et al. 2021, table 1, with shares, quartiles, standardized differences, and the test
of every row by name.
"""

import numpy as np
import pandas as pd

from idhray.stats.accuracy.rates import printed
from idhray.stats.footnotes import Printed, Reasons
from idhray.stats.papers.park.features import FEATURES
from idhray.stats.papers.park.readings import SPLITS, Readings
from idhray.stats.settings import StatsSettings
from idhray.stats.table1.characteristics import Characteristic, Comparison, characteristics
from idhray.stats.table1.printing import characteristics_frame, printed_characteristics
from idhray.stats.table1.summaries import DASH, Categorical, Continuous
from idhray.stats.text import p_cell

GROUPS = {"wildtype": "Wildtype", "mutant": "Mutant", "synthetic": "Mutant (GAN)"}
_TESTS = {"chi-square": "chi-square", "Fisher": "Fisher", "Mann": "Mann-Whitney", "Welch": "Welch"}
"""What a test's name holds -> how it is named in a cell."""
PAIRS = (("mutant", "synthetic"), ("wildtype", "mutant"), ("wildtype", "synthetic"))
"""P+, P* and P** of Park et al. 2021, table 1."""
VARIABLES: tuple[Continuous | Categorical, ...] = (
    Continuous(name="age", label="Age (years)"),
    *(Categorical(name=f.name, label=f.label, levels=dict(f.levels)) for f in FEATURES),
)


def table1(readings: Readings, settings: StatsSettings) -> dict[str, list[Characteristic]]:
    """Split -> the rows of its table.

    Training cases are as the consensus has them; the others as all readers see them or consensus
    settled, else as the first reader does (Park et al. do not say).

    Raises:
        SampleError: readers differ on a training case and there is no consensus.
    """
    found = {}
    for split in SPLITS:
        cases = readings.cases[readings.cases["split"] == split]
        cases = cases[cases["real"] | (cases["label"] == 1)]  # synthetic wildtypes are in no model
        if cases.empty:
            continue
        first = split != "train" or settings.discordant == "first reader"
        cases = cases.join(readings.agreed(cases.index, else_first=first))
        cases["group"] = np.select(
            [~cases["real"], cases["label"] == 1], ["synthetic", "mutant"], "wildtype"
        )
        groups = {key: name for key, name in GROUPS.items() if (cases["group"] == key).any()}
        if len(groups) > 1:
            found[split] = characteristics(
                cases,
                VARIABLES,
                group="group",
                groups=groups,
                comparisons=[pair for pair in PAIRS if set(pair) <= set(groups)],
                convention=settings.tests,
                identity="patient",
            )
    return found


def table1_frame(tables: dict[str, list[Characteristic]]) -> pd.DataFrame:
    """All splits' figures, one per column."""
    frames = [characteristics_frame(rows).assign(split=split) for split, rows in tables.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def printed_table1(rows: list[Characteristic]) -> Printed:
    """One split in Park's layout; each comparison is one cell: P, its test, and the difference.

    A dash has its reason below.
    """
    reasons = Reasons()
    frame = printed_characteristics(rows)
    groups = list(rows[0].groups) if rows else []
    frame = frame[["Variable", "Level", *groups]].copy()
    first = iter(frame.index[frame["Variable"] != ""])
    for row in rows:
        at = next(first)
        for one in row.comparisons:
            frame.loc[at, f"{one.first} vs {one.second}"] = _compared(one, row, reasons)
        for group in groups:
            lines = range(at, at + 1 + len(getattr(row.variable, "levels", ())))
            for line in lines:
                if frame.loc[line, group] == DASH:
                    frame.loc[line, group] += reasons.mark(_why_empty(group, row))
    return Printed(frame=frame.fillna(""), notes=reasons.notes)


def _compared(one: Comparison, row: Characteristic, reasons: Reasons) -> str:
    """`P 0.010 (chi-square), d 0.35`, or a dash with its reason."""
    ageless = [name for name in (one.first, one.second) if not row.groups[name].n]
    if ageless:
        return "-" + reasons.mark(_why_empty(ageless[0], row))
    known = np.isfinite(one.test.p)
    p = p_cell(one.test.p) if known else "-" + reasons.mark(" ".join(one.test.notes))
    name = next((short for long, short in _TESTS.items() if long in one.test.method), "")
    text = f"P {p}" + (f" ({name})" if name else "")
    if np.isfinite(one.standardized_difference):
        return f"{text}, d {printed(one.standardized_difference, 2)}"
    found = [note for note in row.notes if note.startswith("No standardized difference")]
    return f"{text}, d -" + reasons.mark(found[0] if found else "no standardized difference")


def _why_empty(group: str, row: Characteristic) -> str:
    if group == GROUPS["synthetic"] and row.variable.name == "age":
        return "a synthetic image has no age"
    return f"{row.variable.label} is unknown of all cases of {group}"
