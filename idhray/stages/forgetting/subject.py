"""The patient who withdraws, with all names that lead to the patient.

Tables name a patient by the patient column, by slides and studies; records also by file paths and
by parts, whose names are made of the name of a slide.
"""

import functools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from posixpath import basename
from typing import Any

from idhray.cohorts.manifest import FILES
from idhray.cohorts.slide_names import row_slide_name
from idhray.table_parts import column_names, part_path, read_part

ROW_COLUMNS = ("patient", "slide", "study", "input")
"""Columns by which a row belongs to a patient."""
MIN_TEXT = 4
"""A shorter name is not looked for inside of texts, where it would fit anything."""
MIN_DIGITS = 6
"""The same for a name of digits only."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A patient, the token that takes its place in records, and all names that lead to it."""

    patient: str
    token: str
    """Keyed hash, see `withdrawals.py`."""
    label: str = ""
    """IDH status; empty if unknown."""
    inputs: frozenset[str] = frozenset()
    """Names of slides and studies."""
    files: frozenset[str] = frozenset()
    """Paths of slides and scans."""
    shared: frozenset[str] = frozenset()
    """Names of files that other patients have, too, such as t1ce.nii.gz."""
    lookalikes: frozenset[str] = frozenset()
    """Names of other patients, slides and files that contain one of these names."""

    @functools.cached_property
    def row_values(self) -> frozenset[str]:
        """Values in `ROW_COLUMNS` of the rows of the patient."""
        return frozenset({self.patient, *self.inputs, *self.files})

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """All names, with those of files and parts."""
        files = {name for path in self.files for name in (path, basename(path))} - self.shared
        parts = {basename(part_path("", name)).removesuffix(".parquet") for name in self.row_values}
        return frozenset({*self.row_values, *files, *parts} - {""})

    def is_patient(self, name: object) -> bool:
        """True for the patient, also as a token of an earlier withdrawal."""
        return name in (self.patient, self.token)

    @functools.cached_property
    def text_names(self) -> list[str]:
        """Names that are looked for inside of texts, the longest first."""
        fit = [
            name for name in self.names if len(name) >= (MIN_DIGITS if name.isdigit() else MIN_TEXT)
        ]
        return sorted(fit, key=lambda name: (-len(name), name))

    @functools.cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Pattern of all names inside of texts, of lookalikes too; None without any."""
        alternatives = sorted({*self.text_names, *self.lookalikes}, key=lambda n: (-len(n), n))
        if not self.text_names:
            return None
        listed = "|".join(map(re.escape, alternatives))
        return re.compile(rf"(?<![0-9A-Za-z])(?:{listed})(?![0-9A-Za-z])")

    def masked(self, text: str, *, of_patients: bool = False) -> str:
        """The text with the token in place of each name of the patient.

        Args:
            text: Any text.
            of_patients: The text is the name of a patient, slide or study, however short.
        """
        if of_patients and text in self.names:
            return self.token
        if self.pattern is None:
            return text
        return self.pattern.sub(
            lambda match: match[0] if match[0] in self.lookalikes else self.token, text
        )


def subject_of(patient: str, token: str, tables: Iterable[str]) -> Subject:
    """The names of a patient in Parquet files; those without a patient column are passed over.

    Args:
        patient: Name in the column `patient`.
        token: Keyed hash of it.
        tables: Paths of Parquet files.
    """
    inputs, files, others, their_files = set[str](), set[str](), set[str](), set[str]()
    label = ""
    for path in tables:
        existing = column_names(path)
        if "patient" not in existing:
            continue
        columns = [name for name in ("patient", "idh", "study", *FILES) if name in existing]
        rows = read_part(path, columns).to_pylist()
        for row in rows:
            row_inputs, row_files = _names_of(row)
            if row["patient"] == patient:
                inputs |= row_inputs
                files |= row_files
                label = row.get("idh") or label
            else:
                others |= {str(row["patient"]), *row_inputs}
                their_files |= row_files
        scans = sum(row["patient"] == patient and bool(row.get("t1ce")) for row in rows)
        inputs |= {f"{patient}-{k}" for k in range(1, scans + 1) if scans > 1}
    subject = Subject(
        patient=patient,
        token=token,
        label=label,
        inputs=frozenset(inputs - others - {"", patient}),
        files=frozenset(files - their_files),
        shared=frozenset(map(basename, their_files)),
    )
    lookalikes = _lookalikes(subject.text_names, {*others, *their_files})
    return replace(subject, lookalikes=lookalikes)


def _names_of(row: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Names of slides and studies of a row, and its file paths."""
    paths = {row[name] for name in FILES if row.get(name)}
    slides = {row_slide_name(row)} - {""}
    studies = {row["study"]} if row.get("study") else set()
    return slides | studies, {path for path in paths if "/" in path}


def _lookalikes(names: Collection[str], others: Iterable[object]) -> frozenset[str]:
    """Names of others that contain a name of the patient."""
    return frozenset(
        str(other)
        for other in others
        if other and any(name in str(other) and name != other for name in names)
    )
