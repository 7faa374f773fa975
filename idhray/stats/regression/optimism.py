"""What is left of a model's figures once the flattery of its own patients is taken off.

A model is fitted again to patients drawn with replacement, and judged on its draw and on the
original patients; the mean difference is the optimism of judging a model by the patients that it
was fitted on (Harrell). Everything that the data decided (features, thresholds, penalties) has to
be decided again inside `fit`: what is done once beforehand stays flattering.

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
from idhray.stats.resampling import Flags, Rows, drawn, flags_of, units_of
from idhray.stats.roc.area import auc
from idhray.stats.sample import Labels, SampleError, Scored, Scores, labels_of

FIGURES = ("auc", "brier", "slope", "intercept", "in_the_large")


class Predicts(Protocol):
    """A fitted model. One with a true `separated` says that the classes were, and is counted."""

    def p_mutant(self, frame: pd.DataFrame, /) -> NDArray[np.float64]: ...


Refit = Callable[[pd.DataFrame, Labels], Predicts]
"""A fit from scratch; an IdhrayError says that these rows allow none."""


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """One figure: as it looks, by how much that flatters, and what is left."""

    apparent: float
    optimism: float
    """Mean of (on the draw - on the original patients); negative for an error such as Brier's."""
    corrected: float
    monte_carlo_se: float
    """Of `optimism`: what another seed would change."""
    resamples: int
    """Those in which the figure exists."""


@dataclass(frozen=True, kw_only=True)
class Optimism:
    """Apparent and corrected figures of a model."""

    auc: Corrected
    brier: Corrected
    slope: Corrected
    """Of the calibration; `corrected` is the factor by which the log odds should be shrunk."""
    intercept: Corrected
    """Beside the slope, as in rms::validate."""
    in_the_large: Corrected
    """Calibration in the large: the intercept with the slope fixed at 1."""
    resamples: int
    """Asked for."""
    one_class: int
    """Left out: all drawn patients, or all that are judged, were of one class."""
    unfitted: int
    """Left out: `fit` refused, or its model did not know a level of the original patients."""
    separated: int
    """Kept: the classes were separated, and `fit` had a remedy."""
    notes: tuple[str, ...]


@dataclass(kw_only=True)
class _Tally:
    differences: list[list[float]] = field(default_factory=list)
    one_class: int = 0
    separated: int = 0
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Cases:
    frame: pd.DataFrame
    labels: Labels
    judged: Flags

    @cached_property
    def original(self) -> pd.DataFrame:
        """The rows that are judged."""
        return self.frame[self.judged].reset_index(drop=True)

    @cached_property
    def real(self) -> Labels:
        """Their labels."""
        return self.labels[self.judged]

    @cached_property
    def place(self) -> Rows:
        """Row of `frame` -> row of `original`."""
        return np.asarray(np.cumsum(self.judged) - 1)


def optimism(
    frame: pd.DataFrame,
    truth: ArrayLike,
    fit: Refit,
    *,
    patients: ArrayLike | None = None,
    train_only: ArrayLike | None = None,
    resamples: int = 400,
    seed: int = 0,
) -> Optimism:
    """AUC, Brier score and calibration of the model that `fit` makes, corrected for optimism.

    Args:
        frame: What `fit` and its model read, a row per case.
        fit: Called on `frame` and on every resample; `quick_logistic` makes a fast one.
        patients: Whose each row is; all rows of a patient are drawn together. Without it each row
            is a patient of its own.
        train_only: True for rows that are fitted and never judged: synthetic cases. A GAN's image
            is no patient, tells nothing of patients to come, and looks like those that it was made
            of; judged by it, a model is good at recognizing its own training. Such cases are drawn
            apart from the patients: how many there are is the investigator's choice, not chance.
        resamples: A resample that cannot be fitted is left out and counted; never drawn again.

    Raises:
        SampleError: one class only (among all rows or those that are judged), unequal lengths, a
            patient of both classes, or no resample could be fitted; and whatever `fit` raises on
            `frame` itself.
    """
    labels = labels_of(truth)
    if len(frame) != len(labels):
        raise SampleError(f"{len(labels)} labels, but {len(frame)} rows")
    judged = ~flags_of(train_only, labels, "train_only")
    units = units_of(labels, judged, patients)
    if len(set(labels[judged])) < 2:
        count = np.bincount(labels[judged], minlength=2)
        raise SampleError(
            f"{count[1]} mutant and {count[0]} wildtype patients to judge, the rest only train; "
            "both classes must be judged"
        )
    cases = _Cases(frame=frame, labels=labels, judged=judged)
    apparent = _figures(cases.real, fit(frame, labels).p_mutant(cases.original))
    tally = _Tally()
    for number in range(resamples):
        _try(cases, drawn(units, generator(seed, "optimism", number)), fit, tally)
    return _summary(apparent, tally, resamples, int((~judged).sum()))


def _try(cases: _Cases, rows: Rows, fit: Refit, tally: _Tally) -> None:
    """Fit to some rows; on-draw minus on-original figures, or why there are none, go to `tally`."""
    drawn_labels, own = cases.labels[rows], cases.place[rows[cases.judged[rows]]]
    if len(set(drawn_labels)) < 2 or len(set(cases.real[own])) < 2:
        tally.one_class += 1
        return
    try:
        model = fit(cases.frame.iloc[rows].reset_index(drop=True), drawn_labels)
        p = probabilities_of(model.p_mutant(cases.original), cases.real)
    except (IdhrayError, np.linalg.LinAlgError) as error:
        tally.refusals.append(str(error))
        return
    tally.separated += bool(getattr(model, "separated", False))
    pairs = zip(_figures(cases.real[own], p[own]), _figures(cases.real, p), strict=True)
    tally.differences.append([on_draw - on_original for on_draw, on_original in pairs])


def _figures(labels: Labels, given: ArrayLike) -> list[float]:
    """FIGURES of some probabilities; NaN where a calibration slope does not exist."""
    p: Scores = probabilities_of(given, labels)
    logits, _ = logits_of(p)
    try:
        line = calibration_line(labels, logits)
        slope, intercept = line.slope, line.intercept
    except SampleError:
        slope = intercept = np.nan
    shift, _ = calibration_in_the_large(labels, logits)
    return [auc(Scored(labels, p)), float(np.square(labels - p).mean()), slope, intercept, shift]


def _summary(apparent: list[float], tally: _Tally, resamples: int, synthetic: int) -> Optimism:
    kept = np.array(tally.differences)
    if not len(kept):
        why = f": {tally.refusals[0]}" if tally.refusals else ", all of one class"
        raise SampleError(f"no optimism: none of {resamples} resamples could be fitted{why}")
    figures = {
        name: _corrected(was, column[np.isfinite(column)])
        for name, was, column in zip(FIGURES, apparent, kept.T, strict=True)
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
