"""`fit-stats` from readings: what is written, what is refused, and that it can be repeated."""

import csv
import json

import pandas as pd
import pytest

from idhray.cli import run
from idhray.config import identity_of
from idhray.stages.runtime.folder import stage_folder
from idhray.stats.papers.park.readings import CONSENSUS
from idhray.table_parts import part_path, publish_table
from idhray.tables import PREDICTIONS
from tests.stats.conftest import study as study
from tests.stats.papers.park.conftest import reader_study as reader_study

QUICK = ["--bootstrap-draws", "100", "--optimism-resamples", "2"]


@pytest.fixture
def files(reader_study, tmp_path):
    """Readings with a consensus, the same without, and the patients' ages, as CSV files."""
    rows, people = reader_study()
    rows.to_csv(tmp_path / "readings.csv", index=False)
    rows[rows["reader"] != CONSENSUS].to_csv(tmp_path / "unsettled.csv", index=False)
    people.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path


def fit(files, readings, *flags):
    """`idhray fit-stats` on one of the files; its exit code."""
    said = ["--readings", str(files / readings), "--manifest", str(files / "people.csv")]
    out = ["--out", str(files / "statistics")]
    return run(["fit-stats", "--preset", "park2021", *said, *out, *QUICK, *flags])


def test_readings_become_tables_in_three_forms(files, capsys):
    """CSV for scripts, JSON with everything, HTML for people; again is no work and no change."""
    assert fit(files, "readings.csv") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    written = {path.name: path.read_bytes() for path in (files / "statistics").iterdir()}
    page = written["tables.html"].decode()

    assert {"table1.csv", "table2.csv", "table3.csv", "turing.csv"} <= set(written)
    assert said["sentence"] == json.loads(written["statistics.json"])["verdict"]["sentence"]
    for title in ("Table 1, training", "Turing test", "Table 2", "Table 3", "Models compared"):
        assert f"<strong>{title}</strong>" in page
    assert ">nan<" not in page.lower()
    assert fit(files, "readings.csv") == 0
    again = {path.name: path.read_bytes() for path in (files / "statistics").iterdir()}
    assert {n: b for n, b in again.items() if n[0] != "_"} == {
        n: b for n, b in written.items() if n[0] != "_"
    }


def test_the_main_tables_are_printed_above_the_json_line(files, capsys):
    """A terminal shows the verdict and tables 3 and compared, in aligned columns."""
    assert fit(files, "readings.csv") == 0
    text, line = capsys.readouterr().out.rstrip().rsplit("\n", 1)
    said = json.loads(line)

    assert "text" not in said
    assert text.startswith(said["sentence"])
    for title in ("Table 3. ", "Models compared. ", "Turing test. "):
        assert f"\n\n{title}" in text
    rows = [row for row in text.splitlines() if row.startswith("  reader 1")]
    assert len({row.index("\u2192") for row in rows[-4:]}) == 1


def test_judgments_alone_are_a_turing_test(files, capsys):
    """No features: a page with one table, and the reason."""
    rows = pd.read_csv(files / "unsettled.csv")
    rows[["location", "necrosis", "enhancement", "surrounding", "margin"]] = ""
    rows.to_csv(files / "turing.csv", index=False)

    assert fit(files, "turing.csv") == 0
    page = (files / "statistics" / "tables.html").read_text()
    assert page.count("<table>") == 1
    assert "the visual Turing test alone" in page


def test_unsettled_readings_leave_a_list_that_settles_them(files, capsys):
    """The first run says what to fill in; the filled in list goes back as `--consensus`."""
    assert fit(files, "unsettled.csv") == 2
    path = files / "statistics-discordant.csv"
    assert str(path) in capsys.readouterr().err
    assert not (files / "statistics").exists()
    with path.open() as handle:
        cells = list(csv.DictReader(handle))
    for cell in cells:
        cell[CONSENSUS] = cell["reader 2"]
    pd.DataFrame(cells).to_csv(path, index=False)

    assert fit(files, "unsettled.csv", "--consensus", str(path)) == 0


def test_the_first_reader_may_have_the_last_word(files):
    """Where no consensus reading was held."""
    assert fit(files, "unsettled.csv", "--discordant", "first reader") == 0


def test_other_readings_are_not_mixed_in(files, capsys):
    """A folder made from other readings is refused, not overwritten."""
    assert fit(files, "readings.csv") == 0
    assert fit(files, "unsettled.csv", "--discordant", "first reader") == 2
    assert "readings: was" in capsys.readouterr().err


def test_networks_in_several_folders_are_table_1(study, tmp_path, capsys):
    """Liu et al. 2020, table 1: four networks without synthetic images, by one command."""
    rows, people = study(patients=20)
    rows = rows[(rows["n_synthetic"] == 0) & (rows["repeat"] == 0)]
    people.to_csv(tmp_path / "manifest.csv", index=False)
    networks = ("resnet50", "inception_v3", "vgg19")
    for network in networks:
        folder = str(tmp_path / network)
        with stage_folder(folder, identity_of(inputs={"stage": "predict"}), overwrite=False):
            records = rows.assign(model=network).to_dict("records")
            publish_table(part_path(folder, network), records, PREDICTIONS)
    folders = [str(tmp_path / network) for network in networks]
    flags = ["--manifest", str(tmp_path / "manifest.csv"), "--out", str(tmp_path / "out")]
    code = run(["fit-stats", "--predictions", *folders, *flags, "--model", "vgg19"])
    table = pd.read_csv(tmp_path / "out" / "table1.csv")

    assert code == 0
    assert list(table.loc[table["split"] == "test", "model"]) == sorted(networks)
    assert "Table 1. Classifiers trained without synthetic images." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param([], "either --predictions", id="nothing"),
        pytest.param(["--predictions", "p"], "need --manifest", id="no manifest"),
        pytest.param(["--readings", "gone.csv"], "gone.csv", id="no file"),
    ],
)
def test_what_is_missing_is_said_in_one_line(flags, message, tmp_path, capsys):
    """Exit code 2 or 1, no traceback, nothing written."""
    assert run(["fit-stats", "--out", str(tmp_path / "out"), *flags]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_more_draws_make_the_statistics_again_in_the_same_folder(files, capsys):
    """They cost seconds, and change nothing but the precision; fewer draws are refused."""
    assert fit(files, "readings.csv") == 0
    before = (files / "statistics" / "statistics.json").read_text()
    assert fit(files, "readings.csv", "--bootstrap-draws", "200") == 0
    recorded = json.loads((files / "statistics" / "_settings.json").read_text())

    assert recorded["bootstrap_draws"] == 200
    assert (files / "statistics" / "statistics.json").read_text() != before
    assert fit(files, "readings.csv") == 2
    assert "bootstrap_draws: was 200, now 100" in capsys.readouterr().err
