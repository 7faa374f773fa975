"""`idhray audit`: a table of reported results in, what cannot be right out."""

import csv
import json

import pytest

from idhray.cli import run
from idhray.errors import ConfigError, StorageError, TableError
from idhray.stages.audit import AuditFlags, audit
from idhray.stats.audit.reported import COLUMNS, SCALES

TABLE = (
    "row,set,n,n_mutant,n_wildtype,sensitivity,specificity,accuracy_count,auc\n"
    "reader 2,validation,44,11,33,63.6%,93.9%,41/44,0.821\n"
    "+4 K,test,34,18,16,0.778,0.813,27/34,0.893\n"
    "+3 K,test,34,18,16,0.889,0.813,29/34,0.927\n"
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return str(path)


def test_an_audit_counts_what_it_found(table):
    """Park's 41/44 and Liu's .893; +3 K is sound."""
    result = audit(AuditFlags(table=table))
    text = result.pop("text")

    assert result == {
        "table": table,
        "out": None,
        "rows": 3,
        "rows_flagged": 2,
        "findings": 2,
        "impossible": 1,
        "contradiction": 1,
        "suspicious": 0,
        "remarks": 0,
    }
    assert "7 + 31 = 38 right of 44" in text
    assert json.dumps(result)


@pytest.mark.parametrize("name", ["findings.csv", "findings.json"])
def test_findings_are_written_where_asked(table, tmp_path, name):
    """At once, and in place of an older file."""
    out = tmp_path / "new" / name
    audit(AuditFlags(table=table, out=str(out)))
    audit(AuditFlags(table=table, out=str(out)))

    if name.endswith(".csv"):
        lines = [row["line"] for row in csv.DictReader(out.open())]
    else:
        lines = [str(one["line"]) for one in json.loads(out.read_text())["findings"]]
    assert lines == ["2", "3"]
    assert [path.name for path in out.parent.iterdir()] == [name]


def test_a_broken_table_is_one_error(tmp_path):
    """With the row and column to look at."""
    path = tmp_path / "table.csv"
    path.write_text("row,n\nA,-3\n")

    with pytest.raises(TableError, match="row 2: n is '-3'"):
        audit(AuditFlags(table=str(path)))


def test_a_place_that_cannot_be_written_is_one_error(table, tmp_path):
    """A folder of that name is in the way."""
    (tmp_path / "findings.csv").mkdir()

    with pytest.raises(StorageError, match="cannot be written"):
        audit(AuditFlags(table=table, out=str(tmp_path / "findings.csv")))


def test_the_table_is_not_overwritten_by_its_findings(table):
    """It would be gone."""
    with pytest.raises(ConfigError, match="is the table itself"):
        audit(AuditFlags(table=table, out=table))
    with pytest.raises(ConfigError, match="findings are written"):
        audit(AuditFlags(table=table, out=table + ".txt"))


def test_help_says_how_columns_are_written():
    """The order of counts, above all."""
    text = " ".join((audit.__doc__ or "").split())

    assert all(name in text for name in COLUMNS)
    assert all(scale in text.lower() for scale in SCALES.values())
    assert "levels separated by `;`, groups by `/`" in text
    assert "wildtype/mutant of its level; then wildtype/mutant of the reference" in text


@pytest.mark.parametrize(
    ("level", "code"),
    [("never", 0), ("impossible", 1), ("contradiction", 1), ("suspicious", 1)],
)
def test_a_check_in_ci_fails_on_grave_findings(table, capsys, level, code):
    """Exit code 1 with the findings printed as ever; nothing fails unless it is asked for."""
    assert run(["audit", "--table", table, "--fail-on", level]) == code

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["impossible"] == 1


def test_a_level_without_findings_passes(tmp_path, capsys):
    """A sum that does not fit is a contradiction, nothing impossible."""
    path = tmp_path / "table.csv"
    path.write_text("row,n,n_mutant,n_wildtype\nA,34,18,17\n")

    assert run(["audit", "--table", str(path), "--fail-on", "impossible"]) == 0
    assert run(["audit", "--table", str(path), "--fail-on", "suspicious"]) == 1


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        ("row,n\nA,-3\n", []),
        (None, []),
        ("row,n\nA,3\n", ["--out", "findings.xlsx"]),
    ],
)
def test_bad_tables_and_flags_exit_with_2(tmp_path, capsys, lines, flags):
    """As the README says: bad arguments, settings or manifest."""
    path = tmp_path / "table.csv"
    if lines:
        path.write_text(lines)

    assert run(["audit", "--table", str(path), *flags]) == 2
    assert capsys.readouterr().err.count("idhray audit:") == 1
