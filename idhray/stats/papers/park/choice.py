"""Which features a model keeps: univariable filter, then elimination. Quick, so it can be repeated.

The same rule makes the models of table 2 and, on resampled cases, their correction for optimism:
what the data chose has to be chosen again, or it goes on flattering.
"""

from collections.abc import Callable, Mapping, Sequence, Set

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.regression.candidates import Models
from idhray.stats.regression.design import fitting_design
from idhray.stats.regression.profile import likelihood_ratio, wald
from idhray.stats.regression.quick_logistic import QuickLogistic, quick_logistic
from idhray.stats.regression.stepwise import chosen_by
from idhray.stats.sample import Labels, SampleError, labels_of
from idhray.stats.settings import StatsSettings


def not_analysed(
    frame: pd.DataFrame, gate: Mapping[str, str], seen: Mapping[str, Set[str]]
) -> dict[str, str]:
    """Feature -> why these training cases allow no regression on it; only those that have none.

    Args:
        gate: Features that failed the gate of agreement -> the reason.
        seen: Feature -> the levels of the patients whom the model is to judge; one that no
            training case has would leave them without a probability.
    """
    reasons = {}
    for name, feature in BY_NAME.items():
        levels = [level for level in feature.levels if (frame[name] == level).any()]
        unknown = sorted(seen.get(name, set()) - set(levels))
        if len(levels) < 2:
            reasons[name] = f"{levels[0]} in all {len(frame)} training cases"
        elif name in gate:
            reasons[name] = gate[name]
        elif levels[0] != next(iter(feature.levels)):
            missing = next(iter(feature.levels))
            reasons[name] = f"its reference level {missing} is in no training case"
        elif unknown:
            reasons[name] = f"{unknown[0]} is in no training case, but in patients to be judged"
        elif len(frame) <= len(levels):
            reasons[name] = f"{len(frame)} training cases are too few for {len(levels)} levels"
    return reasons


def independent(frame: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Features that fit into one design, taken in their order, and why the others do not.

    A feature is left out where those before it determine one of its columns (collinear), or where
    there are no more cases than columns.
    """
    if _fits(frame, names):
        return list(names), {}
    kept: list[str] = []
    dropped = {}
    for name in names:
        if _fits(frame, [*kept, name]):
            kept.append(name)
        else:
            beside = f"beside {', '.join(kept)} it" if kept else "it"
            dropped[name] = f"{beside} is collinear, or too much for {len(frame)} cases"
    return kept, dropped


def _fits(frame: pd.DataFrame, names: Sequence[str]) -> bool:
    try:
        fitting_design(frame, [BY_NAME[name].factor for name in names])
    except SampleError:
        return False
    return True


def candidates(
    frame: pd.DataFrame, truth: ArrayLike, names: Sequence[str], settings: StatsSettings
) -> tuple[str, ...]:
    """Features of which any level differs from the reference with P under `alpha`.

    By Wald's test, which reproduces table 2; by the penalized likelihood ratio where a level
    separates the classes and Wald's test is blind.

    Source: Park et al. 2021, Methods: parameters with P < 0.05 in univariable analysis.
    """
    labels = labels_of(truth)
    return tuple(name for name in names if _smallest_p(frame, labels, name) < settings.alpha)


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


def refit(names: Sequence[str], settings: StatsSettings) -> Callable[..., QuickLogistic]:
    """A fit from scratch on these features, choice included, for `optimism`."""

    def fit(frame: pd.DataFrame, truth: Labels) -> QuickLogistic:
        found, _ = independent(frame, candidates(frame, truth, names, settings))
        if not found:
            raise SampleError("no feature is significant")
        chosen = [BY_NAME[name].factor for name in found]
        if settings.elimination != "none":
            kept = chosen_by(frame, truth, chosen, rule=settings.elimination, alpha=settings.alpha)
            chosen = [factor for factor in chosen if factor.name in kept]
        if not chosen:
            raise SampleError("elimination removed every feature")
        return quick_logistic(chosen)(frame, np.asarray(truth))

    return fit
