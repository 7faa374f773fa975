"""Catalog of all commands and flags, read from a file so that help needs no heavy import.

`python -m tests.command_flags` writes the file from the dataclasses of the stages; a test compares.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

UNITS = {
    "_px": "pixels",
    "_um": "um",
    "_mm": "mm",
    "_kimg": "1000 images",
    "_fraction": "share, 0 to 1",
    "_years": "years",
    "_gb": "GB",
    "_mb": "MB",
    "_s": "seconds",
    "_above": "minutes",
    "_timeout": "seconds",
    "_voxels": "voxels",
    "_l0": "level-0 pixels",
    "mpp": "um per pixel",
    "magnification": "x",
    "objective_power": "x",
}
"""End of a name -> unit of its value."""


@dataclass(frozen=True, kw_only=True)
class FlagEntry:
    """One flag of a command under one preset."""

    names: tuple[str, ...]
    """Spellings, such as --overwrite and --no-overwrite; the name of a positional argument."""
    value: str
    """Kind of value, such as INT; empty for a switch."""
    default: str | None
    """Default as it is typed; None for a required flag."""
    text: str
    """Meaning, in sentences; may be empty."""
    declared: str
    """Field that declares it: module, dataclass and name."""

    @property
    def name(self) -> str:
        """First spelling."""
        return self.names[0]

    @property
    def kind(self) -> str:
        """Kind of value, without the word for an absent one."""
        return self.value.removeprefix("{None}|")

    @property
    def is_positional(self) -> bool:
        """True for an argument without a flag."""
        return not self.name.startswith("--")

    @property
    def owner(self) -> str:
        """Module and dataclass that declare the flag."""
        return self.declared.rpartition(".")[0]

    @property
    def unit(self) -> str:
        """Unit by the name of the field; empty for a number or text without one."""
        field = self.declared.rpartition(".")[2]
        if self.value.startswith("{True"):
            return ""
        return next((unit for end, unit in UNITS.items() if field.endswith(end)), "")

    @property
    def source(self) -> str:
        """Paper, section or table that the meaning names; may be empty."""
        return self.text.partition("Source: ")[2].strip()


@dataclass(frozen=True, kw_only=True)
class CommandEntry:
    """One command: its description and its flags by preset."""

    name: str
    about: str
    flags_by_preset: Mapping[str, tuple[FlagEntry, ...]]
    """The first preset is the default; a command without presets has the name "" alone."""

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the presets; empty for a command without any."""
        return tuple(name for name in self.flags_by_preset if name)

    def flags(self, preset: str | None = None) -> tuple[FlagEntry, ...]:
        """Flags and defaults under a preset; those of the default preset without one."""
        default = next(iter(self.flags_by_preset))
        return self.flags_by_preset.get(preset or default, self.flags_by_preset[default])


@cache
def catalog() -> dict[str, CommandEntry]:
    """All commands by name, in the order of a study."""
    text = files("idhray.shell").joinpath("catalog.json").read_text(encoding="utf-8")
    return {name: _command(name, values) for name, values in json.loads(text).items()}


def _command(name: str, values: Mapping[str, Any]) -> CommandEntry:
    """Command from its record; a preset lists only the flags that differ from the first preset."""
    first, *others = values["presets"].items()
    default = tuple(_flag(entry) for entry in first[1])
    by_preset = {first[0]: default}
    for preset, entries in others:
        changed = [_flag(entry) for entry in entries]
        if values["other_kinds"].get(preset):
            by_preset[preset] = tuple(changed)
        else:
            by_name = {flag.name: flag for flag in changed}
            by_preset[preset] = tuple(by_name.get(flag.name, flag) for flag in default)
    return CommandEntry(name=name, about=values["about"], flags_by_preset=by_preset)


def _flag(entry: Mapping[str, Any]) -> FlagEntry:
    return FlagEntry(**{**entry, "names": tuple(entry["names"])})
