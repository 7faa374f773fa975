"""The flags of all commands, recorded in command_flags.json: `python -m tests.command_flags`."""

import json
import re
import warnings
from pathlib import Path

import tyro

from idhray.cli import STAGES, flags_class, presets_of, stage_of

FILE = Path(__file__).with_suffix(".json")


def flags_in_help(name: str, preset: str | None) -> dict[str, str]:
    """Flag with its type -> `required` or its default, read from the parser that shows the help."""
    kind = flags_class(stage_of(name), presets_of(name), preset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of get_parser
        parser = tyro.extras.get_parser(kind, config=(tyro.conf.AvoidSubcommands,))
    flags = {}
    for action in parser._actions:
        text = re.sub(r"\x1b\[[0-9;]*m", "", str(action.help))
        if shown := re.search(r"\((required|default:.*)\)\s*$", text, re.DOTALL):
            flags[f"{', '.join(action.option_strings)} {action.metavar}"] = shown.group(1)
    return flags


def all_flags() -> dict[str, dict[str, dict[str, str]]]:
    """Command -> preset -> flags. The default preset lists all flags, the others what differs."""
    commands = {}
    for name in STAGES:
        presets = [*presets_of(name)] or [""]
        default = flags_in_help(name, presets[0] or None)
        records = {presets[0]: default}
        for preset in presets[1:]:
            flags = flags_in_help(name, preset)
            same_flags = set(flags) == set(default)
            records[preset] = {
                flag: value
                for flag, value in flags.items()
                if not same_flags or value != default[flag]
            }
        commands[name] = records
    return commands


if __name__ == "__main__":
    FILE.write_text(json.dumps(all_flags(), indent=1) + "\n")
