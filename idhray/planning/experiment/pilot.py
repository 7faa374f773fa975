"""Variance of the difference of two arms, estimated from a pilot experiment's predictions.

The same components that give the verdict give the plan. DeLong's variances are divided by
1/m + 1/w of their fold, so that they serve any number of patients.

Letters: R repeats, m mutant and w wildtype patients of a fold.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from idhray.errors import ConfigError
from idhray.planning.experiment.errors import AreaVariance, ContrastErrors, ScoreModel, distance_sd
from idhray.stats.arms.columns import TEST
from idhray.stats.arms.contrasts import ArmAreas
from idhray.stats.arms.generators import rule_of_file
from idhray.stats.arms.predictions import predictions_of, rows_of_model
from idhray.stats.arms.rule import Generators
from idhray.stats.roc.delong import Components, covariance
from idhray.stats.text import printed

_MOST_AUC = 0.99  # above it few pairs of patients are in the wrong order, and models mean little


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """A pilot experiment: its arms, and the variance of their difference."""

    primary: str
    baseline: str
    auc: float
    """Area of the baseline, mean over folds and repeats."""
    folds: int
    repeats: int
    n_mutant: int
    n_wildtype: int
    generators: Generators
    errors: ContrastErrors

    @property
    def luck_sd(self) -> float:
        """SD of the difference between trainings, beyond what their patients add."""
        return float(self.errors.training.luck**0.5)

    @property
    def sentence(self) -> str:
        """The pilot in words."""
        words = {
            "per fold": "The repeats of a fold shared their generators, whose luck is not in it.",
            "one": "All trainings shared their generators, whose luck is not in it.",
        }
        return (
            f"Pilot: {self.primary} against {self.baseline}, {self.n_mutant} mutant and "
            f"{self.n_wildtype} wildtype patients, folds {self.folds}, repeats {self.repeats}; SD "
            f"of the difference between trainings {printed(self.luck_sd)} beyond what patients "
            f"add. {words.get(self.generators, '')}"
        ).rstrip()

    def model(self, auc: float | None = None) -> ScoreModel:
        """Binormal scores whose areas have the pilot's variances.

        The luck of generators counts as luck of trainings.

        Args:
            auc: Area of the baseline; None takes the pilot's.

        Raises:
            ConfigError: the area of the pilot's baseline is not between 0.5 and 1.
        """
        area = min(self.auc if auc is None else auc, _MOST_AUC)
        base = ScoreModel(auc=area, correlation=0.0)
        base = replace(base, training_sd=distance_sd(area, (self.errors.training.luck / 2) ** 0.5))
        correlation = _matching(
            lambda each: -replace(base, correlation=each).errors().training.single,
            -self.errors.training.single,
            0.0,
        )
        base = replace(base, correlation=correlation)
        return replace(
            base,
            training_correlation=_matching(
                lambda each: replace(base, training_correlation=each).errors().between.single,
                self.errors.between.single,
                correlation,
            ),
        )


def pilot_of(
    rows: pd.DataFrame,
    *,
    baseline: str = "real",
    primary: str | None = None,
    model: str = "",
    source: str = "pilot",
) -> Pilot:
    """Variance components of the primary arm against the baseline.

    Args:
        rows: As `columns.prediction_rows` returns them.
        baseline: The arm without added images.
        primary: The arm that is compared; None takes the only arm of synthetic images.
        model: The classifier; needed if there are several.
        source: Name of the table in errors.

    Raises:
        ConfigError: the arms do not exist, or have fewer than two complete repeats in common.
        SampleError: a fold has fewer than two patients of a class.
    """
    rule = rule_of_file(rows, baseline=baseline, primary=primary, margin=0.02)
    predictions = predictions_of(rows_of_model(rows, model), TEST, source=source)
    repeats = predictions.complete_repeats([rule.primary, rule.baseline])
    if len(repeats) < 2:
        raise ConfigError(
            f"{source}: {len(repeats)} complete repeats of {rule.primary} and {rule.baseline}; "
            "2 or more are needed to estimate the variance between trainings"
        )
    areas = ArmAreas(predictions)
    folds = areas.folds([rule.primary, rule.baseline], repeats)
    mutants = int(predictions.patient_labels().sum())
    return Pilot(
        primary=rule.primary,
        baseline=rule.baseline,
        auc=float(areas.areas(rule.baseline, repeats).mean()),
        folds=len(folds),
        repeats=len(repeats),
        n_mutant=mutants,
        n_wildtype=len(predictions.patient_labels()) - mutants,
        generators=rule.generators,
        errors=_errors([_difference(*fold) for fold in folds]),
    )


def _matching(rising: Callable[[float], float], value: float, low: float) -> float:
    """Correlation from `low` to 1 at which a rising function has this value, or the nearest."""
    high = 1 - 1e-6
    if low >= high or rising(low) >= value:
        return low
    return (
        high
        if rising(high) <= value
        else float(brentq(lambda each: rising(each) - value, low, high, xtol=1e-6))
    )


def _difference(arm: Components, baseline: Components) -> Components:
    return arm[0] - baseline[0], arm[1] - baseline[1]


def _errors(folds: list[Components]) -> ContrastErrors:
    """Means over folds; a negative part of a variance counts as 0."""
    parts = np.array([_fold_parts(*fold) for fold in folds]).mean(axis=0)
    variance, covariance_of_repeats, luck = np.maximum(parts, 0.0).tolist()
    return ContrastErrors(
        training=AreaVariance(luck=luck, single=max(variance, covariance_of_repeats)),
        between=AreaVariance(single=covariance_of_repeats),
    )


def _fold_parts(
    of_mutants: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    of_wildtypes: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
) -> tuple[float, float, float]:
    """DeLong's variance of d and its covariance between repeats, per patient; luck of trainings."""
    repeats = len(of_mutants)
    table = covariance(of_mutants, of_wildtypes)
    of_training = float(np.trace(table)) / repeats
    between = (float(table.sum()) - of_training * repeats) / (repeats * (repeats - 1))
    luck = float(of_mutants.mean(axis=1).var(ddof=1)) - (of_training - between)
    unit = 1 / of_mutants.shape[1] + 1 / of_wildtypes.shape[1]
    return of_training / unit, between / unit, luck
