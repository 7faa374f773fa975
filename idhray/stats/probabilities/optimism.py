"""Figures of a model corrected for optimism, by bootstrap.

A model is fitted again to patients drawn with replacement, and judged on its draw and on the
original patients; the mean difference is the optimism of judging a model by the patients that it
was fitted on (Harrell). Everything that the data decided (features, thresholds, penalties) has to
be decided again inside `fit`: a choice made once beforehand stays too favorable.

Source: Harrell, Lee and Mark 1996 (Stat Med 15:361); the figures are those of R's rms::validate.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from idhray.chance import generator
from idhray.errors import IdhrayError
from idhray.stats.probabilities.calibration import calibration_in_the_large, calibration_line
from idhray.stats.probabilities.logits import logits_of, probabilities_of
from idhray.stats.progress import counted
from idhray.stats.resampling import Flags, Rows, resampled_rows
from idhray.stats.roc.area import auc
from idhray.stats.sample import Labels, SampleError, Scored, labels_of

FIGURES = ("auc", "brier", "slope", "intercept", "in_the_large")


class Predicts(Protocol):
    """A fitted model; an attribute `separated` that is True marks separated classes."""

    def p_mutant(self, frame: pd.DataFrame, /) -> NDArray[np.float64]: ...


Refit = Callable[[pd.DataFrame, Labels], Predicts]
"""A fit from scratch; it raises an IdhrayError if these rows allow none."""
Judge = Callable[[Rows], tuple[NDArray[np.float64], bool]]
"""A fit from scratch on some rows: P(mutant) of all judged cases, and whether the classes were
separated. It raises an IdhrayError if these rows allow no fit."""


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """One figure as it appears, its optimism, and the difference of both."""

    apparent: float
    optimism: float
    """Mean of (on the draw - on the original patients); negative for an error such as Brier's."""
    corrected: float
    monte_carlo_se: float
    """Standard error of `optimism` over seeds."""
    resamples: int
    """Resamples in which the figure exists."""


@dataclass(frozen=True, kw_only=True)
class Optimism:
    """Apparent and corrected figures of a model."""

    auc: Corrected
    brier: Corrected
    slope: Corrected
    """Calibration slope; `corrected` is the factor by which the log odds should be shrunk."""
    intercept: Corrected
    """Intercept fitted together with the slope, as in rms::validate."""
    in_the_large: Corrected
    """Calibration in the large: the intercept with the slope fixed at 1."""
    resamples: int
    """Resamples that were requested."""
    one_class: int
    """Resamples left out: all drawn patients, or all judged ones, were of one class."""
    unfitted: int
    """Resamples left out: `fit` refused, or its model lacked a level of the original patients."""
    separated: int
    """Resamples included with separated classes, for which `fit` had a remedy."""
    notes: tuple[str, ...]


@dataclass(kw_only=True)
class _Tally:
    differences: list[list[float]] = field(default_factory=list)
    one_class: int = 0
    separated: int = 0
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Cases:
    labels: Labels
    judged: Flags

    @cached_property
    def original_labels(self) -> Labels:
        """Labels of the judged rows."""
        return self.labels[self.judged]

    @cached_property
    def original_rows(self) -> Rows:
        """Place among the judged cases for each case."""
        return np.asarray(np.cumsum(self.judged) - 1)


def optimism(
    frame: pd.DataFrame,
    truth: ArrayLike,
    fit: Refit,
    *,
    train_only: Flags | None = None,
    resamples: int = 400,
    seed: int = 0,
) -> Optimism:
    """AUC, Brier score and calibration of the model that `fit` makes, corrected for optimism.

    Args:
        frame: One row per case, with the columns that `fit` and its model read. Rows are drawn
            one by one, so each is a case of its own.
        truth: One 0 or 1 per row, by position.
        fit: Called on `frame` and on every resample; `quick_logistic` makes a fast one.
        train_only: (N,), True for rows that are fitted and never judged: synthetic cases. A GAN's
            image is no patient, tells nothing of future patients, and resembles the images that
            it was made from; judged by it, a model is good at recognizing its own training. Such
            cases are drawn separately from the patients: their number is the investigator's
            choice, not chance.
        resamples: Number of resamples. One that cannot be fitted is left out and counted, and not
            drawn again.
        seed: Seed of the draws.

    Raises:
        SampleError: one class only (among all rows or the judged ones), unequal lengths, or no
            resample could be fitted; and any error of `fit` on `frame` itself.
    """
    labels = labels_of(truth)
    if len(frame) != len(labels):
        raise SampleError(f"{len(labels)} labels, but {len(frame)} rows")
    original = frame[~_flags(train_only, labels)].reset_index(drop=True)

    def judge(rows: Rows) -> tuple[NDArray[np.float64], bool]:
        model = fit(frame.iloc[rows].reset_index(drop=True), labels[rows])
        return model.p_mutant(original), bool(getattr(model, "separated", False))

    return optimism_of_rows(labels, judge, train_only=train_only, resamples=resamples, seed=seed)


def optimism_of_rows(
    truth: ArrayLike,
    judge: Judge,
    *,
    train_only: Flags | None = None,
    resamples: int = 400,
    seed: int = 0,
    label: str = "optimism",
) -> Optimism:
    """The figures of `optimism`, from a fit that takes rows by their numbers.

    Other arguments and errors are those of `optimism`.

    Args:
        judge: Called on all rows and on every resample.
        label: Beginning of the log lines.
    """
    labels = labels_of(truth)
    judged = ~_flags(train_only, labels)
    if len(set(labels[judged])) < 2:
        count = np.bincount(labels[judged], minlength=2)
        raise SampleError(
            f"{count[1]} mutant and {count[0]} wildtype patients to judge, the rest only train; "
            "both classes must be judged"
        )
    cases = _Cases(labels=labels, judged=judged)
    apparent = _figures(cases.original_labels, judge(np.arange(len(labels)))[0])
    tally = _Tally()
    for number in counted(resamples, label):
        _try(cases, resampled_rows(judged, generator(seed, "optimism", number)), judge, tally)
    return _summary(apparent, tally, resamples, int((~judged).sum()))


def _flags(train_only: Flags | None, labels: Labels) -> Flags:
    flags = np.zeros(len(labels), dtype=bool) if train_only is None else np.asarray(train_only)
    if flags.shape != labels.shape or flags.dtype != bool:
        raise SampleError(f"train_only must be {len(labels)} of True and False, got {flags!r}")
    return flags


def _try(cases: _Cases, rows: Rows, judge: Judge, tally: _Tally) -> None:
    """Fit to some rows; add on-draw minus on-original figures, or the failure, to `tally`."""
    drawn_labels, judged = cases.labels[rows], cases.original_rows[rows[cases.judged[rows]]]
    if len(set(drawn_labels)) < 2 or len(set(cases.original_labels[judged])) < 2:
        tally.one_class += 1
        return
    try:
        probabilities, separated = judge(rows)
        p = probabilities_of(Scored(cases.original_labels, probabilities))
    except (IdhrayError, np.linalg.LinAlgError) as error:
        tally.refusals.append(str(error))
        return
    tally.separated += separated
    pairs = zip(
        _figures(cases.original_labels[judged], p[judged]),
        _figures(cases.original_labels, p),
        strict=True,
    )
    tally.differences.append([on_draw - on_original for on_draw, on_original in pairs])


def _figures(labels: Labels, p_mutant: ArrayLike) -> list[float]:
    """FIGURES of some probabilities; NaN if a calibration slope does not exist."""
    sample = Scored(labels, p_mutant)
    p = probabilities_of(sample)
    logits, _ = logits_of(p)
    try:
        line = calibration_line(labels, logits)
        slope, intercept = line.slope, line.intercept
    except SampleError:
        slope = intercept = np.nan
    shift, _ = calibration_in_the_large(labels, logits)
    return [auc(sample), float(np.square(labels - p).mean()), slope, intercept, shift]


def _summary(apparent: list[float], tally: _Tally, resamples: int, synthetic: int) -> Optimism:
    differences = np.array(tally.differences)  # (resamples, figures)
    if not len(differences):
        reason = f": {tally.refusals[0]}" if tally.refusals else ", all of one class"
        raise SampleError(f"no optimism: none of {resamples} resamples could be fitted{reason}")
    figures = {
        name: _corrected(value, column[np.isfinite(column)])
        for name, value, column in zip(FIGURES, apparent, differences.T, strict=True)
    }
    return Optimism(
        **figures,
        resamples=resamples,
        one_class=tally.one_class,
        unfitted=len(tally.refusals),
        separated=tally.separated,
        notes=tuple(_notes(figures, tally, resamples, synthetic)),
    )


def _corrected(apparent: float, differences: NDArray[np.float64]) -> Corrected:
    count = len(differences)
    mean = float(differences.mean()) if count else np.nan
    return Corrected(
        apparent=apparent,
        optimism=mean,
        corrected=apparent - mean,
        monte_carlo_se=float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else np.nan,
        resamples=count,
    )


def _notes(
    figures: dict[str, Corrected], tally: _Tally, resamples: int, synthetic: int
) -> list[str]:
    notes = []
    if synthetic:
        notes.append(f"{synthetic} cases only train; the figures are those of the patients.")
    if tally.one_class:
        notes.append(f"{tally.one_class} of {resamples} resamples, of one class, are left out.")
    if count := len(tally.refusals):
        notes.append(
            f"{count} of {resamples} resamples could not be fitted and are left out; they tend to "
            f"be the most overfitted, so the optimism is understated. The first: "
            f"{tally.refusals[0]}."
        )
    if tally.separated:
        notes.append(
            f"In {tally.separated} of {resamples} resamples the classes were separated; the "
            "fit's remedy (Firth's penalty, as a rule) was judged there."
        )
    slope = figures["slope"]
    if np.isnan(slope.apparent):
        notes.append("No calibration slope: the probabilities are equal or separate the classes.")
    elif fewer := len(tally.differences) - slope.resamples:
        notes.append(f"{fewer} more resamples have no calibration slope and are left out of it.")
    return notes
