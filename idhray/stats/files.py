"""Tables of statistics as files: one CSV per table, and `statistics.json` with everything."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def statistics_files(
    frames: Mapping[str, pd.DataFrame], other_values: Mapping[str, Any]
) -> dict[str, bytes]:
    """File name -> content. In the JSON, NaN (a number that does not exist) is null.

    Args:
        frames: Name -> table.
        other_values: Values of the JSON that are not tables: verdict, settings, notes.
    """
    files = {
        f"{name}.csv": frame.to_csv(index=False, lineterminator="\n").encode()
        for name, frame in frames.items()
    }
    contents = {
        **other_values,
        **{name: frame.to_dict("records") for name, frame in frames.items()},
    }
    text = json.dumps(without_nan(contents), indent=2, ensure_ascii=False, allow_nan=False)
    return {**files, "statistics.json": (text + "\n").encode()}


def without_nan(value: Any) -> Any:
    """The value with None for NaN, which JSON lacks, and Python numbers for NumPy's."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
