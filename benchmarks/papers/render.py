"""Blocks of cells as aligned text and as CSV."""

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import astuple, fields
from itertools import zip_longest
from math import isfinite

from benchmarks.papers.cells import STATUSES, Block, Cell, Status, tally

WIDTH = 140  # characters per line
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
DITTO = '"'


def text_of(blocks: Sequence[Block]) -> str:
    """All blocks, one line or more per cell, and at the end how many cells have each status."""
    return "\n\n".join([*map(_block_text, blocks), _summary(blocks)]) + "\n"


def csv_of(blocks: Sequence[Block]) -> str:
    """One row per cell; `value` is the recomputed number, empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", *(field.name for field in fields(Cell))])
    for block in blocks:
        for cell in block.cells:
            value = cell.value if isfinite(cell.value) else ""
            writer.writerow([block.title, *astuple(cell)[:-1], value])
    return text.getvalue()


def _block_text(block: Block) -> str:
    table = [HEADS, *(_texts(cell, None) for cell in block.cells)]
    widths = [min(limit, max(len(row[i]) for row in table)) for i, limit in enumerate(WIDEST)]
    widths.append(WIDTH - sum(widths) - len(GAP) * len(widths))
    lines = [block.title, "=" * len(block.title), *_wrapped(HEADS, widths), "-" * WIDTH]
    for cell, previous in zip(block.cells, (None, *block.cells), strict=False):
        lines += _wrapped(_texts(cell, previous), widths)
    for finding in block.findings:
        lines += textwrap.wrap(finding, WIDTH, initial_indent="* ", subsequent_indent="  ")
    return "\n".join(lines)


def _texts(cell: Cell, previous: Cell | None) -> tuple[str, ...]:
    """A row's columns; the name of the previous row is left out, its convention a ditto mark."""
    repeated = previous is not None and previous.convention == cell.convention
    convention = (DITTO if repeated else cell.convention, cell.remark)
    return (
        MARKS[cell.status],
        "" if previous is not None and previous.row == cell.row else cell.row,
        cell.item,
        cell.published or "-",
        cell.recomputed or "-",
        cell.status,
        "; ".join(text for text in convention if text),
    )


def _wrapped(texts: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The lines of one row, every cell wrapped in its own column."""
    columns = [textwrap.wrap(text, size) or [""] for text, size in zip(texts, widths, strict=True)]
    return [
        GAP.join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*columns, fillvalue="")
    ]


def _summary(blocks: Sequence[Block]) -> str:
    lines = ["Cells by status", "==============="]
    for status, number in tally(cell.status for block in blocks for cell in block.cells).items():
        lines.append(f"{MARKS[status]} {number:4} {status}: {STATUSES[status]}")
    lines.append("-" * WIDTH)
    size = max(len(block.title) for block in blocks)
    for block in blocks:
        counts = tally(cell.status for cell in block.cells)
        line = ", ".join(f"{n} {status}" for status, n in counts.items())
        lines += textwrap.wrap(
            f"{block.title.ljust(size)}  {line}", WIDTH, subsequent_indent=" " * (size + len(GAP))
        )
    return "\n".join(lines)
