"""What each predictor would change in a model: the tests and criteria that a stepwise choice uses.

Every model is fitted once and kept, as a search meets the same model from several sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.regression.design import Design
from idhray.stats.regression.likelihood import Likelihood, Point
from idhray.stats.regression.profile import likelihood_ratio, wald
from idhray.stats.sample import Labels

Rule = Literal["lr", "wald", "aic", "bic"]
Action = Literal["remove", "add"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What one predictor would change in a step."""

    name: str
    action: Action
    test: Significance
    """Of the whole predictor, in the model that contains it."""
    criterion: float
    """BIC (rule `bic`) or AIC (other rules) of the model after the change; NaN if `lean`."""


@dataclass(frozen=True, kw_only=True)
class Models:
    """The models that can be made of the predictors of one design."""

    design: Design
    labels: Labels
    penalized: bool
    lean: bool = False
    """For resampling: where the rule goes by P, no criterion is computed."""
    fitted: dict[frozenset[str], tuple[Design, Likelihood, Point]] = field(default_factory=dict)

    def fit(self, names: Sequence[str]) -> tuple[Design, Likelihood, Point]:
        """The model of these predictors at its maximum."""
        key = frozenset(names)
        if key not in self.fitted:
            own = self.design.subset(names)
            model = Likelihood(matrix=own.matrix, labels=self.labels, penalized=self.penalized)
            self.fitted[key] = own, model, model.maximum()
        return self.fitted[key]

    def criterion(self, names: Sequence[str], rule: Rule) -> float:
        """BIC for rule `bic`, else AIC, of the likelihood without the penalty."""
        own, _, best = self.fit(names)
        price = np.log(len(self.labels)) if rule == "bic" else 2.0
        return float(price * len(own.columns) - 2 * best.log_likelihood)

    def removal(self, names: Sequence[str], name: str, rule: Rule) -> Candidate:
        """What removing `name` from the model of `names` would do."""
        rest = [one for one in names if one != name]
        return Candidate(
            name=name,
            action="remove",
            test=self._test(names, name, rule),
            criterion=self._after(rest, rule),
        )

    def addition(self, names: Sequence[str], name: str, rule: Rule) -> Candidate:
        """What adding `name` to the model of `names` would do."""
        more = (*names, name)
        return Candidate(
            name=name,
            action="add",
            test=self._test(more, name, rule),
            criterion=self._after(more, rule),
        )

    def _after(self, names: Sequence[str], rule: Rule) -> float:
        if self.lean and rule in ("lr", "wald"):
            return float("nan")
        return self.criterion(names, rule)

    def _test(self, names: Sequence[str], name: str, rule: Rule) -> Significance:
        own, model, best = self.fit(names)
        places = own.places(name)
        return wald(best, places) if rule == "wald" else likelihood_ratio(model, best, places)
