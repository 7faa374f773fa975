"""Fixtures shared by all tests."""

import gc
import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch and numpy count the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which a single file does not need
def pytest_xdist_make_scheduler(config, log):
    """Each file runs in one process. Stage tests run in two groups, each with one Ray: the study
    that most of them share is made in one, the GANs are trained in the other."""
    from xdist.scheduler import LoadFileScheduling

    class StageGroups(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            if not file.startswith("tests/stages/"):
                return file
            return "tests/stages/gan" if "gan" in file else "tests/stages"

    return StageGroups(config, log)


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
