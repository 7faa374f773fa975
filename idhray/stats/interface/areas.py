"""Areas under ROC curves, their differences, the curve and a threshold on it."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.bootstrap import Bootstrapped
from idhray.stats.interface.answer import Answer, interval_text, one_row
from idhray.stats.interface.inputs import check_index, labels_from, scored_from
from idhray.stats.roc.area import Auc, AucDifference, auc_with_ci
from idhray.stats.roc.area import auc_difference as paired_difference
from idhray.stats.roc.bootstrap import bootstrap_auc_difference as bootstrapped_difference
from idhray.stats.roc.curve import roc_points
from idhray.stats.roc.intervals import hanley_mcneil_interval, hanley_mcneil_se
from idhray.stats.roc.youden import OperatingPoint, youden_optimum
from idhray.stats.sample import SampleError
from idhray.stats.text import p_text, printed, signed


def auc(truth: ArrayLike, scores: ArrayLike) -> Answer[Auc]:
    """Area under the ROC curve with DeLong's interval.

    Args:
        truth: (N,) labels, mutant or wildtype, 1 or 0.
        scores: (N,), higher for mutant; or (repeats, N): then it is the mean area.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    area = auc_with_ci(scored_from(truth, scores))
    return Answer(
        figures=area,
        text=f"AUC {printed(area.auc)} ({interval_text(area.ci_low, area.ci_high)}, "
        f"{area.ci_method}), {area.n_mutant} mutant and {area.n_wildtype} wildtype patients.",
        table=one_row(
            auc=area.auc,
            se=area.se,
            ci_low=area.ci_low,
            ci_high=area.ci_high,
            ci_method=area.ci_method,
            n_mutant=area.n_mutant,
            n_wildtype=area.n_wildtype,
        ),
    )


def auc_difference(
    truth: ArrayLike, scores: ArrayLike, baseline: ArrayLike
) -> Answer[AucDifference]:
    """Area of `scores` minus area of `baseline` on the same patients: paired DeLong.

    It compares two fixed sets of scores. For several trainings use `compare_arms`.

    Args:
        truth: (N,) labels, mutant or wildtype, 1 or 0.
        scores, baseline: (N,), higher for mutant.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or several trainings.
    """
    check_index(truth, scores, baseline)
    if max(np.ndim(side) for side in (scores, baseline)) > 1:
        raise SampleError("auc_difference takes one training a side; use compare_arms for several")
    figures = paired_difference(labels_from(truth), scores, baseline)
    return Answer(
        figures=figures,
        text=f"Difference in AUC {signed(figures.difference)} "
        f"({interval_text(figures.ci_low, figures.ci_high, sign=True)}, {figures.ci_method}), "
        f"{p_text(figures.p)}.",
        table=one_row(
            difference=figures.difference,
            se=figures.se_patients,
            ci_low=figures.ci_low,
            ci_high=figures.ci_high,
            z=figures.statistic,
            p=figures.p,
            ci_method=figures.ci_method,
        ),
        notes=figures.notes,
    )


def bootstrap_auc_difference(
    truth: ArrayLike,
    scores: ArrayLike,
    baseline: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Answer[Bootstrapped]:
    """Area of `scores` minus area of `baseline`, by bootstrap of the patients within their class.

    Args:
        truth: (N,) labels, mutant or wildtype, 1 or 0.
        scores, baseline: (N,), or (repeats, N): then trainings are drawn as well.
        draws: Bootstrap samples, 100 or more.
        seed: Seed of the draws.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or too few draws.
    """
    check_index(truth, scores, baseline)
    figures = bootstrapped_difference(labels_from(truth), scores, baseline, draws=draws, seed=seed)
    return Answer(
        figures=figures,
        text=f"Difference in AUC {signed(figures.estimate)} "
        f"({interval_text(figures.ci_low, figures.ci_high, sign=True)}; {figures.method}, "
        f"{figures.draws} draws), {p_text(figures.p)}.",
        table=one_row(
            difference=figures.estimate,
            se=figures.se,
            ci_low=figures.ci_low,
            ci_high=figures.ci_high,
            p=figures.p,
            draws=figures.draws,
        ),
        notes=figures.notes,
    )


def hanley_mcneil(area: float, n_mutant: int, n_wildtype: int) -> Answer[tuple[float, float]]:
    """Standard error and interval of a published area, from the area and the class sizes alone.

    Figures: the interval; it may pass 1, and the frame holds it cut to 0..1.

    Raises:
        SampleError: the area is not in 0..1, or a class is empty.

    Source: Hanley and McNeil 1982.
    """
    low, high = hanley_mcneil_interval(area, n_mutant, n_wildtype)
    clipped = max(low, 0.0), min(high, 1.0)
    return Answer(
        figures=(low, high),
        text=f"AUC {printed(area)} ({interval_text(*clipped)}, Hanley and McNeil).",
        table=one_row(
            auc=area,
            se=hanley_mcneil_se(area, n_mutant, n_wildtype),
            ci_low=clipped[0],
            ci_high=clipped[1],
        ),
    )


def roc_curve(truth: ArrayLike, scores: ArrayLike) -> Answer[Auc]:
    """Points of the ROC curve, from (0, 0) to (1, 1); several repeats make a mean curve.

    Frame: false_positive_rate, true_positive_rate.

    Raises:
        SampleError: as `auc`.
    """
    sample = scored_from(truth, scores)
    false_positives, true_positives = roc_points(sample)
    area = auc(sample.labels, sample.scores)
    return Answer(
        figures=area.figures,
        text=area.text,
        table=pd.DataFrame(
            {"false_positive_rate": false_positives, "true_positive_rate": true_positives}
        ),
    )


def youden_threshold(truth: ArrayLike, scores: ArrayLike) -> Answer[OperatingPoint]:
    """The threshold with the best sensitivity + specificity; judge it on other patients.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or several trainings.

    Source: Youden 1950.
    """
    point = youden_optimum(scored_from(truth, scores))
    return Answer(
        figures=point,
        text=f"Threshold {printed(point.threshold)}: sensitivity {printed(point.sensitivity)}, "
        f"specificity {printed(point.specificity)} on the patients that chose it.",
        table=one_row(
            threshold=point.threshold,
            sensitivity=point.sensitivity,
            specificity=point.specificity,
            tp=point.tp,
            fn=point.fn,
            fp=point.fp,
            tn=point.tn,
        ),
        notes=("Figures on the patients that chose a threshold are too good.",),
    )
