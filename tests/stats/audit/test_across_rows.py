"""Rows judged by other rows: univariable counts, habits, areas and betas given twice."""

from idhray.stats.audit.across_rows import (
    HABIT,
    NOT_NARROWER,
    OWN_FIGURES,
    SAME_AREA,
    SAME_ELSEWHERE,
    betas_elsewhere,
    equal_figures,
    habit_of_the_table,
    narrower_than_alone,
    other_interval,
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


AREA_HEADER = "row,set,n_mutant,n_wildtype,auc,auc_low,auc_high"


def test_park_2021_shortens_one_end_wrongly(rows_of):
    """The text has .80 to .92 for .789 to .920, and all else right."""
    rows = rows_of(
        AREA_HEADER,
        "model 1,training,38,80,0.864,0.789,0.920",
        "model 2,training,38,80,0.958,0.904,0.986",
        "reader 2,validation,11,33,0.773,0.565,0.981",
        "text 1,training,38,80,0.86,0.80,0.92",
        "text 2,training,38,80,0.96,0.90,0.99",
        "text 3,validation,11,33,0.77,0.56,0.98",
    )
    (found,) = other_interval(rows, rows)

    assert (found.line, found.rule, found.severity) == (5, SAME_AREA, "contradiction")
    assert "row 2 (model 1) has AUC 0.864 (0.789 to 0.920)" in found.reason


def test_other_sets_and_other_intervals_are_no_restatement(rows_of):
    """Another set, two candidates, or both ends different: it need not be the same area."""
    rows = rows_of(
        AREA_HEADER,
        "A,training,38,80,0.864,0.789,0.920",
        "B,validation,38,80,0.86,0.80,0.92",
        "C,training,38,80,0.86,0.80,0.93",
        "D,test,9,9,0.864,0.789,0.920",
        "E,test,9,9,0.861,0.789,0.920",
        "F,test,9,9,0.86,0.80,0.92",
    )

    assert [*other_interval(rows, rows)] == []


def test_equal_figures_of_two_models_are_a_remark(rows_of):
    """Park 2021: models 2 and 3 of reader 1; equal accuracies without intervals are common."""
    rows = rows_of(
        f"{AREA_HEADER},sensitivity,specificity",
        "model 1,reader 1,11,33,0.713,0.535,0.892,36.4%,100%",
        "model 2,reader 1,11,33,0.747,0.517,0.978,63.6%,100%",
        "model 3,reader 1,11,33,0.747,0.517,0.978,63.6%,100%",
        "model 3,reader 2,11,33,0.747,0.517,0.978,63.6%,100%",
    )
    (found,) = equal_figures(rows, rows)

    assert (found.line, found.rule, found.severity) == (4, OWN_FIGURES, "remark")
    assert "row 3 (model 2)" in found.reason


SCALE_HEADER = "row,source,group,scale,estimate,low,high,p"


def test_park_2021_calls_its_betas_odds_ratios(rows_of):
    """Abstract: OR 1.34 vs 1.52; 2.68 vs 3.88. Results: the same as betas."""
    rows = rows_of(
        SCALE_HEADER,
        "frontal 1,Abstract,g1,odds ratio,1.34,,,0.04",
        "frontal 2,Abstract,g2,odds ratio,1.52,,,0.04",
        "frontal 1,Results,g1,beta,1.34,,,0.02",
        "frontal 2,Results,g2,beta,1.52,,,0.04",
        "frontal 1,univariable,g1,beta,1.29,,,0.004",
    )
    first, second = betas_elsewhere(rows, rows)

    assert (first.line, first.rule, first.severity) == (2, SAME_ELSEWHERE, "contradiction")
    assert (
        first.reason
        == "row 4 (Results) gives 1.34 as the beta, with P 0.02 where this row has 0.04"
    )
    assert first.fits == "as a beta it is an odds ratio of 3.82"
    assert second.line == 3
    assert "where this row" not in second.reason


def test_equal_digits_elsewhere_are_chance(rows_of):
    """Another group, no group, or a bare digit."""
    rows = rows_of(
        SCALE_HEADER,
        "A,,g1,odds ratio,1.34,,,",
        "B,,g2,beta,1.34,,,",
        "C,,,odds ratio,1.5,,,",
        "D,,,beta,1.5,,,",
        "E,,g3,odds ratio,2,,,",
        "F,,g3,beta,2,,,",
    )

    assert [*betas_elsewhere(rows, rows)] == []
