"""The order in which generators are named decides nothing."""

import itertools

from idhray.generator_records import GeneratorRecord, write_generator
from idhray.stages.experiment.generator_order import ORDER, ordered_generators
from idhray.stages.experiment.outcome import GENERATORS_FILE
from idhray.storage import publish_json


def generators(parent, seeds):
    """A folder for each seed."""
    folders = []
    for seed in seeds:
        folder = str(parent / f"generator-{seed}")
        weights = f"weights {seed}"
        write_generator(
            folder, GeneratorRecord.of(f"gan {seed}", "mutant", ["P"], seed=seed, weights=weights)
        )
        folders.append(folder)
    return folders


def entries(folders, **order):
    """Entries of an experiment with these generators."""
    seeds = [folder.rsplit("-", 1)[1] for folder in folders]
    return {
        "generators": [
            {"generator": f"gan {seed}", "weights": f"weights {seed}", **order} for seed in seeds
        ]
    }


def test_any_order_of_the_arguments_is_the_same(tmp_path):
    """A repeat must get the same generator."""
    folders = generators(tmp_path, [3, 1, 2])
    orders = [ordered_generators(each, None) for each in itertools.permutations(folders)]

    assert all(order == orders[0] for order in orders)


def test_a_generator_that_joins_takes_nobodys_place(tmp_path):
    """Else one more repeat would change the finished ones."""
    out = str(tmp_path / "experiment")
    folders = generators(tmp_path, [5, 7, 1])
    recorded = [
        {"generator": "gan 5", "weights": "weights 5", ORDER: 0},
        {"generator": "gan 7", "weights": "weights 7", ORDER: 1},
    ]
    publish_json(f"{out}/{GENERATORS_FILE}", {"generators": recorded})

    for each in itertools.permutations(folders):
        assert ordered_generators(each, out) == folders


def test_an_experiment_of_an_earlier_version_keeps_the_order_of_its_arguments(tmp_path):
    """It did not record it."""
    out = str(tmp_path / "experiment")
    folders = generators(tmp_path, [5, 7, 1])
    publish_json(f"{out}/{GENERATORS_FILE}", entries(folders))

    assert ordered_generators(folders[::-1], out) == folders[::-1]
