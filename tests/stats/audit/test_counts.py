"""P values of counts: by test against R, and table 1 of Park 2021."""

import pytest

from idhray.stats.audit.counts import (
    FISHER,
    FITS_COUNTS,
    LIKELIHOOD,
    PEARSON,
    WITHIN_N,
    YATES,
    counts_within_n,
    fitting_tests,
    p_against_counts,
    p_values,
)


def test_p_values_of_park_2021_are_those_of_r(reference):
    """chisq.test with and without correction and fisher.test, on all 20 tables of table 1."""
    for case in reference("published_park")["table1"]:
        found = p_values(tuple(tuple(level) for level in case["counts"]))

        assert found[PEARSON] == pytest.approx(case["pearson_P"], rel=1e-6)
        assert found[FISHER] == pytest.approx(case["fisher_P"], rel=1e-6)
        if case["yates_P"] is not None:
            assert found[YATES] == pytest.approx(case["yates_P"], rel=1e-6)


def test_necrosis_of_park_2021_by_every_test():
    """The validation cell that shows which one was used: .00677, .0240, .0157."""
    found = p_values(((30, 6), (3, 5)))

    assert found[PEARSON] == pytest.approx(0.0067687, abs=1e-7)
    assert found[YATES] == pytest.approx(0.0240282, abs=1e-7)
    assert found[FISHER] == pytest.approx(0.0156611, abs=1e-7)
    assert LIKELIHOOD in found


def test_what_does_not_exist_is_left_out():
    """Yates for larger tables, Fisher for very many cases, all where there is one level."""
    assert set(p_values(((1, 2), (3, 4), (5, 6)))) == {PEARSON, LIKELIHOOD, FISHER}
    assert set(p_values(((10**6, 2), (3, 4)))) == {PEARSON, YATES, LIKELIHOOD}
    assert p_values(((0, 5), (0, 7))) == {}


HEADER = "row,group,p,counts"
ENHANCEMENT = [
    "P+,enhancement,0.01,19/9; 8/5; 11/24",
    "P*,enhancement,<0.001,47/19; 28/8; 5/11",
    "P**,enhancement,0.002,47/9; 28/5; 5/24",
]


def of_rows(found):
    return [one for one in found if one.line is not None]


def test_two_exchanged_p_values_are_found_in_their_group(rows_of):
    """Park 2021: wild against mutant is .00276, wild against synthetic 1.7e-10."""
    rows = rows_of(HEADER, *ENHANCEMENT)
    one, other = of_rows(p_against_counts(rows, rows))

    assert (one.line, one.rule, one.severity) == (3, FITS_COUNTS, "contradiction")
    assert one.reason == "the counts give Pearson 0.0028, Fisher 0.0044"
    assert one.fits == "exchanged with row 4 (P**), whose P 0.002 fits"
    assert other.fits == "exchanged with row 3 (P*), whose P <0.001 fits"


def test_p_values_of_different_groups_are_not_exchanged(rows_of):
    """The same cells under other names."""
    rows = rows_of(
        HEADER, ENHANCEMENT[1].replace(",enh", ",a"), ENHANCEMENT[2].replace(",enh", ",b")
    )
    found = of_rows(p_against_counts(rows, rows))

    assert len(found) == 2
    assert not any("exchanged" in one.fits for one in found)


@pytest.mark.parametrize(
    ("p", "counts", "severity"),
    [
        pytest.param("0.001", "72/23; 8/15", "contradiction", id="Park 2021, necrosis P*"),
        pytest.param("0.35", "23/19; 15/19", "remark", id="necrosis P+: .356 cut off"),
        pytest.param("0.10", "20/27; 18/11", None, id="margin P+"),
        pytest.param("0.16", "20/27; 18/11", None, id="margin P+, had it been Yates or Fisher"),
        pytest.param("<0.001", "0/6; 33/5", None, id="margin, validation"),
        pytest.param("0.55", "25/25; 10/12; 3/1", None, id="location P+"),
        pytest.param("0.69", "25/25; 10/12; 3/1", None, id="location P+, had it been Fisher"),
        pytest.param(
            "0.54", "25/25; 10/12; 3/1", "suspicious", id="the likelihood-ratio test only"
        ),
        pytest.param("0.05", "0/5; 0/7", None, id="nothing to test"),
        pytest.param("0.50", "90000/1; 80000/9", "suspicious", id="too many for Fisher"),
    ],
)
def test_a_p_fits_one_of_three_tests(rows_of, p, counts, severity):
    """Pearson's, Yates' or Fisher's, rounded or cut off."""
    rows = rows_of(HEADER, f"A,,{p},{counts}")
    found = of_rows(p_against_counts(rows, rows))

    assert [one.severity for one in found] == ([severity] if severity else [])


def test_the_probable_test_of_a_table_is_a_remark(rows_of):
    """It is what a reader wants to know first."""
    rows = rows_of(HEADER, *ENHANCEMENT, "P,necrosis,0.007,30/6; 3/5")
    (found,) = (one for one in p_against_counts(rows, rows) if one.line is None)

    assert (found.row, found.severity) == ("(whole table)", "remark")
    assert found.reason.endswith("Pearson 2 of 4, Yates 0 of 1, Fisher 1 of 4")


def test_fitting_tests_of_one_row_with_the_p_of_another(rows_of):
    """The heart of the search for exchanged cells."""
    rows = rows_of(HEADER, *ENHANCEMENT)

    assert fitting_tests(rows[1]) == {}
    assert fitting_tests(rows[1], rows[2])["Pearson"] == "truncated"
    assert fitting_tests(rows[2], rows[1])["Fisher"] == "rounded"


def test_counts_do_not_exceed_n(rows_of):
    """Fewer is sound: a contrast leaves levels out, a variable may be missing."""
    rows = rows_of("row,n,counts", "A,118,29/25; 42/10", "B,100,29/25; 42/10")
    found = [one for row in rows for one in counts_within_n(row)]

    assert [(one.line, one.rule, one.severity) for one in found] == [(3, WITHIN_N, "contradiction")]
    assert "add up to 106" in found[0].reason
