"""The statistics of predictions: PREDICTIONS and the manifest's ages -> tables 1 to 4, verdict."""

from typing import Any

import pandas as pd

from idhray.cohort import manifest_hash, patients_of, read_manifest
from idhray.config import settings_dict
from idhray.stages.folder import seal, stage_folder
from idhray.stats.liu.tables import liu_files, liu_tables
from idhray.stats.settings import StatsSettings
from idhray.storage import join, publish
from idhray.tables import PREDICTIONS, read_table

PRESETS = {"liu2020": StatsSettings()}


OWNS = ("*.csv", "statistics.json")


def fit_stats(
    predictions: tuple[str, ...],
    manifest: str,
    out: str,
    settings: StatsSettings,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Compute Liu's tables 1 to 4, the verdict, and all that they rest on.

    Args:
        predictions: Folders of PREDICTIONS tables with validation and test patients.
        manifest: With the ages and the split (what `split-cohort` or `study` wrote).
        out: Folder for the CSV files and statistics.json.
        settings: Conventions.
        overwrite: Start anew where the folder was made with other settings.
    """
    cohort = read_manifest(manifest)
    said = {
        "stage": "fit_stats",
        "predictions": [seal(folder) for folder in predictions],
        "manifest_hash": manifest_hash(patients_of(cohort)),
        **settings_dict(settings),
    }
    rows = [read_table(folder, PREDICTIONS).to_pandas() for folder in predictions]
    tables = liu_tables(pd.concat(rows, ignore_index=True), patients_of(cohort), settings)
    with stage_folder(out, said, overwrite=overwrite, owns=OWNS):
        for name, data in liu_files(tables).items():
            publish(join(out, name), data)
    return {
        "out": out,
        "chosen_count": tables.chosen_count,
        "answer": tables.verdict.answer,
        "sentence": tables.verdict.sentence,
    }
