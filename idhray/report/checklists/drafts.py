"""Filled drafts of reporting guidelines, as Markdown and CSV."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from idhray.report.checklists.guidelines import (
    AnsweredElement,
    FilledShare,
    Guideline,
    filled_share,
)
from idhray.report.files import csv_bytes
from idhray.report.markdown import plain_markdown

OPEN = "author to complete"
HEADER = ("item", "part", "section", "asks", "status", "answer", "source")
ANSWERS_HEADER = ("guideline", "number", "asks", "text")


def share_sentence(guideline: Guideline, share: FilledShare) -> str:
    """Share of a guideline that is filled, in words."""
    by_author = f", {share.by_author} by the author" if share.by_author else ""
    left = share.elements - share.by_study - share.by_author
    return (
        f"{guideline.name}: {share.by_study} of {share.elements} elements filled from the files of "
        f"the study ({share.share:.0%}){by_author}, {left} for the author"
    )


def draft_markdown(guideline: Guideline, answers: Sequence[AnsweredElement], title: str) -> bytes:
    """Draft of one guideline as Markdown, by sections.

    Args:
        guideline: The guideline.
        answers: Its elements with answers.
        title: Name of the study.
    """
    share = filled_share(answers)
    lines = [
        f"# {guideline.name}: draft for {plain_markdown(title)}",
        "",
        f"{share_sentence(guideline, share)}.",
        "",
        f"Source: {guideline.reference}. {guideline.structure} What is asked is in our own words; "
        "complete and submit the official form.",
        "",
        "A filled element repeats what the files say. Whether it is enough is for the author.",
    ]
    for section, group in groupby(answers, key=lambda each: each.element.section):
        lines += ["", f"## {section}", ""]
        lines += ["| No. | Asked | Answer | Source |", "|---|---|---|---|"]
        lines += [_line(each) for each in group]
    return ("\n".join(lines) + "\n").encode()


def _line(each: AnsweredElement) -> str:
    answer = plain_markdown(each.answer) if each.by else f"**{OPEN}**"
    cells = (
        each.element.number,
        plain_markdown(each.element.asks),
        answer,
        plain_markdown(each.source),
    )
    return f"| {' | '.join(cells)} |"


def draft_csv(answers: Iterable[AnsweredElement]) -> bytes:
    """Draft of one guideline as CSV, one row for each element."""
    status = {"study": "filled from the study", "author": "filled by the author", "": OPEN}
    return csv_bytes(
        HEADER,
        (
            (
                each.element.item,
                str(each.element.part),
                each.element.section,
                each.element.asks,
                status[each.by],
                each.answer,
                each.source,
            )
            for each in answers
        ),
    )


def answers_csv(answers: Mapping[str, Sequence[AnsweredElement]]) -> bytes:
    """Form for the author: the open elements of all guidelines, with the texts so far.

    Args:
        answers: Name of a guideline -> its elements with answers.
    """
    return csv_bytes(
        ANSWERS_HEADER,
        (
            (name, each.element.number, each.element.asks, each.answer)
            for name, elements in answers.items()
            for each in elements
            if each.by != "study"
        ),
    )
