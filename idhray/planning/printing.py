"""Plans as text: a table for people, and the few lines that a study opens with."""

from collections.abc import Sequence

import numpy as np

from idhray.planning.accuracy import fewest_discordant
from idhray.planning.auc import DetectableAuc, detectable_auc
from idhray.planning.simulation import Design
from idhray.planning.tables import AccuracyPlan, GainPlan, Plan
from idhray.stats.accuracy.rates import printed

NOTHING = "none"
BASELINES = (0.75, 0.80, 0.85, 0.90)
_FIRST, _COLUMN = 46, 13  # characters
_FEET = (
    "Gains are true ones; observed ones scatter.",
    "One training of each model: variance between trainings comes on top and lowers the power.",
)
_SIMULATED = 400  # patients up to which the summary simulates; beyond, the closed formula will do


def plan_text(plan: Plan) -> str:
    """The plan as a table with its reading."""
    design = plan.design
    return "\n".join(
        [
            f"What {_cohort(design)} can show of a new model",
            f"over a baseline with AUC {printed(design.auc)}: two-sided P < {design.alpha:g}, "
            f"{plan.power:.0%} power, same patients.",
            "",
            f"AUC (paired DeLong test, {_how(plan)})",
            _row("  correlation of both models' scores", [f"{c:g}" for c in plan.correlations]),
            _row("  smallest true AUC that is found", _found(plan)),
            *_gain_rows(plan),
            *_verdict(plan),
            "",
            "Accuracy (McNemar's exact test)",
            f"  {_fewest(design.patients, plan.fewest_exact, plan.fewest_mid_p)}",
            _row("  share of patients on whom the models differ", _shares(plan.accuracy)),
            _row("  smallest true gain that is found", _points(plan.accuracy)),
            *_accuracy_rows(plan.accuracy),
            "",
            *_feet(plan),
        ]
    )


def plan_summary(n_mutant: int, n_wildtype: int, *, correlation: float = 0.8, seed: int = 0) -> str:
    """What a test cohort can show, in a few lines, for baselines that nobody knows yet.

    Raises:
        ConfigError: fewer than two patients in a class.
    """
    designs = [
        Design(n_mutant=n_mutant, n_wildtype=n_wildtype, auc=auc, correlation=correlation)
        for auc in BASELINES
    ]
    studies = 2000 if n_mutant + n_wildtype <= _SIMULATED else 0
    found = [detectable_auc(one, studies=studies, seed=seed, scores=200_000) for one in designs]
    fewest = _fewest(designs[0].patients, fewest_discordant("exact"), fewest_discordant("mid-P"))
    return "\n".join(
        [
            f"What {_cohort(designs[0])} can show,",
            "with two-sided P < 0.05, 80% power, and one training of each model:",
            _row("  if the baseline's AUC is", [printed(auc, 2) for auc in BASELINES]),
            _row(
                "  the smallest better AUC that is found is",
                [NOTHING if np.isnan(one.auc) else printed(one.auc) for one in found],
            ),
            f"  (paired DeLong test, scores correlated {correlation:g} within a class"
            + (f"; {NOTHING}: not even an AUC of 1)" if _nothing(found) else ")"),
            f"  Accuracy: {fewest[0].lower()}{fewest[1:]}",
        ]
    )


def _how(plan: Plan) -> str:
    """Beyond some thousand patients the formula replaces the simulation."""
    if plan.detectable[0].studies:
        return "simulated"
    needed = "; patients needed: simulated" if _simulated(plan) else ""
    return f"by the closed formula{needed}"


def _simulated(plan: Plan) -> bool:
    counts = [one.studies for one in plan.detectable]
    return any(counts) or any(one.power.studies or one.needed.studies for one in plan.gains)


def _feet(plan: Plan) -> list[str]:
    if not _simulated(plan):
        return list(_FEET)
    return ["\u00b1: standard error of the simulation.", *_FEET]


def _nothing(found: Sequence[DetectableAuc]) -> bool:
    return any(np.isnan(one.auc) for one in found)


def _cohort(design: Design) -> str:
    return (
        f"{design.patients} test patients ({design.n_mutant} mutant, {design.n_wildtype} wildtype)"
    )


def _row(name: str, cells: Sequence[str]) -> str:
    return (name.ljust(_FIRST) + "".join(cell.rjust(_COLUMN) for cell in cells)).rstrip()


def _percent(share: float) -> str:
    return "< 1%" if share < 0.005 else f"{share:.0%}"


def _found(plan: Plan) -> list[str]:
    return [
        NOTHING if np.isnan(one.auc) else printed(one.auc) + _error(one.mc_error, 3)
        for one in plan.detectable
    ]


def _error(value: float, digits: int = 0) -> str:
    """Monte Carlo error of the figure before it; nothing where it rounds to nothing."""
    text = printed(value, digits)
    return f" \u00b1{text}" if text.strip("0.-") else ""


def _gain_rows(plan: Plan) -> list[str]:
    width = len(plan.correlations)
    rows = []
    for start in range(0, len(plan.gains), width):
        row = plan.gains[start : start + width]
        rows += [
            f"  a true gain of {row[0].gain:g} (to {printed(plan.design.auc + row[0].gain)})",
            _row("    is found with power", [_percent(one.power.value) for one in row]),
            _row("    needs patients", [_patients(one) for one in row]),
        ]
    return rows


def _patients(one: GainPlan) -> str:
    return f"{one.needed.patients}{_error(one.needed.mc_error)}"


def _verdict(plan: Plan) -> list[str]:
    """Said in words where nothing is detectable."""
    if not _nothing(plan.detectable):
        return []
    best = max(one.highest_power for one in plan.detectable if np.isnan(one.auc))
    return [
        f"  {NOTHING}: not even a new AUC of 1.000; whatever it is, the power is "
        f"{'below 1%' if best < 0.005 else f'at most about {best:.0%}'}."
    ]


def _fewest(patients: int, exact: int, mid_p: int) -> str:
    if patients < exact:
        return (
            f"{exact} patients must change to be significant, and there are {patients}: none can."
        )
    return (
        f"At least {exact} patients must be called right by the new model alone and none by the "
        f"old\n  one alone: +{printed(100 * exact / patients, 1)} points "
        f"(mid-P: {mid_p}, +{printed(100 * mid_p / patients, 1)}). Fewer are never significant."
    )


def _shares(rows: Sequence[AccuracyPlan]) -> list[str]:
    return ["gain only" if np.isnan(r.discordance) else f"{r.discordance:.0%}" for r in rows]


def _points(rows: Sequence[AccuracyPlan]) -> list[str]:
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
