"""Further figures of a table's row, by column: for the CSV files, where room is no matter.

Letters: N patients, R repeats.
"""

from typing import Any

from numpy.typing import ArrayLike

from idhray.stats.accuracy.diagnostics import Estimate, diagnostics_at
from idhray.stats.accuracy.rates import Proportion
from idhray.stats.probabilities.calibration import calibration, spiegelhalter
from idhray.stats.probabilities.decision import decision_curve
from idhray.stats.probabilities.reliability import hosmer_lemeshow, reliability
from idhray.stats.roc.delong import components, mean_components
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_interval
from idhray.stats.sample import Labels, Scored, Scores

_DECISIONS = [percent / 100 for percent in range(5, 100, 5)]


def predictive_columns(labels: Labels, scores: ArrayLike, threshold: float) -> dict[str, Any]:
    """PPV, NPV, balanced accuracy and likelihood ratios at a threshold, of (N,) or (R, N) scores.

    A figure that does not exist is NaN, and `predictive_notes` says why.
    """
    found = diagnostics_at(labels, scores, threshold)
    return {
        **_share("ppv", found.ppv),
        **_share("npv", found.npv),
        "balanced_accuracy": found.balanced_accuracy,
        **_estimate("lr_positive", found.lr_positive),
        **_estimate("lr_negative", found.lr_negative),
        "predictive_notes": " ".join(found.notes),
    }


def area_columns(labels: Labels, scores: ArrayLike) -> dict[str, float]:
    """The intervals of an area that other software prints, cut to 0..1."""
    sample = Scored(labels, scores)
    of_mutants, of_wildtypes = mean_components(*components(sample.labels, sample.scores))
    area, m, w = float(of_mutants.mean()), of_mutants.shape[1], of_wildtypes.shape[1]
    intervals = {
        "hanley_mcneil": hanley_mcneil_interval(area, m, w),
        "exact": exact_auc_interval(area, m + w),
    }
    columns = {}
    for name, (low, high) in intervals.items():
        columns[f"auc_{name}_low"] = max(low, 0.0)
        columns[f"auc_{name}_high"] = min(high, 1.0)
    return columns


def calibration_columns(labels: Labels, p: Scores) -> dict[str, Any]:
    """Calibration of (N,) probabilities on patients to whom the model was not fitted."""
    found = calibration(labels, p)
    hosmer, brier = hosmer_lemeshow(labels, p, df="groups"), spiegelhalter(labels, p)
    return {
        "in_the_large": found.in_the_large.value,
        "in_the_large_low": found.in_the_large.ci_low,
        "in_the_large_high": found.in_the_large.ci_high,
        "in_the_large_p": found.in_the_large.test.p,
        "slope": found.slope.value,
        "slope_low": found.slope.ci_low,
        "slope_high": found.slope.ci_high,
        "slope_p": found.slope.test.p,
        "brier": found.brier,
        "brier_scaled": found.brier_scaled,
        "spiegelhalter_z": brier.statistic,
        "spiegelhalter_p": brier.p,
        "observed_expected": found.observed_expected,
        "hosmer_lemeshow_chi2": hosmer.statistic,
        "hosmer_lemeshow_df": hosmer.df,
        "hosmer_lemeshow_p": hosmer.p,
        "notes": " ".join((*found.notes, *hosmer.notes, *brier.notes)),
    }


def decision_rows(labels: Labels, p: Scores) -> list[dict[str, float]]:
    """The decision curve at thresholds of 5 to 95%."""
    return [
        {
            "threshold": point.threshold,
            "net_benefit": point.model,
            "treat_all": point.treat_all,
            "avoided_per_100": point.avoided_per_100,
        }
        for point in decision_curve(labels, p, _DECISIONS).points
    ]


def reliability_rows(labels: Labels, p: Scores) -> list[dict[str, float]]:
    """Up to ten groups of similar probability, each with its share of mutants (Wilson)."""
    return [
        {
            "group": number,
            "lowest": one.lowest,
            "highest": one.highest,
            "expected": one.expected,
            "n": one.observed.n,
            "mutant": one.observed.count,
            "observed": one.observed.value,
            "observed_low": one.observed.wilson_low,
            "observed_high": one.observed.wilson_high,
        }
        for number, one in enumerate(reliability(labels, p), start=1)
    ]


def _share(name: str, share: Proportion) -> dict[str, float]:
    return {
        name: share.value,
        f"{name}_low": share.wilson_low,
        f"{name}_high": share.wilson_high,
        f"{name}_exact_low": share.exact_low,
        f"{name}_exact_high": share.exact_high,
    }


def _estimate(name: str, one: Estimate) -> dict[str, float]:
    return {name: one.value, f"{name}_low": one.ci_low, f"{name}_high": one.ci_high}
