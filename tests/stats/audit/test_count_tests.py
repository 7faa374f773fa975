"""P values of the counts of both papers."""

import pytest

from idhray.stats.audit.count_tests import FISHER, LIKELIHOOD, PEARSON, YATES, p_values


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
