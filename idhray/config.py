"""Settings dataclasses to JSON and back, and the identity of an output folder.

An identity may grow: a key that an older folder lacks counts as that setting's default, so a
release that adds a setting continues the folders, checkpoints and trainings of the release before.
This module is the only place that decides so.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from idhray.errors import ConfigError

S = TypeVar("S")


def settings_dict(settings: Any) -> dict[str, Any]:
    """The fields of a settings dataclass as plain JSON values (tuples become lists)."""
    return dict(json.loads(json.dumps(dataclasses.asdict(settings))))


def settings_from(cls: type[S], values: Mapping[str, Any]) -> S:
    """A settings dataclass from the values that `settings_dict` returned.

    A missing key takes the default of its field.

    Raises:
        ConfigError: a key is not a field of `cls`, a field without default is missing, or `cls`
            refuses a value.
    """
    names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if extra := sorted(set(values) - names):
        raise ConfigError(f"{cls.__name__} has no setting {', '.join(extra)}")
    if missing := sorted(names - set(values) - set(default_values(cls))):
        raise ConfigError(f"{cls.__name__} needs a value for {', '.join(missing)}")
    types = get_type_hints(cls)
    return cls(**{name: _value(types[name], value) for name, value in values.items()})


def _value(kind: Any, value: Any) -> Any:
    """The value of one field: lists become tuples, and mappings nested dataclasses."""
    if get_origin(kind) in (Union, UnionType):
        members = [each for each in get_args(kind) if each is not type(None)]
        kind = members[0] if len(members) == 1 else Any  # X | None
    if isinstance(value, dict):
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            return settings_from(kind, value)
        *_, kind = get_args(kind) or [Any]
        return {key: _value(kind, each) for key, each in value.items()}
    if isinstance(value, list):
        kinds = _element_types(kind, len(value))
        return tuple(_value(kind, each) for kind, each in zip(kinds, value, strict=True))
    return value


def _element_types(kind: Any, count: int) -> Sequence[Any]:
    """The types of the elements of a tuple: tuple[A, B], tuple[A, ...] or any other."""
    kinds = get_args(kind)
    if get_origin(kind) is tuple and len(kinds) == count and Ellipsis not in kinds:
        return kinds
    return [kinds[0] if kinds else Any] * count


def recorded_settings(cls: type[S], values: Mapping[str, Any]) -> S:
    """A settings dataclass from the values of a folder that hold other keys, too."""
    names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return settings_from(cls, {name: value for name, value in values.items() if name in names})


def recorded_values(settings: Any, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `settings` that a folder records, as it records them.

    Hashes of single inputs are made of these, so they stay the same when a release adds a setting.
    """
    names = (setting.name for setting in dataclasses.fields(settings))
    return {name: recorded[name] for name in names if name in recorded}


def default_values(settings: Any) -> dict[str, Any]:
    """The defaults of a settings dataclass, or of an instance, as plain JSON values.

    A field that holds settings of its own has the defaults of their type. A field without a
    default has no key.
    """
    values: dict[str, Any] = {}
    for setting in dataclasses.fields(settings):
        value = None if isinstance(settings, type) else getattr(settings, setting.name)
        if dataclasses.is_dataclass(value):
            values[setting.name] = default_values(value)
        elif setting.default is not dataclasses.MISSING:
            values[setting.name] = setting.default
        elif setting.default_factory is not dataclasses.MISSING:
            values[setting.name] = setting.default_factory()
    return dict(json.loads(json.dumps(values, default=dataclasses.asdict)))


@dataclass(frozen=True)
class Identity:
    """The values that decide the content of an output folder, and their defaults."""

    values: dict[str, Any]
    """Plain JSON values: the stage, the seals of its inputs, flags and settings."""
    defaults: dict[str, Any] = field(default_factory=dict)
    """The value of a setting in a folder that was made before this setting existed."""
    dropped: frozenset[str] = frozenset()
    """Names of values that folders of earlier versions record, and that decide nothing now."""
    former: dict[str, Any] | None = None
    """The values that an earlier version records for the same content."""
    unordered: frozenset[str] = frozenset()
    """Names of lists whose order decides nothing, such as folders of several generators."""
    growing: frozenset[str] = frozenset()
    """Names of numbers that may become larger, as what the folder holds is extended."""

    def grown(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """The values of `growing` that are larger than a folder records."""
        return {
            name: self.values[name]
            for name in self.growing
            if name in recorded and recorded[name] < self.values[name]
        }

    def changes(self, recorded: Mapping[str, Any]) -> list[str]:
        """One line for each value that a folder records otherwise; see `differences`."""
        recorded = self._sorted({**recorded, **self.grown(recorded)})
        if self.former is not None:
            former = self._sorted(self.former)
            if not differences(recorded, former, self.defaults):
                return []
        old = {name: value for name, value in recorded.items() if name not in self.dropped}
        return differences(old, self._sorted(self.values), self.defaults)

    def _sorted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values, with the lists of `unordered` sorted."""
        return {k: sorted(v) if k in self.unordered else v for k, v in values.items()}


def identity_of(
    *,
    inputs: Mapping[str, Any],
    flags: Any = None,
    names: Sequence[str] = (),
    settings: Any = None,
    dropped: Iterable[str] = (),
    unordered: Iterable[str] = (),
    growing: Iterable[str] = (),
) -> Identity:
    """The identity of an output folder.

    Args:
        inputs: Values without a default: the name of the stage, seals of its inputs.
        flags: The flags dataclass of the stage.
        names: The fields of `flags` that decide the content.
        settings: The settings dataclass; all of its fields decide the content.
        dropped: Values that folders of earlier versions record, and that decide nothing now.
        unordered: Lists whose order decides nothing.
        growing: Numbers that may become larger.
    """
    defaults = {} if flags is None else default_values(flags)
    values = {name: getattr(flags, name) for name in names}
    settings_names = () if settings is None else (f.name for f in dataclasses.fields(settings))
    repeated = {*inputs, *names} & set(settings_names)
    assert not repeated, f"inputs or flags and settings share the names {repeated}"
    return Identity(
        {
            **inputs,
            **dict(json.loads(json.dumps(values))),
            **({} if settings is None else settings_dict(settings)),
        },
        {
            **{name: defaults[name] for name in names if name in defaults},
            **({} if settings is None else default_values(settings)),
        },
        frozenset(dropped),
        unordered=frozenset(unordered),
        growing=frozenset(growing),
    )


def settings_hash(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """16 hex digits that change with any value, whatever the order of the keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[str]:
    """One line for each key whose value differs: `seed: was 0, now 1`.

    Args:
        old: Values on disk. A key that they lack counts as its default.
        new: Values of this run. A key that they lack counts as its default, too.
        defaults: Defaults of keys, nested as the values are.
    """
    lines = []
    for key in sorted({*old, *new}):
        if key not in new and key not in defaults:
            lines.append(f"{key}: was {json.dumps(old[key])}, this version has no such setting")
            continue
        default = defaults.get(key)
        before, after = old.get(key, default), new.get(key, default)
        if isinstance(before, dict) and isinstance(after, dict) and isinstance(default, dict):
            lines += [f"{key}.{line}" for line in differences(before, after, default)]
        elif before != after:
            lines.append(f"{key}: was {json.dumps(before)}, now {json.dumps(after)}")
    return lines
