"""The reader study's question answered in words: do synthetic cases help?"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from idhray.stats.accuracy.rates import printed
from idhray.stats.bootstrap import Bootstrapped
from idhray.stats.papers.liu.verdict import Answer
from idhray.stats.papers.park.comparisons import MEAN, NO_TEST
from idhray.stats.papers.park.judged import SETS, Judged
from idhray.stats.papers.park.training import AUGMENTED, BASELINE
from idhray.stats.roc.area import DELONG
from idhray.stats.text import p_text, signed

CANNOT_TELL: Answer = "this cohort cannot tell"


@dataclass(frozen=True, kw_only=True)
class ReaderVerdict:
    """Model 3 (real and synthetic mutants) against model 1 (real ones), from the image alone."""

    answer: Answer
    sentence: str
    split: str
    """`test`, or `val` where there is no test set; empty where nothing could be compared."""
    difference: float
    """AUC, mean of the readers."""
    ci_low: float
    ci_high: float
    p: float
    ci_method: str
    """Of interval and P: the bootstrap of `training.py`, or DeLong's where that does not exist."""
    delong_low: float
    """Over patients alone, for the models as they are."""
    delong_high: float
    resamples: int
    """Of training cases and patients; 0 where there is no such bootstrap."""
    without_model: int
    """Resamples on which one of the models could not be fitted; they are left out."""
    detectable: float
    """The gain that patients and readings like these would show four times in five (80% power)."""
    n_mutant: int
    n_wildtype: int


def primary_set(sets: list[Judged]) -> Judged | None:
    """Where the verdict is reached: the test set, else validation; None where nothing compares."""
    image = [one for one in sets if not one.age and {BASELINE, AUGMENTED} <= set(one.numbers)]
    return image[-1] if image else None  # val before test


def reader_verdict(
    one: Judged, compared: pd.DataFrame, resampled: Bootstrapped | str
) -> ReaderVerdict:
    """One comparison, named before the data are seen, so its P and interval need no adjustment.

    Helps or hurts is claimed where two intervals leave 0 out on the same side: DeLong's, over the
    patients, and the bootstrap's, over patients, training cases and the choice of features.

    Args:
        one: The set, as `primary_set` has it.
        resampled: The bootstrap of `resampled_gain`, or why there is none.
    """
    rows = compared[(compared["split"] == one.split) & ~compared["age"].astype(bool)]
    row = rows[(rows["model"] == AUGMENTED) & (rows["reader"] == MEAN)].iloc[0]
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
    facts = ReaderVerdict(
        answer=answer,
        sentence="",
        split=one.split,
        difference=float(row["difference"]),
        ci_low=low,
        ci_high=high,
        p=p,
        ci_method=method,
        delong_low=delong[0],
        delong_high=delong[1],
        resamples=draws,
        without_model=failed,
        detectable=(high - low) / 2 * float(1 + stats.norm.ppf(0.8) / stats.norm.ppf(0.975)),
        n_mutant=int(one.labels.sum()),
        n_wildtype=int((1 - one.labels).sum()),
    )
    why = "" if isinstance(resampled, Bootstrapped) else resampled
    return replace(facts, sentence=_sentence(facts, row, why))


def _sentence(facts: ReaderVerdict, row: "pd.Series[float]", why: str) -> str:
    opening = {
        "helps": "Adding synthetic cases to the training set helps.",
        "hurts": "Adding synthetic cases to the training set hurts.",
    }.get(facts.answer, "This cohort cannot tell whether adding synthetic cases helps.")
    parts = [
        opening,
        f"On {facts.n_mutant + facts.n_wildtype} {SETS[facts.split]} patients ({facts.n_mutant} "
        f"mutant, {facts.n_wildtype} wildtype) the area under the ROC curve, mean of the readers, "
        f"went from {printed(row['auc_baseline'])} to {printed(row['auc'])}: a difference of "
        f"{signed(facts.difference)} ({_interval(facts)}).",
        _of_what(facts, why),
    ]
    if facts.answer == CANNOT_TELL and not why and facts.detectable > 0:
        parts.append(
            f"A true gain of less than about {printed(min(facts.detectable, 1.0), 2)} would "
            "usually go unseen with these patients (80% power)."
        )
    parts.append(
        "It is one draw of synthetic cases and these readers; other draws and readers vary on top."
    )
    return " ".join(parts)


def _of_what(facts: ReaderVerdict, why: str) -> str:
    """What varies in the interval, and what does not."""
    if why:
        return (
            "The training cases and the choice of features are not in the interval, so no gain is "
            f"claimed from it: {why}."
        )
    kept = facts.resamples - facts.without_model
    said = (
        "The interval is that of a bootstrap of patients and training cases in which the features "
        f"are chosen anew ({kept} resamples"
    )
    if facts.without_model:
        said += f"; {facts.without_model} more, without one of the models, are left out"
    if not np.isfinite(facts.delong_low):
        return f"{said})."
    ends = f"{signed(facts.delong_low)} to {signed(facts.delong_high)}"
    return f"{said}); for these very models, over patients alone, it would be {ends} (DeLong)."


def _interval(facts: ReaderVerdict) -> str:
    if not np.isfinite(facts.ci_low):
        return "no interval: the scores rank all patients alike"
    p = p_text(facts.p) if np.isfinite(facts.p) else "no P"
    return f"95% CI {signed(facts.ci_low)} to {signed(facts.ci_high)}, {p}"


def no_verdict(why: str) -> ReaderVerdict:
    """Nothing could be compared, and why."""
    return ReaderVerdict(
        answer=CANNOT_TELL,
        sentence=f"This cohort cannot tell: {why}.",
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
