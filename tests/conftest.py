"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides and scans, which is no part of the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("IDHRAY_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"needs real slides and scans, and {folder} is not there: set IDHRAY_REAL_DATA")
    return folder
