"""Folds of a study: the role of each labeled patient (train, val or test) in each fold.

`fold_draw.py` draws folds and adds newcomers. Patients without a label are in no fold.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from idhray.cohorts.cell_text import with_names
from idhray.cohorts.manifest import LABELS, SPLITS
from idhray.cohorts.text_table import problem_message, read_text_table
from idhray.errors import ManifestError
from idhray.patients import ADVICE, twin_text, twins
from idhray.storage import publish
from idhray.tables import FOLDS

FoldUnit = Literal["patient", "site"]
FOLD_COLUMNS = ("patient", "idh", "fold", "role")
FOLDS_FILE = "folds.parquet"
"""Name of the file of folds beside a manifest."""
MAX_NAMES = 5  # patients that a message names


@dataclass(frozen=True)
class Folds:
    """Role of each labeled patient in each fold. With two folds or more, all are tested once."""

    table: pd.DataFrame
    """One row per patient and fold, sorted by both: patient, idh, fold (from 1), role."""
    by: FoldUnit = "patient"
    """Unit that was kept together when the folds were drawn."""

    def numbers(self) -> tuple[int, ...]:
        """Numbers of the folds, 1 to K."""
        return tuple(sorted({int(fold) for fold in self.table["fold"]}))

    def roles(self, fold: int) -> dict[str, str]:
        """Role of each patient in one fold: patient -> train, val or test.

        Raises:
            ManifestError: There is no such fold.
        """
        rows = self.table[self.table["fold"] == fold]
        if rows.empty:
            raise ManifestError(f"no fold {fold}; the folds are 1 to {max(self.numbers())}")
        return dict(zip(rows["patient"], rows["role"], strict=True))

    def labels(self) -> dict[str, str]:
        """Label of each patient: patient -> mutant or wildtype."""
        return dict(zip(self.table["patient"], self.table["idh"], strict=True))


def folds_of_roles(
    labels: dict[str, str], roles: dict[int, dict[str, str]], by: FoldUnit = "patient"
) -> Folds:
    """Folds from the label of each patient and the roles of each fold."""
    rows = [
        (patient, labels[patient], fold, role)
        for fold, roles_of_fold in sorted(roles.items())
        for patient, role in sorted(roles_of_fold.items())
    ]
    return Folds(pd.DataFrame(rows, columns=list(FOLD_COLUMNS)), by)


def folds_of_split(cohort: pd.DataFrame) -> Folds:
    """One fold: the split of a manifest. Patients without a label are left out.

    Args:
        cohort: Patients, or rows of a manifest, with patient, idh and split.

    Raises:
        ManifestError: A labeled patient has no split, or there is no labeled patient.
    """
    labeled = cohort[cohort["idh"].isin(LABELS)].drop_duplicates("patient")
    if labeled.empty:
        raise ManifestError("no patient has an IDH status; fill in the column `idh`")
    if without := sorted(labeled.loc[~labeled["split"].isin(SPLITS), "patient"]):
        raise ManifestError(f"no split for {listed(without)}; run `idhray split-cohort`")
    labels = dict(zip(labeled["patient"], labeled["idh"], strict=True))
    return folds_of_roles(labels, {1: dict(zip(labeled["patient"], labeled["split"], strict=True))})


def read_folds(path: str) -> Folds:
    """Read folds from a Parquet, CSV or TSV file.

    Raises:
        ManifestError: The file is no table of folds, or contradicts itself: a patient twice in a
            fold or missing from one, an unknown role or label, two labels of a patient, folds that
            are not numbered 1 to K, or, of several folds, a patient tested in none or in two. The
            message has one line per problem.
    """
    text = with_names(read_text_table(path), (*FOLD_COLUMNS, "by"), path)
    if missing := [name for name in FOLD_COLUMNS if name not in text]:
        raise ManifestError(f"{path}: no column {', '.join(missing)}; a table of folds has them")
    if text.empty:
        raise ManifestError(f"{path}: there are no rows; draw folds with `idhray split-cohort`")
    text = text.apply(lambda column: column.str.strip())
    units = sorted(set(text["by"])) if "by" in text else ["patient"]
    problems = [*_bad_cells(text, units)] or [*_contradictions(text)]
    if problems:
        raise ManifestError(problem_message(path, problems))
    table = text[list(FOLD_COLUMNS)].astype({"fold": "int64"})
    table = table.sort_values(["fold", "patient"], ignore_index=True)
    table = pd.DataFrame(table.to_dict("records"))  # the types of a table that was drawn
    return Folds(table, "site" if units == ["site"] else "patient")


def write_folds(path: str, folds: Folds) -> None:
    """Publish folds as a Parquet, CSV or TSV file, chosen by the ending of `path`."""
    table = folds.table[list(FOLD_COLUMNS)].assign(by=folds.by)
    if path.endswith((".csv", ".tsv")):
        separator = "\t" if path.endswith(".tsv") else ","
        publish(path, table.to_csv(index=False, sep=separator).encode())
        return
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table, schema=FOLDS, preserve_index=False), buffer)
    publish(path, buffer.getvalue())


def folds_hash(folds: Folds) -> str:
    """Hash of the roles of all patients, 16 hex digits."""
    rows = folds.table.sort_values(["fold", "patient"])[list(FOLD_COLUMNS)]
    return hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()[:16]


def listed(names: list[str]) -> str:
    """The first names of a list, and the number of the others."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def _bad_cells(text: pd.DataFrame, units: list[str]) -> Iterator[str]:
    checks = {
        "patient": (text["patient"] != "", "every row needs a patient"),
        "idh": (text["idh"].isin(LABELS), "write mutant or wildtype; leave others out"),
        "role": (text["role"].isin(SPLITS), "write train, val or test"),
        "fold": (text["fold"].str.fullmatch(r"[1-9]\d{0,3}"), "number the folds from 1"),
    }
    for name, (good, advice) in checks.items():
        for value in sorted(set(text.loc[~good.astype(bool), name])):
            yield f"{name} is {value!r}; {advice}"
    if len(units) > 1 or units[0] not in get_args(FoldUnit):
        yield f"by is {', '.join(map(repr, units))}; write patient or site in all rows"


def _contradictions(text: pd.DataFrame) -> Iterator[str]:
    """Report patients whose rows do not give one role in each fold, and one test in all."""
    for group in twins(text["patient"]):
        yield f"{twin_text(group)}; {ADVICE}"
    count = max(int(fold) for fold in text["fold"])
    if absent := sorted(set(range(1, count + 1)) - {int(fold) for fold in text["fold"]}):
        yield f"fold {absent[0]} has no rows, though there is a fold {count}"
    by_patient = text.groupby("patient")
    if torn := sorted(by_patient["idh"].nunique().loc[lambda n: n > 1].index):
        yield f"two labels for {listed(torn)}; give each patient one"
    for fold, rows in text.groupby(text["fold"].astype(int)):
        if twice := sorted(set(rows.loc[rows.duplicated("patient"), "patient"])):
            yield f"fold {fold}: more than one row for {listed(twice)}; keep one"
        if missing := sorted(set(text["patient"]) - set(rows["patient"])):
            yield f"fold {fold}: no row for {listed(missing)}; each patient has a role in each fold"
    tests = (text["role"] == "test").groupby(text["patient"]).sum()
    if never := sorted(tests.index[(tests == 0) & (count > 1)]):
        yield f"tested in no fold: {listed(never)}; each patient is tested once"
    if again := sorted(tests.index[tests > 1]):
        yield f"tested in more than one fold: {listed(again)}; each patient is tested once"
