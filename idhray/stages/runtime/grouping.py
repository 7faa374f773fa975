"""Which inputs one Ray task does, one after the other.

Between two tasks a worker waits some 0.2 s for Ray Data, which also keeps a record of each on the
driver. An input that takes no longer than that shares its task with others.
"""

from collections.abc import Sequence

from idhray.stages.runtime.worker import Item

MOST_TOGETHER = 64
PARTS_LEFT = 2
"""A task takes at most this part of what each worker has still to do, so that all end together."""


def grouped(items: Sequence[Item], task_size: int, slots: float) -> list[list[Item]]:
    """The items in runs, the largest first.

    Args:
        items: In any order; each counts for 1 at least.
        task_size: The most that the sizes of one task's items may add up to, where they are
            several; 0 for one item a task.
        slots: Tasks that run at once, as far as that is known.
    """
    groups: list[list[Item]] = []
    left = sum(_size(item) for item in items)
    room = 0.0
    for item in sorted(items, key=lambda item: -item.size):
        size = _size(item)
        if not groups or size > room or len(groups[-1]) == MOST_TOGETHER:
            groups.append([])
            room = min(task_size, left / (PARTS_LEFT * max(slots, 1)))
        groups[-1].append(item)
        room -= size
        left -= size
    return groups


def _size(item: Item) -> int:
    return max(item.size, 1)
