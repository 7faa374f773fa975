"""READINGS: what is taken, and what is refused in one message."""

import pandas as pd
import pytest

from idhray.errors import LeakageError, TableError
from idhray.stats.papers.park.readings import CONSENSUS
from idhray.stats.papers.park.readings_table import read_readings
from idhray.stats.sample import SampleError


def test_a_study_is_read_whole(reader_study):
    """80 + 38 + 38 training cases and 44 others; every cell of every reader is there."""
    rows, people = reader_study()
    found = read_readings(rows, people)

    assert found.cases.groupby(["split", "real", "label"]).size().tolist() == [33, 11, 38, 80, 38]
    assert list(found.by_reader) == ["reader 1", "reader 2"]
    assert all((frame != "").all(axis=None) for frame in found.by_reader.values())
    assert found.cases.loc[found.cases["real"], "age"].notna().all()
    assert found.cases.loc[~found.cases["real"], "age"].isna().all()
    assert len(found.judgments) == 400


def test_consensus_is_agreement_or_what_was_settled(reader_study):
    """Models are fitted to one value per cell."""
    rows, people = reader_study(errors=0.3)
    found = read_readings(rows, people)
    one, two = found.by_reader.values()
    agreed = found.agreed_features(found.cases.index)
    settled = rows[rows["reader"] == CONSENSUS].set_index("case").reindex(found.cases.index)
    alike = one["margin"] == two["margin"]

    assert (agreed.loc[alike, "margin"] == one.loc[alike, "margin"]).all()
    assert (agreed.loc[~alike, "margin"] == settled.loc[~alike, "margin"]).all()
    assert (found.discordant_cells()["feature"] == "margin").sum() == (~alike).sum() > 0


def test_unsettled_cells_are_listed_and_refused_or_left_to_the_first_reader(reader_study):
    """Without consensus rows nobody has settled anything."""
    rows, people = reader_study()
    found = read_readings(rows[rows["reader"] != CONSENSUS], people)
    cell = found.discordant_cells().iloc[0]

    assert (found.discordant_cells()[CONSENSUS] == "").all()
    assert cell["reader 1"] != cell["reader 2"]
    with pytest.raises(SampleError, match=r"have no consensus: case-\w+ \("):
        found.agreed_features(found.cases.index)
    first = found.agreed_features(found.cases.index, else_first=True)
    assert first.loc[cell["case"], cell["feature"]] == cell["reader 1"]


def test_a_filled_in_list_settles_as_rows_do(reader_study):
    """The list that a run without consensus leaves behind is what readers fill in."""
    rows, people = reader_study()
    by_rows = read_readings(rows, people)
    alone = rows[rows["reader"] != CONSENSUS]
    by_list = read_readings(alone, people, by_rows.discordant_cells())

    pd.testing.assert_frame_equal(
        by_list.agreed_features(by_list.cases.index), by_rows.agreed_features(by_rows.cases.index)
    )
    with pytest.raises(TableError, match="consensus: no column feature"):
        read_readings(alone, people, by_rows.discordant_cells().drop(columns="feature"))


def test_a_consensus_against_all_readers_is_refused(reader_study):
    """It is a slip of the pen, or readings were changed afterwards."""
    rows, people = reader_study(errors=0)
    slip = rows.head(1).assign(reader=CONSENSUS, judged_real="")
    slip["margin"] = "clear" if slip["margin"].iloc[0] == "indistinct" else "indistinct"
    found = read_readings(pd.concat([rows, slip]), people)

    with pytest.raises(SampleError, match="but all readers said"):
        found.agreed_features(found.cases.index)


def test_cases_of_unknown_idh_are_counted(reader_study):
    """They are in no figure, and said so."""
    rows, people = reader_study()
    rows.loc[rows["patient"] == "W00", "idh"] = ""
    people.loc[people["patient"] == "W00", "idh"] = ""
    found = read_readings(rows, people)

    assert found.unknown_idh == 1
    assert "case-W00" not in found.by_reader["reader 1"].index


def test_an_empty_idh_or_split_is_taken_from_the_manifest(reader_study):
    """It is known there; only a synthetic case has nobody to take it from."""
    rows, people = reader_study()
    whole = read_readings(rows, people)
    real = rows["real"] == "true"
    rows.loc[real, "idh"] = ""
    rows.loc[real & (rows["reader"] == "reader 2"), "split"] = ""
    rows.loc[rows["case"] == "case-S00", "split"] = ""

    with pytest.raises(TableError, match="split is ''") as refused:
        read_readings(rows, people)
    assert "case-W" not in str(refused.value)
    rows.loc[rows["case"] == "case-S00", "split"] = "train"
    pd.testing.assert_frame_equal(read_readings(rows, people).cases, whole.cases)
    assert read_readings(rows, people).unknown_idh == 0


def set_cells(column, value, *, case, reader=None):
    """A change of a study's rows: one column of one case, for one reader or for all."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        at = rows["case"] == case
        rows.loc[at & ((rows["reader"] == reader) | (reader is None)), column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param(lambda r: r.drop(columns="margin"), TableError, "no column margin", id="lost"),
        pytest.param(lambda r: r.iloc[:0], TableError, "no rows", id="empty"),
        pytest.param(
            set_cells("margin", "sharp", case="case-W00", reader="reader 1"),
            TableError,
            "row 2: margin is 'sharp'; write one of clear, indistinct",
            id="unknown value",
        ),
        pytest.param(
            set_cells("margin", "", case="case-W00", reader="reader 1"),
            TableError,
            "reader reader 1, case case-W00: no margin",
            id="missing reading",
        ),
        pytest.param(lambda r: pd.concat([r, r.head(1)]), TableError, "twice", id="read twice"),
        pytest.param(lambda r: r.iloc[1:], TableError, "did not read 1 cases", id="left out"),
        pytest.param(
            set_cells("idh", "mutant", case="case-W00", reader="reader 1"),
            TableError,
            "case-W00: idh differs",
            id="contradiction",
        ),
        pytest.param(
            set_cells("split", "test", case="case-S00"),
            LeakageError,
            "synthetic cases are outside training",
            id="synthetic test case",
        ),
        pytest.param(
            set_cells("patient", "W01", case="case-W00"), TableError, "2 cases", id="two cases"
        ),
        pytest.param(
            set_cells("patient", "VW01", case="case-W00"), LeakageError, "two splits", id="crossing"
        ),
        pytest.param(
            set_cells("patient", "X", case="case-W00"), TableError, "not in the manifest", id="who"
        ),
        pytest.param(
            set_cells("patient", "M01", case="case-S00"), TableError, "synthetic but", id="named"
        ),
    ],
)
def test_what_cannot_be_is_refused(reader_study, change, error, message):
    """Every one of these would shift a figure."""
    rows, people = reader_study()

    with pytest.raises(error, match=message):
        read_readings(change(rows), people)
