"""HTML files that hold their style and pictures, run no script and load nothing."""

from base64 import b64encode
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from idhray.report.content import Picture, ReportContent, ReportTable

_ANSWER_CLASSES = {"helps": "helps", "hurts": "hurts", "this cohort cannot tell": "open"}


def report_html(content: ReportContent) -> str:
    """The whole report; every text in it is escaped, whatever a manifest called its patients."""
    return _render(
        "report.html",
        content=content,
        data_uri=data_uri,
        answer_class=_ANSWER_CLASSES[content.answer],
    )


def tables_html(
    *, title: str, answer: str, verdict: str, tables: Sequence[ReportTable], notes: Sequence[str]
) -> str:
    """The verdict, the tables and their conventions alone: what `fit-stats` leaves behind."""
    return _render(
        "tables.html",
        title=title,
        answer=answer,
        verdict=verdict,
        answer_class=_ANSWER_CLASSES[answer],
        tables=tables,
        notes=notes,
    )


def form_html(
    cases: Sequence[str], features: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]
) -> str:
    """The cases that readers see, and the words that their form takes.

    Args:
        cases: Names; the picture of each is `cases/NAME.png` beside the page.
        features: Column, label, and (word, meaning) of each level.
    """
    return _render("form.html", cases=cases, features=features)


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
    """The picture inside its address, so that the file needs no other one."""
    return f"data:{picture.mime};base64,{b64encode(picture.data).decode()}"
