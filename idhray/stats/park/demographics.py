"""Table 1: the cases of each group, and whether the groups differ.

Source: Park et al. 2021, table 1, with shares, quartiles, standardized differences, and the test
of every row by name.
"""

import numpy as np
import pandas as pd

from idhray.stats.characteristics import Characteristic, characteristics
from idhray.stats.park.features import FEATURES
from idhray.stats.park.readings import SPLITS, Readings
from idhray.stats.print_characteristics import characteristics_frame, printed_characteristics
from idhray.stats.settings import StatsSettings
from idhray.stats.summaries import Categorical, Continuous

GROUPS = {"wildtype": "Wildtype", "mutant": "Mutant", "synthetic": "Mutant (GAN)"}
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


def printed_table1(rows: list[Characteristic]) -> pd.DataFrame:
    """One split as text, in Park's layout: P values beside the variable, tests in the CSV file."""
    frame = printed_characteristics(rows)
    hidden = (": test", ": standardized difference")
    return frame[[name for name in frame.columns if not name.endswith(hidden)]]
