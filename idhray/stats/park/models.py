"""Three models of one set of features: from real, from synthetic, and from both kinds of mutants.

Source: Park et al. 2021, Methods, "Significant predictors for IDH mutation". Each model is fitted
to the wildtype training patients and its own mutants. Standard errors treat a synthetic image as
though it were a patient, which it is not: what they say of models 2 and 3 is too sure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.stats.design import Covariate, Factor
from idhray.stats.logistic import LogisticFit, fit_logistic, univariable
from idhray.stats.park.choice import candidates as significant
from idhray.stats.park.features import FEATURES
from idhray.stats.park.readings import NAMES, Readings
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings
from idhray.stats.stepwise import Stepwise, stepwise
from idhray.stats.youden import youden_threshold

NUMBERS = {1: "Real", 2: "Synthetic", 3: "Real and synthetic"}
"""Whose mutants a model was fitted to, by its number in Park et al. 2021."""


@dataclass(frozen=True, kw_only=True)
class ReaderModel:
    """One model and how it came about."""

    number: int
    cases: pd.DataFrame
    """Its training cases: label, real, age, and the features."""
    univariable: Mapping[str, LogisticFit]
    """Of every feature, also of those that failed the gate."""
    candidates: tuple[str, ...]
    """Features that passed the gate and whose univariable test was significant."""
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
    readings: Readings, gated: Sequence[str], settings: StatsSettings
) -> tuple[list[ReaderModel], list[str]]:
    """The models that the training cases allow, and a sentence for each that they do not.

    Args:
        gated: Features that passed the gate of agreement.

    Raises:
        SampleError: readers differ on a training case and there is no consensus.
    """
    train = readings.cases[readings.cases["split"] == "train"]
    first = settings.discordant == "first reader"
    train = train.join(readings.agreed(train.index, else_first=first))
    mutants = {1: train["real"], 2: ~train["real"], 3: train["real"] | ~train["real"]}
    if not (~train["real"]).any():
        del mutants[2], mutants[3]
    models, notes = [], []
    for number, kind in mutants.items():
        own = train[((train["label"] == 1) & kind) | ((train["label"] == 0) & train["real"])]
        try:
            models.append(_model(number, own, train[train["real"]], gated, settings))
        except SampleError as error:
            notes.append(f"Model {number} ({NUMBERS[number].lower()}) does not exist: {error}.")
    return models, notes


def _model(
    number: int,
    cases: pd.DataFrame,
    real: pd.DataFrame,
    gated: Sequence[str],
    settings: StatsSettings,
) -> ReaderModel:
    truth = cases["label"].to_numpy(dtype=int)
    factors = {feature.name: feature.factor for feature in FEATURES}
    singles = dict(zip(NAMES, univariable(cases, truth, list(factors.values())), strict=True))
    candidates = significant(cases, truth, gated, settings)
    if not candidates:
        raise SampleError(
            f"no feature with kappa of {settings.kappa_gate:g} or more has a univariable P under "
            f"{settings.alpha:g}"
        )
    chosen = [factors[name] for name in candidates]
    full = fit_logistic(cases, truth, chosen)
    elimination = _elimination(cases, truth, chosen, settings)
    fit = elimination.fit if elimination else full
    notes = [f"{NUMBERS[number]}: {note}" for note in fit.notes]
    if not fit.predictors:
        raise SampleError("elimination removed every feature")
    with_age, missing = _with_age(fit, real)
    if with_age is None:
        notes.append(f"{NUMBERS[number]}: no model with age, {missing}.")
    return ReaderModel(
        number=number,
        cases=cases,
        univariable=singles,
        candidates=candidates,
        full=full,
        elimination=elimination,
        fit=fit,
        threshold=youden_threshold(truth, fit.p_mutant(cases)),
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
    if known.empty:
        return None, "no training patient has a known age"
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
    return youden_threshold(known["label"].to_numpy(dtype=int), with_age.p_mutant(frame))
