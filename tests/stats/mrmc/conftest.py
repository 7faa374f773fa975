"""Answers of R's MRMCaov, where they are at hand."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.stats.conftest import BESIDE_REPOSITORY


@pytest.fixture
def mrmc_reference() -> Callable[[str], Any]:
    """A reader of `mrmc/NAME`, .json or .csv (MRMCaov 0.3.0); skips where it is absent."""
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY)) / "mrmc"

    def read(name: str) -> Any:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"no reference at {path}; set IDHRAY_REFERENCE to the folder that has it")
        return pd.read_csv(path) if path.suffix == ".csv" else json.loads(path.read_text())

    return read
