"""A small finished experiment that kept its models."""

from dataclasses import replace

import pytest

from idhray.stages.sweep import SweepFlags, sweep
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import PROTOCOL, SETTINGS, folds, generators, patches


@pytest.fixture(scope="session")
def experiment(tmp_path_factory):
    """Flags of a finished experiment of three folds, one repeat and three arms."""
    root = tmp_path_factory.mktemp("kept")
    file = folds(root / "folds.parquet")
    protocol = replace(PROTOCOL, repeats=1, controls=("duplicate",))
    flags = SweepFlags(
        images=patches(root / "patches"),
        folds=file,
        synthetic=generators(root, file),
        out=str(root / "sweep"),
        settings=replace(SETTINGS, protocol=protocol),
    )
    with without_ray():
        sweep(flags)
    return flags
