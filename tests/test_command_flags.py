"""Every command keeps its flags and their defaults: scripts of users depend on them."""

import json

from tests.command_flags import CATALOG, FILE, all_entries, all_flags
from tests.reference_pages import FOLDER, pages


def differing(recorded, current):
    """Names under which two records differ, with the current values."""
    return {
        name: current.get(name)
        for name in {*recorded, *current}
        if recorded.get(name) != current.get(name)
    }


def test_commands_have_the_recorded_flags_and_defaults():
    """A changed default changes results without a word; `python -m tests.command_flags` records."""
    assert differing(json.loads(FILE.read_text()), all_flags()) == {}


def test_the_catalog_behind_the_help_is_that_of_the_parsers():
    """Help is printed without the stages; `python -m tests.command_flags` writes it anew."""
    assert differing(json.loads(CATALOG.read_text()), all_entries()) == {}


def test_reference_pages_are_those_of_the_flags_and_schemas():
    """`python -m tests.command_flags` writes them anew."""
    written = {str(file.relative_to(FOLDER)): file.read_text() for file in FOLDER.rglob("*.md")}

    assert differing(written, pages()) == {}
