"""Numbers as readers expect them: signed differences, intervals, P values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from idhray.stats.accuracy.rates import printed


def signed(value: float) -> str:
    """A difference with its sign, a true minus among them: `+0.012`, `\u22120.030`."""
    text = printed(abs(value))
    if not text.strip("0.-"):
        return text  # no sign for a zero, no sign for a dash
    return ("+" if value > 0 else "\u2212") + text


def p_text(p: float) -> str:
    """`P = 0.042`, `P < 0.001`, or that there is none."""
    if not np.isfinite(p):
        return "no P: the variance is 0"
    return "P < 0.001" if p < 0.001 else f"P = {printed(p)}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame under names that are text."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def with_interval(row: Mapping[str, Any], name: str) -> str:
    """A row's figure and its interval: `0.927 (0.835-1.000)`, with an en dash."""
    low, high = (printed(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{printed(row[name])} ({low}\u2013{high})"


def p_cell(value: float) -> str:
    """A P value in a cell: `0.042`, `<0.001`, a dash for none."""
    return "<0.001" if value < 0.001 else printed(value)
