"""How findings cite rows."""

from idhray.stats.audit.findings import each, finding, never_fails, rows_text


def test_rows_are_cited_in_ranges():
    """The header is row 1."""
    assert rows_text([2]) == "row 2"
    assert rows_text([2, 4, 5, 6, 9]) == "rows 2, 4 to 6, 9"


def test_a_finding_carries_its_row(rows_of):
    """And a rule about single rows is applied to each."""
    rows = rows_of("row,set,source,n", "A,test,Table 2,", "B,test,Table 3,")
    find = each(lambda row: [finding(row, "rule", "remark", printed="1", reason="2")])
    found = [*find(rows, rows)]

    assert [(one.line, one.row, one.set, one.source) for one in found] == [
        (2, "A", "test", "Table 2"),
        (3, "B", "test", "Table 3"),
    ]
    assert not never_fails(rows[0])
