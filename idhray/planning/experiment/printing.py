"""Plans of experiments as text, and as plain JSON values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from idhray.planning.experiment.design import ExperimentDesign
from idhray.planning.experiment.errors import ScoreModel, area_sd
from idhray.planning.experiment.plan import (
    MOST_PATIENTS_NEEDED,
    MOST_REPEATS_NEEDED,
    ExperimentColumn,
    PowerPlan,
    experiment_plan,
)
from idhray.stats.text import printed

NOTHING = "none"
BASELINES = (0.75, 0.80, 0.85, 0.90)
"""AUCs of the baseline in the summary."""
SUMMARY_CORRELATION = 0.8
"""Correlation of the scores of two arms in the summary."""
SUMMARY_TRAINING_CORRELATION = 0.9
"""The same of two trainings of an arm."""
SUMMARY_TRAINING_SD = 0.02
"""SD between trainings, of an AUC, in the summary."""
_SUMMARY_STUDIES = 1000
_FIRST, _COLUMN = 58, 12  # characters
_GAIN_ROWS = (
    "  is found over the baseline with power",
    "  over baseline, duplicate and more-real with power",
    "    needs patients",
    "    or, with these patients, repeats",
)
_GENERATORS = {
    "per fold and repeat": "generators of their own in every fold and repeat",
    "per fold": "generators shared by the repeats of a fold",
    "one": "generators shared by all trainings",
    "unknown": "generators not recorded",
}


def experiment_text(plan: PowerPlan, notes: Sequence[str] = ()) -> str:
    """The plan as a table with footnotes."""
    columns = plan.columns
    return "\n".join(
        [
            f"What an experiment on {_cohort(plan.design)} can show:",
            f"{_folds(plan.design)}, {plan.design.repeats} repeats, "
            f"{_GENERATORS[plan.design.generators]};",
            f"trainings as readers by fold, {plan.power:.0%} power.",
            "",
            _row("", [column.name for column in columns]),
            _row("AUC of the baseline", [printed(each.model.auc) for each in columns]),
            _row("SD of the difference between repeats of a fold", _sds(columns)),
            _row("standard error of the mean difference", [printed(c.se) for c in columns]),
            _row("smallest true gain over the baseline that is found", _gains(columns)),
            _row(
                "smallest margin within which equivalence is shown",
                [printed(each.detectable_margin) for each in columns],
            ),
            _row(
                f"equivalence within {plan.margin:g} is shown with power",
                [_percent(each.equivalence_power) for each in columns],
            ),
            *_gain_rows(columns),
            "",
            *_footnotes(plan),
            *notes,
        ]
    )


def _cohort(design: ExperimentDesign) -> str:
    return f"{design.patients} patients ({design.n_mutant} mutant, {design.n_wildtype} wildtype)"


def _folds(design: ExperimentDesign) -> str:
    return "one split" if design.folds == 1 else f"{design.folds} folds"


def _sds(columns: Sequence[ExperimentColumn]) -> list[str]:
    return [printed(each.sd_trainings) for each in columns]


def _gains(columns: Sequence[ExperimentColumn]) -> list[str]:
    return [
        NOTHING if np.isnan(each.detectable_gain) else printed(each.detectable_gain)
        for each in columns
    ]


def _gain_rows(columns: Sequence[ExperimentColumn]) -> list[str]:
    rows = []
    for gain in dict.fromkeys(each.gain for column in columns for each in column.gains):
        cells = [_cells(column, gain) for column in columns]
        rows += [
            f"a true gain of {gain:g}",
            *(
                _row(name, row)
                for name, row in zip(_GAIN_ROWS, zip(*cells, strict=True), strict=True)
            ),
        ]
    return rows


def _cells(column: ExperimentColumn, gain: float) -> tuple[str, str, str, str]:
    """Cells of `_GAIN_ROWS`; dashes if the gain leads to an AUC of 1."""
    figures = next((each for each in column.gains if each.gain == gain), None)
    if figures is None:
        return ("-",) * 4
    return (
        _percent(figures.power),
        _percent(figures.power_of_all),
        _needed(figures.patients_needed),
        _needed(figures.repeats_needed),
    )


def _row(name: str, cells: Sequence[str]) -> str:
    return (name.ljust(_FIRST) + "".join(cell.rjust(_COLUMN) for cell in cells)).rstrip()


def _percent(share: float) -> str:
    if share > 0.995:
        return "> 99%"
    return "< 1%" if share < 0.005 else f"{share:.0%}"


def _needed(number: int | None) -> str:
    return "-" if number is None else str(number)


def _footnotes(plan: PowerPlan) -> list[str]:
    source = "simulated experiments" if plan.simulated else "the closed form of the verdict"
    lines = [
        f"Power: {source}. Gains are true ones; observed ones scatter.",
        "duplicate and more-real are taken to have no effect; `helps` needs all three.",
        f"-: not reached with {MOST_PATIENTS_NEEDED} patients or {MOST_REPEATS_NEEDED} repeats. "
        "Then the other of the two is the limit.",
    ]
    if all(column.model.training_sd == 0 for column in plan.columns):
        lines.append(
            "Trainings are taken not to vary: give --training-sd, or --pilot, for the real power."
        )
    return lines


def experiment_figures(plan: PowerPlan) -> dict[str, Any]:
    """The plan as plain JSON values; null is a figure that does not exist."""
    design = plan.design
    return {
        "patients": design.patients,
        "mutant": design.n_mutant,
        "wildtype": design.n_wildtype,
        "folds": design.folds,
        "repeats": design.repeats,
        "generators": design.generators,
        "power": plan.power,
        "margin": plan.margin,
        "simulated": plan.simulated,
        "experiment": [_column_figures(column) for column in plan.columns],
    }


def _column_figures(column: ExperimentColumn) -> dict[str, Any]:
    model = column.model
    return {
        "name": column.name,
        "auc": model.auc,
        "correlation": model.correlation,
        "training_correlation": model.training_correlation,
        "training_sd_auc": area_sd(model.auc, model.training_sd),
        "generator_sd_auc": area_sd(model.auc, model.generator_sd),
        "detectable_gain": None if np.isnan(column.detectable_gain) else column.detectable_gain,
        "detectable_margin": column.detectable_margin,
        "equivalence_power": column.equivalence_power,
        "sd_trainings": column.sd_trainings,
        "se": column.se,
        "gains": [
            {
                "gain": each.gain,
                "power": each.power,
                "power_of_all": each.power_of_all,
                "patients_needed": each.patients_needed,
                "repeats_needed": each.repeats_needed,
            }
            for each in column.gains
        ],
    }


def experiment_summary(n_mutant: int, n_wildtype: int, *, folds: int, repeats: int) -> str:
    """Gains that an experiment can show, in a few lines, for baselines of unknown AUC.

    Raises:
        ConfigError: too few patients of a class for the folds, or too few repeats.
    """
    design = ExperimentDesign(
        n_mutant=n_mutant, n_wildtype=n_wildtype, folds=folds, repeats=repeats
    )
    models = {
        printed(auc, 2): ScoreModel.of_areas(
            auc=auc,
            correlation=SUMMARY_CORRELATION,
            training_correlation=SUMMARY_TRAINING_CORRELATION,
            training_sd=SUMMARY_TRAINING_SD,
        )
        for auc in BASELINES
    }
    columns = experiment_plan(design, models, gains=(), studies=_SUMMARY_STUDIES).columns
    return "\n".join(
        [
            f"What an experiment on {_cohort(design)} can show,",
            f"with {_folds(design)}, {repeats} repeats and 80% power:",
            _row("  if the baseline's AUC is", [column.name for column in columns]),
            _row("  the smallest true gain that is found is", _gains(columns)),
            _row(
                "  the smallest margin of equivalence is",
                [printed(each.detectable_margin) for each in columns],
            ),
            "  (trainings as readers; scores correlated "
            f"{SUMMARY_CORRELATION:g} between arms and {SUMMARY_TRAINING_CORRELATION:g} between",
            f"  trainings of an arm; SD between trainings {SUMMARY_TRAINING_SD:g} of an AUC)",
        ]
    )
