"""All statistics of a reader study, in the shape of Park et al. 2021, tables 1 to 3."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from idhray.stats.files import statistics_files
from idhray.stats.papers.park.comparisons import comparison_table
from idhray.stats.papers.park.demographics import characteristics_by_split, characteristics_table
from idhray.stats.papers.park.features import BY_NAME, FEATURE_NAMES
from idhray.stats.papers.park.judged import JudgedSet, judged_sets, unjudged_sets
from idhray.stats.papers.park.models import MODEL_NAMES, ReaderModel, reader_models
from idhray.stats.papers.park.notes import conventions, omission_notes
from idhray.stats.papers.park.performance import (
    calibration_table,
    decision_table,
    patient_table,
    performance_table,
    reliability_table,
)
from idhray.stats.papers.park.readings import Readings
from idhray.stats.papers.park.regressions import model_table, regression_table
from idhray.stats.papers.park.training import AUGMENTED, BASELINE, resampled_gain
from idhray.stats.papers.park.verdict import (
    ReaderVerdict,
    primary_set,
    reader_verdict,
    verdict_without_comparison,
)
from idhray.stats.readers.agreement import (
    feature_agreement,
    gate_table,
    gate_table_without_kappa,
)
from idhray.stats.readers.turing_readers import turing_table
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings
from idhray.stats.table1.characteristics import Characteristic

FRAMES = (
    "agreement",
    "turing",
    "models",
    "table2",
    "table3",
    "comparisons",
    "calibration",
    "reliability",
    "decision",
    "by_patient",
    "discordant",
    "elimination",
)


@dataclass(frozen=True, kw_only=True)
class ParkTables:
    """The tables as numbers; `printed.py` makes text of them."""

    settings: StatsSettings
    verdict: ReaderVerdict
    characteristics: Mapping[str, list[Characteristic]]
    """Split -> table 1."""
    agreement: pd.DataFrame
    turing: pd.DataFrame
    """Empty without a Turing test."""
    models: pd.DataFrame
    table2: pd.DataFrame
    table3: pd.DataFrame
    comparisons: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    decision: pd.DataFrame
    by_patient: pd.DataFrame
    """Each patient's probability by set, reader and model."""
    discordant: pd.DataFrame
    """Cells on which readers differ, and the consensus."""
    elimination: pd.DataFrame
    """Every step of every model's elimination."""
    notes: list[str]


def park_tables(readings: Readings, settings: StatsSettings | None = None) -> ParkTables:
    """The statistics of a reader study; readings with judgments alone give only the Turing test.

    Raises:
        SampleError: readers differ on a training case and there is no consensus, or training lacks
            a class.
    """
    settings = settings or StatsSettings()
    if not readings.by_reader:
        return _turing_alone(readings, settings)
    train = readings.cases[readings.cases["split"] == "train"]
    if train["label"].nunique() < 2:
        raise SampleError(
            f"training has {int(train['label'].sum())} mutant and "
            f"{int((train['label'] == 0).sum())} wildtype cases; both classes are needed"
        )
    characteristics = characteristics_by_split(readings, settings)
    agreement = _agreement(readings, train.index, settings)
    failed = agreement[~agreement["passes"]]
    gate = dict(zip(failed["feature"], failed["reason"], strict=True))
    models, missing = reader_models(readings, gate, settings)
    sets = list(judged_sets(readings, models))
    compared = comparison_table(sets)
    return ParkTables(
        settings=settings,
        verdict=_verdict(readings, models, missing, sets, compared=compared, settings=settings),
        characteristics=characteristics,
        agreement=agreement,
        turing=_turing(readings, settings),
        models=model_table(models, settings),
        table2=regression_table(models),
        table3=performance_table(models, sets),
        comparisons=compared,
        calibration=calibration_table(sets),
        reliability=reliability_table(sets),
        decision=decision_table(sets),
        by_patient=patient_table(sets),
        discordant=readings.discordant_cells(),
        elimination=_eliminations(models),
        notes=[*conventions(settings), *omission_notes(readings, models, missing, sets)],
    )


def _turing_alone(readings: Readings, settings: StatsSettings) -> ParkTables:
    reason = "no reader read a feature, so that there is the visual Turing test alone"
    frames = {name: pd.DataFrame() for name in FRAMES} | {"turing": _turing(readings, settings)}
    return ParkTables(
        settings=settings,
        verdict=verdict_without_comparison(reason),
        characteristics={},
        **{**frames, "by_patient": patient_table([])},
        notes=[f"{reason[0].upper()}{reason[1:]}; all other tables are empty."],
    )


def _verdict(
    readings: Readings,
    models: list[ReaderModel],
    missing: dict[int, str],
    sets: list[JudgedSet],
    *,
    compared: pd.DataFrame,
    settings: StatsSettings,
) -> ReaderVerdict:
    if absent := [number for number in (AUGMENTED, BASELINE) if number in missing]:
        number = absent[0]
        name = f"model {number} ({MODEL_NAMES[number].lower()})"
        return verdict_without_comparison(f"{name} does not exist, as {missing[number]}")
    judged = primary_set(sets)
    if judged is None:
        return verdict_without_comparison("; ".join(unjudged_sets(readings).values()))
    try:
        return reader_verdict(judged, compared, resampled_gain(readings, models, judged, settings))
    except SampleError as error:
        return reader_verdict(judged, compared, str(error))


def _agreement(readings: Readings, train: "pd.Index[str]", settings: StatsSettings) -> pd.DataFrame:
    """Agreement on the training cases, which the gate uses, and on all cases (columns `_all`)."""
    tables = []
    for rows in (readings.feature_rows(train), readings.feature_rows()):
        measured = readings.used_features if len(readings.by_reader) > 1 else ()
        agreements = [
            feature_agreement(rows, name, levels=list(BY_NAME[name].levels)) for name in measured
        ]
        table = pd.concat(
            [
                gate_table(agreements, settings.kappa_gate),
                gate_table_without_kappa(_reasons_without_kappa(readings)),
            ],
            ignore_index=True,
        )
        tables.append(table.set_index("feature").loc[list(FEATURE_NAMES)].reset_index())
    all_cases = tables[1][["n", "kappa", "ci_low", "ci_high"]].add_suffix("_all")
    return pd.concat([tables[0], all_cases], axis=1)


def _reasons_without_kappa(readings: Readings) -> dict[str, tuple[str, bool]]:
    """Feature without a kappa -> the reason, and True if it is analyzed all the same."""
    reasons = {name: (reason, False) for name, reason in readings.absent_features.items()}
    if len(readings.by_reader) == 1:
        reader = next(iter(readings.by_reader))
        alone = f"one reader only, {reader}: agreement cannot be measured, the gate is left out"
        reasons = dict.fromkeys(readings.used_features, (alone, True)) | reasons
    return reasons


def _turing(readings: Readings, settings: StatsSettings) -> pd.DataFrame:
    return turing_table(
        readings.judgments,
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
            "why": step.reason,
        }
        for model in models
        if model.elimination
        for number, step in enumerate(model.elimination.trace)
    ]
    return pd.DataFrame(rows)


def park_files(tables: ParkTables) -> dict[str, bytes]:
    """File names and contents: one CSV per table, and all of it in `statistics.json`."""
    frames = {name: getattr(tables, name) for name in FRAMES}
    other_values = {
        "verdict": asdict(tables.verdict),
        "settings": asdict(tables.settings),
        "notes": tables.notes,
    }
    return statistics_files(
        {"table1": characteristics_table(dict(tables.characteristics)), **frames}, other_values
    )
