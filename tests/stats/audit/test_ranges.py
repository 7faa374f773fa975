"""Figures outside their range."""

from idhray.stats.audit.ranges import negative_ratio, outside_range


def test_shares_and_p_values_lie_between_0_and_1(rows_of):
    """A symmetric AUC interval may pass 1 before it is cut: no fault of the figures."""
    rows = rows_of(
        "row,sensitivity,auc,auc_high,p", "A,105%,1.05,1.03,1.2", "B,-0.1,,,-0.1", "C,1,0,1.00,1"
    )
    found = [[(one.printed, one.severity) for one in outside_range(row)] for row in rows]

    assert found[0] == [
        ("sensitivity 105%", "impossible"),
        ("auc 1.05", "impossible"),
        ("auc_high 1.03", "remark"),
        ("P 1.2", "impossible"),
    ]
    assert [severity for _, severity in found[1]] == ["impossible", "impossible"]
    assert found[2] == []


def test_a_negative_ratio_is_a_beta(rows_of):
    """Park 2021 prints betas of -0.91; as odds ratios they do not exist."""
    rows = rows_of(
        "row,scale,estimate,low,high",
        "A,odds ratio,-0.91,-1.6,-0.2",
        "B,odds ratio,0.40,-0.1,0.9",
        "C,beta,-0.91,-1.6,-0.2",
        "D,odds ratio,0.40,0.00,0.9",
        "E,HR,0.40,-0.1,0.9",
    )
    found = [[one.severity for one in negative_ratio(row)] for row in rows]

    assert found == [["impossible"], ["impossible"], [], [], ["impossible"]]
