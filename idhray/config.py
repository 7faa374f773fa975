"""Settings dataclasses to JSON and back, and what differs between two of them."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from idhray.errors import ConfigError

S = TypeVar("S")


def settings_dict(settings: Any) -> dict[str, Any]:
    """The fields of a settings dataclass as plain JSON values (tuples become lists)."""
    return dict(json.loads(json.dumps(dataclasses.asdict(settings))))


def settings_from(cls: type[S], values: Mapping[str, Any]) -> S:
    """A settings dataclass from what `settings_dict` gave.

    Raises:
        ConfigError: a key is not a field of `cls`, or a value is refused by it.
    """
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if extra := sorted(set(values) - known):
        raise ConfigError(f"{cls.__name__} has no setting {', '.join(extra)}")
    kinds = get_type_hints(cls)
    return cls(**{name: _value(kinds[name], value) for name, value in values.items()})


def _value(kind: Any, value: Any) -> Any:
    """The value of one field: lists become tuples, and mappings nested dataclasses."""
    if get_origin(kind) in (Union, UnionType):  # X | None
        kind = next((each for each in get_args(kind) if each is not type(None)), kind)
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


def settings_hash(values: Mapping[str, Any]) -> str:
    """16 hex digits that change when any value does, whatever the order of the keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for each key whose value differs: `seed: was 0, now 1`."""
    return [
        f"{key}: was {json.dumps(old.get(key))}, now {json.dumps(new.get(key))}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
