"""Changes that a withdrawal makes to the files of a study, decided file by file.

A change is decided by the content of the file alone. A command that was killed decides again, and
finds what is left to do.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from posixpath import basename, dirname
from typing import Any, Literal

from idhray.config import settings_hash
from idhray.generator_records import patients_hash
from idhray.ledger_index import INDEX
from idhray.stages.forgetting.subject import ROW_COLUMNS, Subject
from idhray.stages.studies.record import (
    APPENDIX,
    APPENDIX_PAGE,
    AUTHOR_ANSWERS,
    CHECKLISTS,
    EXPERIMENT_FILE,
    REPORT_FILES,
    STUDY_FILE,
)
from idhray.storage import exists, read_bytes
from idhray.table_fingerprints import FOLDER as FINGERPRINTS
from idhray.table_parts import column_names, read_part, remaining_rows
from idhray.withdrawals import WITHDRAWN_FILE

ChangeKind = Literal["delete", "rows", "text"]
PAGES = ("report.html", "progress.html", "tables.html", "form.html", APPENDIX_PAGE)
"""Pages that show patients or cases; they are made again."""
TEXT_ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".html", ".svg", ".geojson")
TOKENS_IN_CSV = "images.csv"
"""Table of generated images, whose rows stay: the nearest patient becomes the token."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Change of one file."""

    path: str
    kind: ChangeKind
    """delete: the whole file is the patient's. rows: rows of a Parquet file. text: rows or names
    of a text file."""
    rows: int = 0
    """Rows that leave."""
    tokens: bool = False
    """True if names become tokens."""


def change_of(path: str, subject: Subject) -> Change | None:
    """Change of a file; None if it does not hold the patient."""
    name = basename(path)
    if name == WITHDRAWN_FILE or f"/{FINGERPRINTS}/" in path or is_report_file(path):
        # Fingerprints beside a table, and files of a report, are made again from what stays.
        return None if name == WITHDRAWN_FILE else Change(path=path, kind="delete")
    if name.endswith(".parquet"):
        change = _parquet_change(path, subject)
        # An index is made again from the files of the ledger that stay.
        return replace(change, kind="delete") if change and name == INDEX else change
    if subject.masked(name.rsplit(".", 1)[0], of_patients=True) != name.rsplit(".", 1)[0]:
        return Change(path=path, kind="delete")
    if name in PAGES and name != "form.html":
        return Change(path=path, kind="delete")
    if name.endswith(TEXT_ENDINGS):
        text, rows = changed_text(path, subject)
        if text is not None:
            return Change(
                path=path, kind="text", rows=rows, tokens=_holds_more(text, path, subject)
            )
    return None


def is_report_file(path: str) -> bool:
    """True for a file beside the report of a study that is made again: a figure, a table, a
    picture of the appendix, or the draft of a reporting guideline without the author's answers."""
    folder, root = basename(dirname(path)), dirname(dirname(path))
    if basename(root) == APPENDIX:  # a folder for each table
        folder, root = APPENDIX, dirname(root)
    records = (STUDY_FILE, EXPERIMENT_FILE)
    is_draft = folder == CHECKLISTS and basename(path) != AUTHOR_ANSWERS
    is_made_again = folder in (REPORT_FILES, APPENDIX) or is_draft
    return is_made_again and any(exists(f"{root}/{name}") for name in records)


def _holds_more(text: str, path: str, subject: Subject) -> bool:
    """True if the new text holds the token more often than the old one."""
    before = read_bytes(path).decode(errors="replace")
    return text.count(subject.token) > before.count(subject.token)


def _parquet_change(path: str, subject: Subject) -> Change | None:
    existing = column_names(path)
    texts = [name for name in existing if name != "image"]
    columns = [name for name in ROW_COLUMNS if name in existing]
    values, total, changed = subject.row_values, 0, False
    left = 0
    for row in read_columns(path, texts):
        total += 1
        if any(row[name] in values for name in columns):
            continue
        left += 1
        changed = changed or any(
            isinstance(cell, str) and subject.masked(cell) != cell for cell in row.values()
        )
    if left == total and not changed:
        return None
    if total and not left:
        return Change(path=path, kind="delete", rows=total)
    return Change(path=path, kind="rows", rows=total - left, tokens=changed)


def read_columns(path: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file with some of its columns."""
    yield from read_part(path, list(columns)).to_pylist()


def changed_rows(path: str, subject: Subject) -> tuple[list[dict[str, Any]], Any]:
    """Rows of a Parquet file without those of the patient, and its schema."""
    return remaining_rows(path, ROW_COLUMNS, subject.row_values, subject.masked)


def changed_text(path: str, subject: Subject) -> tuple[str | None, int]:
    """New content of a text file, or None if it stays as it is; and the number of rows that leave.

    Args:
        path: Path of the file.
        subject: The patient.
    """
    text = read_bytes(path).decode(errors="surrogateescape")
    rows, new = 0, text
    if path.endswith(".json"):
        new = _changed_json(text, subject)
    elif path.endswith((".csv", ".tsv")):
        new, rows = _changed_table(text, path, subject)
    else:
        new = subject.masked(text)
    return (None, 0) if new == text else (new, rows)


def _changed_table(text: str, path: str, subject: Subject) -> tuple[str, int]:
    """Rows of a CSV or TSV text without those of the patient."""
    separator = "\t" if path.endswith(".tsv") else ","
    lines = [*csv.reader(io.StringIO(text), delimiter=separator)]
    if not lines:
        return text, 0
    header = lines[0]
    columns = [place for place, name in enumerate(header) if name in ROW_COLUMNS]
    stay = basename(path) == TOKENS_IN_CSV
    rows, removed = [header], 0
    for line in lines[1:]:
        of_patient = any(line[k] in subject.row_values for k in columns if k < len(line))
        if of_patient and not stay:
            removed += 1
            continue
        rows.append(
            [subject.masked(cell, of_patients=place in columns) for place, cell in enumerate(line)]
        )
    if rows == lines:
        return text, 0
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, lineterminator="\n").writerows(rows)
    return buffer.getvalue(), removed


def _changed_json(text: str, subject: Subject) -> str:
    """JSON with the token in place of each name of the patient, and digests that fit again."""
    try:
        values = json.loads(text)
    except ValueError:
        return subject.masked(text)
    changed: Any = _masked_values(values, subject, of_patients=False)
    if changed == values:
        return text
    return json.dumps(changed, indent=2) + "\n"


def masked_values(record: dict[str, Any], subject: Subject) -> dict[str, Any]:
    """A record with the token in place of each name of the patient."""
    values: dict[str, Any] = _masked_values(record, subject, of_patients=False)
    return values


def _masked_values(value: Any, subject: Subject, *, of_patients: bool) -> Any:
    if isinstance(value, str):
        return subject.masked(value, of_patients=of_patients)
    if isinstance(value, list):
        return [_masked_values(each, subject, of_patients=of_patients) for each in value]
    if not isinstance(value, dict):
        return value
    new = {
        subject.masked(key, of_patients=of_patients): _masked_values(
            each, subject, of_patients=_is_of_patients(key)
        )
        for key, each in value.items()
    }
    return new if new == value else _with_digests(new, value)


def _is_of_patients(key: str) -> bool:
    """True for the keys of records whose values are names of patients."""
    return "patient" in key or key in ("roles", "last_ranks", "slide", "study")


def _with_digests(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """A record with the digests of its new lists of patients."""
    if isinstance(new.get("roles"), dict) and "digest" in new:
        new["digest"] = settings_hash(dict(sorted(new["roles"].items())))
        new["roles"] = dict(sorted(new["roles"].items()))
    if "trained_on" in new and new.get("patients") != old.get("patients"):
        new["remaining"] = patients_hash(new["patients"])
    return new
