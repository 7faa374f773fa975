"""Choice of features and fit on resampled cases: those of `feature_choice`, on one coded table.

A bootstrap repeats the choice hundreds of times. So the features are coded once, and a resample is
a choice of rows; the tests of single features are closed forms of counts.

Letters: N cases, L levels of all features together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc, expit

from idhray.stats.papers.park.feature_choice import jointly_usable
from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.regression.candidates import Models, lean_models
from idhray.stats.regression.design import (
    INTERCEPT,
    Column,
    Design,
    Factor,
    check_rank,
    coded,
    linear_predictor,
)
from idhray.stats.regression.likelihood import Likelihood
from idhray.stats.regression.profile import likelihood_ratio
from idhray.stats.regression.separation import is_separated
from idhray.stats.regression.stepwise import chosen_in
from idhray.stats.resampling import Rows
from idhray.stats.sample import Labels, SampleError
from idhray.stats.settings import StatsSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedCases:
    """Features of cases as columns of 0 and 1, one per level."""

    frame: pd.DataFrame
    levels: dict[str, NDArray[np.float64]]
    """Feature -> (N, its levels), the reference first."""

    def columns(self, factor: Factor) -> NDArray[np.float64]:
        """(N, levels of the factor - 1) columns of a design.

        Raises:
            SampleError: a case has another level.
        """
        places = [list(BY_NAME[factor.name].levels).index(level) for level in factor.levels]
        block = self.levels[factor.name][:, places]
        if not block.any(axis=1).all():
            coded(self.frame, [factor])  # it raises the error that names the level
        return block[:, 1:]

    def occurring(self, name: str, rows: Rows) -> Factor:
        """A feature with the levels that some of the rows have.

        Raises:
            SampleError: there are fewer than two, or the reference is not among them.
        """
        levels = tuple(BY_NAME[name].levels)
        counts = self.levels[name][rows].sum(axis=0)
        if not counts[0] or (counts > 0).sum() < 2:
            raise SampleError(f"{name}: no reference level or one level only in these cases")
        return Factor(
            name=name, levels=tuple(level for level, n in zip(levels, counts, strict=True) if n)
        )

    def design(self, names: Sequence[str], rows: Rows) -> Design:
        """The design of some features on some rows.

        Raises:
            SampleError: as `occurring` and `check_rank`.
        """
        factors = tuple(self.occurring(name, rows) for name in names)
        drawn = CodedCases(
            frame=self.frame, levels={name: self.levels[name][rows] for name in names}
        )
        matrix = np.column_stack([np.ones(len(rows)), *(drawn.columns(f) for f in factors)])
        columns = (
            Column(predictor=INTERCEPT),
            *(
                Column(predictor=factor.name, level=level, reference=factor.levels[0])
                for factor in factors
                for level in factor.levels[1:]
            ),
        )
        check_rank(columns, matrix)
        return Design(matrix=matrix, columns=columns, predictors=factors, notes=())


def coded_cases(frame: pd.DataFrame, names: Sequence[str]) -> CodedCases:
    """Cases with their features coded; a missing or unknown level is 0 in every column."""
    levels = {}
    for name in names:
        values = frame[name].astype(str).to_numpy(dtype=object)
        columns = [values == level for level in BY_NAME[name].levels]
        levels[name] = np.column_stack(columns).astype(np.float64)
    return CodedCases(frame=frame, levels=levels)


@dataclass(frozen=True, kw_only=True)
class ChosenModel:
    """Model of the chosen features; it only predicts."""

    predictors: tuple[Factor, ...]
    """With the levels that occurred."""
    beta: NDArray[np.float64]
    """The intercept first."""
    separated: bool
    """The features separate the classes, and the fit is Firth's."""

    def p_mutant(self, cases: CodedCases) -> NDArray[np.float64]:
        """P(mutant), one per case.

        Raises:
            SampleError: a case has a level that no case had on which the model was fitted.
        """
        blocks = [cases.columns(factor) for factor in self.predictors]
        matrix = np.column_stack([np.ones(len(cases.frame)), *blocks])
        return np.asarray(expit(linear_predictor(matrix, self.beta)))


def chosen_model(
    cases: CodedCases, rows: Rows, labels: Labels, names: Sequence[str], settings: StatsSettings
) -> ChosenModel:
    """Model of the features that some cases choose, fitted on them.

    Args:
        cases: Cases.
        rows: Cases that are drawn; a case may be drawn several times.
        labels: (rows,) classes of the drawn cases, both of them.
        names: Features to choose from.
        settings: Level of significance and rule of elimination.

    Raises:
        SampleError: no feature is significant, or elimination removes all.
    """
    significant = [
        name for name in names if _smallest_p(cases, rows, labels, name) < settings.alpha
    ]
    usable = _jointly_usable(cases, rows, significant)
    if not usable:
        raise SampleError("no feature is significant")
    models = lean_models(cases.design(usable, rows), labels)
    chosen: Sequence[str] = usable
    if settings.elimination != "none":
        chosen = chosen_in(models, rule=settings.elimination, alpha=settings.alpha)
    if not chosen:
        raise SampleError("elimination removed every feature")
    return _fitted(models, chosen, labels)


def _fitted(models: Models, chosen: Sequence[str], labels: Labels) -> ChosenModel:
    """The chosen model; Firth's only if the chosen features alone separate the classes."""
    design, _, best = models.fit(chosen)
    separated = models.penalized and is_separated(design.matrix, labels)
    if models.penalized and not separated:
        best = Likelihood(matrix=design.matrix, labels=labels).maximum()
    factors = tuple(factor for factor in design.predictors if isinstance(factor, Factor))
    return ChosenModel(predictors=factors, beta=best.beta, separated=separated)


def _smallest_p(cases: CodedCases, rows: Rows, labels: Labels, name: str) -> float:
    """Smallest P of a level against the reference; NaN for a feature that cannot be tested.

    A model of one feature is saturated: its Wald statistics are those of 2 by 2 tables.
    """
    block = cases.levels[name][rows]
    counts, mutants = block.sum(axis=0), labels @ block
    occur = counts > 0
    if not occur[0] or occur.sum() < 2 or len(rows) <= occur.sum():
        return float("nan")
    mutants, wildtypes = mutants[occur], (counts - mutants)[occur]
    if (mutants == 0).any() or (wildtypes == 0).any():
        return _smallest_penalized_p(cases, rows, labels, name)
    odds, variances = np.log(mutants / wildtypes), 1 / mutants + 1 / wildtypes
    statistics = (odds[1:] - odds[0]) ** 2 / (variances[1:] + variances[0])
    return float(chdtrc(1, statistics.max()))


def _smallest_penalized_p(cases: CodedCases, rows: Rows, labels: Labels, name: str) -> float:
    design = cases.design([name], rows)
    model = Likelihood(matrix=design.matrix, labels=labels, penalized=True)
    best = model.maximum()
    places = range(1, len(design.columns))
    return min(likelihood_ratio(model, best, [place]).p for place in places)


def _jointly_usable(cases: CodedCases, rows: Rows, names: Sequence[str]) -> list[str]:
    try:
        cases.design(names, rows)
    except SampleError:
        return jointly_usable(cases.frame.iloc[rows].reset_index(drop=True), names)[0]
    return list(names)
