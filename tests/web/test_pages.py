"""Reports in headless Chromium: nothing is loaded, nothing is cut off, axe finds no serious fault.

`make test-web STUDY=demo/study` also looks at the pages of that study.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from idhray.images import encode
from idhray.report.content import Picture
from idhray.report.experiment_figures import CountResult, response_figure
from idhray.report.figures import patch_sheet
from idhray.report.html import appendix_html, progress_html, report_html, tables_html
from tests.report.conftest import made_up_content

pytestmark = pytest.mark.web

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (1400, 390)
LOAD_ALL = """async () => {
    const lazy = [...document.images].filter(image => image.loading === "lazy");
    lazy.forEach(image => { image.loading = "eager"; });
    await Promise.all(lazy.map(image => image.decode().catch(() => null)));
}"""
"""Pictures that are loaded as they come into view are loaded at once."""
LONG = "Patient with a name of two hundred characters " * 5
HOSTILE = "<script>alert(1)</script> \u0645\u0631\u064a\u0636 & <b>x</b>"


def response():
    """The first figure of a report."""
    points = [CountResult(count=n, mean=0.7, low=0.6, high=0.8) for n in (100, 300)]
    base = CountResult(count=0, mean=0.68, low=0.6, high=0.75)
    return response_figure({"synthetic": points, "duplicate": points}, base)


def made_up_pages(folder):
    """Pages drawn from made-up content, with names that try to break them."""
    lead = Picture(title="Response", data=response(), alt="AUC against the number of images")
    image = np.full((64, 64, 3), 180, np.uint8)
    sheet = patch_sheet({"mutant": ([image] * 8, [image] * 8)})
    content = made_up_content(
        lead=lead,
        verdict=LONG,
        demonstration=True,
        limits=[HOSTILE, LONG],
        sheets=[Picture(title=HOSTILE, data=sheet, alt="patches")],
    )
    progress = {
        "sentence": "1 of 2 folders are complete.",
        "stages": [
            {"stage": "tiles", "percent": 100, "work": "60 of 60 slides", "left": ""},
            {"stage": "sweep", "percent": 40, "work": LONG, "left": "about 3.2 hours"},
        ],
        "areas": {
            "since": "2026-11-30",
            "blocks": 2,
            "planned": 9,
            "primary": "synthetic:120",
            "arms": {"real": "0.812", HOSTILE: "0.803"},
            "difference": "+0.009",
        },
        "written": "2026-11-30 21:11",
        "rows": [
            {
                "folder": LONG,
                "state": "complete",
                "done": 1,
                "skipped": 0,
                "failed": 0,
                "hours": "",
            }
        ],
        "missing": ["statistics"],
        "trainings": [{"folder": "gan", "numbers": {"KID": "0.1"}, "picture": lead}],
        "has_report": False,
    }
    pages = {
        "report": report_html(content),
        "tables": tables_html(
            title="Tables",
            answer="cannot tell",
            verdict=HOSTILE,
            tables=content.tables,
            notes=[LONG],
        ),
        "progress": progress_html(refresh_s=0, **progress),
        "running": progress_html(refresh_s=1, **progress),
    }
    (folder / "appendix").mkdir()
    (folder / "appendix" / "slide.png").write_bytes(encode(image))
    pages["appendix"] = appendix_html(
        title="Appendix",
        note=LONG,
        groups=[
            {
                "title": "Slides",
                "caption": HOSTILE,
                "images": [
                    {
                        "name": LONG, "path": "appendix/slide.png", "alt": HOSTILE, "width": 64,
                        "height": 64,
                    }
                ],
            }
        ],
    )  # fmt: skip
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text)
    return sorted(folder.glob("*.html"))


@pytest.fixture(scope="module")
def browser():
    """Chromium of the system; the test fails without it, because `make test-web` asked for it."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Made-up pages, and those of the study that STUDY names."""
    paths = made_up_pages(tmp_path_factory.mktemp("pages"))
    if study := os.environ.get("STUDY"):
        paths += sorted(Path(study).glob("*.html"))
        assert len(paths) > 3, f"{study}: no page; finish the study first"
    return paths


def opened(browser, path, width, scheme="light"):
    """The page in a window, and the addresses that it asked for."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.resolve().as_uri())
    return page, [url for url in asked if not url.startswith(("file:", "data:"))]


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_load_nothing_and_describe_their_pictures(browser, pages, width):
    """A hospital's network forbids requests; a telephone is 390 px wide."""
    for path in pages:
        page, requests = opened(browser, path, width)
        page.evaluate(LOAD_ALL)
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        images = page.evaluate(
            "[...document.images].map(i => [i.alt, i.complete && i.naturalWidth > 0,"
            " i.getBoundingClientRect().right <= window.innerWidth + 1])"
        )

        assert requests == [], path
        assert overflow <= 0, path
        assert all(alt and loaded and inside for alt, loaded, inside in images), path
        if path.name != "running.html":
            assert page.evaluate("document.querySelectorAll('script').length") == 0, path
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser, pages, scheme):
    """Contrast, names and structure, in both color schemes."""
    from axe_playwright_python.sync_playwright import Axe

    for path in pages:
        page, _ = opened(browser, path, WIDTHS[0], scheme)
        found = Axe().run(page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]

        assert [(v["id"], v["nodes"][0]["html"][:120]) for v in serious] == [], path
        page.close()


def test_pages_print_with_their_folded_parts(browser, pages, tmp_path):
    """On paper nothing can be unfolded."""
    for path in pages:
        page, _ = opened(browser, path, WIDTHS[0])
        page.emulate_media(media="print")
        hidden = page.evaluate(
            "[...document.querySelectorAll('details > :not(summary)')]"
            ".filter(e => e.getBoundingClientRect().height === 0).length"
        )
        page.pdf(path=tmp_path / "page.pdf")

        assert hidden == 0, path
        assert (tmp_path / "page.pdf").stat().st_size > 1000
        page.close()


def test_a_running_page_loads_itself_again_until_it_is_told_not_to(browser, pages):
    """Under its own policy, which allows that script alone."""
    path = next(path for path in pages if path.name == "running.html")
    page = browser.new_page()
    page.goto(path.resolve().as_uri())
    with page.expect_navigation(timeout=5000):
        pass
    page.get_by_label("Load this page again").uncheck()
    loads = []
    page.on("load", lambda _: loads.append(1))
    page.wait_for_timeout(2500)

    assert loads == []
    page.close()
