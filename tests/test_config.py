"""Settings to JSON and back."""

from dataclasses import dataclass, replace

import pytest

from idhray.config import (
    default_values,
    differences,
    identity_of,
    recorded_values,
    settings_dict,
    settings_from,
    settings_hash,
)
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
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": "x"}, {}) == [
        "b: was 2, now 3",
        'c: was null, now "x"',
    ]


def test_a_key_that_an_older_folder_lacks_is_its_default():
    """A release that adds a setting must not orphan every folder that was made before."""
    old = {"inner": {"size": 3}, "seed": 0}
    defaults = {"inner": {"size": 3, "depth": 2}, "mode": "fast"}

    assert (
        differences(old, {"inner": {"size": 3, "depth": 2}, "mode": "fast"} | old, defaults) == []
    )
    assert differences(old, {"inner": {"size": 3, "depth": 4}, "seed": 0}, defaults) == [
        "inner.depth: was 2, now 4"
    ]
    assert differences(old, old | {"mode": "slow"}, defaults) == ['mode: was "fast", now "slow"']


def test_a_setting_that_was_removed_or_renamed_is_one_clear_line():
    """Its effect on the folder is unknown to this version."""
    assert differences({"stabilise": 600, "seed": 0}, {"seed": 0}, {"stabilize": 600}) == [
        "stabilise: was 600, this version has no such setting"
    ]


def test_defaults_are_those_of_the_fields_not_of_a_preset():
    """A nested field counts too; a field without a default has none to offer."""

    @dataclass(frozen=True, kw_only=True)
    class Outer:
        name: str
        inner: Made = Made(size=9)

    assert default_values(Outer(name="x")) == {"inner": {"size": 3, "counts": [1, 2]}}
    assert identity_of(inputs={"stage": "s"}, settings=Outer(name="x")).values == {
        "stage": "s",
        "name": "x",
        "inner": {"size": 9, "counts": [1, 2]},
    }
    with pytest.raises(ConfigError, match="Outer needs a value for name"):
        settings_from(Outer, {})


def test_flags_of_an_identity_have_defaults_too():
    """A stage may get a new flag that decides what it makes."""
    identity = identity_of(inputs={}, flags=Made(counts=(7,)), names=("counts",))

    assert identity.values == {"counts": [7]}
    assert identity.defaults == {"counts": [1, 2]}


def test_recorded_values_are_those_that_the_folder_has():
    """An input's hash in the ledger of an older folder does not know the new setting."""
    assert recorded_values(Made(), {"size": 3, "seed": 0}) == {"size": 3}


def test_the_order_of_an_unordered_list_is_no_change():
    """Folders of generators may be named in any order, now and by earlier versions."""
    identity = identity_of(inputs={"stage": "s", "folders": ["b", "a"]}, unordered=("folders",))

    assert identity.changes({"stage": "s", "folders": ["a", "b"]}) == []
    assert identity.changes({"stage": "s", "folders": ["a", "c"]}) == [
        'folders: was ["a", "c"], now ["a", "b"]'
    ]
    earlier = replace(identity, former={"stage": "s", "folders": ["y", "x"]})
    assert earlier.changes({"stage": "s", "folders": ["x", "y"]}) == []
