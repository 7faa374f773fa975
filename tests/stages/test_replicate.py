"""The stage: tables as text, counts for scripts, and files where asked."""

import json

import pytest

from idhray.errors import SettingsChangedError
from idhray.stages.replicate import PRESETS, replicate

KNOWN = {
    "park2021": {"match": 139, "truncated": 12, "mismatch": 31, "impossible": 9},
    "liu2020": {"match": 163, "truncated": 1, "mismatch": 3, "impossible": 2},
}


@pytest.mark.parametrize("name", PRESETS)
def test_counts_by_status_and_a_text_come_back(name):
    """The counts add up, and the text has a line for the paper's first table."""
    found = replicate(PRESETS[name])
    counts = {key: value for key, value in found.items() if isinstance(value, int)}
    total = counts.pop("cells")

    assert found["paper"] == name
    assert total == sum(counts.values())
    assert {key: counts[key] for key in KNOWN[name]} == KNOWN[name]
    assert found["text"].startswith("Table 1")
    assert "out" not in found
    json.dumps(found)


def test_files_hold_every_cell_and_another_paper_is_refused(tmp_path):
    """A second run overwrites its own; a folder is one paper's."""
    out = str(tmp_path / "r")
    found = replicate(PRESETS["liu2020"], out=out)
    replicate(PRESETS["liu2020"], out=out)
    tables = json.loads((tmp_path / "r" / "replicate.json").read_text())

    assert tables["paper"] == "liu2020"
    assert sum(len(table["cells"]) for table in tables["tables"]) == found["cells"]
    assert len((tmp_path / "r" / "replicate.csv").read_text().splitlines()) > found["cells"]
    with pytest.raises(SettingsChangedError):
        replicate(PRESETS["park2021"], out=out)
    assert replicate(PRESETS["park2021"], out=out, overwrite=True)["out"] == out
