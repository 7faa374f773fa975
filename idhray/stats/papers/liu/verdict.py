"""The study's question answered in words: do N synthetic images help?"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from idhray.stats.accuracy.rates import printed
from idhray.stats.papers.liu.sweep import BASELINE, best_count
from idhray.stats.text import p_text, signed

Answer = Literal["helps", "hurts", "this cohort cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The one comparison on the test set, made at the count that validation picked."""

    answer: Answer
    sentence: str
    n_synthetic: int
    """The count compared: the best one above zero on validation; 0 if none was trained."""
    preferred_none: bool
    """Validation did best without any synthetic images."""
    repeats: int
    """Trainings behind either mean, the fewer of the two sides."""
    difference: float
    """AUC on test at that count minus AUC without synthetic images."""
    ci_low: float
    ci_high: float
    p: float
    ci_method: str
    detectable: float
    """The gain that a cohort like this would show four times in five (80% power)."""
    n_mutant: int
    n_wildtype: int


def verdict(table2: pd.DataFrame) -> Verdict:
    """What the test set says at the count that did best on validation.

    One comparison, chosen without the test set, so its P and interval need no adjustment. A helping
    or hurting count is only claimed where at least two trainings stand on either side: with one
    there is no telling a better recipe from a luckier training. In 2000 simulated studies without
    any effect (18 + 16 patients, trainings of d' 1.3 +- 0.25) the interval excluded zero in 18%
    with one training each, in 4% with two and 3% with three.
    """
    test = table2[table2["split"] == "test"].set_index("n_synthetic")
    others = table2[table2["n_synthetic"] != BASELINE]
    if others.empty:
        return _nothing_compared(test.loc[BASELINE])
    count = best_count(others)
    row = test.loc[count]
    repeats = int(min(row["repeats"], test.loc[BASELINE, "repeats"]))
    low, high, difference = (row[f"difference{end}"] for end in ("_low", "_high", ""))
    answer: Answer = "this cohort cannot tell"
    if repeats > 1 and (low > 0 or high < 0):
        answer = "helps" if low > 0 else "hurts"
    half = max(high - difference, difference - low)
    facts = Verdict(
        answer=answer,
        sentence="",
        n_synthetic=count,
        preferred_none=best_count(table2) == BASELINE,
        repeats=repeats,
        difference=float(difference),
        ci_low=float(low),
        ci_high=float(high),
        p=float(row["difference_p"]),
        ci_method=str(row["difference_method"]),
        detectable=half * float(1 + stats.norm.ppf(0.8) / stats.norm.ppf(0.975)),
        n_mutant=int(row["n_mutant"]),
        n_wildtype=int(row["n_wildtype"]),
    )
    return replace(facts, sentence=_sentence(facts, float(row["auc"])))


def _sentence(facts: Verdict, area: float) -> str:
    before = area - facts.difference
    images = f"{facts.n_synthetic:,} synthetic images"
    opening = {
        "helps": f"{images} help.",
        "hurts": f"{images} hurt.",
    }.get(facts.answer, f"This cohort cannot tell whether {images} help.")
    parts = [
        opening,
        f"On {facts.n_mutant + facts.n_wildtype} test patients ({facts.n_mutant} mutant, "
        f"{facts.n_wildtype} wildtype) the area under the ROC curve went from {printed(before)} to "
        f"{printed(area)}: a difference of {signed(facts.difference)} (95% CI "
        f"{signed(facts.ci_low)} to {signed(facts.ci_high)}, {p_text(facts.p)}).",
    ]
    if facts.repeats < 2:
        parts.append(
            "At least one side is a single training, so luck in training cannot be told from a "
            "gain; two repeats or more are needed."
        )
    elif facts.answer == "this cohort cannot tell":
        parts.append(
            f"A true gain of less than about {printed(min(facts.detectable, 1.0), 2)} would "
            "usually go unseen with these patients and trainings (80% power)."
        )
        if facts.detectable > 1 - before:
            parts.append("Even a perfect model might not have shown a clear gain here.")
    if facts.preferred_none:
        parts.append("On the validation patients no synthetic count did better than none.")
    return " ".join(parts)


def _nothing_compared(baseline: Any) -> Verdict:
    return Verdict(
        answer="this cohort cannot tell",
        sentence="This cohort cannot tell: no model was trained with synthetic images.",
        n_synthetic=BASELINE,
        preferred_none=True,
        repeats=int(baseline["repeats"]),
        difference=np.nan,
        ci_low=np.nan,
        ci_high=np.nan,
        p=np.nan,
        ci_method="",
        detectable=np.nan,
        n_mutant=int(baseline["n_mutant"]),
        n_wildtype=int(baseline["n_wildtype"]),
    )
