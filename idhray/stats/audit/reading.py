"""Reader of a table of reported results: every cell as printed, all problems at once."""

import re
from collections.abc import Iterator
from typing import Any

from idhray.cohorts.text_table import read_numbered_table
from idhray.errors import ManifestError, TableError
from idhray.stats.audit.printed_number import PrintedNumber, printed_number, printed_p
from idhray.stats.audit.reported import (
    CASES,
    COLUMNS,
    FIGURES,
    MEANS,
    NAMES,
    NUMBERS,
    SCALES,
    SHARES,
    CountTable,
    ReportedRow,
    ReportedTable,
)

MOST_CASES = 10**9
_SURELY_PERCENT = 1.5  # a share above 1 is a fault of the paper; far above, its % was left out


class ReportedTableError(TableError, ManifestError):
    """A table of reported results that cannot be read: exit code 2, as for a manifest."""


def read_reported(path: str) -> ReportedTable:
    """Read a table of reported results (CSV, TSV or Parquet).

    Raises:
        ReportedTableError: no such table, no column `row`, or cells that cannot be read; the
            message has one line per problem, with row and column.
    """
    try:
        text = read_numbered_table(path)
    except ManifestError as error:
        raise ReportedTableError(str(error)) from None
    spellings = [str(name).strip() for name in text.columns]
    names = [_column(name) for name in spellings]
    if problem := _wrong_header(names, spellings, path):
        raise ReportedTableError(problem)
    text.columns = names
    problems: list[str] = []
    rows = []
    for i, cells in zip(text.index, text.to_dict("records"), strict=True):
        texts = {name: str(cells.get(name, "")).strip() for name in COLUMNS}
        if any(str(cell).strip() for cell in cells.values()):
            rows.append(_row(i + 2, texts, problems))
    if not rows and not problems:
        problems.append("there are no rows")
    if problems:
        noun = "problem" if len(problems) == 1 else "problems"
        head = f"{path}: {len(problems)} {noun}; nothing was audited"
        raise ReportedTableError("\n  ".join([head, *problems]))
    return ReportedTable(rows=tuple(rows), notices=tuple(_notices(names, rows)))


def _column(spelling: str) -> str:
    """The known column of a spelling in any case, with spaces or underscores; else the spelling."""
    plain = re.sub(r"[\s_-]+", "_", spelling.lower())
    return plain if plain in COLUMNS else spelling


def _wrong_header(names: list[str], spellings: list[str], path: str) -> str:
    """The problem of a header that cannot be used; empty if it can."""
    if "row" not in names:
        return f"{path}: there is no column `row`; name every row in a column `row`"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        columns = zip(names, spellings, strict=True)
        same = sorted({f"`{spelling}`" for name, spelling in columns if name == twice[0]})
        written = f", as {', '.join(same)}" if same[1:] else ""
        return f"{path}: column `{twice[0]}` is there twice{written}; keep one"
    if not set(names) & set(FIGURES):
        return f"{path}: no column of figures to audit; use any of {', '.join(FIGURES)}"
    return ""


def _row(line: int, cells: dict[str, str], problems: list[str]) -> ReportedRow:
    values: dict[str, Any] = {name: cells[name] for name in NAMES}
    values["scale"] = _scale(cells["scale"])
    if not cells["row"]:
        problems.append(f"row {line}: row is empty; every row needs a name")
    for name in (*MEANS, *CASES, *SHARES, "accuracy_count", *NUMBERS, "p", "counts"):
        if not cells[name]:
            continue
        value, advice = _cell(name, cells[name])
        if value is None:
            problems.append(f"row {line}: {name} is {_quoted(cells[name])}; {advice}")
        values[name] = value
    return ReportedRow(line=line, **values)


def _scale(spelling: str) -> str:
    if spelling.lower() in SCALES:  # `LR-` ends in a sign
        return SCALES[spelling.lower()]
    plain = re.sub(r"[\s_-]+", " ", spelling.lower())
    return SCALES.get(plain, plain)


def _cell(name: str, text: str) -> tuple[Any, str]:
    """The value of a cell, or None, and advice on what to write."""
    readers: dict[str, tuple[Any, str]] = {
        **dict.fromkeys(MEANS, (_positive, "write a whole number from 1 up")),
        **dict.fromkeys(CASES, (_count, f"write a whole number from 0 to {MOST_CASES}")),
        **dict.fromkeys(
            SHARES, (_share, "write a share as printed, 0.722, .722, or with its % 72.2%")
        ),
        **dict.fromkeys(NUMBERS, (_number, "write a number as printed, without %")),
        "accuracy_count": (_fraction, "write right/all, as in 37/44"),
        "p": (printed_p, "write 0.04, =0.04, <0.001 or >0.99"),
        "counts": (_counts, "write levels apart by ; and groups by /, as in 47/19; 28/8"),
    }
    read, advice = readers[name]
    return read(text), f"{advice}, or leave it empty"


def _share(text: str) -> PrintedNumber | None:
    """A share; None for a number far above 1, which has probably lost its %."""
    share = printed_number(text)
    if share and share.value > _SURELY_PERCENT and not share.text.endswith("%"):
        return None
    return share


def _number(text: str) -> PrintedNumber | None:
    number = printed_number(text)
    if number is None or number.text.endswith("%") or abs(number.value) > MOST_CASES:
        return None
    return number


def _fraction(text: str) -> tuple[int, int] | None:
    right, _, total = text.partition("/")
    counts = _count(right.strip()), _count(total.strip())
    return (counts[0], counts[1]) if counts[0] is not None and counts[1] is not None else None


def _count(text: str) -> int | None:
    if not re.fullmatch(r"[0-9]{1,12}(\.0+)?", text):
        return None
    value = int(text.partition(".")[0])
    return value if value <= MOST_CASES else None


def _positive(text: str) -> int | None:
    return _count(text) or None


def _counts(text: str) -> CountTable | None:
    """Levels by groups; None unless rectangular, 2 x 2 or larger, with a case in it."""
    levels = [[_count(cell.strip()) for cell in level.split("/")] for level in text.split(";")]
    widths = {len(level) for level in levels}
    if len(widths) > 1 or len(levels) < 2 or min(widths) < 2:
        return None
    if any(cell is None for level in levels for cell in level):
        return None
    table = tuple(tuple(cell or 0 for cell in level) for level in levels)
    return table if any(any(level) for level in table) else None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _notices(names: list[str], rows: list[ReportedRow]) -> Iterator[str]:
    if unknown := [name for name in names if name not in COLUMNS]:
        noun = "column was" if len(unknown) == 1 else "columns were"
        yield f"{len(unknown)} unknown {noun} not read: {', '.join(unknown)}"
    scales = sorted({row.scale for row in rows if row.scale and row.scale not in SCALES.values()})
    for scale in scales:
        yield (
            f"scale {_quoted(scale)} is none of {', '.join(sorted(set(SCALES.values())))}: of its "
            "rows only that the interval holds the estimate is checked"
        )
