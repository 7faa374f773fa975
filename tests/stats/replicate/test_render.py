"""What is printed and written: every cell, in lines of the asked width, no bare NaN."""

import csv
import io

import pytest

from idhray.errors import ConfigError
from idhray.stats.replicate.cells import STATUSES, Block, Cell
from idhray.stats.replicate.paper import Paper
from idhray.stats.replicate.render import MARKS, csv_of, json_of, rows_of, text_of


@pytest.mark.parametrize("width", [110, 140])
def test_lines_keep_to_the_width(park, liu, width):
    """A line that wraps in the terminal breaks the columns."""
    for blocks in (park, liu):
        lines = text_of(blocks, width).splitlines()
        assert max(len(line) for line in lines) <= width
        assert not any("nan" in line.split() for line in lines)


def test_every_cell_is_printed_and_written(park):
    """None is dropped on the way."""
    cells = [cell for block in park for cell in block.cells]
    rows = list(csv.DictReader(io.StringIO(csv_of(park))))

    assert len(rows) == len(cells) == len(rows_of(park))
    assert [row["published"] for row in rows] == [cell.published for cell in cells]
    assert sum(len(table["cells"]) for table in json_of("park2021", park)["tables"]) == len(cells)
    assert set(MARKS) == set(STATUSES)


def test_every_cell_says_why(park, liu):
    """A status without its convention or reason would have to be believed."""
    for block in (*park, *liu):
        for cell in block.cells:
            assert cell.convention, cell
            assert cell.recomputed or cell.status in ("not recomputable", "impossible"), cell
            assert cell.published or cell.status in ("added", "not recomputable"), cell


def test_a_row_is_named_once_and_its_faults_are_marked():
    """The second cell of a row leaves the name out; the same convention is a ditto mark."""
    one = Cell(row="A", item="beta", published="1", recomputed="1", status="match", convention="c")
    two = Cell(row="A", item="P", published="2", recomputed="3", status="mismatch", convention="c")
    lines = text_of([Block(title="T", cells=(one, two))], 110).splitlines()

    assert lines[4].split() == ["A", "beta", "1", "1", "match", "c"]
    assert lines[5].split() == ["x", "P", "2", "3", "mismatch", '"']
    assert lines[-1] == "T  1 match, 1 mismatch"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"name": "park2020"}, "there is park2021, liu2020", id="other paper"),
        pytest.param({"width": 80}, "110 or more, got 80", id="too narrow"),
    ],
)
def test_settings_are_checked(settings, message):
    """Before anything is computed."""
    with pytest.raises(ConfigError, match=message):
        Paper(**settings)
