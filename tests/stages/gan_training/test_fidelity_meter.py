"""Which of two states of a generator is the better one."""

import pytest

from idhray.stages.gan_training.callbacks import floor_text, measures_of
from idhray.stages.gan_training.fidelity_meter import is_better


def state(kid, coverage=None):
    """Measures of a state; KID's noise is 0.5, that of coverage 0.1."""
    shares = {"coverage": coverage, "coverage_floor_min": 0.6, "coverage_floor_max": 0.7}
    return {"kid": kid, "kid_floor_spread": 0.5, **(shares if coverage is not None else {})}


@pytest.mark.parametrize(
    ("now", "best", "better"),
    [
        pytest.param(state(1.0, 0.5), None, True, id="the first"),
        pytest.param(state(1.0, 0.5), state(2.0, 0.5), True, id="KID is clearly lower"),
        pytest.param(state(1.0, 0.2), state(2.0, 0.5), False, id="but images are lost"),
        pytest.param(state(1.9, 0.7), state(1.8, 0.5), True, id="KID ties, more is covered"),
        pytest.param(state(1.7, 0.52), state(1.8, 0.5), True, id="both tie: lower KID"),
        pytest.param(state(1.9, 0.52), state(1.8, 0.5), False, id="both tie: higher KID"),
        pytest.param(state(3.0, 0.9), state(1.8, 0.5), False, id="KID is clearly higher"),
        pytest.param(state(1.0), state(1.1), True, id="KID only, as in earlier versions"),
        pytest.param(state(1.2, 0.5), state(1.1), False, id="the best is of an earlier version"),
        pytest.param({"kid": None}, state(1.0), False, id="not measured"),
    ],
)
def test_kid_alone_does_not_decide(now, best, better):
    """Of random features it may fall while the generator repeats a few images."""
    assert is_better(now, best) is better


def test_measures_are_read_from_both_kinds_of_records():
    """A training of an earlier version goes on."""
    new = {"kid": 1.0, "kid_floor": 0.02, "fidelity": {"coverage": 0.5, "kid_floor_min": 0.01,
           "kid_floor_max": 0.03}}  # fmt: skip

    assert measures_of({"kid": 1.0}) == {"kid": 1.0}
    assert measures_of(new)["coverage"] == 0.5
    assert floor_text(new) == "0.02, 0.01 to 0.03"
    assert floor_text({"kid_floor": 0.02}) == "0.02"
