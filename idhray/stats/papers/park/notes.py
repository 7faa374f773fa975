"""The conventions of a reader study's tables, and what is in no figure and why, in sentences."""

import numpy as np

from idhray.stats.papers.park.judged import Judged, unjudged, unjudged_with_age
from idhray.stats.papers.park.models import NUMBERS, ReaderModel
from idhray.stats.papers.park.readings import Readings
from idhray.stats.settings import StatsSettings

_RULES = {
    "lr": "likelihood-ratio test of the whole feature, P of {alpha:g} or more goes",
    "wald": "Wald's test of the whole feature, P of {alpha:g} or more goes",
    "aic": "AIC",
    "bic": "BIC",
    "none": "",
}


def conventions(settings: StatsSettings) -> list[str]:
    """How the figures were made."""
    rule = _RULES[settings.elimination].format(alpha=settings.alpha)
    return [
        "A case is one image; a patient is one case. Synthetic cases train models 2 and 3 and are "
        "judged in no set but their models' own training rows.",
        f"Features with kappa of {settings.kappa_gate:g} or more on the training cases, and a "
        f"univariable P under {settings.alpha:g} at any level (Wald), enter the multivariable model"
        + (f"; then backward elimination ({rule})." if rule else "; nothing is eliminated."),
        "Kappa's gate looks at training cases alone, real and synthetic: no reading of a patient "
        "to be judged decides on a feature. Agreement on all cases stands beside it.",
        "Standard errors of models 2 and 3 take each synthetic image for an independent patient, "
        "so their intervals and P values are too narrow and too small.",
        "Where training classes are separated, Firth's penalized likelihood takes the place of "
        "maximum likelihood and is marked.",
        "Thresholds: Youden's index on each model's own training cases, applied unchanged to "
        "validation and test. A set's own optimum is shown for comparison with Park; it flatters.",
        "With age: logistic regression on the image's log odds and age, fitted on real training "
        "patients for every model, as a synthetic image has no age.",
        "Intervals are 95%. AUC: DeLong, or the exact binomial where its variance is 0. "
        "Proportions: Wilson (the exact ones, predictive values and likelihood ratios are in the "
        "CSV files). Differences in AUC: paired DeLong, for the models as they are; for the mean "
        "of the readers, of these readers.",
        "P (Holm) of AUCs is adjusted over models, readers and the mean of the readers within a "
        "set; P (Holm) of McNemar's tests over models and readers within a set. Image, and image "
        "and age, are two families.",
        "AUC corrected for optimism: the whole choice (univariable filter, elimination, fit) is "
        "repeated on resampled training cases. So it is in the bootstrap behind the answer; "
        "kappa's gate is not repeated.",
        "Whether the generator saw patients of validation or test cannot be read off READINGS; "
        "`idhray study` refuses it, other sources must be asked.",
    ]


def _of_models(models: list[ReaderModel]) -> list[str]:
    """What is to be said of each model, once where it holds for several."""
    holders: dict[str, list[str]] = {}
    for model in models:
        absent = [f"{name} was not analyzed: {why}." for name, why in model.not_analysed.items()]
        for note in [*model.notes, *absent]:
            holders.setdefault(note, []).append(str(model.number))
    return [
        f"Model{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}: {note}"
        for note, numbers in holders.items()
    ]


def left_out(
    readings: Readings, models: list[ReaderModel], missing: dict[int, str], sets: list[Judged]
) -> list[str]:
    """Every model, set and row that one would expect and that is not there; doubts about models."""
    notes = [
        f"Model {number} ({NUMBERS[number].lower()}) does not exist: {why}."
        for number, why in missing.items()
    ]
    notes += _of_models(models)
    if not sets and not models:
        notes.append("No patients are judged, as there is no model.")
    notes += [f"{why[0].upper()}{why[1:]}: no figures." for why in unjudged(readings).values()]
    notes += unjudged_with_age(readings, models)
    if readings.unknown_idh:
        notes.append(f"{readings.unknown_idh} cases without a known IDH status are left out.")
    real = readings.cases["real"].to_numpy(dtype=bool)
    if ageless := int(np.isnan(readings.cases["age"].to_numpy()[real]).sum()):
        notes.append(
            f"{ageless} of {int(real.sum())} patients have no known age; they are in no row with "
            "age."
        )
    if wild := int((~real & (readings.cases["label"].to_numpy() == 0)).sum()):
        notes.append(f"{wild} synthetic wildtype cases are in no model and no table but kappa's.")
    return notes
