"""The report: one HTML file that holds its style and pictures, runs no script and loads nothing."""

from base64 import b64encode

from jinja2 import Environment, PackageLoader, StrictUndefined

from idhray.report.content import Picture, ReportContent

_ANSWER_CLASSES = {"helps": "helps", "hurts": "hurts", "this cohort cannot tell": "open"}


def report_html(content: ReportContent) -> str:
    """The whole report; every text in it is escaped, whatever a manifest called its patients."""
    environment = Environment(
        loader=PackageLoader("idhray.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    return template.render(
        content=content, data_uri=data_uri, answer_class=_ANSWER_CLASSES[content.answer]
    )


def data_uri(picture: Picture) -> str:
    """The picture inside its address, so that the file needs no other one."""
    return f"data:{picture.mime};base64,{b64encode(picture.data).decode()}"
