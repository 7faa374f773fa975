"""Groups of items mapped over a cluster by Ray Data, with a limit of new starts after losses."""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import ray
from ray.exceptions import RayTaskError

from idhray.stages.runtime.items import Item, ItemReport, packed
from idhray.stages.runtime.losses import LOSSES
from idhray.stages.runtime.placement import Selector, node_labels, select_nodes

RAY_ERRORS = "ray.data._internal.execution.streaming_executor_state"
"""Logger of Ray Data to which it sends the errors of tasks."""

Groups = Sequence[Sequence[Item[Any]]]
Work = Callable[[Mapping[str, str]], list[ItemReport]]


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Resources and limits of the tasks of a stage."""

    cpus: float = 1
    gpus: float = 0
    memory_bytes: int = 0
    retries: int = 0
    """New starts of a task whose worker was lost."""
    at_once: int | None = None
    """Tasks at the same time; None for as many as the cluster has room for."""
    keep_processes: bool = False
    """Let a process that used a GPU do further tasks."""


def run_tasks(
    groups: Groups, *, attempts: Mapping[str, int], work: Work, options: TaskOptions
) -> Iterator[ItemReport]:
    """Do each group in a task of Ray Data; yield the reports of the workers, as they come.

    A group whose worker is lost too often yields nothing.

    Raises:
        RayTaskError: a worker could not begin a group, for instance without the code of the stage.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a worker that dies costs its own group only
    rows = [{"group": packed(group, attempts)} for group in groups]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    reports = dataset.flat_map(
        cast(
            Any,
            functools.partial(_work, work=work, retries=options.retries, selector=node_labels()),
        ),
        compute=ray.data.TaskPoolStrategy(size=options.at_once),
        num_cpus=options.cpus,
        num_gpus=options.gpus or None,
        memory=options.memory_bytes or None,
        label_selector=node_labels() or None,
        max_calls=0 if options.keep_processes else None,
    )
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # here, since its first use sets it
    errors = _TaskErrors()
    logger = logging.getLogger(RAY_ERRORS)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    logger.addHandler(errors)
    try:
        for report in cast(Iterator[ItemReport], reports.iter_rows()):
            errors.raise_first()
            yield report
        errors.raise_first()
    finally:
        logger.removeHandler(errors)


class _TaskErrors(logging.Handler):
    """Errors of tasks, which Ray Data passes over and logs.

    It treats a worker that ran out of memory and one that cannot import the stage alike. The first
    costs one group, the second would make a failed input of each.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._first: RayTaskError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first error that is no loss of a worker."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, RayTaskError) and not isinstance(error.cause, LOSSES):
            self._first = self._first or error

    def raise_first(self) -> None:
        """Raise the error, if there is one."""
        if self._first is not None:
            raise self._first


def _work(row: Mapping[str, str], work: Work, retries: int, selector: Selector) -> list[ItemReport]:
    """Reports of a group; none if the workers before this one were lost too often.

    Ray Data starts a task whose worker was lost again without end.
    """
    select_nodes(selector)  # for tasks that the work starts
    return work(row) if _earlier_starts() <= retries else []


def _earlier_starts() -> int:
    """Starts of the present task whose worker was lost; Ray counts them without a public name."""
    worker: Any = ray._private.worker.global_worker
    return int(worker.core_worker.get_current_task_attempt_number())
