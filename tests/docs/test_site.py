"""The site has every page in its navigation."""

import re

from tests.docs.blocks import ROOT


def test_every_page_is_in_the_navigation_once():
    """A page of a new command must be found without a search."""
    text = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    listed = re.findall(r"- (\S+\.md)$", text, re.MULTILINE)
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}

    assert len(listed) == len(set(listed))
    assert set(listed) == pages
