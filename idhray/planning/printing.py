"""Plans as text: a table for people, and a summary of a few lines for the start of a study."""

from collections.abc import Sequence

import numpy as np

from idhray.planning.accuracy import fewest_discordant
from idhray.planning.auc import DetectableAuc, detectable_auc
from idhray.planning.simulation import StudyDesign
from idhray.planning.tables import AccuracyPlan, GainPlan, StudyPlan
from idhray.stats.text import printed

NOTHING = "none"
BASELINES = (0.75, 0.80, 0.85, 0.90)
"""AUCs of the baseline in the summary."""
SUMMARY_CORRELATION = 0.8
"""Correlation of the two models' scores in the summary."""
_FIRST, _COLUMN = 46, 13  # characters
_FOOTNOTES = (
    "Gains are true ones; observed ones scatter.",
    "One training of each model: variance between trainings comes on top and lowers the power.",
)
_MOST_SIMULATED = 400  # patients; for larger cohorts the summary uses the closed formula


def plan_text(plan: StudyPlan) -> str:
    """The plan as a table with footnotes."""
    design = plan.design
    return "\n".join(
        [
            f"What {_cohort(design)} can show of a new model",
            f"over a baseline with AUC {printed(design.auc)}: two-sided P < {design.alpha:g}, "
            f"{plan.power:.0%} power, same patients.",
            "",
            f"AUC (paired DeLong test, {_method_text(plan)})",
            _row("  correlation of both models' scores", [f"{c:g}" for c in plan.correlations]),
            _row("  smallest true AUC that is found", _detectable_cells(plan)),
            *_gain_rows(plan),
            *_undetectable_lines(plan),
            "",
            "Accuracy (McNemar's exact test)",
            f"  {_fewest_text(design.patients, plan.fewest_exact, plan.fewest_mid_p)}",
            _row(
                "  share of patients on whom the models differ", _discordance_cells(plan.accuracy)
            ),
            _row("  smallest true gain that is found", _gain_cells(plan.accuracy)),
            *_accuracy_rows(plan.accuracy),
            "",
            *_footnotes(plan),
        ]
    )


def plan_summary(n_mutant: int, n_wildtype: int) -> str:
    """Gains that a test cohort can show, in a few lines, for baselines of unknown AUC.

    Raises:
        ConfigError: a class has fewer than two patients.
    """
    designs = [
        StudyDesign(
            n_mutant=n_mutant, n_wildtype=n_wildtype, auc=auc, correlation=SUMMARY_CORRELATION
        )
        for auc in BASELINES
    ]
    studies = 2000 if n_mutant + n_wildtype <= _MOST_SIMULATED else 0
    detectable = [detectable_auc(design, studies=studies, scores=200_000) for design in designs]
    fewest = _fewest_text(
        designs[0].patients, fewest_discordant("exact"), fewest_discordant("mid-P")
    )
    return "\n".join(
        [
            f"What {_cohort(designs[0])} can show,",
            "with two-sided P < 0.05, 80% power, and one training of each model:",
            _row("  if the baseline's AUC is", [printed(auc, 2) for auc in BASELINES]),
            _row(
                "  the smallest better AUC that is found is",
                [NOTHING if np.isnan(row.auc) else printed(row.auc) for row in detectable],
            ),
            f"  (paired DeLong test, scores correlated {SUMMARY_CORRELATION:g} within a class"
            + (f"; {NOTHING}: not even an AUC of 1)" if _undetectable(detectable) else ")"),
            f"  Accuracy: {fewest[0].lower()}{fewest[1:]}",
        ]
    )


def _method_text(plan: StudyPlan) -> str:
    """The way in which the figures were computed; large cohorts use the formula."""
    if plan.detectable[0].studies:
        return "simulated"
    needed = "; patients needed: simulated" if _is_simulated(plan) else ""
    return f"by the closed formula{needed}"


def _is_simulated(plan: StudyPlan) -> bool:
    counts = [row.studies for row in plan.detectable]
    return any(counts) or any(row.power.studies or row.needed.studies for row in plan.gains)


def _footnotes(plan: StudyPlan) -> list[str]:
    if not _is_simulated(plan):
        return list(_FOOTNOTES)
    return ["\u00b1: standard error of the simulation.", *_FOOTNOTES]


def _undetectable(detectable: Sequence[DetectableAuc]) -> bool:
    return any(np.isnan(row.auc) for row in detectable)


def _cohort(design: StudyDesign) -> str:
    return (
        f"{design.patients} test patients ({design.n_mutant} mutant, {design.n_wildtype} wildtype)"
    )


def _row(name: str, cells: Sequence[str]) -> str:
    return (name.ljust(_FIRST) + "".join(cell.rjust(_COLUMN) for cell in cells)).rstrip()


def _percent(share: float) -> str:
    return "< 1%" if share < 0.005 else f"{share:.0%}"


def _detectable_cells(plan: StudyPlan) -> list[str]:
    return [
        NOTHING if np.isnan(row.auc) else printed(row.auc) + _error(row.mc_error, 3)
        for row in plan.detectable
    ]


def _error(value: float, digits: int = 0) -> str:
    """Monte Carlo error of the figure before it; empty if it rounds to 0."""
    text = printed(value, digits)
    return f" \u00b1{text}" if text.strip("0.-") else ""


def _gain_rows(plan: StudyPlan) -> list[str]:
    width = len(plan.correlations)
    rows = []
    for start in range(0, len(plan.gains), width):
        gains = plan.gains[start : start + width]
        rows += [
            f"  a true gain of {gains[0].gain:g} (to {printed(plan.design.auc + gains[0].gain)})",
            _row("    is found with power", [_percent(row.power.value) for row in gains]),
            _row("    needs patients", [_patients(row) for row in gains]),
        ]
    return rows


def _patients(row: GainPlan) -> str:
    return f"{row.needed.patients}{_error(row.needed.mc_error)}"


def _undetectable_lines(plan: StudyPlan) -> list[str]:
    """A sentence if no gain is detectable."""
    if not _undetectable(plan.detectable):
        return []
    best = max(row.highest_power for row in plan.detectable if np.isnan(row.auc))
    return [
        f"  {NOTHING}: not even a new AUC of 1.000; whatever it is, the power is "
        f"{'below 1%' if best < 0.005 else f'at most about {best:.0%}'}."
    ]


def _fewest_text(patients: int, exact: int, mid_p: int) -> str:
    if patients < exact:
        return (
            f"{exact} patients must change to be significant, and there are {patients}: none can."
        )
    return (
        f"At least {exact} patients must be called right by the new model alone and none by the "
        f"old\n  one alone: +{printed(100 * exact / patients, 1)} points "
        f"(mid-P: {mid_p}, +{printed(100 * mid_p / patients, 1)}). Fewer are never significant."
    )


def _discordance_cells(rows: Sequence[AccuracyPlan]) -> list[str]:
    return ["gain only" if np.isnan(r.discordance) else f"{r.discordance:.0%}" for r in rows]


def _gain_cells(rows: Sequence[AccuracyPlan]) -> list[str]:
    return [
        NOTHING if np.isnan(row.detectable) else f"+{printed(100 * row.detectable, 1)}"
        for row in rows
    ]


def _accuracy_rows(rows: Sequence[AccuracyPlan]) -> list[str]:
    return [
        _row(
            f"  patients needed for +{100 * gain:g} points",
            ["-" if row.needed[gain] is None else str(row.needed[gain]) for row in rows],
        )
        for gain in rows[0].needed
    ]
