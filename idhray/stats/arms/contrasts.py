"""Contrasts of arms: each arm against its baseline, and the primary arm against its controls.

All are judged with trainings as readers, split plot by fold (`mrmc.split_plot`). The primary
contrast and the controls stand in one claim ("better than all of them"), so their P values need no
adjustment (intersection-union); Holm adjusts the others, which are secondary.

Letters: K folds, R repeats, M mutant and W wildtype patients of a fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from idhray.errors import ConfigError
from idhray.stats.arms.names import arm_order, matched_baseline
from idhray.stats.arms.predictions import ArmPredictions
from idhray.stats.arms.rule import MIN_FOLDS_OF_MEANS, DecisionRule
from idhray.stats.mrmc.contrast import Contrast, cumulative_t, quantile_t
from idhray.stats.mrmc.split_plot import combined_contrast, fold_components
from idhray.stats.roc.delong import Components
from idhray.stats.sample import CONFIDENCE

Role = Literal["primary", "control", "secondary"]


@dataclass(frozen=True, kw_only=True)
class ArmContrast:
    """One arm against another."""

    arm: str
    baseline: str
    role: Role
    repeats: tuple[int, ...]
    """Judged repeats: those that are complete in all folds for both arms."""
    contrast: Contrast
    """Trainings as readers, split plot by fold."""
    fold_means: Contrast | None
    """t over the K fold means; None with fewer than five folds."""
    variance_ratio: float
    """Variance between trainings of paired over unpaired differences; 1 if pairing buys nothing."""


class ArmAreas:
    """DeLong's components of every arm in every fold, computed once for all contrasts."""

    def __init__(self, predictions: ArmPredictions) -> None:
        self.predictions = predictions
        self._components: dict[tuple[int, str], tuple[tuple[int, ...], Components]] = {}

    def components(self, number: int, arm: str, repeats: Sequence[int]) -> Components:
        """(R, M) and (R, W) components of one arm in the fold at position `number`."""
        if (number, arm) not in self._components:
            fold = self.predictions.folds[number]
            present = tuple(r for r in self.predictions.repeats if (arm, r) in fold.blocks)
            scores = fold.scores(arm, present)
            values = fold_components(fold.labels, scores, fold=fold.fold)
            self._components[number, arm] = present, values
        present, (of_mutants, of_wildtypes) = self._components[number, arm]
        rows = [present.index(repeat) for repeat in repeats]
        return of_mutants[rows], of_wildtypes[rows]

    def folds(self, arms: Sequence[str], repeats: Sequence[int]) -> list[list[Components]]:
        """Components of several arms, per fold, for `combined_contrast`."""
        numbers = range(len(self.predictions.folds))
        return [[self.components(k, arm, repeats) for arm in arms] for k in numbers]

    def areas(self, arm: str, repeats: Sequence[int]) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """(K, R) areas under the ROC curve."""
        return np.array([fold[0][0].mean(axis=1) for fold in self.folds([arm], repeats)])


def arm_contrasts(areas: ArmAreas, rule: DecisionRule, repeats: Sequence[int]) -> list[ArmContrast]:
    """The primary contrast, its controls, and all other arms, in this order.

    An arm that shares no complete repeat with its baseline has no contrast.

    Args:
        areas: The arms' areas.
        rule: The primary arm, its baseline and its controls.
        repeats: Repeats that may be judged.

    Raises:
        ConfigError: the primary arm or the baseline has no predictions.
    """
    arms = areas.predictions.arms
    for role, arm in (("primary arm", rule.primary), ("baseline", rule.baseline)):
        if arm and arm not in arms:
            raise ConfigError(f"{role} {arm!r} has no predictions; arms: {', '.join(arms)}")
    pairs: list[tuple[str, str, Role]] = []
    if rule.primary:
        pairs.append((rule.primary, rule.baseline, "primary"))
    pairs += [(rule.primary, control, "control") for control in rule.controls if control in arms]
    for arm in sorted(arms, key=lambda each: arm_order(each, rule.baseline)):
        if arm not in (rule.primary, rule.baseline):
            pairs.append((arm, matched_baseline(arm, rule.baseline, arms), "secondary"))
    return [
        _contrast(areas, pair, judged)
        for pair in pairs
        if (judged := judged_repeats(areas.predictions, pair[:2], repeats))
    ]


def judged_repeats(
    predictions: ArmPredictions, arms: Sequence[str], repeats: Sequence[int]
) -> tuple[int, ...]:
    """Those of `repeats` that are complete in all folds for the arms."""
    return tuple(r for r in predictions.complete_repeats(arms) if r in set(repeats))


def _contrast(
    areas: ArmAreas, pair: tuple[str, str, Role], repeats: tuple[int, ...]
) -> ArmContrast:
    arm, baseline, role = pair
    new, old = areas.areas(arm, repeats), areas.areas(baseline, repeats)
    return ArmContrast(
        arm=arm,
        baseline=baseline,
        role=role,
        repeats=repeats,
        contrast=combined_contrast(areas.folds([arm, baseline], repeats), (1, -1)),
        fold_means=fold_means_contrast(new - old),
        variance_ratio=_variance_ratio(new, old),
    )


def fold_means_contrast(differences: "np.ndarray[Any, np.dtype[np.float64]]") -> Contrast | None:
    """t test of (K, R) differences over the K fold means; None with fewer than five folds.

    It treats a whole fold as the unit, so it holds if all repeats of a fold share a generator.
    """
    folds, repeats = differences.shape
    if folds < MIN_FOLDS_OF_MEANS:
        return None
    means = differences.mean(axis=1)
    variance = float(means.var(ddof=1)) / folds
    se, estimate, df = variance**0.5, float(means.mean()), float(folds - 1)
    exists = se > 1e-12
    statistic = estimate / se if exists else np.nan
    half = quantile_t(0.5 + CONFIDENCE / 2, df) * se if exists else np.nan
    return Contrast(
        difference=estimate,
        se=se,
        df=df if exists else np.nan,
        t=statistic,
        p=2 * cumulative_t(-abs(statistic), df),
        ci_low=estimate - half,
        ci_high=estimate + half,
        folds=folds,
        repeats=repeats,
        variance_trainings=variance,
        variance_patients=0.0,
        patients_covariance=0.0,
        method="t" if exists else "none",
    )


def _variance_ratio(
    new: "np.ndarray[Any, np.dtype[np.float64]]", old: "np.ndarray[Any, np.dtype[np.float64]]"
) -> float:
    """Variance of (K, R) areas' paired differences over that of unpaired ones, within folds."""
    if new.shape[1] < 2:
        return float("nan")
    unpaired = float((new.var(axis=1, ddof=1) + old.var(axis=1, ddof=1)).sum())
    paired = float((new - old).var(axis=1, ddof=1).sum())
    return paired / unpaired if unpaired > 0 else float("nan")


def contrast_table(contrasts: Sequence[ArmContrast], deciding: Sequence[Contrast]) -> pd.DataFrame:
    """One row per contrast; P values of secondary ones are adjusted by Holm as well.

    Args:
        contrasts: The contrasts.
        deciding: The test of each that counts: by fold, or over fold means.
    """
    rows = []
    for item, test in zip(contrasts, deciding, strict=True):
        low, high = test.interval(0.9)
        rows.append(
            {
                "arm": item.arm,
                "baseline": item.baseline,
                "estimate": test.difference,
                "se": test.se,
                "df": test.df,
                "t": test.t,
                "p": test.p,
                "ci_low": test.ci_low,
                "ci_high": test.ci_high,
                "role": item.role,
                "p_holm": np.nan,
                "ci90_low": low,
                "ci90_high": high,
                "folds": test.folds,
                "repeats": test.repeats,
                "variance_trainings": item.contrast.variance_trainings,
                "variance_patients": item.contrast.variance_patients,
                "variance_ratio": item.variance_ratio,
                "method": "t over fold means"
                if test is item.fold_means
                else "trainings as readers by fold",
            }
        )
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    secondary = table.index[table["role"] == "secondary"]
    if len(secondary):
        p = table.loc[secondary, "p"].fillna(1.0)  # no P: counts as one with P = 1
        table.loc[secondary, "p_holm"] = multipletests(p, method="holm")[1]
    return table
