"""The audit as text, CSV and JSON."""

import csv
import io
import json

import pytest

from idhray.errors import ConfigError
from idhray.stats.audit.printout import audit_file, audit_text

LINES = (
    "row,set,source,n_mutant,n_wildtype,auc,kappa",
    "+4 K,test,Table 2,18,16,0.893,",
    '"Base, again",test,Table 2,18,16,0.920,',
    "no sizes,test,Table 2,,,0.9,",
)


def test_the_text_says_what_was_found_checked_and_left_out(audit_of):
    """A reader must not take silence for approval."""
    text = audit_text(audit_of(*LINES), "liu.csv")

    assert text.startswith(
        "liu.csv: 3 rows, 1 finding in 1 row, 0 remarks\nnotice: 1 unknown column"
    )
    assert "IMPOSSIBLE (1): no data give this" in text
    assert "row 2, +4 K (test, Table 2): AUC is k/2 of the pairs" in text
    assert "      printed  AUC 0.893 of 18 mutants and 16 wildtypes" in text
    assert "      fits     257/288 is 0.892" in text
    assert "CHECKED\n  figures lie in their range: 3 rows\n" in text
    assert "  AUC is k/2 of the pairs: 1 row without n_mutant, n_wildtype" in text
    assert "NOT ASKED" in text
    assert "NOTHING TO COMPARE in row 4" in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_files_hold_every_finding(audit_of):
    """CSV for spreadsheets, JSON with the coverage; names with commas survive."""
    audit = audit_of(*LINES, '"A, B",test,Table 2,18,16,1.2,')
    rows = [*csv.DictReader(io.StringIO(audit_file(audit, "liu.csv", "out.csv").decode()))]
    content = json.loads(audit_file(audit, "liu.csv", "out.json"))

    assert [row["row"] for row in rows] == ["+4 K", "A, B"]
    assert rows[0]["severity"] == "impossible"
    assert content["table"] == "liu.csv"
    assert [one["line"] for one in content["findings"]] == [2, 5]
    assert content["nothing_to_compare"] == [4]
    assert any(one["rule"] == "AUC is k/2 of the pairs" for one in content["checked"])


def test_another_ending_is_refused(audit_of):
    """Rather than a CSV under another name."""
    with pytest.raises(ConfigError, match="findings are written"):
        audit_file(audit_of(*LINES), "liu.csv", "out.xlsx")
