"""Search spaces: what a file may say, and what is refused before anything starts."""

from dataclasses import dataclass

import numpy as np
import pytest

from idhray.errors import ConfigError
from idhray.experiment.search_space import check_space, drawn, space_from_text, with_values

TEXT = """
[rate]
log_uniform = [1e-5, 1e-1]
[share]
uniform = [0.1, 0.4]
[epochs]
integer = [2, 4]
[online]
choice = ["none", "classical"]
"""


@dataclass(frozen=True, kw_only=True)
class Toy:
    rate: float = 0.1
    share: float = 0.2
    epochs: int = 3
    online: str = "none"
    image_px: int = 8

    def __post_init__(self):
        if not 0 <= self.share < 0.5:
            raise ConfigError(f"share must be in [0, 0.5), got {self.share}")


def refused(text, message):
    with pytest.raises(ConfigError, match=message):
        check_space(
            space_from_text(text, "space.toml"), Toy(), "space.toml", {"image_px": "is fixed"}
        )


def test_draws_cover_the_ranges():
    """Logarithms are uniform; both ends of an integer range are drawn."""
    space = space_from_text(TEXT, "space.toml")
    check_space(space, Toy(), "space.toml")
    rng = np.random.default_rng(0)
    draws = [drawn(space, rng) for _ in range(2000)]
    rates = np.log10([draw["rate"] for draw in draws])

    assert rates.min() > -5
    assert rates.max() < -1
    assert rates.mean() == pytest.approx(-3, abs=0.1)
    assert {draw["epochs"] for draw in draws} == {2, 3, 4}
    assert {draw["online"] for draw in draws} == {"none", "classical"}
    assert with_values(Toy(), draws[0]).epochs in (2, 3, 4)


def test_a_space_that_no_settings_accept_is_refused():
    """Each with the place and the reason."""
    refused("[rate\n", "no TOML")
    refused("", "no setting to search over")
    refused("[speed]\nuniform = [0, 1]", r"\[speed\] is no setting of Toy")
    refused("[rate]\nuniform = [1, 1]", "an empty range")
    refused("[rate]\nlog_uniform = [0, 1]", "starts above 0")
    refused("[rate]\nnormal = [0, 1]", "needs one of log_uniform")
    refused("[epochs]\nuniform = [1, 3]", "is a whole number")
    refused("[epochs]\ninteger = [1.5, 3]", "whole numbers")
    refused("[online]\nchoice = [1]", "1 is no str")
    refused("[share]\nuniform = [0.1, 0.7]", "share must be in")
    refused("[image_px]\ninteger = [4, 8]", r"\[image_px\] is fixed")
