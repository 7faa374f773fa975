"""Search space of `idhray tune`: a small TOML file over fields of one settings dataclass.

    [learning_rate]
    log_uniform = [1e-5, 1e-2]

    [epochs]
    integer = [2, 8]

    [online]
    choice = ["none", "classical"]

The kinds are log_uniform, uniform, integer (both ends included) and choice.
"""

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from idhray.errors import ConfigError

DimensionKind = Literal["log_uniform", "uniform", "integer", "choice"]
S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """Values that one setting may take."""

    name: str
    kind: DimensionKind
    values: tuple[Any, ...]
    """Lower and upper end, or all choices."""

    def draw(self, rng: np.random.Generator) -> Any:
        """A value at random."""
        if self.kind == "choice":
            return self.values[int(rng.integers(len(self.values)))]
        low, high = self.values
        if self.kind == "integer":
            return int(rng.integers(low, high + 1))
        if self.kind == "uniform":
            return float(rng.uniform(low, high))
        return float(math.exp(rng.uniform(math.log(low), math.log(high))))

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that the settings must accept: both ends, or all choices."""
        return self.values


SearchSpace = tuple[Dimension, ...]


def space_from_text(text: str, source: str) -> SearchSpace:
    """Search space of a TOML text.

    Args:
        text: Content of the file.
        source: Name of the file, for messages.

    Raises:
        ConfigError: the text is no TOML, or an entry is no range or choice.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: no TOML ({error})") from None
    if not tables:
        raise ConfigError(f"{source}: no setting to search over; give [NAME] with a range")
    return tuple(_dimension(name, entry, source) for name, entry in sorted(tables.items()))


def _dimension(name: str, entry: Any, source: str) -> Dimension:
    kinds = get_args(DimensionKind)
    if not isinstance(entry, dict) or len(entry) != 1 or next(iter(entry)) not in kinds:
        raise ConfigError(f"{source}: [{name}] needs one of {', '.join(kinds)}, got {entry}")
    ((kind, values),) = entry.items()
    place = f"{source}: [{name}] {kind} = {values}"
    if not isinstance(values, list) or (kind != "choice" and len(values) != 2):
        raise ConfigError(f"{place}: give [low, high], or the list of a choice")
    if kind == "choice":
        if not values or any(values.count(value) > 1 for value in values):
            raise ConfigError(f"{place}: give one or more different values")
        return Dimension(name=name, kind=kind, values=tuple(values))
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not numbers or not all(map(math.isfinite, values)) or not values[0] < values[1]:
        raise ConfigError(f"{place}: an empty range; give numbers, the lower one first")
    if kind == "integer" and not all(isinstance(value, int) for value in values):
        raise ConfigError(f"{place}: the ends of an integer range are whole numbers")
    if kind == "log_uniform" and values[0] <= 0:
        raise ConfigError(f"{place}: a range of logarithms starts above 0")
    return Dimension(name=name, kind=kind, values=tuple(values))


def check_space(
    space: SearchSpace, settings: Any, source: str, fixed: Mapping[str, str] | None = None
) -> None:
    """Refuse a search space that the settings do not accept, before anything starts.

    Args:
        space: Search space.
        settings: Settings that the space changes.
        source: Name of its file, for messages.
        fixed: Setting that may not be searched over -> reason.

    Raises:
        ConfigError: naming the setting.
    """
    names = {each.name: getattr(settings, each.name) for each in dataclasses.fields(settings)}
    for dimension in space:
        name = dimension.name
        if fixed and name in fixed:
            raise ConfigError(f"{source}: [{name}] {fixed[name]}")
        if name not in names:
            raise ConfigError(
                f"{source}: [{name}] is no setting of {type(settings).__name__}; there are "
                f"{', '.join(sorted(names))}"
            )
        for value in dimension.ends:
            before = names[name]
            whole = isinstance(before, int) and not isinstance(before, bool)
            if isinstance(before, str | bool | int) and not isinstance(value, type(before)):
                raise ConfigError(f"{source}: [{name}] {value!r} is no {type(before).__name__}")
            if whole and dimension.kind in ("uniform", "log_uniform"):
                raise ConfigError(f"{source}: [{name}] is a whole number; give integer or choice")
            try:
                with_values(settings, {name: value})
            except ConfigError as error:
                raise ConfigError(f"{source}: [{name}] {error}") from None


def with_values(settings: S, values: Mapping[str, Any]) -> S:
    """Settings with some values changed."""
    return dataclasses.replace(settings, **values)  # type: ignore[type-var]


def drawn(space: SearchSpace, rng: np.random.Generator) -> dict[str, Any]:
    """A value for each setting, at random."""
    return {dimension.name: dimension.draw(rng) for dimension in space}
