"""What follows from the cells of a row."""

from idhray.stats.audit.reported import quoted


def test_class_sizes_follow_from_each_other(rows_of):
    """Any two of n, n_mutant and n_wildtype give the third; nonsense gives nothing."""
    rows = rows_of(
        "row,n,n_mutant,n_wildtype", "A,44,11,", "B,44,,33", "C,,11,33", "D,5,11,", "E,,,"
    )

    assert [(row.cases, row.mutants, row.wildtypes) for row in rows] == [
        (44, 11, 33),
        (44, 11, 33),
        (44, 11, 33),
        (5, 11, None),
        (None, None, None),
    ]


def test_counts_belong_to_the_estimate_where_there_is_one(rows_of):
    """With an estimate P is Wald's of a contrast; without, a test of the table."""
    rows = rows_of(
        "row,estimate,p,counts",
        "A,1.29,0.004,29/25; 42/10",
        "B,,0.01,29/25; 42/10; 9/3",
        "C,1.29,0.004,29/25; 42/10; 9/3",
    )

    assert rows[0].contrast == ((29, 25), (42, 10))
    assert rows[0].tested_counts is None
    assert rows[0].p_of_counts is None
    assert rows[1].tested_counts == ((29, 25), (42, 10), (9, 3))
    assert rows[1].contrast is None
    assert rows[2].contrast is None


def test_a_row_quotes_itself(rows_of):
    """Findings repeat the printed digits."""
    (row,) = rows_of(
        "row,sensitivity,auc,auc_low,auc_high,estimate,scale,low,high,p",
        "A,36.4%,.713,.535,.892,1.34,beta,1.24,1.45,.02",
    )

    assert row.point_text == "sensitivity 36.4%, specificity -"
    assert row.area_text == "AUC .713 (.535 to .892)"
    assert row.estimate_text == "beta 1.34 (1.24 to 1.45), P .02"
    assert quoted(None) == "-"
