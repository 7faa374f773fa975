"""Fixtures shared by all tests."""

import gc
import os
from collections import Counter
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch and numpy count the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")


STAGES = "tests/stages/"
STUDY_FILES = (
    "test_study_stages",
    "test_evaluate_gan",
    "test_settings_grow",
    "test_killed_study",
    "test_pretraining",
)
"""Stage tests that share the fixture `small_study`, the longest of all to make."""
TRAINING_FILES = (
    "test_gan_",
    "test_train_gan",
    "gan_training/",
    "test_mri_stages",
    "test_single_worker",
)
RAY_FILES = (
    "test_cut_patches",
    "test_exchange",
    "test_following",
    "test_mapping",
    "test_slide_",
    "test_sweep",
)


def stage_group(file: str) -> str:
    """Group of test files that share one process, one Ray and their fixtures.

    Args:
        file: Path of the test file from the root of the project. Files without Ray are alone.
    """
    groups = {"study": STUDY_FILES, "trainings": TRAINING_FILES, "slides": RAY_FILES}
    for group, names in groups.items():
        if file.startswith(STAGES) and any(name in file for name in names):
            return STAGES + group
    return file


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which a single file does not need
def pytest_xdist_make_scheduler(config, log):
    """Each file, and each group of stage tests, runs in one process, in the order collected."""
    from xdist.scheduler import LoadFileScheduling

    class StageGroups(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return stage_group(super()._split_scope(nodeid))

    config.option.loadscopereorder = False
    return StageGroups(config, log)


def pytest_collection_modifyitems(items):
    """Run the groups of stage tests first, which take minutes, and files of few tests last."""
    group_of = {item: stage_group(item.nodeid.split("::")[0]) for item in items}
    sizes = Counter(group_of.values())

    def turn(item):
        group = group_of[item]
        return group.endswith(".py"), -sizes[group], group

    items.sort(key=turn)


def pytest_collection_finish(session):
    """Leave imported modules and collected tests out of every garbage collection.

    The collections that `statsmodels.stats.multitest` forces would else search them each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides and scans, which is no part of the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("IDHRAY_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"needs real slides and scans, and {folder} is not there: set IDHRAY_REAL_DATA")
    return folder
