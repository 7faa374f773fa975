"""Ray tasks for groups of items: few at a time, with a limit of new starts after losses.

Ray Data could map over the groups, too, but starts a lost task again without end unless it gets an
argument that it is about to drop.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from idhray.errors import one_line
from idhray.stages.runtime.items import Item, ItemReport, packed
from idhray.stages.runtime.losses import LOSSES

LEAST_WINDOW = 64
WINDOW_PER_CPU = 2
"""Tasks that wait or run at the same time, per CPU: an autoscaler starts machines for those that
wait, and their number grows with the cluster."""
SECONDS_PER_LOOK = 5.0

logger = logging.getLogger(__name__)

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
    """Do each group in a Ray task; yield the reports of the workers, as they come.

    A group whose worker is lost too often yields nothing. If the caller stops, running tasks are
    ended.

    Raises:
        RayTaskError: a worker met a programming error.
    """
    remote: Any = ray.remote  # its types do not know tasks with such options
    task = remote(
        num_cpus=options.cpus,
        num_gpus=options.gpus,
        max_retries=options.retries,
        **({"memory": options.memory_bytes} if options.memory_bytes else {}),
        **({"max_calls": 0} if options.keep_processes else {}),
    )(_work).options(name="work_on_group")
    shared, waiting = ray.put(work), deque(groups)
    running: list[ray.ObjectRef[Any]] = []
    window = _Window(options.at_once)
    try:
        while waiting or running:
            while waiting and len(running) < window.size():
                running.append(task.remote(shared, packed(waiting.popleft(), attempts)))
            ended, running = ray.wait(running, num_returns=1)
            for each in ended:
                yield from _reports(each)
    finally:
        for each in running:
            ray.cancel(each, force=True)


class _Window:
    """Number of tasks that wait or run at the same time."""

    def __init__(self, at_once: int | None) -> None:
        self._at_once, self._size, self._looked = at_once, LEAST_WINDOW, float("-inf")

    def size(self) -> int:
        """Present number; it follows the size of the cluster."""
        if self._at_once is not None:
            return self._at_once
        if time.monotonic() - self._looked > SECONDS_PER_LOOK:
            self._looked = time.monotonic()
            cpus = ray.cluster_resources().get("CPU", 0)
            self._size = max(LEAST_WINDOW, int(WINDOW_PER_CPU * cpus))
        return self._size


def _work(work: Work, group: str) -> list[ItemReport]:
    return work({"group": group})


def _reports(task: "ray.ObjectRef[Any]") -> list[ItemReport]:
    """Reports of a task that has ended; none if its worker was lost."""
    try:
        reports: list[ItemReport] = ray.get(task)
    except LOSSES as error:
        logger.debug("a task was lost: %s", one_line(error))
        return []
    return reports
