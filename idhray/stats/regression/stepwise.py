"""Backward elimination of predictors, always by whole factors, with a trace of every step.

A model chosen this way looks better than it is: its P values ignore the choice. The trace shows a
reader what was tried; the optimism has to be measured by repeating the choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.regression.candidates import Candidate, Models, Rule
from idhray.stats.regression.design import Predictor
from idhray.stats.regression.logistic import LogisticFit, fit_logistic, labeled_design
from idhray.stats.regression.separation import Separation, separation
from idhray.stats.sample import SampleError

_GAIN = 1e-7  # a smaller gain of AIC is rounding; R's step() stops there too
_RULE_NAMES = {"lr": "likelihood ratio", "wald": "Wald test", "aic": "AIC", "bic": "BIC"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """A model of the elimination, and the change that was made to it."""

    predictors: tuple[str, ...]
    """Predictors in the model before the change."""
    aic: float
    bic: float
    candidates: tuple[Candidate, ...]
    """The removal of each predictor in the model."""
    change: str
    """`- location`, or empty at the last step."""
    reason: str
    """`P 0.212 is the largest and above 0.05`."""

    @property
    def p(self) -> dict[str, float]:
        """P of each predictor in the model, all its levels together."""
        return {candidate.name: candidate.test.p for candidate in self.candidates}


@dataclass(frozen=True, kw_only=True)
class Stepwise:
    """The model that was chosen, and the steps that led to it."""

    fit: LogisticFit
    """With the intercept alone if no predictor is left."""
    chosen: tuple[str, ...]
    """Names of the predictors in the model."""
    trace: tuple[Step, ...]
    rule: str
    """`backward by likelihood ratio at P 0.05`."""
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Policy:
    rule: Rule
    alpha: float

    @property
    def by_p(self) -> bool:
        return self.rule in ("lr", "wald")

    def __str__(self) -> str:
        limit = f" at P {self.alpha:g}" if self.by_p else ""
        return f"backward by {_RULE_NAMES[self.rule]}{limit}"


def stepwise(
    frame: pd.DataFrame,
    truth: ArrayLike,
    predictors: Sequence[Predictor],
    *,
    rule: Rule = "lr",
    alpha: float = 0.05,
) -> Stepwise:
    """Remove whole predictors one at a time until none qualifies.

    By `lr` or `wald`, the predictor with the largest P above `alpha` is removed; by `aic` or
    `bic`, the one whose removal lowers the criterion most, as R's step(). Each step fits its
    models anew.

    If all predictors together separate the classes, every model is fitted by Firth's penalized
    likelihood, and the notes say so.

    Raises:
        SampleError: as `fit_logistic`, or alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise SampleError(f"alpha must lie between 0 and 1, got {alpha}")
    policy = _Policy(rule=rule, alpha=alpha)
    labels, design = labeled_design(frame, truth, predictors)
    separated = separation(design, labels)
    trace = _trace(Models(design=design, labels=labels, penalized=separated is not None), policy)
    chosen = trace[-1].predictors
    by_name = {predictor.name: predictor for predictor in predictors}
    factors = [by_name[name] for name in chosen]
    return Stepwise(
        fit=fit_logistic(frame, truth, factors, method="firth" if separated else "ml"),
        chosen=chosen,
        trace=trace,
        rule=str(policy),
        notes=tuple(_notes(separated, trace[-1])),
    )


def chosen_in(models: Models, *, rule: Rule, alpha: float) -> tuple[str, ...]:
    """Names that `stepwise` chooses among all predictors of the design: for resampling."""
    return _trace(models, _Policy(rule=rule, alpha=alpha))[-1].predictors


def _trace(models: Models, policy: _Policy) -> tuple[Step, ...]:
    names = tuple(predictor.name for predictor in models.design.predictors)
    steps: list[Step] = []
    while True:
        candidates = tuple(models.removal(names, name, policy.rule) for name in names)
        choice, reason = _choice(candidates, models.criterion(names, policy.rule), policy)
        steps.append(
            Step(
                predictors=names,
                aic=models.criterion(names, "aic"),
                bic=models.criterion(names, "bic"),
                candidates=candidates,
                change=f"- {choice.name}" if choice else "",
                reason=reason,
            )
        )
        if choice is None:
            return tuple(steps)
        names = tuple(name for name in names if name != choice.name)


def _choice(
    candidates: Sequence[Candidate], present: float, policy: _Policy
) -> tuple[Candidate | None, str]:
    """The removal to make, None to stop, and the reason."""
    if not policy.by_p:
        best = min(candidates, key=lambda candidate: candidate.criterion, default=None)
        name = _RULE_NAMES[policy.rule]
        if best and best.criterion < present - _GAIN:
            return best, f"{name} falls from {present:.2f} to {best.criterion:.2f}, the lowest"
        return None, f"no change lowers {name}"
    worst = max(candidates, key=lambda candidate: candidate.test.p, default=None)
    if worst and worst.test.p > policy.alpha:
        return worst, f"P {worst.test.p:.3g} is the largest and above {policy.alpha:g}"
    return None, f"no P leads to a change at {policy.alpha:g}"


def _notes(separated: Separation | None, last: Step) -> list[str]:
    notes = []
    if separated:
        notes.append(
            f"All predictors together show {separated.kind} separation by "
            f"{'; '.join(separated.columns)}: "
            "every model was fitted by Firth's penalized likelihood."
        )
        notes.extend(separated.notes)
    if not last.predictors:
        notes.append("No predictor is left: the model has the intercept alone.")
    return notes
