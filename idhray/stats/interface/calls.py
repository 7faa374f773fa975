"""Accuracy of calls at a threshold, with intervals."""

import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.accuracy.diagnostics import Diagnostics, diagnostics_at
from idhray.stats.accuracy.rates import Proportion, accuracy_at
from idhray.stats.accuracy.rates import proportion as proportion_of
from idhray.stats.interface.answer import Answer, interval_text
from idhray.stats.interface.inputs import scored_from
from idhray.stats.text import printed


def diagnostic_accuracy(
    truth: ArrayLike, scores: ArrayLike, *, threshold: float
) -> Answer[Diagnostics]:
    """Sensitivity, specificity, accuracy, predictive values and likelihood ratios at a threshold.

    A score at or above the threshold is called mutant. The threshold must have been fixed on
    other patients.

    Args:
        truth: (N,) labels, mutant or wildtype, 1 or 0.
        scores: (N,), or (repeats, N): then counts are means over the repeats.
        threshold: Lowest score that is called mutant.

    Returns:
        Frame: one row per measure with value, ci_low, ci_high (Wilson; for likelihood ratios on
        the log scale), exact_low, exact_high (Clopper and Pearson), count and n.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or a threshold that is NaN.
    """
    sample = scored_from(truth, scores)
    figures = diagnostics_at(sample, threshold)
    shares = {
        "sensitivity": figures.sensitivity,
        "specificity": figures.specificity,
        "accuracy": accuracy_at(sample, threshold).accuracy,
        "ppv": figures.ppv,
        "npv": figures.npv,
    }
    ratios = {"lr_positive": figures.lr_positive, "lr_negative": figures.lr_negative}
    rows = [{"measure": name, **_share_row(share)} for name, share in shares.items()]
    rows += [
        {"measure": name, "value": r.value, "ci_low": r.ci_low, "ci_high": r.ci_high}
        for name, r in ratios.items()
    ]
    text = "; ".join(
        f"{name} {printed(share.value)} ({interval_text(share.wilson_low, share.wilson_high)})"
        for name, share in shares.items()
    )
    return Answer(
        figures=figures,
        text=f"At threshold {printed(threshold)}: {text}.",
        table=pd.DataFrame(rows),
        notes=figures.notes,
    )


def proportion(count: float, n: float) -> Answer[Proportion]:
    """A proportion with its Wilson and exact (Clopper and Pearson) 95% intervals.

    Raises:
        SampleError: the count is not between 0 and n.
    """
    share = proportion_of(count, n)
    return Answer(
        figures=share,
        text=f"{printed(share.value)} "
        f"({interval_text(share.wilson_low, share.wilson_high)}, Wilson), {count:g} of {n:g}.",
        table=pd.DataFrame([_share_row(share)]),
    )


def _share_row(share: Proportion) -> dict[str, float]:
    return {
        "value": share.value,
        "ci_low": share.wilson_low,
        "ci_high": share.wilson_high,
        "exact_low": share.exact_low,
        "exact_high": share.exact_high,
        "count": share.count,
        "n": share.n,
    }
