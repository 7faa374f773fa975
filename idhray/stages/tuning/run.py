"""Search of one fold with Ray Tune; each trial that ends becomes a row and a fate of its own."""

import contextlib
import io
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from ray import tune
from ray.tune import Callback, PlacementGroupFactory, RunConfig, TuneConfig
from ray.tune.schedulers import ASHAScheduler

from idhray import ledger
from idhray.config import settings_hash
from idhray.errors import TrainingError
from idhray.experiment.search_space import SearchSpace
from idhray.experiment.trials import ClassifierKind
from idhray.ledger import Fate
from idhray.stages.experiment.settings import ExperimentSettings, changed_settings
from idhray.stages.runtime.losses import RESTARTS
from idhray.stages.runtime.metrics import count
from idhray.stages.runtime.placement import node_labels
from idhray.stages.tuning.inner_data import InnerData
from idhray.stages.tuning.objective import STEPS, InnerScore, evaluate
from idhray.stages.tuning.search import NUMBER, SearchKind, TrialSearcher
from idhray.storage import read_bytes
from idhray.table_parts import part_path, publish_table, read_part
from idhray.tables import TUNING

logger = logging.getLogger(__name__)

SchedulerKind = Literal["asha", "none"]
TASK_ERROR = b"ray::"
"""In the message of Ray Tune about a trial that raised an error: the title of its process. The
message about a trial whose worker was lost has none."""
REDUCTION = 3  # of ASHA: a third of the trials goes on at each rung


@dataclass(frozen=True, kw_only=True)
class SearchTask:
    """Search of one fold."""

    fold: int
    kind: ClassifierKind
    settings: ExperimentSettings
    space: SearchSpace
    search: SearchKind
    scheduler: SchedulerKind
    trials: int
    seconds: float | None
    """Seconds of all trials together, those of earlier runs included; None for no limit."""
    seed: int
    workers: int | None
    cpus: float
    gpus: float
    out: str

    def trial_name(self, number: int) -> str:
        """Name of a trial in the ledger."""
        return f"fold={self.fold} trial={number}"


def search_fold(task: SearchTask, data: InnerData) -> None:
    """Run the trials of a fold that are not finished; again those whose worker was lost.

    Args:
        task: The search.
        data: Training images of the fold.

    Raises:
        TrainingError: workers were lost too often.
    """
    for restart in range(RESTARTS + 1):
        lost = _search(task, data)
        if not lost:
            return
        logger.warning("%s: lost with their workers: %s", task.out, ", ".join(lost))
        if restart < RESTARTS:
            count("idhray_retries", task.out)
    raise TrainingError(
        f"{lost[0]}: its worker was lost again and again; give it more memory or other machines, "
        "then run the same command, which continues"
    )


def _search(task: SearchTask, data: InnerData) -> list[str]:
    """Run the open trials of a fold once; names of those whose worker was lost."""
    finished = {row["trial"]: row for row in finished_trials(task.out, task.fold)}
    spent = sum(row["seconds"] for row in finished.values())
    left = None if task.seconds is None else task.seconds - spent
    if len(finished) >= task.trials or (left is not None and left <= 0):
        return []
    searcher = TrialSearcher(
        task.space,
        {number: (json.loads(r["values"]), r["objective"]) for number, r in finished.items()},
        kind=task.search,
        trials=task.trials,
        fold=task.fold,
        seed=task.seed,
    )
    scheduler = None
    if task.scheduler == "asha":
        scheduler = ASHAScheduler(
            time_attr="resource",
            max_t=STEPS * len(data.inner),
            grace_period=STEPS,
            reduction_factor=REDUCTION,
        )
    recorder = _Recorder(task, searcher, len(data.inner), left)
    trainable = tune.with_parameters(
        partial(_trial, kind=task.kind, settings=task.settings), data=data
    )
    logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(logging.ERROR)
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # files of other tools
    # The ledger is the state, not Ray's files. Ray prints tables that belong to nobody's result.
    silence = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, silence:
        tune.Tuner(
            tune.with_resources(trainable, trial_resources(cpus=task.cpus, gpus=task.gpus)),
            tune_config=TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=task.trials - len(finished),
                max_concurrent_trials=task.workers,
                reuse_actors=True,
                metric="objective",
                mode="max",
            ),
            run_config=RunConfig(
                storage_path=folder,
                name=f"fold-{task.fold}",
                verbose=0,
                callbacks=[recorder],
            ),
        ).fit()
    return recorder.lost


def trial_resources(*, cpus: float, gpus: float) -> PlacementGroupFactory:
    """Resources of a trial, on machines that fit `--node-labels`."""
    options: dict[str, Any] = {}
    if selector := node_labels():
        options["bundle_label_selector"] = [selector]
    return PlacementGroupFactory([{"CPU": cpus, "GPU": gpus}], **options)


def _trial(
    config: dict[str, Any], data: InnerData, kind: ClassifierKind, settings: ExperimentSettings
) -> None:
    """Train with the values of one trial on each inner fold."""
    start = time.monotonic()
    values = {name: value for name, value in config.items() if name != NUMBER}

    def report(score: InnerScore) -> None:
        tune.report(
            {
                "objective": score.objective,
                "auc": score.auc,
                "log_loss": score.log_loss,
                "resource": score.resource,
                "seconds": time.monotonic() - start,
            }
        )

    evaluate(changed_settings(settings, kind, values), kind, data, report)


class _Recorder(Callback):
    """Publishes each trial when it ends; ends the search when its seconds are spent."""

    def __init__(
        self, task: SearchTask, searcher: TrialSearcher, inner_folds: int, seconds: float | None
    ) -> None:
        self._task, self._searcher = task, searcher
        self.lost: list[str] = []
        self._whole, self._left = STEPS * inner_folds, seconds

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Publish the row of a trial, then its fate."""
        task, result, number = self._task, trial.last_result, trial.config[NUMBER]
        values = {name: value for name, value in trial.config.items() if name != NUMBER}
        resource = int(result["resource"])
        row = {
            "fold": task.fold,
            "trial": number,
            "values": json.dumps(values, sort_keys=True),
            **{name: float(result[name]) for name in ("objective", "auc", "log_loss", "seconds")},
            "resource": resource,
            "status": "done" if resource >= self._whole else "stopped",
            "gpu_seconds": float(result["seconds"]) * task.gpus,
        }
        name = task.trial_name(number)
        digest = publish_table(part_path(task.out, name), [row], TUNING)
        ledger.record(task.out, _fate(name, row, values, digest))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record the failure of a trial; note one that failed only with its worker or machine."""
        name = self._task.trial_name(trial.config[NUMBER])
        if TASK_ERROR not in read_bytes(trial.error_file):
            self.lost.append(name)
            return
        text = f"{name}: its training failed; see the log of Ray Tune"
        ledger.record(self._task.out, Fate(input=name, status="failed", parts=0, error=text))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Start no further trial once the budget is spent; running trials end."""
        if self._left is None:
            return
        spent = sum(float((t.last_result or {}).get("seconds", 0)) for t in trials)
        if spent >= self._left:
            self._searcher.close()


def _fate(name: str, row: Mapping[str, Any], values: Mapping[str, Any], digest: str) -> Fate:
    return Fate(
        input=name,
        status="done",
        rows=1,
        seconds=row["seconds"],
        settings_hash=settings_hash(values),
        digest=digest,
        day=datetime.now(UTC).date().isoformat(),
    )


def finished_trials(out: str, fold: int) -> list[dict[str, Any]]:
    """Rows of the finished trials of a fold, by number."""
    rows = []
    for name, fate in ledger.fates(out).items():
        if fate.status == "done" and name.startswith(f"fold={fold} "):
            rows += read_part(part_path(out, name)).to_pylist()
    return sorted(rows, key=lambda row: int(row["trial"]))
