"""Rows of JSON: one object a line, or one list of objects."""

import json
from typing import Any

from idhray.cohorts.cell_text import cell_text
from idhray.cohorts.table_files.delimited import NumberedRow
from idhray.errors import ManifestError


def json_rows(text: str) -> list[NumberedRow]:
    """Header and rows of JSON lines or of a list of flat objects, numbers as they are written.

    Raises:
        ManifestError: The text is something else, or a name occurs twice in an object.
    """
    objects = _objects(text)
    names = [*dict.fromkeys(name for record in objects for name in record)]
    header: list[NumberedRow] = [(1, names)]
    return header + [
        (number, [_cell(record.get(name), number) for name in names])
        for number, record in enumerate(objects, start=2)
        if record
    ]


def _objects(text: str) -> list[dict[str, Any]]:
    stripped = text.strip()
    try:
        if stripped.startswith("["):
            values = _parsed(stripped)
        else:
            lines = [line for line in stripped.splitlines() if line.strip()]
            values = [_parsed(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"starts as JSON and is none ({error}); write one object a line")
    if not values or not all(isinstance(value, dict) for value in values):
        raise ManifestError("is JSON without a row; write one object {column: value} a line")
    return list(values)


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique, parse_float=str, parse_int=str)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len({*names}) < len(names):
        raise ValueError(f"a name occurs twice in one object: {', '.join(names)}")
    return dict(pairs)


def _cell(value: Any, number: int) -> str:
    if isinstance(value, dict | list):
        raise ManifestError(f"row {number} holds a list or an object in a cell; write text")
    return cell_text(value).replace("\x00", "")
