"""Account of what was read from label tables: columns, values and what could not be read."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idhray.cohorts.manifest_cells import READERS

_MOST_VALUES = 12
_MOST_COLUMNS = 20


@dataclass(frozen=True, kw_only=True)
class UnreadValue:
    """A cell without a meaning in its column."""

    column: str
    cell: str
    count: int
    """Rows of patients with files that have this cell."""
    advice: str


@dataclass(frozen=True, kw_only=True)
class LabelAccount:
    """Readings of label tables for the patients that have files."""

    tables: tuple[str, ...]
    matched: frozenset[str]
    """Keys of patients with a row."""
    columns: Mapping[str, tuple[str, ...]]
    """Manifest column -> columns of the tables."""
    several: Mapping[str, tuple[str, ...]]
    """Manifest column -> columns of which none was chosen."""
    unused: tuple[str, ...]
    readings: Mapping[str, Mapping[tuple[str, str], int]]
    """Manifest column -> (cell, value) -> rows."""
    unread: tuple[UnreadValue, ...]
    patients: int = 0
    """Patients that have files."""
    known_counts: Mapping[str, int] = field(default_factory=dict)
    """Manifest column -> patients whose value is known."""

    @staticmethod
    def joined(accounts: Sequence["LabelAccount"], patients: int) -> "LabelAccount":
        """Account of several tables for a number of patients."""
        first, *others = accounts
        for other in others:
            names = {*first.columns, *other.columns}
            first = LabelAccount(
                tables=first.tables + other.tables,
                matched=first.matched | other.matched,
                columns={
                    name: (*first.columns.get(name, ()), *other.columns.get(name, ()))
                    for name in names
                },
                several={**first.several, **other.several},
                unused=first.unused + other.unused,
                readings={
                    name: Counter(first.readings.get(name, {}))
                    + Counter(other.readings.get(name, {}))
                    for name in names
                },
                unread=first.unread + other.unread,
            )
        return dataclasses.replace(first, patients=patients)

    def with_patients(self, labels: Iterable[Mapping[str, str]]) -> "LabelAccount":
        """The account with the numbers of patients whose values are known."""
        counts = Counter(name for values in labels for name, value in values.items() if value)
        return dataclasses.replace(self, known_counts=dict(counts))

    def listed(self) -> str:
        """Columns of the tables, as a list."""
        names = [*self.columns.get("patient", ()), *self.unused]
        more = f" and {len(names) - _MOST_COLUMNS} more" if names[_MOST_COLUMNS:] else ""
        return ", ".join(names[:_MOST_COLUMNS]) + more

    def lines(self, names: Sequence[str]) -> list[str]:
        """One line for each manifest column: its source, and how many patients have a value."""
        lines = [f"{len(self.matched)} of {self.patients} patients with files have labels"]
        for name in names:
            if columns := self.columns.get(name, ()):
                quoted = " and ".join(f"`{column}`" for column in dict.fromkeys(columns))
                lines.append(
                    f"{name}: column {quoted}, read for {self.known_counts.get(name, 0)} of "
                    f"{self.patients} patients"
                )
            elif candidates := self.several.get(name):
                lines.append(
                    f"{name}: not read, several columns may hold it: {', '.join(candidates)}; "
                    f"choose with --columns {name}=NAME"
                )
            else:
                lines.append(f"{name}: no column")
        if self.unused:
            more = len(self.unused) - _MOST_COLUMNS
            rest = f" and {more} more" if more > 0 else ""
            lines.append(f"not used: {', '.join(self.unused[:_MOST_COLUMNS])}{rest}")
        return lines + [f"not read: {line}" for line in self.unread_lines()]

    def unread_lines(self) -> list[str]:
        """One line for each column and advice: the cells that were not read, with their rows."""
        cells: dict[tuple[str, str], list[UnreadValue]] = {}
        for value in self.unread:
            cells.setdefault((value.column, value.advice), []).append(value)
        lines = []
        for (column, advice), values in sorted(cells.items()):
            ordered = sorted(values, key=lambda value: -value.count)
            listed = ", ".join(f"{each.cell!r} ({each.count})" for each in ordered[:_MOST_VALUES])
            more = len(values) - _MOST_VALUES
            rest = f" and {more} other values" if more > 0 else ""
            rows = sum(value.count for value in values)
            lines.append(f"{column} in {rows} row{'s' * (rows > 1)}: {listed}{rest}; {advice}")
        return lines

    def readings_text(self) -> str:
        """Readings of all distinct cells, for a dry run."""
        lines = []
        for name, counts in self.readings.items():
            lines.append(f"{name} from {' and '.join(f'`{c}`' for c in self.columns[name])}:")
            problems = {value.cell for value in self.unread if value.column == name}
            ordered = sorted(counts.items(), key=lambda item: -item[1])
            shown_values = ordered if name in READERS else ordered[:_MOST_VALUES]
            for (cell, text), count in shown_values:
                reading = "not read" if cell in problems else text or "unknown"
                lines.append(f"  {cell!r:<32} {reading:<10} {count}")
            if len(ordered) > len(shown_values):
                lines.append(f"  and {len(ordered) - len(shown_values)} more")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The account without names of patients, for JSON."""
        return {
            "tables": [path.rsplit("/", 1)[-1] for path in self.tables],
            "patients": self.patients,
            "with_labels": len(self.matched),
            "columns": {
                name: {
                    "column": list(dict.fromkeys(columns)),
                    "read": self.known_counts.get(name, 0),
                }
                for name, columns in self.columns.items()
                if name != "patient"
            },
            "not_used": list(self.unused),
            "not_read": [
                {"column": value.column, "cell": value.cell, "rows": value.count}
                for value in self.unread
            ],
        }
