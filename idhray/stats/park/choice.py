"""Which features a model keeps: univariable filter, then elimination. Quick, so it can be repeated.

The same rule makes the models of table 2 and, on resampled cases, their correction for optimism:
what the data chose has to be chosen again, or it goes on flattering.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.candidates import Models
from idhray.stats.design import fitting_design
from idhray.stats.park.features import BY_NAME
from idhray.stats.profile import likelihood_ratio, wald
from idhray.stats.quick_logistic import QuickLogistic, quick_logistic
from idhray.stats.sample import Labels, SampleError, labels_of
from idhray.stats.settings import StatsSettings
from idhray.stats.stepwise import chosen_by


def candidates(
    frame: pd.DataFrame, truth: ArrayLike, gated: Sequence[str], settings: StatsSettings
) -> tuple[str, ...]:
    """Features of which any level differs from the reference with P under `alpha`.

    By Wald's test, which reproduces table 2; by the penalized likelihood ratio where a level
    separates the classes and Wald's test is blind.

    Source: Park et al. 2021, Methods: parameters with P < 0.05 in univariable analysis.
    """
    labels = labels_of(truth)
    return tuple(name for name in gated if _smallest_p(frame, labels, name) < settings.alpha)


def _smallest_p(frame: pd.DataFrame, labels: Labels, name: str) -> float:
    try:
        design = fitting_design(frame, [BY_NAME[name].factor])
    except SampleError:  # a constant feature cannot be significant
        return float("nan")
    mutants_per_level = pd.Series(labels).groupby(frame[name].to_numpy()).mean()
    separated = bool(mutants_per_level.isin((0, 1)).any())  # what is_separated says, far faster
    models = Models(design=design, labels=labels, penalized=separated)
    _, model, best = models.fit([name])
    places = range(1, len(design.columns))
    if separated:
        return min(likelihood_ratio(model, best, [place]).p for place in places)
    return min(wald(best, [place]).p for place in places)


def refit(gated: Sequence[str], settings: StatsSettings) -> Callable[..., QuickLogistic]:
    """A fit from scratch, choice included, for `optimism`."""

    def fit(frame: pd.DataFrame, truth: Labels) -> QuickLogistic:
        names = candidates(frame, truth, gated, settings)
        if not names:
            raise SampleError("no feature is significant")
        chosen = [BY_NAME[name].factor for name in names]
        if settings.elimination != "none":
            kept = chosen_by(frame, truth, chosen, rule=settings.elimination, alpha=settings.alpha)
            chosen = [factor for factor in chosen if factor.name in kept]
        if not chosen:
            raise SampleError("elimination removed every feature")
        return quick_logistic(chosen)(frame, np.asarray(truth))

    return fit
