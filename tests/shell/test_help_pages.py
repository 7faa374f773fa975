"""Help of commands, from the catalog."""

import pytest

from idhray.cli import STAGES
from idhray.shell.catalog import catalog
from idhray.shell.help_pages import OFTEN_SET, SHORT_COUNT, help_page


@pytest.mark.parametrize("name", STAGES)
def test_the_short_page_has_the_required_flags_and_few_others(name):
    """`study --help` was 438 lines long."""
    entry = catalog()[name]
    page = help_page(name)
    required = [flag for flag in entry.flags() if flag.default is None]
    shown = [flag for flag in entry.flags() if f"\n  {', '.join(flag.names)}" in page]

    assert all(flag in shown for flag in required)
    assert len(shown) <= SHORT_COUNT + 2
    assert len(page.splitlines()) < 70


@pytest.mark.parametrize("name", STAGES)
def test_the_long_page_has_every_flag(name):
    """No flag may be found in the source only."""
    page = help_page(name, all_flags=True)

    assert all(name in page for flag in catalog()[name].flags() for name in flag.names)


def test_flags_that_people_set_exist():
    """A renamed flag would leave the short pages without a word."""
    names = {name for entry in catalog().values() for flag in entry.flags() for name in flag.names}

    assert set(OFTEN_SET) - names == set()
