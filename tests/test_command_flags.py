"""Every command keeps its flags and their defaults: scripts of users depend on them."""

import json

from tests.command_flags import FILE, all_flags


def test_commands_have_the_recorded_flags_and_defaults():
    """A changed default changes results without a word; `python -m tests.command_flags` records."""
    recorded, current = json.loads(FILE.read_text()), all_flags()
    changed = {name for name in {*recorded, *current} if recorded.get(name) != current.get(name)}

    assert {name: current.get(name) for name in changed} == {
        name: recorded.get(name) for name in changed
    }
