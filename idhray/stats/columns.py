"""Additional columns of a table's row, for the CSV files; the printed tables have no room for them.

Letters: N patients, R repeats.
"""

from typing import Any

from idhray.stats.accuracy.diagnostics import LikelihoodRatio, diagnostics_at
from idhray.stats.accuracy.rates import Proportion
from idhray.stats.probabilities.calibration import calibration, spiegelhalter
from idhray.stats.probabilities.decision import decision_curve
from idhray.stats.probabilities.reliability import hosmer_lemeshow, reliability
from idhray.stats.roc.delong import components, mean_components
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_interval
from idhray.stats.sample import Scored

_DECISION_THRESHOLDS = [percent / 100 for percent in range(5, 100, 5)]


def predictive_columns(sample: Scored, threshold: float) -> dict[str, Any]:
    """PPV, NPV, balanced accuracy and likelihood ratios at a threshold, of (N,) or (R, N) scores.

    A figure that does not exist is NaN, with the reason in `predictive_notes`.
    """
    figures = diagnostics_at(sample, threshold)
    return {
        **_share_columns("ppv", figures.ppv),
        **_share_columns("npv", figures.npv),
        "balanced_accuracy": figures.balanced_accuracy,
        **_ratio_columns("lr_positive", figures.lr_positive),
        **_ratio_columns("lr_negative", figures.lr_negative),
        "predictive_notes": " ".join(figures.notes),
    }


def area_columns(sample: Scored) -> dict[str, float]:
    """Intervals of an area by methods of other software, clipped to 0..1."""
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


def calibration_columns(sample: Scored) -> dict[str, Any]:
    """Calibration of (N,) probabilities on patients to whom the model was not fitted."""
    figures = calibration(sample)
    hosmer_lemeshow_test, brier_test = hosmer_lemeshow(sample), spiegelhalter(sample)
    return {
        "in_the_large": figures.in_the_large.value,
        "in_the_large_low": figures.in_the_large.ci_low,
        "in_the_large_high": figures.in_the_large.ci_high,
        "in_the_large_p": figures.in_the_large.test.p,
        "slope": figures.slope.value,
        "slope_low": figures.slope.ci_low,
        "slope_high": figures.slope.ci_high,
        "slope_p": figures.slope.test.p,
        "brier": figures.brier,
        "brier_scaled": figures.brier_scaled,
        "spiegelhalter_z": brier_test.statistic,
        "spiegelhalter_p": brier_test.p,
        "observed_expected": figures.observed_expected,
        "hosmer_lemeshow_chi2": hosmer_lemeshow_test.statistic,
        "hosmer_lemeshow_df": hosmer_lemeshow_test.df,
        "hosmer_lemeshow_p": hosmer_lemeshow_test.p,
        "notes": " ".join((*figures.notes, *hosmer_lemeshow_test.notes, *brier_test.notes)),
    }


def decision_rows(sample: Scored) -> list[dict[str, float]]:
    """Decision curve at thresholds of 5 to 95%."""
    return [
        {
            "threshold": point.threshold,
            "net_benefit": point.model,
            "treat_all": point.treat_all,
            "avoided_per_100": point.avoided_per_100,
        }
        for point in decision_curve(sample, _DECISION_THRESHOLDS)
    ]


def reliability_rows(sample: Scored) -> list[dict[str, float]]:
    """Up to ten groups of similar probability, each with its share of mutants (Wilson)."""
    return [
        {
            "group": number,
            "lowest": group.lowest,
            "highest": group.highest,
            "expected": group.expected,
            "n": group.observed.n,
            "mutant": group.observed.count,
            "observed": group.observed.value,
            "observed_low": group.observed.wilson_low,
            "observed_high": group.observed.wilson_high,
        }
        for number, group in enumerate(reliability(sample), start=1)
    ]


def _share_columns(name: str, share: Proportion) -> dict[str, float]:
    return {
        name: share.value,
        f"{name}_low": share.wilson_low,
        f"{name}_high": share.wilson_high,
        f"{name}_exact_low": share.exact_low,
        f"{name}_exact_high": share.exact_high,
    }


def _ratio_columns(name: str, ratio: LikelihoodRatio) -> dict[str, float]:
    return {name: ratio.value, f"{name}_low": ratio.ci_low, f"{name}_high": ratio.ci_high}
