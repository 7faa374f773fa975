"""The reader study's question answered in words: do synthetic cases help?"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from idhray.stats.accuracy import printed
from idhray.stats.liu.verdict import Answer
from idhray.stats.park.performance import MEAN, Judged
from idhray.stats.text import p_text, signed

AUGMENTED = 3


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
    detectable: float
    """The gain that patients and readings like these would show four times in five (80% power)."""
    n_mutant: int
    n_wildtype: int


def reader_verdict(sets: list[Judged], compared: pd.DataFrame) -> ReaderVerdict:
    """One comparison, named before the data are seen, so its P and interval need no adjustment."""
    image = [one for one in sets if not one.age and {1, AUGMENTED} <= set(one.numbers)]
    if not image:
        return _nothing()
    one = image[-1]  # val before test
    rows = compared[(compared["split"] == one.split) & ~compared["age"]]
    row = rows[(rows["model"] == AUGMENTED) & (rows["reader"] == MEAN)].iloc[0]
    low, high = float(row["difference_low"]), float(row["difference_high"])
    answer: Answer = "this cohort cannot tell"
    if low > 0 or high < 0:
        answer = "helps" if low > 0 else "hurts"
    facts = ReaderVerdict(
        answer=answer,
        sentence="",
        split=one.split,
        difference=float(row["difference"]),
        ci_low=low,
        ci_high=high,
        p=float(row["p"]),
        detectable=(high - low) / 2 * float(1 + stats.norm.ppf(0.8) / stats.norm.ppf(0.975)),
        n_mutant=int(one.labels.sum()),
        n_wildtype=int((1 - one.labels).sum()),
    )
    return replace(facts, sentence=_sentence(facts, row))


def _sentence(facts: ReaderVerdict, row: "pd.Series[float]") -> str:
    opening = {
        "helps": "Adding synthetic cases to the training set helps.",
        "hurts": "Adding synthetic cases to the training set hurts.",
    }.get(facts.answer, "This cohort cannot tell whether adding synthetic cases helps.")
    where = "test" if facts.split == "test" else "validation"
    parts = [
        opening,
        f"On {facts.n_mutant + facts.n_wildtype} {where} patients ({facts.n_mutant} mutant, "
        f"{facts.n_wildtype} wildtype) the area under the ROC curve, mean of the readers, went "
        f"from {printed(row['auc_baseline'])} to {printed(row['auc'])}: a difference of "
        f"{signed(facts.difference)} ({_interval(facts)}).",
    ]
    if facts.answer == "this cohort cannot tell" and np.isfinite(facts.detectable):
        parts.append(
            f"A true gain of less than about {printed(min(facts.detectable, 1.0), 2)} would "
            "usually go unseen with these patients (80% power)."
        )
    parts.append(
        "It is one draw of synthetic cases and these readers; other draws and readers vary on top."
    )
    return " ".join(parts)


def _interval(facts: ReaderVerdict) -> str:
    if not np.isfinite(facts.ci_low):
        return "no interval: the scores rank all patients alike"
    return f"95% CI {signed(facts.ci_low)} to {signed(facts.ci_high)}, {p_text(facts.p)}"


def _nothing() -> ReaderVerdict:
    return ReaderVerdict(
        answer="this cohort cannot tell",
        sentence="This cohort cannot tell: models 1 and 3 could not both be judged on patients of "
        "both classes outside training.",
        split="",
        difference=np.nan,
        ci_low=np.nan,
        ci_high=np.nan,
        p=np.nan,
        detectable=np.nan,
        n_mutant=0,
        n_wildtype=0,
    )
