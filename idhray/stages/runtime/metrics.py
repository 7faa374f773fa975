"""Counters and gauges of the stages for Prometheus, through Ray's metrics.

Labels are the stage, a state, and a digest of the output folder. Names of patients, files and
folders never are: whoever sees a dashboard need not be allowed to see them.
"""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from ray.util.metrics import Counter, Gauge

from idhray.storage import SETTINGS, exists, join, read_json

RUN_DIGITS = 8
LABELS = ("stage", "run")
COUNTERS = {
    "idhray_inputs": ("Inputs that have ended, by state", (*LABELS, "state")),
    "idhray_rows": ("Rows of the inputs that have ended", LABELS),
    "idhray_retries": ("Inputs or trainings that were started again after a loss", LABELS),
}
GAUGES = {
    "idhray_open_inputs": ("Inputs that have not ended", LABELS),
    "idhray_training": ("Last values of a training, such as kimg and losses", (*LABELS, "value")),
}


@functools.cache
def _metric(name: str) -> Any:
    kind, table = (Counter, COUNTERS) if name in COUNTERS else (Gauge, GAUGES)
    text, labels = table[name]
    return kind(name, description=text, tag_keys=labels)


@functools.cache
def labels_of(out: str) -> dict[str, str]:
    """Labels of an output folder: its stage, and a digest in place of its path."""
    path = join(out, SETTINGS)
    stage = str(read_json(path).get("stage", "")) if exists(path) else ""
    return {"stage": stage, "run": hashlib.sha256(out.encode()).hexdigest()[:RUN_DIGITS]}


def count(name: str, out: str, amount: float = 1, **labels: str) -> None:
    """Add to a counter of an output folder."""
    if amount > 0:  # Ray refuses 0
        _metric(name).inc(amount, tags={**labels_of(out), **labels})


def show(name: str, out: str, number: float, /, **labels: str) -> None:
    """Set a gauge of an output folder."""
    _metric(name).set(number, tags={**labels_of(out), **labels})


def is_number(value: object) -> bool:
    """True for a number that is no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def show_training(out: str, entry: Mapping[str, Any]) -> None:
    """Show the numbers of the last entry of a training's history."""
    for name, value in entry.items():
        if is_number(value):
            show("idhray_training", out, float(value), value=name)
