"""Level and power of the experiment's verdict, on simulated studies with a known truth.

    nice -n 19 python -m benchmarks.experiment_levels --minutes 45
    python -m benchmarks.experiment_levels --table

Each cell is one design (patients, folds, repeats) in one world (SDs of trainings and generators,
sharing of generators, selection, rivals). Its studies go through the package's own decision code. A
row per cell is appended to the results; cells that are there with as many studies are skipped, so
the command can be run in pieces. `--table` prints the results by question and the cells above the
bars; `--again --studies 12000` runs these anew, since one in 740 breaks a bar by chance. The cells
that could fail first come first, then those of all groups in turn.
"""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro

from benchmarks.levels.cells import Cell, all_cells
from benchmarks.levels.results import above_bars, append_row, error, read_rows, summary
from benchmarks.levels.studies import answers

RESULTS = Path(__file__).parent / "results" / "experiment_levels.csv"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Cells that are run, and limits."""

    studies: int = 2000
    """Simulated studies per cell."""
    cells: int | None = None
    """Most cells of this run."""
    minutes: float | None = None
    """Time after which no further cell is started."""
    question: str | None = None
    """Only the cells of this group."""
    seed: int = 0
    out: Path = RESULTS
    again: bool = False
    """Run again, with more `studies`, the cells that break a bar."""
    table: bool = False
    """Print the results that exist, and run nothing."""


def main(options: Options) -> None:
    """Run the cells that are not in the results yet."""
    if options.table:
        print_table(read_rows(options.out))
        return
    cells = chosen_cells(options)
    command = f"python -m benchmarks.experiment_levels --studies {options.studies}"
    origin = {"commit": _commit(), "seed": options.seed, "command": command}
    start = time.monotonic()
    for cell in cells[: options.cells]:
        if options.minutes is not None and time.monotonic() - start > 60 * options.minutes:
            break
        row = {**run_cell(cell, options.studies, options.seed), **origin}
        append_row(options.out, row)
        print(json.dumps(_line(row)), flush=True)


def chosen_cells(options: Options) -> list[Cell]:
    """Cells of this run: without those that have as many studies."""
    rows = read_rows(options.out)
    if rows.empty:
        return [cell for cell in all_cells() if options.question in (None, cell.question)]
    finished = set(rows.loc[rows["studies"] >= options.studies, "key"])
    broken = set(above_bars(rows)["key"])
    return [
        cell
        for cell in all_cells()
        if cell.key not in finished
        and options.question in (None, cell.question)
        and (not options.again or cell.key in broken)
    ]


def run_cell(cell: Cell, studies: int, seed: int) -> dict[str, object]:
    """The result row of one cell, with its CPU seconds."""
    start = time.process_time()
    row = summary(cell, answers(cell, studies, seed=seed))
    return {
        **row,
        "error": float(error(row["above_truth"], studies)),
        "cpu_s": round(time.process_time() - start, 2),
    }


def print_table(rows: pd.DataFrame) -> None:
    """Rates by question, and the cells that break a bar."""
    if rows.empty:
        print("no results yet")
        return
    total = {}
    for cell in all_cells():
        total[cell.question] = total.get(cell.question, 0) + 1
    for question, part in rows.groupby("question", sort=False):
        print(
            f"{question}: {len(part)} of {total.get(str(question), 0)} cells; above the truth "
            f"{_range(part['above_truth'])}, helps {_range(part['helps'])}, coverage "
            f"{_range(part['coverage'])}, less than the margin {_range(part['equivalent'])}"
        )
    broken = above_bars(rows)
    print(f"{len(broken)} of {len(rows)} cells break a bar (3 Monte Carlo errors)")
    columns = ["bars", "helps", "above_truth", "below_truth", "coverage", "equivalent", "studies"]
    for _, row in broken.iterrows():
        print(" ", row["key"], {name: row[name] for name in columns})


def _range(values: "pd.Series[float]") -> str:
    return f"{100 * values.min():.1f}-{100 * values.max():.1f} % (mean {100 * values.mean():.2f})"


def _line(row: dict[str, object]) -> dict[str, object]:
    names = ("key", "above_truth", "helps", "coverage", "equivalent", "difference", "cpu_s")
    return {name: row[name] for name in names}


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return result.stdout.strip()


if __name__ == "__main__":
    main(tyro.cli(Options))
