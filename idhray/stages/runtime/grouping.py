"""Groups of items, each done by one Ray task in turn.

Between two tasks a worker waits some 0.2 s for Ray Data, which also keeps a record of each task on
the driver. Items that take no longer than that share a task.
"""

from collections.abc import Sequence
from typing import TypeVar

from idhray.stages.runtime.items import Item

MAX_GROUP = 64
"""Most items of one task."""
TASKS_LEFT = 2
"""A task takes at most one part in so many of the work left for each worker, so that all workers
end together."""

T = TypeVar("T")


def grouped(items: Sequence[Item[T]], task_size: int, slots: float) -> list[list[Item[T]]]:
    """Groups of items, the largest items first.

    Args:
        items: Items in any order; each counts for 1 at least.
        task_size: Most that the sizes of the items of one task may add up to, if there are several
            of them; 0 for one item a task.
        slots: Tasks that run at the same time, as far as that is known.
    """
    groups: list[list[Item[T]]] = []
    left = sum(_size(item) for item in items)
    room = 0.0
    for item in sorted(items, key=lambda item: -item.size):
        size = _size(item)
        if not groups or size > room or len(groups[-1]) == MAX_GROUP:
            groups.append([])
            room = min(task_size, left / (TASKS_LEFT * max(slots, 1)))
        groups[-1].append(item)
        room -= size
        left -= size
    return groups


def _size(item: Item[object]) -> int:
    return max(item.size, 1)
