"""The reader study's question answered in words: do synthetic cases help?"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from idhray.chance import generator
from idhray.stats.bootstrap import Bootstrapped
from idhray.stats.papers.liu.verdict import StudyAnswer
from idhray.stats.papers.park.comparisons import MEAN, NO_TEST
from idhray.stats.papers.park.judged import JUDGED_SETS, JudgedSet
from idhray.stats.papers.park.training import AUGMENTED, BASELINE
from idhray.stats.roc.area import DELONG
from idhray.stats.roc.power import detectable_paired_gain, measured_design
from idhray.stats.text import p_text, printed, signed

CANNOT_TELL: StudyAnswer = "this cohort cannot tell"


@dataclass(frozen=True, kw_only=True)
class ReaderVerdict:
    """Model 3 (real and synthetic mutants) against model 1 (real ones), from the image alone."""

    answer: StudyAnswer
    sentence: str
    split: str
    """`test`, or `val` without a test set; empty if nothing could be compared."""
    difference: float
    """Difference in AUC, mean of the readers."""
    ci_low: float
    ci_high: float
    p: float
    ci_method: str
    """Method of interval and P: the bootstrap of `training.py`, or DeLong's without a bootstrap."""
    delong_low: float
    """Limit over patients alone, for the models as they are."""
    delong_high: float
    resamples: int
    """Resamples of training cases and patients; 0 without a bootstrap."""
    without_model: int
    """Resamples on which one of the models could not be fitted; they are left out."""
    detectable: float
    """Smallest gain that patients and readings like these would show with 80% power; infinite
    if none, NaN if unknown."""
    n_mutant: int
    n_wildtype: int


def primary_set(sets: list[JudgedSet]) -> JudgedSet | None:
    """The set of the verdict: test, else validation; None if nothing can be compared."""
    image = [
        judged for judged in sets if not judged.age and {BASELINE, AUGMENTED} <= set(judged.numbers)
    ]
    return image[-1] if image else None  # val before test


def reader_verdict(
    judged: JudgedSet, compared: pd.DataFrame, resampled: Bootstrapped | str
) -> ReaderVerdict:
    """Verdict from one comparison, fixed before the data are seen, so it needs no adjustment.

    Help or harm is claimed if two intervals exclude 0 on the same side: DeLong's, over the
    patients, and the bootstrap's, over patients, training cases and the choice of features.

    Args:
        judged: The set of the verdict, from `primary_set`.
        resampled: The bootstrap of `resampled_gain`, or the reason why there is none.
    """
    rows = compared[(compared["split"] == judged.split) & ~compared["age"].astype(bool)]
    rows = rows[rows["model"] == AUGMENTED]
    of_mean = rows[rows["reader"] == MEAN]
    row = (of_mean if len(of_mean) else rows).iloc[0]  # one reader is the mean of readers
    delong = float(row["difference_low"]), float(row["difference_high"])
    p, method = float(row["p"]), DELONG if np.isfinite(delong[0]) else NO_TEST
    low, high = delong
    answer, draws, failed = CANNOT_TELL, 0, 0
    if isinstance(resampled, Bootstrapped):
        low, high, method = resampled.ci_low, resampled.ci_high, resampled.method
        p = float("nan") if resampled.p is None else resampled.p
        draws, failed = resampled.draws, resampled.failed
        if min(low, delong[0]) > 0:
            answer = "helps"
        elif max(high, delong[1]) < 0:
            answer = "hurts"
    verdict = ReaderVerdict(
        answer=answer,
        sentence="",
        split=judged.split,
        difference=float(row["difference"]),
        ci_low=low,
        ci_high=high,
        p=p,
        ci_method=method,
        delong_low=delong[0],
        delong_high=delong[1],
        resamples=draws,
        without_model=failed,
        detectable=_detectable(judged, row, resampled),
        n_mutant=int(judged.labels.sum()),
        n_wildtype=int((1 - judged.labels).sum()),
    )
    missing_reason = "" if isinstance(resampled, Bootstrapped) else resampled
    return replace(verdict, sentence=_sentence(verdict, row, missing_reason))


def _detectable(judged: JudgedSet, row: "pd.Series[float]", resampled: Bootstrapped | str) -> float:
    """Smallest gain that both intervals would show, by simulation of patients like these.

    The variance by training cases and the choice of features is that of the bootstrap less the
    variance over patients.
    """
    if not isinstance(resampled, Bootstrapped):
        return float("nan")
    over_patients = float(row["se"]) if np.isfinite(row["se"]) else 0.0
    new, old = (
        np.array([judged.p[reader, number] for reader in judged.readers])
        for number in (AUGMENTED, BASELINE)
    )
    other_variance = max(resampled.se**2 - over_patients**2, 0.0)
    design = measured_design(judged.labels, new, old, other_variance=other_variance)
    return detectable_paired_gain(design, generator(resampled.seed, "detectable gain"))


def _sentence(verdict: ReaderVerdict, row: "pd.Series[float]", missing_reason: str) -> str:
    opening = {
        "helps": "Adding synthetic cases to the training set helps.",
        "hurts": "Adding synthetic cases to the training set hurts.",
    }.get(verdict.answer, "This cohort cannot tell whether adding synthetic cases helps.")
    parts = [
        opening,
        f"On {verdict.n_mutant + verdict.n_wildtype} {JUDGED_SETS[verdict.split]} patients "
        f"({verdict.n_mutant} mutant, {verdict.n_wildtype} wildtype) the area under the ROC "
        f"curve, mean of the readers, went from {printed(row['auc_baseline'])} to "
        f"{printed(row['auc'])}: a difference of {signed(verdict.difference)} "
        f"({_interval_text(verdict)}).",
        _interval_sentence(verdict, missing_reason),
    ]
    if verdict.answer == CANNOT_TELL and not missing_reason:
        if np.isfinite(verdict.detectable):
            parts.append(
                f"A true gain of less than about {printed(verdict.detectable, 2)} would usually go "
                "unseen with these patients (80% power)."
            )
        elif np.isinf(verdict.detectable):
            parts.append("Even a perfect model might not have shown a clear gain here.")
    parts.append(
        "It is one draw of synthetic cases and these readers; other draws and readers vary on top."
    )
    return " ".join(parts)


def _interval_sentence(verdict: ReaderVerdict, missing_reason: str) -> str:
    """Sentence on the sources of variation that the interval covers."""
    if missing_reason:
        return (
            "The training cases and the choice of features are not in the interval, so no gain is "
            f"claimed from it: {missing_reason}."
        )
    used_resamples = verdict.resamples - verdict.without_model
    text = (
        "The interval is that of a bootstrap of patients and training cases in which the features "
        f"are chosen anew ({used_resamples} resamples"
    )
    if verdict.without_model:
        text += f"; {verdict.without_model} more, without one of the models, are left out"
    if not np.isfinite(verdict.delong_low):
        return f"{text})."
    ends = f"{signed(verdict.delong_low)} to {signed(verdict.delong_high)}"
    return f"{text}); for these very models, over patients alone, it would be {ends} (DeLong)."


def _interval_text(verdict: ReaderVerdict) -> str:
    if not np.isfinite(verdict.ci_low):
        return "no interval: the scores rank all patients alike"
    p = p_text(verdict.p) if np.isfinite(verdict.p) else "no P"
    return f"95% CI {signed(verdict.ci_low)} to {signed(verdict.ci_high)}, {p}"


def verdict_without_comparison(reason: str) -> ReaderVerdict:
    """Verdict with the reason why nothing could be compared."""
    return ReaderVerdict(
        answer=CANNOT_TELL,
        sentence=f"This cohort cannot tell: {reason}.",
        split="",
        difference=np.nan,
        ci_low=np.nan,
        ci_high=np.nan,
        p=np.nan,
        ci_method="",
        delong_low=np.nan,
        delong_high=np.nan,
        resamples=0,
        without_model=0,
        detectable=np.nan,
        n_mutant=0,
        n_wildtype=0,
    )
