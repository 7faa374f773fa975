"""The READINGS table as statistics read it: checked, one frame per reader, and their consensus.

A case is one image (a CE-T1w slice with its FLAIR) as readers saw it: of a patient, or synthetic.
Rows of the reader `consensus` settle the cells on which readers differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from idhray.errors import LeakageError, TableError
from idhray.stats.papers.park.features import FEATURES
from idhray.stats.readers.agreement import discordant, with_consensus

CONSENSUS = "consensus"
COLUMNS = ("reader", "case", "real", "idh", "split")
NAMES = tuple(feature.name for feature in FEATURES)
_CLASSES = {"mutant": 1.0, "wildtype": 0.0}
_TRUE = {"true", "1", "1.0", "yes", "real"}  # 1.0: pandas' 1 in a column with empty cells
_FALSE = {"false", "0", "0.0", "no", "synthetic"}
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What each reader said of each case, and what the cases are.

    Where readers only judged what is real, there are no cases and no features, but `judged`.
    """

    cases: pd.DataFrame
    """Index case; patient ("" if synthetic), label (0, 1), split, real, age (NaN if unknown).
    Only those whose features were read and whose IDH status is known."""
    by_reader: dict[str, pd.DataFrame]
    """Reader -> the features of every case of `cases`, as text."""
    settled: pd.DataFrame
    """case, feature, consensus: what the rows of reader `consensus` say."""
    judged: pd.DataFrame
    """reader, case, real, judged_real (bool): the visual Turing test; may be empty."""
    unknown_idh: int
    """Real cases without a known IDH status, in no figure but the Turing test's."""

    def rows(self, cases: "pd.Index[str] | None" = None) -> pd.DataFrame:
        """reader, case and the features, as `agreement` takes them: of some cases, or of all."""
        wanted = self.cases.index if cases is None else cases
        frames = [
            frame.loc[wanted].reset_index().assign(reader=reader)
            for reader, frame in self.by_reader.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def discordant(self) -> pd.DataFrame:
        """Every cell on which readers differ, what each said, and the consensus so far."""
        if self.cases.empty:
            return pd.DataFrame(columns=["case", "feature", *self.by_reader, CONSENSUS])
        found = discordant(self.rows(), NAMES)
        names = dict(zip(found.columns[2:], self.by_reader, strict=True))
        return found.rename(columns=names).merge(self.settled, how="left").fillna({CONSENSUS: ""})

    def agreed(self, cases: "pd.Index[str]", *, else_first: bool = False) -> pd.DataFrame:
        """Index case; each feature as all readers saw it, or as consensus settled it.

        Args:
            else_first: Where nothing was settled the first reader (by name) has the last word.

        Raises:
            SampleError: readers differ, nothing was settled, and not `else_first`; or a consensus
                contradicts what all readers agree on.
        """
        settled = self.settled[self.settled["case"].isin(cases)]
        if else_first:
            open_cells = self.discordant()
            open_cells = open_cells[open_cells["case"].isin(cases) & (open_cells[CONSENSUS] == "")]
            first = open_cells.assign(**{CONSENSUS: open_cells[next(iter(self.by_reader))]})
            settled = pd.concat([settled, first[["case", "feature", CONSENSUS]]])
        levels = {feature.name: list(feature.levels) for feature in FEATURES}
        table = with_consensus(self.rows(cases), NAMES, settled, levels=levels)
        return table.set_index("case").loc[cases, list(NAMES)]


def read_readings(
    rows: pd.DataFrame,
    patients: pd.DataFrame | None = None,
    consensus: pd.DataFrame | None = None,
) -> Readings:
    """A READINGS table, checked; all its problems are told at once.

    Args:
        rows: Columns of READINGS, as text or typed; empty cells are "" or null.
        consensus: case, feature, consensus: cells that were settled, beside those of the reader
            `consensus`.
        patients: patient, age and (where known) idh and split: for the ages, to check against,
            and to fill in an IDH status or a split that the readings leave empty.

    Raises:
        TableError: columns are missing, values are unknown, or rows contradict each other.
        LeakageError: a synthetic case outside training, or a patient in two splits.
    """
    if missing := [name for name in (*COLUMNS, *NAMES) if name not in rows.columns]:
        raise TableError(f"readings: no column {', '.join(missing)}")
    table = _as_text(rows)
    if patients is not None:
        _fill_in(table, patients)
    if problems := [*_problems(table)]:
        shown = problems[:10] + ([f"and {len(problems) - 10} more"] if problems[10:] else [])
        noun = "problem" if len(problems) == 1 else "problems"
        raise TableError("\n  ".join([f"readings: {len(problems)} {noun}", *shown]))
    table["real"] = table["real"].isin(_TRUE)
    read = table[(table[list(NAMES)] != "").any(axis=1)]
    cases = _cases(read, patients)
    unknown = cases["label"].isna()
    cases = cases[~unknown]
    by_reader = _by_reader(read[read["reader"] != CONSENSUS], cases)
    judged = table[(table["judged_real"] != "") & (table["reader"] != CONSENSUS)]
    return Readings(
        cases=cases,
        by_reader=by_reader,
        settled=_settled(read[read["reader"] == CONSENSUS], cases, consensus),
        judged=pd.DataFrame(
            {
                "reader": judged["reader"],
                "case": judged["case"],
                "real": judged["real"],
                "judged_real": judged["judged_real"].isin(_TRUE),
            }
        ).reset_index(drop=True),
        unknown_idh=int(unknown.sum()),
    )


def _as_text(rows: pd.DataFrame) -> pd.DataFrame:
    def cell(value: Any) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return "" if value is None or value is pd.NA or value != value else str(value).strip()  # noqa: PLR0124

    known = {*COLUMNS, *NAMES, "patient", "judged_real"}
    text = pd.DataFrame({name: rows[name].map(cell) for name in rows.columns if name in known})
    for name in ("patient", "judged_real"):
        if name not in text:
            text[name] = ""
    for name in ("idh", "split", "real", "judged_real", *NAMES):
        text[name] = text[name].str.lower()
    return text.astype(object).reset_index(drop=True)


def _fill_in(table: pd.DataFrame, patients: pd.DataFrame) -> None:
    """Empty cells of idh and split of real cases, from the patient's row; rows are changed."""
    people = patients.drop_duplicates("patient").set_index("patient")
    for name in ("idh", "split"):
        if name in people:
            known = table["patient"].map(people[name].dropna()).fillna("").astype(str)
            empty = (table[name] == "") & table["real"].isin(_TRUE)
            table.loc[empty, name] = known[empty]


def _problems(table: pd.DataFrame) -> Iterator[str]:
    """One line for each thing that is wrong in a single row or between rows of one case."""
    if table.empty:
        yield "there are no rows"
    allowed = {
        "real": _TRUE | _FALSE,
        "judged_real": _TRUE | _FALSE | {""},
        "idh": {*_CLASSES, ""},
        "split": set(SPLITS),
        **{feature.name: {*feature.levels, ""} for feature in FEATURES},
    }
    for name in ("reader", "case"):
        if (empty := table.index[table[name] == ""]).size:
            yield f"row {empty[0] + 2}: no {name}"
    for name, values in allowed.items():
        for number, value in table.loc[~table[name].isin(values), name].items():
            known = ", ".join(sorted(v for v in values if v))
            yield f"row {number + 2}: {name} is {value!r}; write one of {known}"
    twice = table.duplicated(["reader", "case"])
    for number, row in table[twice].iterrows():
        yield f"row {number + 2}: reader {row['reader']} read case {row['case']} twice; keep one"
    for case, rows in table.groupby("case"):
        for name in ("patient", "idh", "split", "real"):
            if rows[name].nunique() > 1:
                yield f"case {case}: {name} differs between its rows"
    yield from _unread(table)


def _unread(table: pd.DataFrame) -> Iterator[str]:
    """Cases that a reader left out, wholly or in part: a figure must not hang on who read what."""
    read = table[(table[list(NAMES)] != "").any(axis=1) & (table["reader"] != CONSENSUS)]
    for _, row in read.iterrows():
        if empty := [name for name in NAMES if row[name] == ""]:
            yield f"reader {row['reader']}, case {row['case']}: no {', '.join(empty)}"
    cases = set(read["case"])
    for reader, own in read.groupby("reader"):
        if lacking := sorted(cases - set(own["case"])):
            yield f"reader {reader} did not read {len(lacking)} cases, {lacking[0]} the first"
    if cases and read["reader"].nunique() < 2:
        yield f"one reader only, {read['reader'].iloc[0]}; agreement needs two"
    if not cases and not (table["judged_real"] != "").any():
        yield "no reader gave any feature or judgment"


def _cases(read: pd.DataFrame, patients: pd.DataFrame | None) -> pd.DataFrame:
    cases = read.drop_duplicates("case").set_index("case")[["patient", "idh", "split", "real"]]
    cases = cases.sort_index()
    _refuse_leaks(cases)
    cases["label"] = cases["idh"].map(_CLASSES).astype(float)
    cases["age"] = np.nan
    if patients is not None:
        _join_patients(cases, patients)
    return cases.drop(columns="idh")


def _refuse_leaks(cases: pd.DataFrame) -> None:
    outside = cases[~cases["real"] & (cases["split"] != "train")]
    if len(outside):
        raise LeakageError(
            f"readings: {len(outside)} synthetic cases outside training ({outside.index[0]} the "
            "first); synthetic cases are never validation or test patients"
        )
    real = cases[cases["real"]]
    if nameless := list(real.index[real["patient"] == ""]):
        raise TableError(f"readings: case {nameless[0]} is real but has no patient")
    if named := list(cases.index[~cases["real"] & (cases["patient"] != "")]):
        raise TableError(f"readings: case {named[0]} is synthetic but has a patient; empty it")
    if unlabeled := list(cases.index[~cases["real"] & (cases["idh"] == "")]):
        raise TableError(f"readings: case {unlabeled[0]} is synthetic and has no idh")
    both = real.groupby("patient")["split"].nunique()
    if (crossing := both[both > 1]).size:
        raise LeakageError(f"readings: patient {crossing.index[0]} is in two splits")
    twice = real["patient"].value_counts()
    if (twice := twice[twice > 1]).size:
        raise TableError(
            f"readings: patient {twice.index[0]} has {twice.iloc[0]} cases; a patient is one case, "
            "so that patients are independent: choose one image"
        )


def _join_patients(cases: pd.DataFrame, patients: pd.DataFrame) -> None:
    people = patients.drop_duplicates("patient").set_index("patient")
    real = cases.index[cases["real"]]
    names = cases.loc[real, "patient"]
    if lost := sorted(set(names) - set(people.index)):
        raise TableError(f"readings: patient {lost[0]} is not in the manifest")
    for name in ("idh", "split"):
        said = people.loc[names, name].fillna("").to_numpy() if name in people else np.array([""])
        wrong = (said != "") & (cases.loc[real, name].to_numpy() != said)
        if wrong.any():
            patient = names.iloc[int(wrong.argmax())]
            raise TableError(f"readings: patient {patient} has another {name} in the manifest")
    cases.loc[real, "age"] = pd.to_numeric(people.loc[names, "age"], errors="coerce").to_numpy()


def _by_reader(read: pd.DataFrame, cases: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        str(reader): own.set_index("case")[list(NAMES)].loc[cases.index]
        for reader, own in read.groupby("reader")
    }


def _settled(rows: pd.DataFrame, cases: pd.DataFrame, listed: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["case", "feature", CONSENSUS]
    known = rows[rows["case"].isin(cases.index)]
    long = known.melt(id_vars="case", value_vars=NAMES, var_name="feature", value_name=CONSENSUS)
    if listed is not None:
        if missing := [name for name in columns if name not in listed.columns]:
            raise TableError(f"consensus: no column {', '.join(missing)}")
        cells = listed[columns].fillna("").astype(str)
        cells[CONSENSUS] = cells[CONSENSUS].str.strip().str.lower()
        long = pd.concat([long, cells])
    return long[long[CONSENSUS] != ""].reset_index(drop=True)
