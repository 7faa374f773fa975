"""Numbers as text: rounded, signed, with intervals, and P values."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd

NO_VARIANCE = "variance 0"
"""Reason why there is no interval: all resamples, or all pairs, give one value."""


def printed(value: float, digits: int = 3) -> str:
    """A number as tables print it, halves rounded up: 13/16 is .813 (`round` would give .812).

    NaN and infinity print as a dash.
    """
    if not np.isfinite(value):
        return "-"
    step = Decimal(1).scaleb(-digits)
    return str(Decimal(repr(float(value))).quantize(step, rounding=ROUND_HALF_UP))


def percent(share: float) -> str:
    """A share as text: `95%`, `97.5%`."""
    return f"{100 * share:g}%"


def signed(value: float) -> str:
    """A difference with its sign, where minus is U+2212: `+0.012`, `\u22120.030`."""
    text = printed(abs(value))
    if not text.strip("0.-"):
        return text  # no sign for a zero, no sign for a dash
    return ("+" if value > 0 else "\u2212") + text


def p_text(p: float) -> str:
    """A P value in a sentence: `P = 0.042`, `P < 0.001`, or the reason why there is none."""
    if not np.isfinite(p):
        return "no P: the variance is 0"
    return "P < 0.001" if p < 0.001 else f"P = {printed(p)}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts with text keys."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def with_interval(row: Mapping[str, Any], name: str) -> str:
    """A row's figure with its interval and an en dash: `0.927 (0.835\u20131.000)`.

    An interval without width is a dash with its reason: `1.000 (-, variance 0)`. One that does not
    exist is a dash.
    """
    low, high = (row[f"{name}_{end}"] for end in ("low", "high"))
    if np.isnan(low) and np.isnan(high) and not np.isnan(row[name]):
        return f"{printed(row[name])} (-)"
    if low == high:
        return f"{printed(row[name])} (-, {NO_VARIANCE})"
    return f"{printed(row[name])} ({printed(low)}\u2013{printed(high)})"


def p_cell(value: float) -> str:
    """A P value in a cell: `0.042`, `<0.001`, or a dash if there is none."""
    return "<0.001" if value < 0.001 else printed(value)
