"""Settings dataclasses to JSON and back, and what differs between two of them."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

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
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


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
