"""Every command keeps its flags and their defaults: scripts of users depend on them."""

import json
import re
import warnings
from pathlib import Path

import pytest
import tyro

from idhray.cli import STAGES, flags_class, presets_of, stage_of

RECORDED = json.loads(Path(__file__).with_name("command_flags.json").read_text())
"""Command and preset -> flag with its type -> `required` or its default, as --help shows them.
The first preset of a command lists every flag, the others what differs; `*`: all flags again."""


def flags_in_help(name: str, preset: str | None) -> dict[str, str]:
    """The flags of a command under one preset, read from the parser that shows its help."""
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


def test_every_command_and_preset_is_recorded():
    """A new preset needs a new record; one that disappears is noticed."""
    commands = {(name, preset) for name in STAGES for preset in presets_of(name) or [None]}
    recorded = {(name, preset or None) for name, presets in RECORDED.items() for preset in presets}

    assert commands == recorded


@pytest.mark.parametrize("name", RECORDED)
def test_a_command_has_the_recorded_flags_and_defaults(name):
    """A changed default changes results without a word."""
    for preset, changes in RECORDED[name].items():
        first = next(iter(RECORDED[name].values()))
        expected = changes if "*" in changes else {**first, **changes}

        assert flags_in_help(name, preset or None) == {
            k: v for k, v in expected.items() if k != "*"
        }
