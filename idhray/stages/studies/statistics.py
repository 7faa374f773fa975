"""Statistics of predictions (Liu's tables) and of readings (Park's tables), as files and text."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from idhray.cohorts.cell_text import with_names
from idhray.cohorts.manifest import manifest_hash
from idhray.cohorts.text_table import is_table_file, read_text_table
from idhray.config import Identity, identity_of, settings_hash
from idhray.errors import ConfigError
from idhray.report.content import ReportTable
from idhray.report.html import tables_html
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.state import StageState, folder_state
from idhray.stages.studies.paper_tables import liu_report_tables, park_report_tables, plain_text
from idhray.stats.papers.liu.tables import LiuTables, liu_files, liu_tables
from idhray.stats.papers.park.readings import CONSENSUS
from idhray.stats.papers.park.readings_table import read_readings
from idhray.stats.papers.park.tables import ParkTables, park_files, park_tables
from idhray.stats.settings import GROWING, StatsSettings
from idhray.storage import join, publish, publish_json
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, READINGS

SOURCES = "_sources.json"
"""File with the paths of the readings. They may move, so they are no setting."""
OWNS = ("*.csv", "statistics.json", "tables.html")


def fit_predictions(
    out: str,
    settings: StatsSettings,
    predictions: tuple[str, ...],
    cohort: pd.DataFrame,
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Statistics of predictions, published in `out`; the result that the command prints.

    Args:
        out: Folder for the tables.
        settings: Conventions of the statistics.
        predictions: Folders of PREDICTIONS tables.
        cohort: One row per patient with age and split.
        overwrite: Start again, whatever an earlier run left in `out`.
    """
    inputs = {
        "stage": "fit_stats",
        "predictions": [seal(folder) for folder in predictions],
        "manifest_hash": manifest_hash(cohort),
    }
    identity = identity_of(inputs=inputs, settings=settings, growing=GROWING)
    rows = [read_table(folder, PREDICTIONS).to_pandas() for folder in predictions]
    tables = liu_tables(pd.concat(rows, ignore_index=True), cohort, settings)
    shown = liu_report_tables(tables)
    page = tables_html(
        title="IDH mutation from images: the statistics",
        answer=tables.verdict.answer,
        verdict=tables.verdict.sentence,
        tables=shown,
        notes=tables.notes,
    )
    with stage_folder(out, identity, overwrite=overwrite, owns=OWNS):
        _publish(out, {**liu_files(tables), "tables.html": page.encode()})
    several = tables.table1["model"].nunique() > 1
    text = _text(tables, shown, ("Table 1", "Table 2") if several else ("Table 2",))
    return {"out": out, "chosen_count": tables.chosen_count, **_verdict(tables), "text": text}


def fit_readings(
    out: str,
    settings: StatsSettings,
    readings: str,
    consensus: str | None,
    cohort: pd.DataFrame | None,
    *,
    overwrite: bool,
) -> tuple[dict[str, Any], ParkTables]:
    """Statistics of readings, published in `out`.

    Args:
        out: Folder for the tables.
        settings: Conventions of the statistics.
        readings: The READINGS table.
        consensus: The completed list of cells on which readers differ.
        cohort: One row per patient with age and split.
        overwrite: Start again, whatever an earlier run left in `out`.

    Returns:
        The result that the command prints, and the tables for a report.

    Raises:
        ConfigError: readers differ on training cases and nothing settles it.
    """
    rows = readings_rows(readings)
    settled = _settled_cells(consensus)
    identity = _readings_identity(settings, rows, settled, cohort)
    collected = read_readings(rows, cohort, settled)
    unsettled = collected.discordant_cells()
    unsettled = unsettled[
        (unsettled[CONSENSUS] == "") & unsettled["case"].isin(_train(collected.cases))
    ]
    if len(unsettled) and settings.discordant == "consensus":
        path = f"{out.rstrip('/')}-discordant.csv"
        publish(path, unsettled.to_csv(index=False).encode())
        raise ConfigError(
            f"readers differ on {len(unsettled)} cells of training cases: fill in the column "
            f"`{CONSENSUS}` of {path} and give it as --consensus, or take --discordant "
            "'first reader'"
        )
    tables = park_tables(collected, settings)
    shown = park_report_tables(tables)
    page = tables_html(
        title="IDH mutation from readings: the statistics",
        answer=tables.verdict.answer,
        verdict=tables.verdict.sentence,
        tables=shown,
        notes=tables.notes,
    )
    with stage_folder(out, identity, overwrite=overwrite, owns=OWNS):
        _publish(out, {**park_files(tables), "tables.html": page.encode()})
        publish_json(join(out, SOURCES), {"readings": readings, "consensus": consensus})
    text = _text(tables, shown, ("Table 3", "Models compared", "Turing test"))
    return {"out": out, **_verdict(tables), "text": text}, tables


def readings_state(
    out: str,
    settings: StatsSettings,
    readings: str,
    consensus: str | None,
    cohort: pd.DataFrame | None,
) -> StageState:
    """State of the statistics of readings; see `fit_readings` for the arguments."""
    settled = _settled_cells(consensus)
    identity = _readings_identity(settings, readings_rows(readings), settled, cohort)
    return folder_state(out, identity, inputs=None)


def _readings_identity(
    settings: StatsSettings,
    rows: pd.DataFrame,
    settled: pd.DataFrame | None,
    cohort: pd.DataFrame | None,
) -> Identity:
    """Values that decide the statistics of readings."""
    inputs = {
        "stage": "fit_stats",
        "readings": settings_hash({"rows": rows.to_csv(index=False)}),
        "consensus": None if settled is None else settings_hash({"rows": settled.to_csv()}),
        "manifest_hash": manifest_hash(cohort) if cohort is not None else None,
    }
    return identity_of(inputs=inputs, settings=settings, growing=GROWING)


def readings_rows(path: str) -> pd.DataFrame:
    """Rows of a READINGS table, from a folder of parts or from one file."""
    if is_table_file(path):
        return with_names(read_text_table(path), READINGS.names, path)
    return read_table(path, READINGS).to_pandas()


def _settled_cells(path: str | None) -> pd.DataFrame | None:
    """Cells on which readers differ, with their consensus; None without a file."""
    if path is None:
        return None
    return with_names(read_text_table(path), ("case", "feature", CONSENSUS), path)


def _train(cases: pd.DataFrame) -> "pd.Index[str]":
    return cases.index[cases["split"] == "train"]


def _publish(out: str, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        publish(join(out, name), data)


def _verdict(tables: LiuTables | ParkTables) -> dict[str, str]:
    return {"answer": tables.verdict.answer, "sentence": tables.verdict.sentence}


def _text(
    tables: LiuTables | ParkTables, shown: Sequence[ReportTable], titles: tuple[str, ...]
) -> str:
    """The verdict and the main tables, for a terminal."""
    main = [plain_text(table) for table in shown if table.title in titles]
    return "\n\n".join([tables.verdict.sentence, *main])
