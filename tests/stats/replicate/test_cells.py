"""Statuses of single cells, and the choice between conventions."""

from fractions import Fraction

import pytest

from idhray.stats.replicate.cells import Convention, best_convention, status_of, tally
from idhray.stats.sample import SampleError


@pytest.mark.parametrize(
    ("published", "value", "status"),
    [
        pytest.param("0.36", 0.356117, "match", id="rounded"),
        pytest.param("0.35", 0.356117, "truncated", id="cut off"),
        pytest.param("0.34", 0.356117, "mismatch", id="neither"),
        pytest.param("0.813", Fraction(13, 16), "match", id="half goes up"),
        pytest.param("0.812", Fraction(13, 16), "truncated", id="half to even is no rounding here"),
        pytest.param("-0.91", -0.91876, "truncated", id="negative, cut towards zero"),
        pytest.param("-0.92", -0.91876, "match", id="negative, rounded"),
        pytest.param("0.92", -0.91876, "mismatch", id="lost sign"),
        pytest.param("57.9%", Fraction(22, 38), "match", id="percentage"),
        pytest.param("72.37%", Fraction(55, 76), "match", id="percentage, two decimals"),
        pytest.param("100%", Fraction(33, 33), "match", id="all"),
        pytest.param("<0.001", 0.00039, "match", id="bound kept"),
        pytest.param("<0.001", 0.00276, "mismatch", id="bound broken"),
        pytest.param(".04", 0.0382, "match", id="no leading zero"),
        pytest.param("0.285", 0.1 + 0.185, "match", id="noise of a sum"),
        pytest.param("0.04", float("nan"), "not recomputable", id="nothing to compare"),
    ],
)
def test_a_status_is_what_rounding_allows(published, value, status):
    """Half up is how both papers print; cutting off is told apart from a wrong value."""
    assert status_of(published, value) == status


def test_what_is_no_number_is_refused():
    """A slip in a typed table must not pass for a mismatch of the paper."""
    with pytest.raises(SampleError, match=r"'n\.s\.' is not a printed number"):
        status_of("n.s.", 0.2)


def test_the_convention_with_most_cells_is_chosen():
    """Two of three cells beat one; a cell where a convention does not apply counts for none."""
    published = ["0.01", "0.02", "0.03"]
    one = Convention(name="one", values=[0.01, 0.5, 0.5])
    two = Convention(name="two", values=[0.01, 0.02, float("nan")])

    assert best_convention(published, [one, two]).name == "two"
    assert tally(published, two) == {"match": 2, "not recomputable": 1}


def test_rounding_beats_cutting_and_the_first_wins_a_tie():
    """Among equals the plainest reading, listed first, is kept."""
    cut = Convention(name="cut", values=[0.019])
    rounded = Convention(name="rounded", values=[0.011])
    again = Convention(name="again", values=[0.012])

    assert best_convention(["0.01"], [cut, rounded, again]).name == "rounded"
