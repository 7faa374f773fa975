"""All statistics of a reader study, in the shape of Park et al. 2021, tables 1 to 3."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from idhray.stats.agreement import feature_agreement, gate_table
from idhray.stats.characteristics import Characteristic
from idhray.stats.files import statistics_files
from idhray.stats.park.demographics import table1, table1_frame
from idhray.stats.park.features import FEATURES
from idhray.stats.park.models import ReaderModel, reader_models
from idhray.stats.park.performance import (
    by_patient,
    calibrations,
    comparisons,
    decisions,
    judged_sets,
    table3,
)
from idhray.stats.park.readings import Readings
from idhray.stats.park.regressions import model_table, table2
from idhray.stats.park.verdict import ReaderVerdict, reader_verdict
from idhray.stats.reader import turing_table
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings


@dataclass(frozen=True, kw_only=True)
class ParkTables:
    """The tables as numbers; `park.printed` turns them into text."""

    settings: StatsSettings
    verdict: ReaderVerdict
    characteristics: Mapping[str, list[Characteristic]]
    """Split -> table 1."""
    agreement: pd.DataFrame
    turing: pd.DataFrame
    """Empty where no Turing test was held."""
    models: pd.DataFrame
    table2: pd.DataFrame
    table3: pd.DataFrame
    comparisons: pd.DataFrame
    calibration: pd.DataFrame
    decision: pd.DataFrame
    by_patient: pd.DataFrame
    """Each patient's probability by set, reader and model."""
    discordant: pd.DataFrame
    """Cells on which readers differ, and the consensus."""
    elimination: pd.DataFrame
    """Every step of every model's elimination."""
    notes: list[str]


def park_tables(readings: Readings, settings: StatsSettings | None = None) -> ParkTables:
    """The statistics of a reader study.

    Raises:
        SampleError: readers differ on a training case and there is no consensus, or training lacks
            a class.
    """
    settings = settings or StatsSettings()
    train = readings.cases[readings.cases["split"] == "train"]
    if train["label"].nunique() < 2:
        raise SampleError(
            f"training has {int(train['label'].sum())} mutant and "
            f"{int((train['label'] == 0).sum())} wildtype cases; both classes are needed"
        )
    characteristics = table1(readings, settings)
    agreement = _agreement(readings, settings)
    gated = tuple(agreement.loc[agreement["passes"], "feature"])
    models, missing = reader_models(readings, gated, settings)
    sets = list(judged_sets(readings, models))
    compared = comparisons(sets)
    return ParkTables(
        settings=settings,
        verdict=reader_verdict(sets, compared),
        characteristics=characteristics,
        agreement=agreement,
        turing=_turing(readings, settings),
        models=model_table(models, gated, settings),
        table2=table2(models),
        table3=table3(models, sets),
        comparisons=compared,
        calibration=calibrations(sets),
        decision=decisions(sets),
        by_patient=by_patient(sets),
        discordant=readings.discordant(),
        elimination=_eliminations(models),
        notes=[*_notes(settings, readings), *missing],
    )


def _agreement(readings: Readings, settings: StatsSettings) -> pd.DataFrame:
    rows = readings.rows()
    found = [feature_agreement(rows, f.name, levels=list(f.levels)) for f in FEATURES]
    return gate_table(found, settings.kappa_gate)


def _turing(readings: Readings, settings: StatsSettings) -> pd.DataFrame:
    return turing_table(
        readings.judged,
        settings.equivalence_margin,
        draws=settings.bootstrap_draws,
        seed=settings.seed,
    )


def _eliminations(models: list[ReaderModel]) -> pd.DataFrame:
    rows = [
        {
            "model": model.number,
            "step": number,
            "in_model": ", ".join(step.predictors),
            "aic": step.aic,
            "bic": step.bic,
            **{f"p_{name}": p for name, p in step.p.items()},
            "change": step.change,
            "why": step.why,
        }
        for model in models
        if model.elimination
        for number, step in enumerate(model.elimination.trace)
    ]
    return pd.DataFrame(rows)


def _notes(settings: StatsSettings, readings: Readings) -> list[str]:
    rule = {
        "lr": f"likelihood-ratio test of the whole feature, P of {settings.alpha:g} or more goes",
        "wald": f"Wald's test of the whole feature, P of {settings.alpha:g} or more goes",
        "aic": "AIC",
        "bic": "BIC",
        "none": "",
    }[settings.elimination]
    notes = [
        "A case is one image; a patient is one case. Synthetic cases train models 2 and 3 and are "
        "judged in no set but their models' own training rows.",
        f"Features with kappa of {settings.kappa_gate:g} or more whose univariable P is under "
        f"{settings.alpha:g} at any level (Wald) enter the multivariable model"
        + (f"; then backward elimination ({rule})." if rule else "; nothing is eliminated."),
        "Standard errors of models 2 and 3 take each synthetic image for an independent patient, "
        "so their intervals and P values are too narrow and too small.",
        "Where training classes are separated, Firth's penalized likelihood takes the place of "
        "maximum likelihood and is marked.",
        "Thresholds: Youden's index on each model's own training cases, applied unchanged to "
        "validation and test. A set's own optimum is shown for comparison with Park; it flatters.",
        "With age: logistic regression on the image's log odds and age, fitted on real training "
        "patients for every model, as a synthetic image has no age.",
        "Intervals are 95%. AUC: DeLong, or the exact binomial where its variance is 0. "
        "Proportions: Wilson (the exact ones are in the CSV files). Differences in AUC: paired "
        "DeLong; for the mean of the readers, of these readers. Holm over readers and models.",
        "AUC corrected for optimism: the whole choice (univariable filter, elimination, fit) is "
        "repeated on resampled training cases.",
        "Whether the generator saw patients of validation or test cannot be read off READINGS; "
        "`idhray study` refuses it, other sources must be asked.",
    ]
    if readings.unknown_idh:
        notes.append(f"{readings.unknown_idh} cases without a known IDH status are left out.")
    real = readings.cases[readings.cases["real"]]
    if ageless := int(real["age"].isna().sum()):
        notes.append(f"{ageless} of {len(real)} patients have no known age; no row with age.")
    return notes


FRAMES = (
    "agreement",
    "turing",
    "models",
    "table2",
    "table3",
    "comparisons",
    "calibration",
    "decision",
    "by_patient",
    "discordant",
    "elimination",
)


def park_files(tables: ParkTables) -> dict[str, bytes]:
    """File names and contents: one CSV per table, and all of it in `statistics.json`."""
    frames = {name: getattr(tables, name) for name in FRAMES}
    rest = {
        "verdict": asdict(tables.verdict),
        "settings": asdict(tables.settings),
        "notes": tables.notes,
    }
    return statistics_files({"table1": table1_frame(dict(tables.characteristics)), **frames}, rest)
