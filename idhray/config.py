"""Settings dataclasses to JSON and back, and what differs between two of them."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

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
    """A field's value: lists were tuples, and mappings settings of their own."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return settings_from(kind, value)
    return tuple(value) if isinstance(value, list) else value


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
