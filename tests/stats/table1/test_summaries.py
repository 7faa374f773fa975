"""Figures of one group: R's quartiles, shares of those who are known, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.sample import SampleError
from idhray.stats.table1.summaries import levels_in, numbers_in

LEVELS = {"yes": "Yes", "no": "No"}


def test_quartiles_are_those_of_r():
    """quantile(c(1, 2, 4, 8)) prints 1.00 1.75 3.00 5.00 8.00."""
    found = numbers_in(pd.Series([8, 1, 4, 2]))

    assert (found.q1, found.median, found.q3) == (1.75, 3.0, 5.0)
    assert (found.n, found.missing, found.mean) == (4, 0, 3.75)
    assert found.sd == pytest.approx(np.sqrt(28.75 / 3))
    assert found.text(1) == "3.0 [1.8\u20135.0]"


@pytest.mark.parametrize("missing", [None, np.nan, "", pd.NA])
def test_missing_numbers_are_counted_and_in_no_figure(missing):
    """However the table writes them."""
    found = numbers_in(pd.Series([1, missing, 3], dtype=object))

    assert (found.n, found.missing, found.median) == (2, 1, 2.0)


def test_a_group_without_values_prints_a_dash():
    """Synthetic cases have no age."""
    found = numbers_in(pd.Series([np.nan] * 3))

    assert (found.n, found.missing, found.text()) == (0, 3, "\u2013")
    assert np.isnan([found.mean, found.sd, found.median, found.q1, found.q3]).all()


def test_one_value_has_no_spread():
    """NaN, without the library's warning."""
    found = numbers_in(pd.Series([50.0]))

    assert (found.median, found.mean) == (50.0, 50.0)
    assert np.isnan(found.sd)


def test_shares_are_of_the_known():
    """3 of 4 known; the fifth is missing."""
    found = levels_in(pd.Series(["yes", "yes", None, "no", "yes"]), LEVELS)

    assert (found.n, found.missing, dict(found.counts)) == (4, 1, {"yes": 3, "no": 1})
    assert found.share("yes") == 0.75
    assert found.text("no") == "1 (25.0%)"


def test_a_group_without_levels_prints_a_dash():
    """0% of nobody would be made up."""
    found = levels_in(pd.Series(["", None]), LEVELS)

    assert (found.n, found.missing, found.text("yes")) == (0, 2, "\u2013")
    assert np.isnan(found.share("yes"))


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        pytest.param(
            lambda: numbers_in(pd.Series([50, "fifty"], name="age")),
            "age: 'fifty' is not a number",
            id="text",
        ),
        pytest.param(
            lambda: numbers_in(pd.Series([1.0, np.inf], name="age")), "age: 1 of 2", id="infinite"
        ),
        pytest.param(
            lambda: levels_in(pd.Series(["yes", "Yes"], name="necrosis"), LEVELS),
            "necrosis: 1 cases with 'Yes', which is none of yes, no",
            id="unknown level",
        ),
    ],
)
def test_what_is_no_value_is_refused(figures, message):
    """Dropping it would change the figures without a word."""
    with pytest.raises(SampleError, match=message):
        figures()
