"""Whether a curve of fidelity gets worse."""

import math

import pytest

from idhray.errors import ConfigError
from idhray.fidelity.curve import worse_in_a_row

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([], 0),
        ([5.0], 0),
        ([5.0, 6.0], 1),
        ([9.0, 5.0, 6.0, 7.0], 2),
        ([5.0, 6.0, 7.0, 7.0], 0),
        ([5.0, 6.0, 7.0, 1.0], 0),
        ([5.0, NAN, 6.0, NAN], 1),
        ([NAN, NAN], 0),
        ([5.0, 6.0, math.inf], 2),
    ],
)
def test_only_the_last_rises_count(values, count):
    """Equal is not worse, and what is not a number says nothing."""
    assert worse_in_a_row(values) == count


def test_steps_within_the_tolerance_are_no_steps():
    """FID moves by chance from one evaluation to the next."""
    assert worse_in_a_row([1.0, 2.0, 4.0], tolerance=0.5) == 2
    assert worse_in_a_row([1.0, 2.0, 4.0], tolerance=1.0) == 1


@pytest.mark.parametrize("tolerance", [-1.0, NAN])
def test_nonsense_is_refused(tolerance):
    """A negative tolerance would call every step worse."""
    with pytest.raises(ConfigError, match="or more"):
        worse_in_a_row([1.0, 2.0], tolerance=tolerance)
