"""Logistic regression for resampling: coefficients alone, hundreds of fits in seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from idhray.stats.regression.design import Predictor, coded, fitting_design, linear_predictor
from idhray.stats.regression.likelihood import Likelihood
from idhray.stats.regression.separation import is_separated
from idhray.stats.sample import labels_of


@dataclass(frozen=True, kw_only=True)
class QuickLogistic:
    """A fitted model that only predicts; `LogisticFit` holds what is reported."""

    predictors: tuple[Predictor, ...]
    """Factors with the levels that occurred."""
    beta: NDArray[np.float64]
    """The intercept first."""
    separated: bool
    """The predictors separate the classes, and the fit is Firth's."""

    def p_mutant(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """P(mutant), one per row.

        Raises:
            SampleError: as `coded`; a level that no patient had on whom the model was fitted.
        """
        matrix = coded(frame, self.predictors)[1]
        return np.asarray(expit(linear_predictor(matrix, self.beta)))


def quick_logistic(
    predictors: Sequence[Predictor],
) -> Callable[[pd.DataFrame, ArrayLike], QuickLogistic]:
    """A fit of these predictors, to be passed to `optimism`.

    The fit is by maximum likelihood; if the classes are separated, so that it has no finite
    estimate, by Firth's penalized likelihood, as in `fit_logistic`.

    Returns:
        A function of a frame and its labels; it raises SampleError as `fitting_design` does.
    """

    def fit(frame: pd.DataFrame, truth: ArrayLike) -> QuickLogistic:
        labels = labels_of(truth)
        design = fitting_design(frame, predictors)
        separated = is_separated(design.matrix, labels)
        model = Likelihood(matrix=design.matrix, labels=labels, penalized=separated)
        beta = model.maximum().beta
        return QuickLogistic(predictors=design.predictors, beta=beta, separated=separated)

    return fit
