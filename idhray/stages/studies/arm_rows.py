"""Predictions with arms from files of any program, or from folders of an experiment."""

from typing import Any

import pandas as pd

from idhray.cohorts.text_table import read_text_table
from idhray.config import settings_from, settings_hash
from idhray.errors import ConfigError
from idhray.stages.runtime.folder import seal
from idhray.stats.arms.rule import DecisionRule
from idhray.storage import absolute, exists, join, read_json
from idhray.table_parts import parts, read_part

FILE_ENDINGS = (".csv", ".tsv", ".txt", ".parquet")
PROTOCOL, RULE = "protocol.json", "rule"
"""File of an experiment's folder, and its entry with the fields of `DecisionRule`."""


def has_arms(predictions: tuple[str, ...]) -> bool:
    """True for files, and for folders whose rows name their arm.

    Raises:
        ConfigError: files and folders, or folders with and without arms, are mixed.
    """
    kinds = {_is_file(path) or "arm" in _folder_columns(path) for path in predictions}
    files = {_is_file(path) for path in predictions}
    if len(kinds) > 1 or len(files) > 1:
        raise ConfigError(
            "--predictions: give either files, or folders with arms, or folders without arms"
        )
    return kinds == {True}


def arm_rows(predictions: tuple[str, ...]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Seals or hashes that identify the predictions, and their rows."""
    if _is_file(predictions[0]):
        tables = [read_text_table(absolute(path)) for path in predictions]
        rows = pd.concat(tables, ignore_index=True)
        return {"predictions": [settings_hash({"rows": rows.to_csv(index=False)})]}, rows
    tables = [
        read_part(path).to_pandas() for folder in predictions for path in parts(absolute(folder))
    ]
    seals = [seal(absolute(folder)) for folder in predictions]
    return {"predictions": seals}, pd.concat(tables, ignore_index=True)


def recorded_rule(predictions: tuple[str, ...]) -> DecisionRule | None:
    """The rule in the protocol of an experiment's folder; None if there is no protocol.

    Raises:
        ConfigError: several folders have a protocol.
    """
    paths = [join(absolute(path), PROTOCOL) for path in predictions if not _is_file(path)]
    protocols = [path for path in paths if exists(path)]
    if len(protocols) > 1:
        raise ConfigError("--predictions: folders of several experiments; give one at a time")
    if not protocols:
        return None
    values = read_json(protocols[0]).get(RULE)
    return settings_from(DecisionRule, values) if values else None


def _is_file(path: str) -> bool:
    return path.endswith(FILE_ENDINGS)


def _folder_columns(folder: str) -> set[str]:
    first = next(iter(parts(absolute(folder))), None)
    return set(read_part(first).column_names) if first else set()
