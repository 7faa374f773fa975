"""Sentences on conventions, exclusions and secondary results of an experiment."""

from collections.abc import Sequence

import pandas as pd

from idhray.stats.arms.baselines import few_patients_sentence
from idhray.stats.arms.figures import class_counts
from idhray.stats.arms.predictions import ArmPredictions
from idhray.stats.arms.rule import MIN_FOLDS_OF_MEANS, DecisionRule
from idhray.stats.settings import StatsSettings

_TEST = (
    "Test: trainings as readers, split plot by fold (Obuchowski and Rockette 1995; Hillis 2007; "
    "Obuchowski, Gallas and Hillis 2012). Areas are means over folds; scores of different folds "
    "are never pooled."
)
_FOLD_MEANS = " One generator per fold: contrasts are judged by t over fold means instead."
_STRATA = (
    "Strata: AUC over pairs of patients tested in the same fold, with a jackknife interval; AUPRC "
    "by ranks within folds. A dash: a class has fewer than 5 patients."
)


def experiment_notes(
    predictions: ArmPredictions,
    rule: DecisionRule,
    settings: StatsSettings,
    *,
    areas: "pd.Series[float]",
    secondary: Sequence[str],
) -> list[str]:
    """The notes.

    Args:
        predictions: Predictions of test patients.
        rule: The rule of the decision.
        settings: Threshold.
        areas: Mean area of each arm.
        secondary: Sentences on secondary results, to be put last.
    """
    counts = class_counts(predictions)
    unlabeled = len(predictions.unlabeled)
    over_means = rule.generators == "per fold" and len(predictions.folds) >= MIN_FOLDS_OF_MEANS
    notes = [
        predictions.dropped_sentence(),
        f"{unlabeled} patients without a label are in no figure." if unlabeled else "",
        few_patients_sentence(
            float(areas.get(rule.baseline, float("nan"))),
            counts["n_mutant"],
            counts["n_wildtype"],
        ),
        "The unit is the patient: repeats, folds and synthetic images add nothing to n.",
        _TEST + (_FOLD_MEANS if over_means else ""),
        f"Equivalence: the 90% interval lies within \u00b1{rule.margin:g} (two one-sided tests). "
        "The primary contrast and its controls are one claim, so their P values are not adjusted; "
        "Holm adjusts the secondary ones. Baselines and strata are descriptive.",
        f"A patient is called mutant at a probability of {settings.threshold:g} or more.",
        _STRATA,
        *secondary,
    ]
    return [note for note in notes if note]
