"""All statistics of a reader study, in the shape of Park et al. 2021, tables 1 to 3."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from idhray.stats.files import statistics_files
from idhray.stats.papers.park.comparisons import comparisons
from idhray.stats.papers.park.demographics import table1, table1_frame
from idhray.stats.papers.park.features import FEATURES
from idhray.stats.papers.park.judged import Judged, judged_sets, unjudged
from idhray.stats.papers.park.models import NUMBERS, ReaderModel, reader_models
from idhray.stats.papers.park.notes import conventions, left_out
from idhray.stats.papers.park.performance import (
    by_patient,
    calibrations,
    decisions,
    reliabilities,
    table3,
)
from idhray.stats.papers.park.readings import Readings
from idhray.stats.papers.park.regressions import model_table, table2
from idhray.stats.papers.park.training import AUGMENTED, BASELINE, resampled_gain
from idhray.stats.papers.park.verdict import ReaderVerdict, no_verdict, primary_set, reader_verdict
from idhray.stats.readers.agreement import feature_agreement, gate_table
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
    """The statistics of a reader study; of judgments alone, the Turing test and nothing else.

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
    characteristics = table1(readings, settings)
    agreement = _agreement(readings, train.index, settings)
    failed = agreement[~agreement["passes"]]
    gate = dict(zip(failed["feature"], failed["reason"], strict=True))
    models, missing = reader_models(readings, gate, settings)
    sets = list(judged_sets(readings, models))
    compared = comparisons(sets)
    return ParkTables(
        settings=settings,
        verdict=_verdict(readings, models, missing, sets, compared=compared, settings=settings),
        characteristics=characteristics,
        agreement=agreement,
        turing=_turing(readings, settings),
        models=model_table(models, settings),
        table2=table2(models),
        table3=table3(models, sets),
        comparisons=compared,
        calibration=calibrations(sets),
        reliability=reliabilities(sets),
        decision=decisions(sets),
        by_patient=by_patient(sets),
        discordant=readings.discordant(),
        elimination=_eliminations(models),
        notes=[*conventions(settings), *left_out(readings, models, missing, sets)],
    )


def _turing_alone(readings: Readings, settings: StatsSettings) -> ParkTables:
    why = "no reader read a feature, so that there is the visual Turing test alone"
    frames = {name: pd.DataFrame() for name in FRAMES} | {"turing": _turing(readings, settings)}
    return ParkTables(
        settings=settings,
        verdict=no_verdict(why),
        characteristics={},
        **{**frames, "by_patient": by_patient([])},
        notes=[f"{why[0].upper()}{why[1:]}; all other tables are empty."],
    )


def _verdict(
    readings: Readings,
    models: list[ReaderModel],
    missing: dict[int, str],
    sets: list[Judged],
    *,
    compared: pd.DataFrame,
    settings: StatsSettings,
) -> ReaderVerdict:
    if absent := [number for number in (AUGMENTED, BASELINE) if number in missing]:
        number = absent[0]
        name = f"model {number} ({NUMBERS[number].lower()})"
        return no_verdict(f"{name} does not exist, as {missing[number]}")
    one = primary_set(sets)
    if one is None:
        return no_verdict("; ".join(unjudged(readings).values()))
    try:
        return reader_verdict(one, compared, resampled_gain(readings, models, one, settings))
    except SampleError as error:
        return reader_verdict(one, compared, str(error))


def _agreement(readings: Readings, train: "pd.Index[str]", settings: StatsSettings) -> pd.DataFrame:
    """Of the training cases, which the gate looks at; and of all cases, with `_all`."""
    tables = []
    for rows in (readings.rows(train), readings.rows()):
        found = [feature_agreement(rows, f.name, levels=list(f.levels)) for f in FEATURES]
        tables.append(gate_table(found, settings.kappa_gate))
    everywhere = tables[1][["n", "kappa", "ci_low", "ci_high"]].add_suffix("_all")
    return pd.concat([tables[0], everywhere], axis=1)


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
    rest = {
        "verdict": asdict(tables.verdict),
        "settings": asdict(tables.settings),
        "notes": tables.notes,
    }
    return statistics_files({"table1": table1_frame(dict(tables.characteristics)), **frames}, rest)
