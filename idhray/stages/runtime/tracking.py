"""Trainings in MLflow, where the user names a server by `MLFLOW_TRACKING_URI`.

A run is named by stage and digest, as in the metrics: no folder, file or patient. Only numbers are
sent. A server that does not answer costs a training nothing but one warning.
"""

import functools
import importlib
import logging
import os
from collections.abc import Mapping
from typing import Any

from idhray.stages.runtime.metrics import is_number, labels_of

ADDRESS_VARIABLE = "MLFLOW_TRACKING_URI"
EXPERIMENT = "idhray"

logger = logging.getLogger(__name__)


class _Runs:
    """Open runs of this process, by output folder."""

    def __init__(self, mlflow: Any) -> None:
        self._client = mlflow.MlflowClient()
        existing = self._client.get_experiment_by_name(EXPERIMENT)
        self._experiment = (
            existing.experiment_id if existing else self._client.create_experiment(EXPERIMENT)
        )
        self._runs: dict[str, str] = {}

    def log(self, out: str, entry: Mapping[str, Any]) -> None:
        """Send the numbers of an entry of a training's history."""
        labels = labels_of(out)
        if out not in self._runs:
            name = f"{labels['stage']} {labels['run']}"
            run = self._client.create_run(self._experiment, run_name=name, tags=labels)
            self._runs[out] = run.info.run_id
        clock = float(next(iter(entry.values())))
        for name, value in entry.items():
            if is_number(value):
                # The clock is kimg or epochs; steps of MLflow are whole numbers.
                step = round(clock * 1000)
                self._client.log_metric(self._runs[out], name, float(value), step=step)


@functools.cache
def _runs() -> _Runs | None:
    """Open runs; None without a server, or with one that does not answer."""
    if not os.environ.get(ADDRESS_VARIABLE):
        return None
    try:
        return _Runs(importlib.import_module("mlflow"))
    except Exception as error:  # noqa: BLE001 - a training does not need it
        logger.warning("trainings are not sent to MLflow: %s", error)
        return None


def track(out: str, entry: Mapping[str, Any]) -> None:
    """Send an entry of a training's history to MLflow, if there is a server."""
    runs = _runs()
    if runs is None:
        return
    try:
        runs.log(out, entry)
    except Exception as error:  # noqa: BLE001 - a training does not need it
        logger.warning("an entry was not sent to MLflow: %s", error)
