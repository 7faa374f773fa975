"""Rows that P cannot judge: by their univariable counts, and by the table's habit."""

from idhray.stats.audit.across_rows import (
    HABIT,
    NOT_NARROWER,
    habit_of_the_table,
    narrower_than_alone,
)

HEADER = "row,group,n,scale,estimate,low,high,p,counts"
DIVIDED = [  # Park 2021, table 2, model 1
    "frontal,,118,beta,1.34,1.24,1.45,0.02,",
    "thalamus,,118,beta,0.25,0.09,0.41,0.77,",
    "no necrosis,,118,beta,1.91,1.77,2.05,0.017,",
    "nodular,,118,beta,-1.50,-1.64,-1.36,0.05,",
]


def test_adjustment_makes_no_interval_narrower(rows_of):
    """Park 2021, distinct margin: univariable SE .61 and .63, multivariable .06 and .43."""
    rows = rows_of(
        HEADER,
        "uni 1,distinct 1,118,beta,2.94,,,<0.001,4/20; 76/18",
        "uni 2,distinct 2,118,beta,3.84,,,<0.001,4/27; 76/11",
        "multi 1,distinct 1,118,beta,2.68,2.56,2.8,<0.001,",
        "multi 2,distinct 2,118,beta,3.88,3.04,4.72,<0.001,",
        "what P may mean,distinct 2,118,beta,3.88,2.20,5.56,<0.001,",
        "other n,distinct 2,156,beta,3.88,3.04,4.72,<0.001,",
        "other group,distinct 3,118,beta,3.88,3.04,4.72,<0.001,",
    )
    found = [*narrower_than_alone(rows, rows)]

    assert [(one.line, one.severity) for one in found] == [(4, "contradiction"), (5, "suspicious")]
    assert found[0].rule == NOT_NARROWER
    assert "row 2 give 0.61" in found[0].reason


def test_the_smallest_error_of_a_group_is_taken(rows_of):
    """Where a group holds several levels, an interval need only fit one of them."""
    rows = rows_of(
        HEADER,
        "nodular,enhancement,118,beta,-0.35,,,0.47,28/8; 47/19",
        "patch,enhancement,118,beta,1.69,,,0.005,5/11; 47/19",
        "nodular,enhancement,118,beta,-0.50,-1.50,0.50,0.33,",
    )

    assert [*narrower_than_alone(rows[2:], rows)] == []


def test_a_bound_on_p_is_judged_by_the_neighbors(rows_of):
    """Distinct margin of models 1 and 2: one fits the table's habit, the other nothing."""
    rows = rows_of(
        HEADER,
        *DIVIDED,
        "distinct 1,,118,beta,2.68,2.56,2.8,<0.001,",
        "distinct 2,,118,beta,3.88,3.04,4.72,<0.001,",
        "thalamus 2,,118,beta,3.33,2.89,3.77,0.77,",
    )
    one, two, copied = habit_of_the_table(rows, rows)

    assert (one.line, one.rule, one.severity) == (6, HABIT, "suspicious")
    assert one.fits.startswith("a 95% interval of 1.38 to 3.98")
    assert (two.line, two.severity) == (7, "suspicious")
    assert "would mean P = 0.40, not <0.001" in two.reason
    assert (copied.line, copied.severity) == (8, "remark")  # another rule flags it
    assert "P = 0.17, not 0.77" in copied.reason
    assert copied.fits == "P 0.77 is also that of row 3: copied?"


def test_a_sound_table_has_no_such_habit(rows_of):
    """Two slips among five are no habit."""
    rows = rows_of(
        HEADER,
        *DIVIDED[:2],
        "A,,118,beta,1.34,0.21,2.47,0.02,",
        "B,,118,beta,0.25,-1.43,1.93,0.77,",
        "C,,118,beta,2.68,1.38,3.98,<0.001,",
    )

    assert [*habit_of_the_table(rows, rows)] == []
