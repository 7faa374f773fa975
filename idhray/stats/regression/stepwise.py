"""Stepwise choice of predictors, always by whole factors, with a trace of every step.

A model chosen this way looks better than it is: its P values ignore the choice. The trace is there
so that a reader sees what was tried; the optimism has to be measured by repeating the choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.regression.candidates import Candidate, Models, Rule
from idhray.stats.regression.design import Predictor
from idhray.stats.regression.logistic import LogisticFit, fit_logistic, labeled_design
from idhray.stats.regression.separation import Separation, is_separated, separation
from idhray.stats.sample import SampleError

Direction = Literal["backward", "forward", "both"]
_GAIN = 1e-7  # a smaller gain of AIC is rounding; R's step() stops there too
_WORDS = {"lr": "likelihood ratio", "wald": "Wald test", "aic": "AIC", "bic": "BIC"}
_REPEATS = "the next change would bring back an earlier model"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A model on the way, and what was done next."""

    predictors: tuple[str, ...]
    """In the model before the change, in the order in which they entered."""
    aic: float
    bic: float
    candidates: tuple[Candidate, ...]
    """The removal of each predictor in the model, then the additions the direction allows."""
    change: str
    """`- location`, `+ margin`, or empty where the choice ends."""
    why: str
    """`P 0.212 is the largest and above 0.05`."""

    @property
    def p(self) -> dict[str, float]:
        """P of each predictor in the model, all its levels together."""
        return {one.name: one.test.p for one in self.candidates if one.action == "remove"}


@dataclass(frozen=True, kw_only=True)
class Stepwise:
    """The model that was chosen and how."""

    fit: LogisticFit
    """With the intercept alone where no predictor is left."""
    chosen: tuple[str, ...]
    """Names of the predictors, in the order in which they entered."""
    trace: tuple[Step, ...]
    rule: str
    """`backward by likelihood ratio at P 0.05`."""
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Policy:
    rule: Rule
    direction: Direction
    alpha: float

    @property
    def by_p(self) -> bool:
        return self.rule in ("lr", "wald")

    def __str__(self) -> str:
        limit = f" at P {self.alpha:g}" if self.by_p else ""
        return f"{self.direction} by {_WORDS[self.rule]}{limit}"


def stepwise(
    frame: pd.DataFrame,
    truth: ArrayLike,
    predictors: Sequence[Predictor],
    *,
    rule: Rule = "lr",
    direction: Direction = "backward",
    alpha: float = 0.05,
) -> Stepwise:
    """Remove or add whole predictors one at a time until none qualifies.

    By `lr` or `wald`, the predictor with the largest P above `alpha` is removed, or the one with
    the smallest P below `alpha` added; by `aic` or `bic`, whatever lowers the criterion most, as
    R's step(). `both` starts from all predictors and may add again what it removed; by `lr` or
    `wald` it removes before it adds. Each step fits its models anew.

    If all predictors together separate the classes, every model is fitted by Firth's penalized
    likelihood, and the notes say so.

    Raises:
        SampleError: as `fit_logistic`, or alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise SampleError(f"alpha must lie between 0 and 1, got {alpha}")
    policy = _Policy(rule=rule, direction=direction, alpha=alpha)
    labels, design = labeled_design(frame, truth, predictors)
    found = separation(design, labels)
    trace = _trace(Models(design=design, labels=labels, penalized=found is not None), policy)
    chosen = trace[-1].predictors
    by_name = {one.name: one for one in predictors}
    kept = [by_name[name] for name in chosen]
    return Stepwise(
        fit=fit_logistic(frame, truth, kept, method="firth" if found else "ml"),
        chosen=chosen,
        trace=trace,
        rule=str(policy),
        notes=tuple(_notes(found, trace[-1])),
    )


def chosen_by(
    frame: pd.DataFrame,
    truth: ArrayLike,
    predictors: Sequence[Predictor],
    *,
    rule: Rule = "lr",
    alpha: float = 0.05,
) -> tuple[str, ...]:
    """The names that backward `stepwise` keeps, without the report of their model: for resampling.

    Raises:
        SampleError: as `fit_logistic`.
    """
    labels, design = labeled_design(frame, truth, predictors)
    penalized = is_separated(design.matrix, labels)
    models = Models(design=design, labels=labels, penalized=penalized, lean=True)
    return _trace(models, _Policy(rule=rule, direction="backward", alpha=alpha))[-1].predictors


def _trace(models: Models, policy: _Policy) -> tuple[Step, ...]:
    everything = tuple(one.name for one in models.design.predictors)
    names = () if policy.direction == "forward" else everything
    steps: list[Step] = []
    while True:
        candidates = _candidates(models, names, everything, policy)
        choice, why = _choice(candidates, models.criterion(names, policy.rule), policy)
        after = _after(names, choice)
        if choice and any(set(step.predictors) == set(after) for step in steps):
            choice, why = None, _REPEATS
        sign = {"remove": "-", "add": "+"}
        steps.append(
            Step(
                predictors=names,
                aic=models.criterion(names, "aic"),
                bic=models.criterion(names, "bic"),
                candidates=candidates,
                change=f"{sign[choice.action]} {choice.name}" if choice else "",
                why=why,
            )
        )
        if choice is None:
            return tuple(steps)
        names = after


def _candidates(
    models: Models, names: tuple[str, ...], everything: tuple[str, ...], policy: _Policy
) -> tuple[Candidate, ...]:
    """Removals are listed in any direction, as they hold the P values of the present model."""
    found = [models.removal(names, name, policy.rule) for name in names]
    if policy.direction != "backward":
        absent = [name for name in everything if name not in names]
        found += [models.addition(names, name, policy.rule) for name in absent]
    return tuple(found)


def _choice(
    candidates: Sequence[Candidate], present: float, policy: _Policy
) -> tuple[Candidate | None, str]:
    """The change to make, None to stop, and why."""
    forward = policy.direction == "forward"
    removals = [one for one in candidates if one.action == "remove" and not forward]
    additions = [one for one in candidates if one.action == "add"]
    if not policy.by_p:
        best = min(removals + additions, key=lambda one: one.criterion, default=None)
        name = _WORDS[policy.rule]
        if best and best.criterion < present - _GAIN:
            return best, f"{name} falls from {present:.2f} to {best.criterion:.2f}, the lowest"
        return None, f"no change lowers {name}"
    worst = max(removals, key=lambda one: one.test.p, default=None)
    if worst and worst.test.p > policy.alpha:
        return worst, f"P {worst.test.p:.3g} is the largest and above {policy.alpha:g}"
    next_in = min(additions, key=lambda one: one.test.p, default=None)
    if next_in and next_in.test.p < policy.alpha:
        return next_in, f"P {next_in.test.p:.3g} is the smallest and below {policy.alpha:g}"
    return None, f"no P leads to a change at {policy.alpha:g}"


def _after(names: tuple[str, ...], choice: Candidate | None) -> tuple[str, ...]:
    if choice is None:
        return names
    if choice.action == "add":
        return (*names, choice.name)
    return tuple(name for name in names if name != choice.name)


def _notes(found: Separation | None, last: Step) -> list[str]:
    notes = []
    if found:
        notes.append(
            f"All predictors together show {found.kind} separation by {'; '.join(found.columns)}: "
            "every model was fitted by Firth's penalized likelihood."
        )
        notes.extend(found.notes)
    if not last.predictors:
        notes.append("No predictor is left: the model has the intercept alone.")
    if last.why == _REPEATS:
        notes.append(f"The choice ended because {_REPEATS}.")
    return notes
