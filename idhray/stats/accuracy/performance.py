"""One row of a performance table: how well a score tells mutant from wildtype at a threshold."""

from typing import Any

from idhray.stats.accuracy.rates import Proportion, accuracy_at
from idhray.stats.roc.area import auc_with_ci
from idhray.stats.sample import Scored


def performance(sample: Scored, threshold: float) -> dict[str, Any]:
    """AUC, sensitivity, specificity and accuracy with their intervals, by column name."""
    area = auc_with_ci(sample)
    rates = accuracy_at(sample, threshold)
    return {
        "n_mutant": area.n_mutant,
        "n_wildtype": area.n_wildtype,
        "repeats": area.repeats,
        **_columns("sensitivity", rates.sensitivity),
        **_columns("specificity", rates.specificity),
        **_columns("accuracy", rates.accuracy),
        "auc": area.auc,
        "auc_low": area.ci_low,
        "auc_high": area.ci_high,
        "auc_ci_method": area.ci_method,
        "auc_sd": area.sd_repeats,
    }


def _columns(name: str, share: Proportion) -> dict[str, float]:
    return {
        name: share.value,
        f"{name}_count": share.count,
        f"{name}_low": share.wilson_low,
        f"{name}_high": share.wilson_high,
        f"{name}_exact_low": share.exact_low,
        f"{name}_exact_high": share.exact_high,
        f"{name}_sd": share.sd_repeats,
    }
