"""Sentences on the conventions of a reader study's tables, and on everything that they omit."""

import numpy as np

from idhray.stats.capped_ages import capped_age_notes
from idhray.stats.papers.park.judged import JudgedSet, notes_on_sets_without_age, unjudged_sets
from idhray.stats.papers.park.models import MODEL_NAMES, ReaderModel
from idhray.stats.papers.park.readings import Readings
from idhray.stats.settings import StatsSettings

_ELIMINATION_RULES = {
    "lr": "likelihood-ratio test of the whole feature, P of {alpha:g} or more goes",
    "wald": "Wald's test of the whole feature, P of {alpha:g} or more goes",
    "aic": "AIC",
    "bic": "BIC",
    "none": "",
}


def conventions(settings: StatsSettings) -> list[str]:
    """Conventions behind the figures."""
    rule = _ELIMINATION_RULES[settings.elimination].format(alpha=settings.alpha)
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


def _model_notes(models: list[ReaderModel]) -> list[str]:
    """Notes on the models; a note that holds for several models appears once."""
    numbers_by_note: dict[str, list[str]] = {}
    for model in models:
        absent = [
            f"{name} was not analyzed: {reason}." for name, reason in model.not_analyzed.items()
        ]
        for note in [*model.notes, *absent]:
            numbers_by_note.setdefault(note, []).append(str(model.number))
    return [
        f"Model{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}: {note}"
        for note, numbers in numbers_by_note.items()
    ]


def omission_notes(
    readings: Readings,
    models: list[ReaderModel],
    missing_models: dict[int, str],
    sets: list[JudgedSet],
) -> list[str]:
    """Notes on every missing model, set and row, and on doubts about models."""
    notes = [
        f"Model {number} ({MODEL_NAMES[number].lower()}) does not exist: {reason}."
        for number, reason in missing_models.items()
    ]
    notes += _model_notes(models)
    if not sets and not models:
        notes.append("No patients are judged, as there is no model.")
    notes += [
        f"{reason[0].upper()}{reason[1:]}: no figures."
        for reason in unjudged_sets(readings).values()
    ]
    notes += notes_on_sets_without_age(readings, models)
    if readings.unknown_idh:
        notes.append(f"{readings.unknown_idh} cases without a known IDH status are left out.")
    real = readings.cases["real"].to_numpy(dtype=bool)
    if ageless := int(np.isnan(readings.cases["age"].to_numpy()[real]).sum()):
        notes.append(
            f"{ageless} of {int(real.sum())} patients have no known age; they are in no row with "
            "age."
        )
    notes += [
        f"{reason[0].upper()}{reason[1:]}; the feature is in no model."
        for reason in readings.absent_features.values()
    ]
    if len(readings.by_reader) == 1:
        notes.append(
            f"One reader only, {next(iter(readings.by_reader))}: these readings stand for the "
            "consensus, and agreement is not measured."
        )
    notes += capped_age_notes(readings.cases)
    if wildtype := int((~real & (readings.cases["label"].to_numpy() == 0)).sum()):
        notes.append(
            f"{wildtype} synthetic wildtype cases are in no model and no table but kappa's."
        )
    return notes
