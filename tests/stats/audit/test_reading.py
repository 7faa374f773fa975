"""Broken tables: one line per problem, with row and column."""

import io

import pandas as pd
import pytest

from idhray.errors import TableError
from idhray.stats.audit.reading import read_reported

HEADER = "row,n,sensitivity,auc,estimate,p,accuracy_count,counts"


def table_file(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_every_form_is_read_alike(tmp_path):
    """CSV, TSV and Parquet, with Excel's byte order mark, and a blank line at the end."""
    text = "row,n,auc,p\n+4 K,34,0.893,<0.001\n\n"
    frame = pd.DataFrame({"row": ["+4 K"], "n": [34.0], "auc": ["0.893"], "p": ["<0.001"]})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    paths = [
        table_file(tmp_path, text),
        table_file(tmp_path, b"\xef\xbb\xbf" + text.encode(), "bom.csv"),
        table_file(tmp_path, text.replace(",", "\t"), "table.tsv"),
        table_file(tmp_path, buffer.getvalue(), "table.parquet"),
    ]
    tables = [read_reported(path) for path in paths]

    assert all(table == tables[0] for table in tables)
    (row,) = tables[0].rows
    assert (row.line, row.row, row.n, row.auc.text, row.p.text) == (
        2,
        "+4 K",
        34,
        "0.893",
        "<0.001",
    )
    assert row.sensitivity is None


def test_all_problems_are_told_at_once_with_row_and_column(tmp_path):
    """Negative and broken counts, words, lost percent signs, tables that are none."""
    path = table_file(
        tmp_path,
        f"{HEADER}\n"
        "A,-5,,,,,,\n"
        "B,3.5,,,,,,\n"
        "C,99999999999,,,,,,\n"
        "D,,57.9,,,,,\n"
        "E,,,NaN,,,,\n"
        "F,,,,inf,,,\n"
        "G,,,,,n.s.,,\n"
        "H,,,,,,37 of 44,\n"
        "I,,,,,,,1/2;3\n"
        "J,,,,,,,1/2\n"
        "K,,,,,,,0/0;0/0\n"
        ",3,,,,,,\n",
    )

    with pytest.raises(TableError) as caught:
        read_reported(path)

    head, *lines = str(caught.value).splitlines()
    assert "12 problems; nothing was audited" in head
    assert [line.strip().split(" is ")[0] for line in lines] == [
        "row 2: n",
        "row 3: n",
        "row 4: n",
        "row 5: sensitivity",
        "row 6: auc",
        "row 7: estimate",
        "row 8: p",
        "row 9: accuracy_count",
        "row 10: counts",
        "row 11: counts",
        "row 12: counts",
        "row 13: row",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("row,n\n", "there are no rows"),
        ("row,n\n,\n", "there are no rows"),
        ("name,n\nA,3\n", "there is no column `row`"),
        ("Name,n\nA,3\n", "name every row in a column `row`"),
        ("row,n\nA,3,4\n", "3 cells under a header of 2"),
        ("row,n,n \nA,3,4\n", "column `n` occurs twice"),
        ("row,n,N\nA,3,4\n", "`n` is there twice, as `N`, `n`; keep one"),
        ("row,Kappa,set\nA,3,4\n", "no column of figures to audit; use any of n, n_mutant"),
        ('row,n\n"A,3\n', "not a table"),
        (b"\xff\xfe\x00", "starts as UTF-16 and is damaged"),
        (b"PAR1 but broken", "is a Parquet file that cannot be read"),
    ],
)
def test_a_file_that_is_no_such_table(tmp_path, text, message):
    """One line that says what to do, never a traceback."""
    with pytest.raises(TableError, match=message):
        read_reported(table_file(tmp_path, text))


def test_broken_parquet_and_missing_files(tmp_path):
    """Errors of libraries come out as the project's own."""
    with pytest.raises(TableError, match="cannot be read"):
        read_reported(table_file(tmp_path, b"PAR1 but broken", "table.parquet"))
    with pytest.raises(TableError, match="no such file"):
        read_reported(str(tmp_path / "none.csv"))


def test_unknown_columns_and_scales_are_named(tmp_path):
    """What is not read must not seem checked."""
    path = table_file(tmp_path, "row,kappa,estimate,scale\nA,1,0.67,Slope\nB,,1.3,OR\n")
    table = read_reported(path)

    assert [row.scale for row in table.rows] == ["slope", "odds ratio"]
    assert "1 unknown column was not read: kappa" in table.notices[0]
    assert "scale 'slope' is none of" in table.notices[1]
    assert not table.rows[0].has("known_scale")


def test_columns_may_be_written_in_any_case(tmp_path):
    """As a paper heads its table; unknown ones are named as they stand there."""
    header = "Row,N_mutant,N wildtype, Sensitivity ,AUC,AUC low,auc-high,Kappa"
    table = read_reported(table_file(tmp_path, f"{header}\nA,18,16,0.722,0.823,0.7,0.9,1\n"))
    (row,) = table.rows

    assert (row.row, row.mutants, row.wildtypes) == ("A", 18, 16)
    assert (row.sensitivity.text, row.area_text) == ("0.722", "AUC 0.823 (0.7 to 0.9)")
    assert table.notices == ("1 unknown column was not read: Kappa",)


@pytest.mark.parametrize(
    ("written", "scale"),
    [
        ("OR", "odds ratio"),
        ("Odds_Ratio", "odds ratio"),
        ("HR", "hazard ratio"),
        ("hazard ratio", "hazard ratio"),
        ("RR", "relative risk"),
        ("Risk ratio", "relative risk"),
        ("relative risk", "relative risk"),
        ("LR+", "positive likelihood ratio"),
        ("LR-", "negative likelihood ratio"),
        ("Cohen's kappa", "kappa"),
        ("Mean_difference", "mean difference"),
        ("AUC difference", "auc difference"),
    ],
)
def test_scales_are_known_by_their_usual_names(tmp_path, written, scale):
    """Only odds ratios and betas are computed from counts."""
    (row,) = read_reported(table_file(tmp_path, f"row,estimate,scale\nA,1.3,{written}\n")).rows

    assert (row.scale, row.known_scale) == (scale, scale)
    assert row.odds_scale == (scale if scale == "odds ratio" else "")


def test_percentages_and_fractions_may_stand_in_one_column(tmp_path):
    """Each is read by its own sign; a share just above 1 is left to the rules."""
    path = table_file(tmp_path, "row,sensitivity,auc_high\nA,57.9%,1.03\nB,.579,\nC,105%,\n")
    rows = read_reported(path).rows

    assert rows[0].sensitivity.value == rows[1].sensitivity.value
    assert rows[2].sensitivity.value > 1
