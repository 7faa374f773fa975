"""Three models of one set of features: from real, from synthetic, and from both kinds of mutants.

Source: Park et al. 2021, Methods, "Significant predictors for IDH mutation". Each model is fitted
to the wildtype training patients and its own mutants. Standard errors treat a synthetic image as
though it were a patient, which it is not: what they say of models 2 and 3 is too sure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.stats.papers.park.choice import candidates as significant
from idhray.stats.papers.park.choice import independent, not_analysed
from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.papers.park.readings import NAMES, Readings
from idhray.stats.regression.design import Covariate, Factor
from idhray.stats.regression.logistic import LogisticFit, fit_logistic
from idhray.stats.regression.stepwise import Stepwise, stepwise
from idhray.stats.roc.youden import youden_optimum
from idhray.stats.sample import SampleError, Scored
from idhray.stats.settings import StatsSettings

NUMBERS = {1: "Real", 2: "Synthetic", 3: "Real and synthetic"}
"""Whose mutants a model was fitted to, by its number in Park et al. 2021."""


@dataclass(frozen=True, kw_only=True)
class ReaderModel:
    """One model and how it came about."""

    number: int
    cases: pd.DataFrame
    """Its training cases: label, real, age, and the features."""
    univariable: Mapping[str, LogisticFit]
    """Of every feature that can be analyzed."""
    not_analysed: Mapping[str, str]
    """Every other feature -> why: it failed the gate, or these cases allow no regression on it."""
    candidates: tuple[str, ...]
    """Features whose univariable test was significant and that fit into one model."""
    full: LogisticFit
    """All candidates together."""
    elimination: Stepwise | None
    """None where no elimination was asked for."""
    fit: LogisticFit
    """What predicts."""
    threshold: float
    """Youden's, on the training cases."""
    with_age: LogisticFit | None
    """The image's linear predictor and age, on real training patients; None without ages."""
    age_threshold: float
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """`Model 1 (real)`."""
        return f"Model {self.number} ({NUMBERS[self.number].lower()})"

    def p_image(self, features: pd.DataFrame) -> np.ndarray:
        """P(mutant | features)."""
        return self.fit.p_mutant(features)

    def p_image_age(self, features: pd.DataFrame, age: "pd.Series[float]") -> np.ndarray:
        """P(mutant | features, age); only where `with_age` exists."""
        assert self.with_age is not None
        frame = pd.DataFrame(
            {"image": self.fit.linear_predictor(features), "age": age.to_numpy(dtype=float)}
        )
        return self.with_age.p_mutant(frame)


def reader_models(
    readings: Readings, gate: Mapping[str, str], settings: StatsSettings
) -> tuple[list[ReaderModel], dict[int, str]]:
    """The models that the training cases allow, and why the others do not exist, by number.

    Args:
        gate: Features that failed the gate of agreement -> the reason.

    Raises:
        SampleError: readers differ on a training case and there is no consensus.
    """
    train = training_cases(readings, settings)
    mutant, real = train["label"] == 1, train["real"]
    lacking = {
        kind: f"there is no {kind} mutant among the training cases"
        for kind, own in (("real", mutant & real), ("synthetic", mutant & ~real))
        if not own.any()
    }
    kinds, seen = {1: real, 2: ~real, 3: mutant}, _seen(readings)
    models, missing = [], {}
    for number, kind in kinds.items():
        needed = NUMBERS[number].lower().split(" and ")
        if why := [lacking[name] for name in needed if name in lacking]:
            missing[number] = why[0]
            continue
        own = train[(mutant & kind) | (~mutant & real)]
        try:
            unusable = not_analysed(own, gate, seen)
            models.append(_model(number, own, train[real], unusable, settings))
        except SampleError as error:
            missing[number] = str(error)
    return models, missing


def training_cases(readings: Readings, settings: StatsSettings) -> pd.DataFrame:
    """The training cases with their features, as the readers agree or consensus settled.

    Raises:
        SampleError: readers differ on a training case and there is no consensus.
    """
    train = readings.cases[readings.cases["split"] == "train"]
    first = settings.discordant == "first reader"
    return train.join(readings.agreed(train.index, else_first=first))


def _seen(readings: Readings) -> dict[str, set[str]]:
    """Feature -> the levels that any reader saw in a patient outside training."""
    outside = readings.cases.index[readings.cases["split"] != "train"]
    rows = readings.rows(outside)
    return {name: set(rows[name]) for name in NAMES}


def _model(
    number: int,
    cases: pd.DataFrame,
    real: pd.DataFrame,
    unusable: Mapping[str, str],
    settings: StatsSettings,
) -> ReaderModel:
    truth = cases["label"].to_numpy(dtype=int)
    usable = [name for name in NAMES if name not in unusable]
    singles = {name: fit_logistic(cases, truth, [BY_NAME[name].factor]) for name in usable}
    significant_ones = significant(cases, truth, usable, settings)
    if not significant_ones:
        why = "; ".join(f"{name}: {reason}" for name, reason in unusable.items())
        if not usable:
            raise SampleError(f"no feature could be analyzed ({why})")
        raise SampleError(
            f"none of {', '.join(usable)} has a univariable P under {settings.alpha:g}"
            + (f" (not analyzed: {why})" if why else "")
        )
    candidates, dropped = independent(cases, significant_ones)
    chosen = [BY_NAME[name].factor for name in candidates]
    full = fit_logistic(cases, truth, chosen)
    elimination = _elimination(cases, truth, chosen, settings)
    fit = elimination.fit if elimination else full
    if not fit.predictors:
        raise SampleError("elimination removed every feature")
    with_age, missing = _with_age(fit, real)
    notes = [f"{name} is not in the multivariable model: {why}." for name, why in dropped.items()]
    notes += fit.notes
    if with_age is None:
        notes.append(f"No model with age: {missing}.")
    return ReaderModel(
        number=number,
        cases=cases,
        univariable=singles,
        not_analysed=unusable,
        candidates=tuple(candidates),
        full=full,
        elimination=elimination,
        fit=fit,
        threshold=youden_optimum(Scored(truth, fit.p_mutant(cases))).threshold,
        with_age=with_age,
        age_threshold=_age_threshold(fit, with_age, real),
        notes=tuple(notes),
    )


def _elimination(
    cases: pd.DataFrame, truth: np.ndarray, chosen: Sequence[Factor], settings: StatsSettings
) -> Stepwise | None:
    if settings.elimination == "none":
        return None
    return stepwise(cases, truth, chosen, rule=settings.elimination, alpha=settings.alpha)


def _with_age(fit: LogisticFit, real: pd.DataFrame) -> tuple[LogisticFit | None, str]:
    """Fitted on REAL training patients for every model: a synthetic image has no age.

    Source: Park et al. 2021, Methods: `in the training set with real data (model 1)`.
    """
    known = real[real["age"].notna()]
    if known["label"].nunique() < 2:
        mutant = int(known["label"].sum())
        return None, (
            f"ages are known of {mutant} mutant and {len(known) - mutant} wildtype training "
            "patients, and both classes are needed"
        )
    if known["age"].nunique() < 2:
        return None, f"all training patients have the age {known['age'].iloc[0]:g}"
    frame = pd.DataFrame({"image": fit.linear_predictor(known), "age": known["age"].to_numpy()})
    truth = known["label"].to_numpy(dtype=int)
    try:
        both = fit_logistic(frame, truth, [Covariate(name="image"), Covariate(name="age")])
    except SampleError as error:
        return None, str(error)
    return both, ""


def _age_threshold(fit: LogisticFit, with_age: LogisticFit | None, real: pd.DataFrame) -> float:
    if with_age is None:
        return float("nan")
    known = real[real["age"].notna()]
    frame = pd.DataFrame({"image": fit.linear_predictor(known), "age": known["age"].to_numpy()})
    return youden_optimum(
        Scored(known["label"].to_numpy(dtype=int), with_age.p_mutant(frame))
    ).threshold
