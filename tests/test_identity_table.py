"""CONTRIBUTING.md tells of each stage what decides its output."""

import importlib
import inspect
import re
from pathlib import Path

import idhray
from idhray.cli import STAGES
from idhray.stages.runtime.versions import VERSIONS

GUIDE = Path(idhray.__file__).parent.parent / "CONTRIBUTING.md"
WRITES_A_FOLDER = re.compile(r"\b(stage_folder|output_folder)\(")
MADE_ELSEWHERE = {"fit-stats", "study"}
"""Stages whose folder is made in a room, `studies/`."""


def rows():
    """Stage -> cells of its row in the table."""
    text = GUIDE.read_text().partition("## Identity of an output")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def stages_with_a_folder():
    """Commands that write an output folder with an identity."""
    modules = {
        name: importlib.import_module(f"idhray.stages.{name.replace('-', '_')}") for name in STAGES
    }
    direct = {
        n for n, module in modules.items() if WRITES_A_FOLDER.search(inspect.getsource(module))
    }
    return direct | MADE_ELSEWHERE


def test_every_stage_that_writes_a_folder_has_a_row():
    """A new stage must say when its output is redone, and what a withdrawal does to it."""
    table = rows()

    assert set(table) == stages_with_a_folder()
    for stage, cells in table.items():
        assert len(cells) == 4, stage
        assert cells[0], stage
        assert cells[2], stage
        assert cells[3], stage


def test_every_number_of_a_version_belongs_to_a_stage():
    """A number of no stage would never be compared."""
    names = {name.replace("-", "_") for name in STAGES} | {"make_readings"}

    assert set(VERSIONS) <= names
