"""The study's question answered in words: do N synthetic images help?"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from idhray.chance import generator
from idhray.stats.papers.liu.predictions import Predictions
from idhray.stats.papers.liu.sweep import BASELINE, best_count
from idhray.stats.roc.power import detectable_paired_gain, measured_design
from idhray.stats.text import p_text, printed, signed

StudyAnswer = Literal["helps", "hurts", "this cohort cannot tell"]


@dataclass(frozen=True, kw_only=True)
class StudyVerdict:
    """The one comparison on the test set, at the count that validation chose."""

    answer: StudyAnswer
    sentence: str
    n_synthetic: int
    """Compared count: the best count above zero on validation; 0 if none was trained."""
    preferred_none: bool
    """True if the AUC on validation was highest without synthetic images."""
    repeats: int
    """Number of trainings behind the means, the lower one of both sides."""
    difference: float
    """AUC on test at that count minus AUC without synthetic images."""
    ci_low: float
    ci_high: float
    p: float
    ci_method: str
    detectable: float
    """Smallest gain that patients and trainings like these would show with 80% power; infinite
    if none, NaN if unknown."""
    n_mutant: int
    n_wildtype: int


def study_verdict(
    sweep: pd.DataFrame, predictions: Predictions, model: str, seed: int = 0
) -> StudyVerdict:
    """Verdict of the test set on the count that was best on validation.

    There is one comparison and it is chosen without the test set, so its P and interval need no
    adjustment. Help or harm is only claimed with at least two trainings on both sides: a single
    training cannot tell a better recipe from luck. In 2000 simulated studies without any effect
    (18 + 16 patients, trainings of d' 1.3 +- 0.25) the interval excluded zero in 18% with one
    training each, in 4% with two and in 3% with three.

    Args:
        sweep: As `sweep_table` returns it.
        predictions: The predictions behind it.
        model: Its model.
        seed: Seed of the simulation of the gain that could have been shown.
    """
    test = sweep[sweep["split"] == "test"].set_index("n_synthetic")
    with_images = sweep[sweep["n_synthetic"] != BASELINE]
    if with_images.empty:
        return _nothing_compared(test.loc[BASELINE])
    count = best_count(with_images)
    row = test.loc[count]
    repeats = int(min(row["repeats"], test.loc[BASELINE, "repeats"]))
    low, high, difference = (row[f"difference{end}"] for end in ("_low", "_high", ""))
    answer: StudyAnswer = "this cohort cannot tell"
    if repeats > 1 and (low > 0 or high < 0):
        answer = "helps" if low > 0 else "hurts"
    result = StudyVerdict(
        answer=answer,
        sentence="",
        n_synthetic=count,
        preferred_none=best_count(sweep) == BASELINE,
        repeats=repeats,
        difference=float(difference),
        ci_low=float(low),
        ci_high=float(high),
        p=float(row["difference_p"]),
        ci_method=str(row["difference_method"]),
        detectable=_detectable(predictions, model, row, seed),
        n_mutant=int(row["n_mutant"]),
        n_wildtype=int(row["n_wildtype"]),
    )
    return replace(result, sentence=_sentence(result, float(row["auc"])))


def _detectable(predictions: Predictions, model: str, row: "pd.Series[float]", seed: int) -> float:
    """Smallest gain that the interval would show, by simulation of patients like these.

    Both sides have as many trainings in the simulation as the side with fewer.
    """
    sides = [predictions.scores(model, n, "test").sample for n in (int(row.name), BASELINE)]
    fewest = min(len(side.scores) for side in sides)
    new, old = (side.scores[:fewest] for side in sides)
    design = measured_design(
        sides[0].labels, new, old, other_variance=float(row["se_trainings"]) ** 2
    )
    return detectable_paired_gain(design, generator(seed, "detectable gain"))


def _sentence(result: StudyVerdict, area: float) -> str:
    before = area - result.difference
    images = f"{result.n_synthetic:,} synthetic images"
    opening = {
        "helps": f"{images} help.",
        "hurts": f"{images} hurt.",
    }.get(result.answer, f"This cohort cannot tell whether {images} help.")
    parts = [
        opening,
        f"On {result.n_mutant + result.n_wildtype} test patients ({result.n_mutant} mutant, "
        f"{result.n_wildtype} wildtype) the area under the ROC curve went from {printed(before)} "
        f"to {printed(area)}: a difference of {signed(result.difference)} (95% CI "
        f"{signed(result.ci_low)} to {signed(result.ci_high)}, {p_text(result.p)}).",
    ]
    if result.repeats < 2:
        parts.append(
            "At least one side is a single training, so luck in training cannot be told from a "
            "gain; two repeats or more are needed."
        )
    elif result.answer == "this cohort cannot tell":
        if np.isfinite(result.detectable):
            parts.append(
                f"A true gain of less than about {printed(result.detectable, 2)} would usually go "
                "unseen with these patients and trainings (80% power)."
            )
        elif np.isinf(result.detectable):
            parts.append("Even a perfect model might not have shown a clear gain here.")
    if result.preferred_none:
        parts.append("On the validation patients no synthetic count did better than none.")
    return " ".join(parts)


def _nothing_compared(baseline: Any) -> StudyVerdict:
    return StudyVerdict(
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
