"""Predictions with arms from files of any program, or from folders of an experiment."""

from typing import Any

import pandas as pd

from idhray.cohorts.cell_text import with_names
from idhray.cohorts.text_table import is_table_file, read_text_table
from idhray.config import settings_hash
from idhray.errors import ConfigError
from idhray.experiment.arms import REAL
from idhray.stages.experiment.outcome import is_experiment
from idhray.stages.runtime.folder import seal
from idhray.stats.arms.columns import COLUMN_NAMES, TEST
from idhray.storage import absolute
from idhray.table_parts import parts, read_part


def has_arms(predictions: tuple[str, ...]) -> bool:
    """True for files, and for folders whose rows name their arm.

    Raises:
        ConfigError: files and folders, or folders with and without arms, are mixed.
    """
    kinds = {_is_file(path) or _names_arms(path) for path in predictions}
    files = {_is_file(path) for path in predictions}
    if len(kinds) > 1 or len(files) > 1:
        raise ConfigError(
            "--predictions: give either files, or folders with arms, or folders without arms"
        )
    return kinds == {True}


def arm_rows(predictions: tuple[str, ...]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Seals or hashes that identify the predictions, and their rows."""
    if _is_file(predictions[0]):
        tables = [
            with_names(read_text_table(absolute(path)), COLUMN_NAMES, path) for path in predictions
        ]
        rows = pd.concat(tables, ignore_index=True)
        return {"predictions": [settings_hash({"rows": rows.to_csv(index=False)})]}, rows
    tables = [
        read_part(path).to_pandas() for folder in predictions for path in parts(absolute(folder))
    ]
    seals = [seal(absolute(folder)) for folder in predictions]
    return {"predictions": seals}, pd.concat(tables, ignore_index=True)


def tests_alone(predictions: tuple[str, ...]) -> bool:
    """True for folders without arms that hold test patients alone: those of another cohort."""
    paths = [path for folder in predictions for path in parts(absolute(folder))]
    splits = {split for path in paths for split in read_part(path, ["split"])["split"].to_pylist()}
    return splits == {TEST}


def with_arm_of_count(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of single classifiers with the arm of their number of synthetic images."""
    arms = rows["n_synthetic"].map(lambda n: f"synthetic:{n}" if n else REAL.name)
    return rows.assign(arm=arms)


def experiment_folder(predictions: tuple[str, ...]) -> str | None:
    """The folder of a sweep with a protocol; None if there is none.

    Raises:
        ConfigError: other predictions are given besides the folder of an experiment.
    """
    folders = [absolute(path) for path in predictions if not _is_file(path)]
    experiments = [folder for folder in folders if is_experiment(folder)]
    if experiments and len(predictions) > 1:
        raise ConfigError("--predictions: give the folder of one experiment alone")
    return experiments[0] if experiments else None


def _is_file(path: str) -> bool:
    return is_table_file(absolute(path))


def _names_arms(folder: str) -> bool:
    """True if the rows of a folder name their arm; `predict` leaves it empty."""
    first = next(iter(parts(absolute(folder))), None)
    if first is None:
        return False
    table = read_part(first)
    return "arm" in table.column_names and table["arm"].null_count < len(table)
