"""Blocks as aligned text, and as the rows of a file."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from math import isfinite
from typing import Any

import pandas as pd

from idhray.stats.replicate.cells import STATUSES, Block, Cell, Status, tally_of

MARKS: dict[Status, str] = {
    "match": " ",
    "truncated": "~",
    "mismatch": "x",
    "impossible": "!",
    "not recomputable": "?",
    "added": "+",
}
HEADS = ("", "row", "item", "published", "recomputed", "status", "convention; remark")
WIDEST = (1, 32, 15, 17, 22, 16)  # of all columns but the last, which takes what is left
GAP = "  "
SAME = '"'


def text_of(blocks: Sequence[Block], width: int) -> str:
    """All blocks, one line or more per cell, and at the end how many cells have each status."""
    parts = [_block_text(block, width) for block in blocks]
    return "\n\n".join([*parts, _summary(blocks, width)])


def rows_of(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """One row per cell; `value` is the recomputed number, None where there is none."""
    rows = [{"table": block.title, **asdict(cell)} for block in blocks for cell in block.cells]
    return [{**row, "value": row["value"] if isfinite(row["value"]) else None} for row in rows]


def csv_of(blocks: Sequence[Block]) -> str:
    """The cells as CSV."""
    return str(pd.DataFrame(rows_of(blocks)).to_csv(index=False))


def json_of(name: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """The cells with the findings of their tables."""
    return {
        "paper": name,
        "tables": [
            {"title": block.title, "findings": list(block.findings), "cells": rows_of([block])}
            for block in blocks
        ],
    }


def _block_text(block: Block, width: int) -> str:
    table = [HEADS, *(_texts(cell) for cell in block.cells)]
    used = [min(limit, max(len(row[i]) for row in table)) for i, limit in enumerate(WIDEST)]
    used.append(width - sum(used) - len(GAP) * len(used))
    lines = [block.title, "=" * len(block.title), *_wrapped(HEADS, used), "-" * width]
    for cell, before in zip(block.cells, (None, *block.cells), strict=False):
        lines += _wrapped(_texts(cell, before), used)
    for finding in block.findings:
        lines += textwrap.wrap(finding, width, initial_indent="* ", subsequent_indent="  ")
    return "\n".join(lines)


def _texts(cell: Cell, before: Cell | None = None) -> tuple[str, ...]:
    """A row's columns; what stands in the row before it is left out or marked as the same."""
    same = before is not None and before.convention == cell.convention != ""
    how = "; ".join(text for text in (SAME if same else cell.convention, cell.remark) if text)
    return (
        MARKS[cell.status],
        "" if before is not None and before.row == cell.row else cell.row,
        cell.item,
        cell.published or "-",
        cell.recomputed or "-",
        cell.status,
        how,
    )


def _wrapped(texts: Sequence[str], used: Sequence[int]) -> list[str]:
    """The lines of one row, every cell wrapped in its own column."""
    columns = [textwrap.wrap(text, size) or [""] for text, size in zip(texts, used, strict=True)]
    return [
        GAP.join(part.ljust(size) for part, size in zip(parts, used, strict=True)).rstrip()
        for parts in zip_longest(*columns, fillvalue="")
    ]


def _summary(blocks: Sequence[Block], width: int) -> str:
    cells = [cell for block in blocks for cell in block.cells]
    lines = ["Cells by status", "==============="]
    for status, number in tally_of(cells).items():
        lines.append(f"{MARKS[status]} {number:4} {status}: {STATUSES[status]}")
    lines.append("-" * width)
    size = max(len(block.title) for block in blocks)
    for block in blocks:
        counts = ", ".join(f"{n} {status}" for status, n in tally_of(block.cells).items())
        line = f"{block.title.ljust(size)}  {counts}"
        lines += textwrap.wrap(line, width, subsequent_indent=" " * (size + len(GAP)))
    return "\n".join(lines)
