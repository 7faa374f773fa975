"""Three models of one set of features: from real, from synthetic, and from both kinds of mutants.

Each model is fitted to the wildtype training patients and its kind of mutants. Standard errors
treat a synthetic image as a patient, which it is not, so those of models 2 and 3 are too small.

Source: Park et al. 2021, Methods, "Significant predictors for IDH mutation".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.stats.papers.park.feature_choice import (
    jointly_usable,
    reasons_not_analyzed,
    significant_features,
)
from idhray.stats.papers.park.features import BY_NAME, FEATURE_NAMES
from idhray.stats.papers.park.readings import Readings
from idhray.stats.regression.design import Covariate, Factor
from idhray.stats.regression.logistic import LogisticFit, fit_logistic
from idhray.stats.regression.stepwise import Stepwise, stepwise
from idhray.stats.roc.youden import youden_optimum
from idhray.stats.sample import SampleError, Scored
from idhray.stats.settings import StatsSettings

MODEL_NAMES = {1: "Real", 2: "Synthetic", 3: "Real and synthetic"}
"""Number of a model in Park et al. 2021 -> the mutants that it is fitted to."""


@dataclass(frozen=True, kw_only=True)
class ReaderModel:
    """One model with the steps that led to it."""

    number: int
    cases: pd.DataFrame
    """Training cases with label, real, age, and the features."""
    univariable: Mapping[str, LogisticFit]
    """Feature that can be analyzed -> its univariable fit."""
    not_analyzed: Mapping[str, str]
    """Any other feature -> the reason: it failed the gate, or the cases allow no regression."""
    candidates: tuple[str, ...]
    """Features whose univariable test was significant and that fit into one model."""
    full: LogisticFit
    """Fit of all candidates together."""
    elimination: Stepwise | None
    """None if the settings ask for no elimination."""
    fit: LogisticFit
    """Fit that predicts."""
    threshold: float
    """Youden's threshold on the training cases."""
    with_age: LogisticFit | None
    """Fit of the image's linear predictor and age on real training patients; None without ages."""
    age_threshold: float
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """`Model 1 (real)`."""
        return f"Model {self.number} ({MODEL_NAMES[self.number].lower()})"

    def p_image(self, features: pd.DataFrame) -> np.ndarray:
        """P(mutant | features)."""
        return self.fit.p_mutant(features)

    def p_image_age(self, features: pd.DataFrame, age: "pd.Series[float]") -> np.ndarray:
        """P(mutant | features, age); it needs `with_age`."""
        assert self.with_age is not None
        frame = pd.DataFrame(
            {"image": self.fit.linear_predictor(features), "age": age.to_numpy(dtype=float)}
        )
        return self.with_age.p_mutant(frame)


def reader_models(
    readings: Readings, failed_gate: Mapping[str, str], settings: StatsSettings
) -> tuple[list[ReaderModel], dict[int, str]]:
    """Models that the training cases allow, and for the others number -> reason.

    Args:
        failed_gate: Feature that failed the gate of agreement -> the reason.

    Raises:
        SampleError: readers differ on a training case and there is no consensus.
    """
    train = training_cases(readings, settings)
    mutant, real = train["label"] == 1, train["real"]
    absent_mutants = {
        kind: f"there is no {kind} mutant among the training cases"
        for kind, cases in (("real", mutant & real), ("synthetic", mutant & ~real))
        if not cases.any()
    }
    mutant_kinds, levels_to_judge = {1: real, 2: ~real, 3: mutant}, _levels_to_judge(readings)
    models, reasons = [], {}
    for number, kind in mutant_kinds.items():
        kinds_needed = MODEL_NAMES[number].lower().split(" and ")
        if absent := [absent_mutants[name] for name in kinds_needed if name in absent_mutants]:
            reasons[number] = absent[0]
            continue
        cases = train[(mutant & kind) | (~mutant & real)]
        try:
            not_analyzed = reasons_not_analyzed(cases, failed_gate, levels_to_judge)
            models.append(_model(number, cases, train[real], not_analyzed, settings))
        except SampleError as error:
            reasons[number] = str(error)
    return models, reasons


def training_cases(readings: Readings, settings: StatsSettings) -> pd.DataFrame:
    """Training cases with the features on which readers agree or that consensus settled.

    Raises:
        SampleError: readers differ on a training case and there is no consensus.
    """
    train = readings.cases[readings.cases["split"] == "train"]
    else_first = settings.discordant == "first reader"
    return train.join(readings.agreed_features(train.index, else_first=else_first))


def _levels_to_judge(readings: Readings) -> dict[str, set[str]]:
    """Feature -> levels that any reader gave to a patient outside training."""
    outside = readings.cases.index[readings.cases["split"] != "train"]
    rows = readings.feature_rows(outside)
    return {name: set(rows[name]) for name in FEATURE_NAMES}


def _model(
    number: int,
    cases: pd.DataFrame,
    real: pd.DataFrame,
    not_analyzed: Mapping[str, str],
    settings: StatsSettings,
) -> ReaderModel:
    truth = cases["label"].to_numpy(dtype=int)
    usable = [name for name in FEATURE_NAMES if name not in not_analyzed]
    univariable = {name: fit_logistic(cases, truth, [BY_NAME[name].factor]) for name in usable}
    significant = significant_features(cases, truth, usable, settings)
    if not significant:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in not_analyzed.items())
        if not usable:
            raise SampleError(f"no feature could be analyzed ({reasons})")
        raise SampleError(
            f"none of {', '.join(usable)} has a univariable P under {settings.alpha:g}"
            + (f" (not analyzed: {reasons})" if reasons else "")
        )
    candidates, collinear = jointly_usable(cases, significant)
    chosen = [BY_NAME[name].factor for name in candidates]
    full = fit_logistic(cases, truth, chosen)
    elimination = _elimination(cases, truth, chosen, settings)
    fit = elimination.fit if elimination else full
    if not fit.predictors:
        raise SampleError("elimination removed every feature")
    with_age, no_age_reason = _with_age(fit, real)
    notes = [
        f"{name} is not in the multivariable model: {reason}." for name, reason in collinear.items()
    ]
    notes += fit.notes
    if with_age is None:
        notes.append(f"No model with age: {no_age_reason}.")
    return ReaderModel(
        number=number,
        cases=cases,
        univariable=univariable,
        not_analyzed=not_analyzed,
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
    """Fit of image and age, or the reason why there is none.

    It uses REAL training patients for every model, because a synthetic image has no age.

    Source: Park et al. 2021, Methods: `in the training set with real data (model 1)`.
    """
    aged = real[real["age"].notna()]
    if aged["label"].nunique() < 2:
        mutant = int(aged["label"].sum())
        return None, (
            f"ages are known of {mutant} mutant and {len(aged) - mutant} wildtype training "
            "patients, and both classes are needed"
        )
    if aged["age"].nunique() < 2:
        return None, f"all training patients have the age {aged['age'].iloc[0]:g}"
    frame = pd.DataFrame({"image": fit.linear_predictor(aged), "age": aged["age"].to_numpy()})
    truth = aged["label"].to_numpy(dtype=int)
    try:
        fit_with_age = fit_logistic(frame, truth, [Covariate(name="image"), Covariate(name="age")])
    except SampleError as error:
        return None, str(error)
    return fit_with_age, ""


def _age_threshold(fit: LogisticFit, with_age: LogisticFit | None, real: pd.DataFrame) -> float:
    if with_age is None:
        return float("nan")
    aged = real[real["age"].notna()]
    frame = pd.DataFrame({"image": fit.linear_predictor(aged), "age": aged["age"].to_numpy()})
    sample = Scored(aged["label"].to_numpy(dtype=int), with_age.p_mutant(frame))
    return youden_optimum(sample).threshold
