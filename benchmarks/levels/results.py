"""Result rows of cells: rates, their Monte Carlo errors, and the bars that they are held to."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.levels.cells import Cell
from benchmarks.levels.studies import Answers

HELPS, EQUIVALENT, COVERAGE = 0.025, 0.05, (0.93, 0.97)
FEWEST_FOR_COVERAGE = 8
"""Patients of a class in each test fold, from which on coverage is held to its bar."""
ERRORS = 3
"""Monte Carlo standard errors beside a bar."""


def summary(cell: Cell, answers: Answers) -> dict[str, Any]:
    """One row: the cell, and what was said in it."""
    truth = answers.truth
    unknown = np.isnan(truth).all()
    if unknown:  # the mean over the studies
        truth = np.full_like(truth, answers.difference.mean())
    above, below = answers.claim_low > truth, answers.claim_high < truth
    missed = (answers.ci_low > truth) | (answers.ci_high < truth)
    return {
        **cell.row(),
        "studies": len(truth),
        "true_difference": float(truth.mean()),
        "difference": float(answers.difference.mean()),
        "sd": float(answers.difference.std(ddof=1)),
        "mean_se": float(np.nanmean(answers.se)),
        "helps": float(answers.helps.mean()),
        "hurts": float(answers.hurts.mean()),
        "helps_wrongly": float((answers.helps & (truth <= 0)).mean()),
        "hurts_wrongly": float((answers.hurts & (truth >= 0)).mean()),
        "above_truth": float(above.mean()),
        "below_truth": float(below.mean()),
        "coverage": float(1 - missed.mean()),
        "equivalent": float(answers.equivalent.mean()),
        "no_verdict": float(answers.no_verdict.mean()),
        "mean_repeats": float(answers.repeats.mean()),
    }


def error(rate: float | pd.Series, studies: int | pd.Series) -> Any:
    """Standard error of a simulated rate whose true value is `rate`."""
    return (rate * (1 - rate) / studies) ** 0.5


def above_bars(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that break a bar, with the column `bars`: their names.

    `helps`: wrongly said, or an interval above the truth where no gain exists. `coverage`: where
    test folds are large enough. `equivalent`: where the true difference is the margin. Counts that
    the judged trainings chose, and those that other repeats chose, are measured and not held to
    bars: no claim rests on them. Neither is an effect that folds share by their training patients.
    """
    rows = rows[rows["selection"].isin(["fixed", "fresh"]) & rows["twin_sd"].eq(0)]
    null = rows["gain"].eq(0) & rows["primary_share"].eq(rows["baseline_share"])
    helps_bar = HELPS + ERRORS * error(HELPS, rows["studies"])
    at_margin = (rows["gain"].abs() - rows["margin"]).abs() < 1e-9
    low, high = (
        bar + sign * ERRORS * error(bar, rows["studies"])
        for bar, sign in zip(COVERAGE, (-1, 1), strict=True)
    )
    enough = rows["fewest_of_class"] >= FEWEST_FOR_COVERAGE
    broken = {
        "helps": (rows["helps_wrongly"] > helps_bar) | (null & (rows["above_truth"] > helps_bar)),
        "coverage": enough & ((rows["coverage"] < low) | (rows["coverage"] > high)),
        "equivalent": at_margin
        & (rows["equivalent"] > EQUIVALENT + ERRORS * error(EQUIVALENT, rows["studies"])),
    }
    names = [
        ", ".join(name for name, flags in broken.items() if flags.iloc[place])
        for place in range(len(rows))
    ]
    return rows.assign(bars=names)[np.array([bool(name) for name in names])]


def read_rows(path: Path) -> pd.DataFrame:
    """All result rows; of a cell that was run several times, the one with most studies."""
    if not path.exists():
        return pd.DataFrame()
    rows = pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])
    return (
        rows.sort_values("studies", kind="stable").drop_duplicates("key", keep="last").sort_index()
    )


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Append one row to the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([row]).to_csv(
        path, mode="a", header=not path.exists(), index=False, float_format="%.6g"
    )
