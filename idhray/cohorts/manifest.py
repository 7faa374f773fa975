"""The manifest: patients, their files, IDH status, age and grade; and the patient split.

A manifest is a table with one row per slide or study, of any format that `read_numbered_table`
reads. All problems are reported at once, with row numbers, before any work starts.
"""

import hashlib
import io
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from idhray.cohorts.cell_text import as_text, listed_columns, with_names
from idhray.cohorts.manifest_cells import (
    ManifestCells,
    is_no_name,
    listed_rows,
    manifest_cells,
    unread_columns,
)
from idhray.cohorts.misplaced_files import misplaced_files
from idhray.cohorts.slide_names import SLIDE_ID, slide_names, told_apart
from idhray.cohorts.split_draw import drawn_split, joined_split
from idhray.cohorts.text_table import problem_message, read_numbered_table
from idhray.errors import ManifestError
from idhray.patients import ADVICE, twin_text, twins
from idhray.storage import absolute, existing_spelling, is_remote, is_uri, publish

logger = logging.getLogger(__name__)

Label = Literal["wildtype", "mutant"]
LABELS: tuple[Label, ...] = ("wildtype", "mutant")  # 0, 1
SPLITS = ("train", "val", "test")
PATIENT_LEVEL = (
    "idh",
    "age",
    "age_censored",
    "sex",
    "grade",
    "diagnosis",
    "site",
    "cohort",
    "split",
)
FILES = ("slide", "t1ce", "flair", "brain_mask", "tumor_mask")
NUMBERS = ("age", "mpp", "objective_power")
COLUMNS = ("patient", *PATIENT_LEVEL, *FILES, "mpp", "objective_power", SLIDE_ID)


def read_manifest(path: str) -> pd.DataFrame:
    """Read a manifest with every column of `COLUMNS`, one row per slide or study.

    Unknown values are "" in text columns and NaN in `age`, `mpp` and `objective_power`. File paths
    become absolute (relative paths are relative to the manifest). Words with one meaning become one
    word: `M` and male, `2` and `Grade II`. A patient-level value in one row of a patient applies to
    all rows of the patient. Columns that are not read are logged, but a column that looks like the
    missing `idh` is refused: without labels the cohort would count as unknown.

    Raises:
        ManifestError: The manifest has problems; the message has one line per problem.
    """
    text = with_names(read_numbered_table(path), COLUMNS, path)
    if "patient" not in text:
        raise ManifestError(
            f"{path}: there is no column `patient`; it has {listed_columns(text)}. `idhray "
            "make-manifest table --columns patient=NAME ...` maps other names"
        )
    if "idh" not in text and (similar := [name for name in text if "idh" in name.lower()]):
        raise ManifestError(
            f"{path}: there is no column `idh`, but {similar[0]!r}; rename it to idh, or let "
            "`idhray make-manifest table` read it"
        )
    if unread := [*unread_columns([*text], COLUMNS)]:
        logger.warning("%s: columns that are not read: %s", path, ", ".join(unread))
    text = text.reindex(columns=list(COLUMNS), fill_value="").map(str.strip).astype(object)
    cells = manifest_cells(text)
    if problems := [*_problems(cells)]:
        raise ManifestError(problem_message(path, problems))
    cohort = _typed(cells.text.reset_index(drop=True), path)
    if capped := cohort.loc[cohort["age_censored"] != "", "patient"].nunique():
        logger.info("%s: %d ages are capped, such as 89+ (column age_censored)", path, capped)
    return cohort


def manifest_frame(rows: Iterable[Mapping[str, str]]) -> pd.DataFrame:
    """Manifest of rows of text with any of `COLUMNS`; absent values are "" or NaN."""
    manifest = pd.DataFrame([{name: row.get(name, "") for name in COLUMNS} for row in rows])
    for name in NUMBERS:
        manifest[name] = [float(value or "nan") for value in manifest[name]]
    return manifest


def refuse_problems(manifest: pd.DataFrame, source: str) -> None:
    """Refuse a manifest that `read_manifest` would refuse.

    Args:
        manifest: Manifest as importers make it.
        source: Name of its tables in messages.

    Raises:
        ManifestError: Patients are twins or contradict themselves, or a file is named after another
            patient; all problems, one per line.
    """
    if problems := [*_problems(manifest_cells(manifest.apply(as_text)))]:
        raise ManifestError(problem_message(source, problems))


def patients_of(manifest: pd.DataFrame) -> pd.DataFrame:
    """One row per patient with the patient-level columns, sorted by patient."""
    columns = ["patient", *PATIENT_LEVEL]
    return manifest[columns].drop_duplicates("patient").sort_values("patient", ignore_index=True)


def with_split(manifest: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Add the patient split (train, val, test) to a manifest.

    If no patient has a split, patients are drawn 6:1:1 within each label (100 + 98, 18 + 16 and
    18 + 16 of 136 mutant and 130 wildtype patients, as in Liu et al. 2020, Results). If some have
    one, they keep it, and the others join the set that lacks most patients of their label. A
    patient's place depends on the seed and the names only, not on the order of rows.

    Raises:
        ManifestError: No patient has a split, and a label has fewer than 3 patients, too few for
            three sets.
    """
    patients = patients_of(manifest)
    labels = dict(zip(patients["patient"], patients["idh"], strict=True))
    written = patients[patients["split"] != ""].set_index("patient")["split"].to_dict()
    if len(written) == len(labels):
        return manifest
    if written:
        split = joined_split(labels, written, seed)
        joined = Counter(split[name] for name in sorted(set(labels) - set(written)))
        places = ", ".join(f"{count} {name}" for name, count in sorted(joined.items()))
        logger.warning("patients without a split join the others, who keep theirs: %s", places)
    else:
        split = drawn_split(labels, seed)
    return manifest.assign(split=manifest["patient"].map(split))


def write_manifest(path: str, manifest: pd.DataFrame) -> None:
    """Publish a manifest as CSV, TSV or Parquet, chosen by the ending of `path`."""
    ending = path.lower().rsplit("/", 1)[-1].rpartition(".")[2]
    if ending in ("xlsx", "xls", "ods", "json", "jsonl"):
        raise ManifestError(f"{path}: name it .csv, .tsv or .parquet; these formats are written")
    if ending in ("parquet", "pq"):
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(manifest, preserve_index=False), buffer)
        publish(path, buffer.getvalue())
        return
    used = [name for name in manifest if name == "patient" or (as_text(manifest[name]) != "").any()]
    separator = "\t" if ending == "tsv" else ","
    publish(path, manifest[used].to_csv(index=False, sep=separator).encode())


def manifest_hash(manifest: pd.DataFrame) -> str:
    """Hash of a manifest's content, 16 hex digits, independent of the order of its rows."""
    rows = manifest.apply(as_text)
    if "age_censored" in rows and (rows["age_censored"] == "").all():
        rows = rows.drop(columns="age_censored")  # as before there was this column
    rows = rows.sort_values(list(rows.columns))
    return hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()[:16]


def _problems(cells: ManifestCells) -> Iterator[str]:
    text = cells.text
    if text.empty:
        yield "there are no rows"
    if (nameless := text.index[text["patient"] == ""]).size:
        yield f"{listed_rows(nameless)}: no patient; every row needs one"
    for name, rows in text[text["patient"].map(is_no_name).astype(bool)].groupby("patient"):
        yield f"{listed_rows(rows.index)}: patient is {name!r}, which is no name"
    yield from cells.problems
    yield from _contradictions(text)
    yield from _twins(text)
    for name in ("slide", "t1ce", "flair"):
        filled = text[text[name] != ""]
        for value, rows in filled[filled[name].duplicated(keep=False)].groupby(name):
            yield f"{listed_rows(rows.index)}: {name} {value} is there {len(rows)} times; keep one"
    yield from _same_name(text)
    yield from misplaced_files(text, FILES)


def _contradictions(text: pd.DataFrame) -> Iterator[str]:
    named = text[text["patient"] != ""]
    for patient, rows in named[named["patient"].duplicated(keep=False)].groupby("patient"):
        for name in PATIENT_LEVEL:
            filled = rows[rows[name] != ""]
            values = sorted(set(filled[name]))
            if len(values) > 1:
                numbers = listed_rows(filled.index)
                yield f"{numbers}: patient {patient} has {name} {' and '.join(values)}"


def _twins(text: pd.DataFrame) -> Iterator[str]:
    """Report names that are probably one patient, whom the split could tear apart."""
    for group in twins(text["patient"]):
        rows = text.index[text["patient"].isin(group)]
        yield f"{listed_rows(rows)}: {twin_text(group)}; {ADVICE}"


def _same_name(text: pd.DataFrame) -> Iterator[str]:
    """Report slides that neither their files nor their folders tell apart."""
    slides = text[text["slide"] != ""].drop_duplicates("slide")
    # Relative paths lie in the folder of the manifest, or below it.
    absolute_paths = [_absolute("/_", path) for path in slides["slide"]]
    slides = slides.assign(slide=absolute_paths)
    names = pd.Series(slide_names(_with_slide_ids(slides)), index=slides.index, dtype=object)
    shared = names.duplicated(keep=False)
    for name, rows in slides[shared].groupby(names[shared]):
        yield (
            f"{listed_rows(rows.index)}: {len(rows)} slides are named {name}; keep one, or give "
            f"each a name in the column {SLIDE_ID}"
        )


def _with_slide_ids(text: pd.DataFrame) -> pd.DataFrame:
    """The rows with a name of each slide whose file name another slide shares."""
    unnamed = text[(text["slide"] != "") & (text[SLIDE_ID] == "")]
    names = told_apart([*unnamed["slide"].drop_duplicates()])
    rows = zip(text["slide"], text[SLIDE_ID], strict=True)
    return text.assign(**{SLIDE_ID: [names.get(path, name) for path, name in rows]})


def _typed(text: pd.DataFrame, path: str) -> pd.DataFrame:
    shared = text.astype(object)
    for name in PATIENT_LEVEL:
        filled = text[text[name] != ""]
        by_patient = dict(zip(filled["patient"], filled[name], strict=True))
        shared[name] = [by_patient.get(patient, "") for patient in text["patient"]]
    for name in NUMBERS:
        shared[name] = [float(value or "nan") for value in shared[name]]
    folder = absolute(path).rsplit("/", 1)[0]
    for name in FILES:
        shared[name] = shared[name].map(lambda value: _absolute(folder, value))
    return _with_slide_ids(shared)


def _absolute(folder: str, value: str) -> str:
    if not value or is_remote(value):
        return value
    path = absolute(value) if is_uri(value) else os.path.join(folder, value)
    return existing_spelling(path)
