"""The report's HTML: whole in itself, safe with any text, and saying what it was given."""

import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest

from idhray.images import decode, encode
from idhray.report.content import (
    KeyFigure,
    Picture,
    ReportTable,
    SplitCount,
    flow_of,
)
from idhray.report.html import LARGEST_PNG_BYTES, data_uri, report_html

BANNER = "Demonstration on made-up data: these figures say nothing about real patients."
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Tags with their attributes, the visible text, and whether tags are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def test_the_file_needs_nothing_else(content):
    """No address but its own anchors and data URIs, no script, no imported style."""
    html = report_html(content())
    page = Page(html)
    addresses = [a[k] for _, a in page.tags for k in ("src", "href", "action", "data") if k in a]

    assert all(address.startswith(("#", "data:image/")) for address in addresses)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_the_page_is_well_formed_and_its_anchors_exist(content):
    """Every tag is closed, every link of the contents leads somewhere."""
    page = Page(report_html(content()))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {a["href"][1:] for tag, a in page.tags if tag == "a"}

    assert page.open == []
    assert links <= ids


def test_hostile_text_stays_text(content):
    """A patient, file or error message may be called anything."""
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7 * 7 }}'
    ledger = [{"input": evil, "status": "failed", "error": evil}]
    html = report_html(
        content(
            title=evil,
            question=evil,
            verdict=evil,
            cohort=[SplitCount(split=evil, mutant=1, wildtype=1)],
            key_figures=[KeyFigure(label=evil, value=evil, detail=evil)],
            flows=[flow_of(evil, ledger)],
            tables=[
                ReportTable(title=evil, header=[evil, evil], rows=[[evil, f"{evil} ({evil})"]])
            ],
            conventions=[evil],
            generators_note=evil,
            settings={evil: {evil: evil}},
            provenance={evil: evil},
            limits=[evil],
            figures=[Picture(title=evil, data=b"<svg/>", alt=evil, caption=evil)],
        )
    )
    page = Page(html)

    assert "script" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    assert [a["src"][:5] for tag, a in page.tags if tag == "img"] == ["data:"]
    assert evil in page.text
    assert "49" not in page.text


@pytest.mark.parametrize("demonstration", [True, False])
def test_the_banner_is_there_if_and_only_if_the_data_are_made_up(content, demonstration):
    """Made-up figures must not be taken for results, nor results for made up."""
    assert (BANNER in report_html(content(demonstration=demonstration))) == demonstration


def test_the_verdict_opens_the_report(content):
    """Answer and numbers before any section."""
    html = report_html(content())

    assert html.index("Answer: this cohort cannot tell") < html.index("<section")
    assert html.index("The area went from 0.920 to 0.927.") < html.index("<section")


def test_all_numbers_of_the_tables_are_shown(content):
    """Every cell, the split counts, the generator's figures."""
    text = " ".join(Page(report_html(content())).text.split())
    cells = re.sub(r"</?(td|th|tr)[^>]*>", " ", report_html(content()))

    for expected in (
        "0.823 (0.678\u20130.967)",
        "0.927 (0.835\u20131.000)",
        "3,000",
        "† fitted on these very patients",
        "18 16 3 37",
        "12,000",
        "4,000",
        "31.2",
        "Threshold 0.5.",
        "5c1faba",
        "One cohort.",
    ):
        assert expected in text or expected in " ".join(cells.split())


def test_tables_can_be_read_aloud(content):
    """Header cells have a scope, tables a caption, pictures an alternative text."""
    page = Page(report_html(content()))
    tags = [tag for tag, _ in page.tags]

    assert {a.get("scope") for tag, a in page.tags if tag == "th"} == {"col", "row", "rowgroup"}
    assert tags.count("caption") == tags.count("table")
    assert all(a["alt"] for tag, a in page.tags if tag == "img")
    assert dict(page.tags)["html"] == {"lang": "en"}


def test_rows_are_grouped_under_their_set(content):
    """Validation once, Test once."""
    html = report_html(content())

    assert html.count('scope="rowgroup"') == 2


def test_a_study_without_ages_generators_or_failures_has_a_report(content):
    """Empty parts say so instead of failing."""
    empty = ReportTable(title="Table 4", header=[], rows=[], grouped=True)
    html = report_html(content(tables=[empty], generators=[], flows=[], figures=[]))

    assert "No generator was trained" in html
    assert "No rows" in html
    assert Page(html).open == []


def test_the_same_content_gives_the_same_file(content):
    """No date, no random id."""
    assert report_html(content()) == report_html(content())


def test_a_large_picture_of_images_becomes_a_jpeg_that_looks_the_same():
    """Four sheets of 256 px images would make a page of 20 MB, which no mail takes."""
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(60, 200, (75, 75, 3)), np.ones((8, 8, 1)))
    image = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    large = Picture(title="a", data=encode(image), alt="a")
    small = Picture(title="a", data=encode(image[:64, :64]), alt="a")
    kind, _, text = data_uri(large).partition(",")
    shown = decode(b64decode(text)).astype(int)

    assert len(large.data) > LARGEST_PNG_BYTES
    assert kind == "data:image/jpeg;base64"
    assert len(text) < len(large.data) / 2
    assert np.abs(shown - image).mean() < 12
    assert data_uri(small).startswith("data:image/png;base64,")
