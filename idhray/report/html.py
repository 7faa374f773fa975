"""HTML files that contain their style and pictures, and load nothing.

They run no script, except that the page on a running study loads itself again.
"""

import hashlib
import io
from base64 import b64encode
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from idhray.report.content import Picture, ReportContent, ReportTable

LARGEST_PNG_BYTES = 500_000
REFRESH_SCRIPT = (
    'const box = document.getElementById("refresh");'
    "setInterval(() => { if (box.checked) location.reload(); }, box.dataset.seconds * 1000);"
)
"""Loads a page again while its box is checked. The page allows no other script."""
_ANSWER_CLASSES = {
    "helps": "helps",
    "hurts": "hurts",
    "no relevant difference": "open",
    "cannot tell": "open",
    "no comparison": "open",
    "this cohort cannot tell": "open",
}


def report_html(content: ReportContent) -> str:
    """Whole report; all text is escaped, because names of patients come from a manifest."""
    return _render(
        "report.html",
        content=content,
        data_uri=data_uri,
        answer_class=_ANSWER_CLASSES[content.answer],
    )


def tables_html(
    *, title: str, answer: str, verdict: str, tables: Sequence[ReportTable], notes: Sequence[str]
) -> str:
    """Verdict, tables and conventions alone: the page that `fit-stats` writes."""
    return _render(
        "tables.html",
        title=title,
        answer=answer,
        verdict=verdict,
        answer_class=_ANSWER_CLASSES[answer],
        tables=tables,
        notes=notes,
    )


def external_html(
    *,
    title: str,
    banner: str,
    summary: str,
    tables: Sequence[ReportTable],
    pictures: Sequence[Picture],
    notes: Sequence[str],
) -> str:
    """Page of a cohort that models were applied to; it describes and holds no verdict."""
    return _render(
        "external.html",
        title=title,
        banner=banner,
        summary=summary,
        tables=tables,
        pictures=pictures,
        notes=notes,
        data_uri=data_uri,
    )


def form_html(
    cases: Sequence[str], features: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]
) -> str:
    """Page with the cases that readers see and the words that their form accepts.

    Args:
        cases: Names of cases; the picture of each is `cases/NAME.png` beside the page.
        features: Column, label, and (word, meaning) of each level.
    """
    return _render("form.html", cases=cases, features=features)


def appendix_html(**values: object) -> str:
    """Page with pictures that lie in a folder beside it and are loaded as they come into view."""
    return _render("appendix.html", **values)


def progress_html(**values: object) -> str:
    """Page on a study that is not finished: counts and generators, no result of an arm."""
    digest = b64encode(hashlib.sha256(REFRESH_SCRIPT.encode()).digest()).decode()
    return _render(
        "progress.html",
        data_uri=data_uri,
        script=Markup(REFRESH_SCRIPT),
        script_hash=f"sha256-{digest}",
        **values,
    )


def _render(template: str, **values: object) -> str:
    environment = Environment(
        loader=PackageLoader("idhray.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def data_uri(picture: Picture) -> str:
    """Picture as a data URI, so that the page needs no other file.

    A large PNG becomes a JPEG, so that the page can be sent; the PNG is a file beside it.
    """
    if picture.mime == "image/png" and len(picture.data) > LARGEST_PNG_BYTES:
        buffer = io.BytesIO()
        Image.open(io.BytesIO(picture.data)).convert("RGB").save(buffer, "JPEG", quality=85)
        return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
    return f"data:{picture.mime};base64,{b64encode(picture.data).decode()}"
