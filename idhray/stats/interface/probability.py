"""Calibration of probabilities, and the benefit of acting on them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.columns import calibration_columns, reliability_rows
from idhray.stats.interface.answer import Answer, interval_text
from idhray.stats.interface.inputs import scored_from
from idhray.stats.probabilities.calibration import Calibration, spiegelhalter
from idhray.stats.probabilities.calibration import calibration as calibration_of
from idhray.stats.probabilities.decision import NetBenefit
from idhray.stats.probabilities.decision import decision_curve as decision_curve_of
from idhray.stats.probabilities.reliability import ReliabilityGroup, hosmer_lemeshow
from idhray.stats.probabilities.reliability import reliability as reliability_of
from idhray.stats.text import printed

DECISION_THRESHOLDS = tuple(percent / 100 for percent in range(5, 100, 5))


def calibration(truth: ArrayLike, p_mutant: ArrayLike) -> Answer[Calibration]:
    """Calibration in the large, slope, Brier score and tests, on patients not used for fitting.

    Args:
        truth: (N,) labels, mutant or wildtype, 1 or 0.
        p_mutant: (N,) probabilities.

    Raises:
        SampleError: one class only, unequal lengths, or a probability outside 0..1.
    """
    sample = scored_from(truth, p_mutant)
    figures, columns = calibration_of(sample), calibration_columns(sample)
    del columns["notes"]
    groups = [f"Hosmer and Lemeshow's test: {note}" for note in hosmer_lemeshow(sample).notes]
    large, slope = figures.in_the_large, figures.slope
    return Answer(
        figures=figures,
        text=f"Calibration in the large {printed(large.value)} "
        f"({interval_text(large.ci_low, large.ci_high)}), slope {printed(slope.value)} "
        f"({interval_text(slope.ci_low, slope.ci_high)}), Brier score {printed(figures.brier)}.",
        table=pd.DataFrame([columns]),
        notes=(*figures.notes, *groups, *spiegelhalter(sample).notes),
    )


def reliability(truth: ArrayLike, p_mutant: ArrayLike) -> Answer[tuple[ReliabilityGroup, ...]]:
    """Share of mutants in up to ten groups of similar probability, for a calibration plot.

    Frame: group, lowest, highest, expected, n, mutant, observed, observed_low, observed_high.

    Raises:
        SampleError: as `calibration`.
    """
    sample = scored_from(truth, p_mutant)
    groups, rows = reliability_of(sample), reliability_rows(sample)
    lines = [
        f"Expected {printed(row['expected'])}, observed {printed(row['observed'])} "
        f"({row['mutant']:g} of {row['n']:g})."
        for row in rows
    ]
    return Answer(figures=groups, text="\n".join(lines), table=pd.DataFrame(rows))


def decision_curve(
    truth: ArrayLike, p_mutant: ArrayLike, *, thresholds: Sequence[float] = DECISION_THRESHOLDS
) -> Answer[tuple[NetBenefit, ...]]:
    """Net benefit of acting on a model, compared with treating everyone or no one.

    Frame: threshold, net_benefit, treat_all, avoided_per_100.

    Raises:
        SampleError: as `calibration`; a threshold is not between 0 and 1.

    Source: Vickers and Elkin 2006.
    """
    points = decision_curve_of(scored_from(truth, p_mutant), thresholds)
    useful = [p.threshold for p in points if p.model > max(p.treat_all, 0.0)]
    span = (
        f"at {len(useful)} of {len(points)} thresholds, from {min(useful):g} to {max(useful):g}"
        if useful
        else "at no threshold"
    )
    return Answer(
        figures=points,
        text=f"The model is better than treating all or none {span}.",
        table=pd.DataFrame(
            {
                "threshold": [p.threshold for p in points],
                "net_benefit": [p.model for p in points],
                "treat_all": [p.treat_all for p in points],
                "avoided_per_100": [p.avoided_per_100 for p in points],
            },
            dtype=np.float64,
        ),
    )
