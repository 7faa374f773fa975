"""Tests and criteria of each predictor in a model, as a stepwise choice uses them.

Every model is fitted once and stored, because a search meets the same model from several sides.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.regression.design import Design
from idhray.stats.regression.likelihood import Likelihood, NoMaximumError, Point, Reals
from idhray.stats.regression.profile import (
    likelihood_ratio,
    nested_likelihood_ratio,
    wald,
    without_columns,
)
from idhray.stats.regression.separation import is_separated, overlap, separates_alone
from idhray.stats.sample import Labels

Rule = Literal["lr", "wald", "aic", "bic"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The removal of one predictor, which a step may choose."""

    name: str
    test: Significance
    """Test of the whole predictor, in the model that contains it."""
    criterion: float
    """BIC (rule `bic`) or AIC (other rules) of the model after the removal; NaN if `lean`."""


@dataclass(frozen=True, kw_only=True)
class Models:
    """All models that can be made of the predictors of one design."""

    design: Design
    labels: Labels
    penalized: bool
    lean: bool = False
    """For resampling: no criterion is computed if the rule goes by P."""
    fitted: dict[frozenset[str], tuple[Design, Likelihood, Point]] = field(default_factory=dict)

    def fit(
        self, names: Sequence[str], start: Reals | None = None
    ) -> tuple[Design, Likelihood, Point]:
        """The model of these predictors at its maximum.

        Args:
            names: Predictors.
            start: Coefficients to start from; zeros if not given.
        """
        key = frozenset(names)
        if key not in self.fitted:
            design = self.design.subset(names)
            model = Likelihood(matrix=design.matrix, labels=self.labels, penalized=self.penalized)
            self.fitted[key] = design, model, model.maximum(start)
        return self.fitted[key]

    def criterion(self, names: Sequence[str], rule: Rule) -> float:
        """BIC for rule `bic`, else AIC, of the likelihood without the penalty."""
        design, _, best = self.fit(names)
        price = np.log(len(self.labels)) if rule == "bic" else 2.0
        return float(price * len(design.columns) - 2 * best.log_likelihood)

    def removal(self, names: Sequence[str], name: str, rule: Rule) -> Candidate:
        """The test of `name` in the model of `names`, and the criterion without it."""
        design, model, best = self.fit(names)
        indices = design.column_indices(name)
        others = [other for other in names if other != name]
        if rule == "wald":
            test = wald(best, indices)
        elif self.penalized:
            test = likelihood_ratio(model, best, indices)
        else:
            start = without_columns(best, indices)
            test = nested_likelihood_ratio(best, self.fit(others, start)[2], len(indices))
        skipped = self.lean and rule in ("lr", "wald")
        criterion = float("nan") if skipped else self.criterion(others, rule)
        return Candidate(name=name, test=test, criterion=criterion)


def lean_models(design: Design, labels: Labels) -> Models:
    """Models for resampling, by maximum likelihood or, if the classes are separated, by Firth's.

    A level of one class, or a fit that proves overlap, spares the linear program of `is_separated`.
    """
    models = Models(design=design, labels=labels, penalized=False, lean=True)
    if not separates_alone(design, labels):
        with suppress(NoMaximumError):
            _, model, best = models.fit([predictor.name for predictor in design.predictors])
            if overlap(model.matrix, labels, model.residuals(best)):
                return models
        if not is_separated(design.matrix, labels):
            return models
    return Models(design=design, labels=labels, penalized=True, lean=True)
