"""Choice of a model's features: the filter of single features, before the elimination.

`resampled_choice` repeats the choice on resampled cases, for the correction for optimism: figures
of a choice that was made once stay optimistic.
"""

from collections.abc import Mapping, Sequence, Set

import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.regression.candidates import Models
from idhray.stats.regression.design import fitting_design
from idhray.stats.regression.profile import likelihood_ratio, wald
from idhray.stats.sample import Labels, SampleError, labels_of
from idhray.stats.settings import StatsSettings


def reasons_not_analyzed(
    frame: pd.DataFrame, failed_gate: Mapping[str, str], levels_to_judge: Mapping[str, Set[str]]
) -> dict[str, str]:
    """Feature -> the reason why these training cases allow no regression on it, if there is one.

    Args:
        failed_gate: Feature that failed the gate of agreement -> the reason.
        levels_to_judge: Feature -> levels of the patients whom the model is to judge. A level that
            no training case has would leave them without a probability.
    """
    reasons = {}
    for name, feature in BY_NAME.items():
        levels = [level for level in feature.levels if (frame[name] == level).any()]
        untrained_levels = sorted(levels_to_judge.get(name, set()) - set(levels))
        if not levels:
            reasons[name] = failed_gate.get(name, "it is empty")
        elif len(levels) < 2:
            reasons[name] = f"{levels[0]} in all {len(frame)} training cases"
        elif name in failed_gate:
            reasons[name] = failed_gate[name]
        elif levels[0] != next(iter(feature.levels)):
            reference = next(iter(feature.levels))
            reasons[name] = f"its reference level {reference} is in no training case"
        elif untrained_levels:
            reasons[name] = (
                f"{untrained_levels[0]} is in no training case, but in patients to be judged"
            )
        elif len(frame) <= len(levels):
            reasons[name] = f"{len(frame)} training cases are too few for {len(levels)} levels"
    return reasons


def jointly_usable(frame: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Features that fit into one design, taken in their order, and the reasons for the others.

    A feature is left out if the features before it determine one of its columns (collinear), or if
    there are no more cases than columns.
    """
    if _fits_one_design(frame, names):
        return list(names), {}
    usable: list[str] = []
    dropped = {}
    for name in names:
        if _fits_one_design(frame, [*usable, name]):
            usable.append(name)
        else:
            condition = f"beside {', '.join(usable)} it" if usable else "it"
            dropped[name] = f"{condition} is collinear, or too much for {len(frame)} cases"
    return usable, dropped


def _fits_one_design(frame: pd.DataFrame, names: Sequence[str]) -> bool:
    try:
        fitting_design(frame, [BY_NAME[name].factor for name in names])
    except SampleError:
        return False
    return True


def significant_features(
    frame: pd.DataFrame, truth: ArrayLike, names: Sequence[str], settings: StatsSettings
) -> tuple[str, ...]:
    """Features with any level that differs from the reference with P under `alpha`.

    Wald's test is used, because it reproduces table 2. If a level separates the classes, Wald's
    test fails and the penalized likelihood ratio is used.

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
    separated = bool(mutants_per_level.isin((0, 1)).any())  # as is_separated, but faster
    models = Models(design=design, labels=labels, penalized=separated)
    _, model, maximum = models.fit([name])
    places = range(1, len(design.columns))
    if separated:
        return min(likelihood_ratio(model, maximum, [place]).p for place in places)
    return min(wald(maximum, [place]).p for place in places)
