"""Settings to JSON and back."""

from dataclasses import dataclass

import pytest

from idhray.config import differences, settings_dict, settings_from, settings_hash
from idhray.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Made:
    size: int = 3
    counts: tuple[int, ...] = (1, 2)

    def __post_init__(self):
        if self.size < 1:
            raise ConfigError("size must be 1 or more")


def test_settings_survive_json():
    """`_settings.json` can be given back to repeat a run; tuples are lists in JSON."""
    settings = Made(size=5, counts=(7,))

    assert settings_from(Made, settings_dict(settings)) == settings


def test_nested_settings_survive_json():
    """A stage's settings may hold those of its steps."""

    @dataclass(frozen=True, kw_only=True)
    class Outer:
        inner: Made = Made()
        name: str = "x"

    outer = Outer(inner=Made(size=9, counts=(1, 2)))

    assert settings_from(Outer, settings_dict(outer)) == outer
    with pytest.raises(ConfigError, match="Made has no setting sise"):
        settings_from(Outer, {"inner": {"sise": 1}})


def test_unknown_and_refused_values_are_errors():
    """A misspelt setting must not be ignored."""
    with pytest.raises(ConfigError, match="no setting sise"):
        settings_from(Made, {"sise": 1})
    with pytest.raises(ConfigError, match="1 or more"):
        settings_from(Made, {"size": 0})


def test_a_hash_follows_the_values_not_their_order():
    """Two machines may write the same settings in another order."""
    assert settings_hash({"a": 1, "b": [2]}) == settings_hash({"b": [2], "a": 1})
    assert settings_hash({"a": 1}) != settings_hash({"a": 2})


def test_differences_name_what_was_and_what_is():
    """The user must see which flag to change."""
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": "x"}) == [
        "b: was 2, now 3",
        'c: was null, now "x"',
    ]
