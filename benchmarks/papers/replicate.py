"""Recompute every printed cell of both papers; text and CSV go to a folder.

    python -m benchmarks.papers.replicate --out FOLDER

The outputs of this command are committed in `benchmarks/papers/results`.
"""

from pathlib import Path

import tyro

from benchmarks.papers.cells import Block
from benchmarks.papers.liu_age import age_alone
from benchmarks.papers.liu_patients import tables_5_and_6, text
from benchmarks.papers.liu_tables import table_4, tables_1_to_3
from benchmarks.papers.park_intervals import multivariable
from benchmarks.papers.park_table1 import table_1
from benchmarks.papers.park_table2 import univariable
from benchmarks.papers.park_table3 import table_3
from benchmarks.papers.park_text import kappas, text_claims, turing
from benchmarks.papers.render import csv_of, text_of
from benchmarks.papers.untested import untested_by_liu, untested_by_park


def park2021() -> list[Block]:
    """Every cell of Park et al. 2021 that printed data can check, in the order of print."""
    tables = [table_1(), univariable(), multivariable(), table_3()]
    return [*tables, turing(), kappas(), text_claims(), untested_by_park()]


def liu2020() -> list[Block]:
    """Every cell of Liu et al. 2020 that printed data can check, in the order of print."""
    return [*tables_1_to_3(), table_4(), tables_5_and_6(), text(), age_alone(), untested_by_liu()]


PAPERS = {"park2021": park2021, "liu2020": liu2020}


def main(out: Path) -> None:
    """Write PAPER.txt and PAPER.csv of both papers.

    Args:
        out: Folder of the outputs.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, blocks_of in PAPERS.items():
        blocks = blocks_of()
        (out / f"{name}.txt").write_text(text_of(blocks), encoding="utf-8")
        (out / f"{name}.csv").write_text(csv_of(blocks), encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(main)
