"""Tables of statistics as files: one CSV each, and all of it in `statistics.json`."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def statistics_files(
    frames: Mapping[str, pd.DataFrame], rest: Mapping[str, Any]
) -> dict[str, bytes]:
    """File names and contents. In the JSON, NaN (a number that does not exist) is null.

    Args:
        frames: Name -> table.
        rest: What is no table: the verdict, settings, notes.
    """
    files = {
        f"{name}.csv": frame.to_csv(index=False, lineterminator="\n").encode()
        for name, frame in frames.items()
    }
    everything = {**rest, **{name: frame.to_dict("records") for name, frame in frames.items()}}
    text = json.dumps(without_nan(everything), indent=2, ensure_ascii=False, allow_nan=False)
    return {**files, "statistics.json": (text + "\n").encode()}


def without_nan(value: Any) -> Any:
    """The same with null for NaN, which JSON does not know, and NumPy's numbers made plain."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
