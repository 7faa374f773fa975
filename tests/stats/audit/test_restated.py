"""Areas given in a table and again in the text."""

from idhray.stats.audit.restated import OWN_FIGURES, SAME_AREA, equal_figures, other_interval

HEADER = "row,set,n_mutant,n_wildtype,auc,auc_low,auc_high"


def test_park_2021_shortens_one_end_wrongly(rows_of):
    """The text has .80 to .92 for .789 to .920, and all else right."""
    rows = rows_of(
        HEADER,
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
        HEADER,
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
        f"{HEADER},sensitivity,specificity",
        "model 1,reader 1,11,33,0.713,0.535,0.892,36.4%,100%",
        "model 2,reader 1,11,33,0.747,0.517,0.978,63.6%,100%",
        "model 3,reader 1,11,33,0.747,0.517,0.978,63.6%,100%",
        "model 3,reader 2,11,33,0.747,0.517,0.978,63.6%,100%",
    )
    (found,) = equal_figures(rows, rows)

    assert (found.line, found.rule, found.severity) == (4, OWN_FIGURES, "remark")
    assert "row 3 (model 2)" in found.reason
