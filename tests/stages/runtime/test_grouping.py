"""Which inputs share a Ray task."""

from idhray.stages.runtime.grouping import MAX_GROUP, grouped
from idhray.stages.runtime.items import Item


def items(*sizes):
    return [Item(name=f"i{i}", settings_hash="s", task=None, size=s) for i, s in enumerate(sizes)]


def sizes(groups):
    return [[item.size for item in group] for group in groups]


def test_without_a_task_size_each_input_has_its_own_task():
    """Trainings and registrations take minutes each: sharing a task would make others wait."""
    assert sizes(grouped(items(0, 0, 3), 0, 2)) == [[3], [0], [0]]


def test_large_inputs_come_first_and_alone():
    """A worker that began a large one last would work alone at the end."""
    assert sizes(grouped(items(1, 50, 2, 70, 1), 10, 1)) == [[70], [50], [2], [1], [1]]


def test_runs_shrink_towards_the_end_and_no_input_is_lost():
    """Halves of what each of two workers has left: 100 / 4 = 25, then 75 / 4, ..., then one."""
    groups = grouped(items(*[1] * 100), 1000, 2)
    lengths = [len(group) for group in groups]

    assert lengths[:3] == [25, 18, 14]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-4:] == [1, 1, 1, 1]
    assert len({item.name for group in groups for item in group}) == 100


def test_a_task_stays_within_its_size_and_number():
    """What is lost with a task, and how seldom the driver hears, must not grow with the archive."""
    assert {len(group) for group in grouped(items(*[4] * 1000), 10, 1)[:400]} == {2}
    assert len(grouped(items(*[1] * 10000), 10**9, 1)[0]) == MAX_GROUP
    assert len(grouped(items(*[0] * 100), 10, 1)[0]) == 10
