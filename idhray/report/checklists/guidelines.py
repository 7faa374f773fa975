"""Reporting guidelines: numbered elements in our own words, and their answers from a study.

The elements lie in one CSV file for each guideline beside this module. An answer is a sentence with
names of facts in braces, such as `{cohort.patients}`; it stands only if the study has all of them.
Of several answers, divided by ` || `, the first one stands whose facts the study has.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

FACT = re.compile(r"\{([a-z0-9_.]+)\}")
AnsweredBy = Literal["study", "author", ""]
"""Who answers an element: the files of the study, the author, or nobody yet."""


@dataclass(frozen=True, kw_only=True)
class StudyFact:
    """A fact of a study as text, and the file and column that state it."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Guideline:
    """A reporting guideline, and what its numbers were checked against."""

    name: str
    file: str
    """Name of the files of its draft, and of its list of elements, without an ending."""
    reference: str
    structure: str
    """Published structure, and ours where it differs."""


GUIDELINES = (
    Guideline(
        name="TRIPOD+AI",
        file="tripod-ai",
        reference="Collins et al., BMJ 2024;385:e078378, doi 10.1136/bmj-2023-078378",
        structure="27 items in 52 subitems. The parts of a subitem (after the dot) are our own; "
        "they are not the 136 elements of the adherence form.",
    ),
    Guideline(
        name="CLAIM 2024",
        file="claim-2024",
        reference="Tejani et al., Radiol Artif Intell 2024;6(4):e240300, doi 10.1148/ryai.240300",
        structure="44 items. The parts of an item (after the dot) are our own.",
    ),
    Guideline(
        name="STARD-AI",
        file="stard-ai",
        reference="Sounderajah et al., Nat Med 2025;31:3283-3289, doi 10.1038/s41591-025-03953-8",
        structure="40 items in 48 rows. The parts of a row (after the dot) are our own.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class ChecklistElement:
    """One thing that a guideline asks for."""

    item: str
    """Number of the guideline, such as 12c."""
    part: int
    """Our part of the item, from 1."""
    section: str
    asks: str
    """The question of the guideline, in our own words."""
    answer: str
    """Sentences with names of facts in braces; empty if no file of a study can answer."""

    @property
    def number(self) -> str:
        """Number with our part: 12c.2."""
        return f"{self.item}.{self.part}"

    @property
    def sentences(self) -> list[str]:
        """Possible answers, the preferred one first."""
        return self.answer.split(" || ") if self.answer else []


@dataclass(frozen=True, kw_only=True)
class AnsweredElement:
    """An element with its answer."""

    element: ChecklistElement
    by: AnsweredBy
    answer: str = ""
    source: str = ""
    """Files and columns that state the answer."""


@dataclass(frozen=True, kw_only=True)
class FilledShare:
    """Number of elements that are answered."""

    elements: int
    by_study: int
    by_author: int

    @property
    def share(self) -> float:
        """Share of the elements that the files of the study answer."""
        return self.by_study / self.elements


def elements_of(guideline: Guideline) -> list[ChecklistElement]:
    """Elements of a guideline in the order of its items."""
    text = files("idhray.report.checklists").joinpath(f"{guideline.file}.csv").read_text("utf-8")
    return [
        ChecklistElement(
            item=row["item"],
            part=int(row["part"]),
            section=row["section"],
            asks=row["asks"],
            answer=row["answer"],
        )
        for row in csv.DictReader(io.StringIO(text))
    ]


def answered(
    elements: Sequence[ChecklistElement],
    facts: Mapping[str, StudyFact],
    texts: Mapping[str, str],
) -> list[AnsweredElement]:
    """Elements with their answers.

    Args:
        elements: Elements of a guideline.
        facts: Facts of the study by name.
        texts: Number of an element -> text of the author, which comes before that of the study.
    """
    return [_answered(element, facts, texts.get(element.number, "")) for element in elements]


def _answered(
    element: ChecklistElement, facts: Mapping[str, StudyFact], text: str
) -> AnsweredElement:
    if text.strip():
        return AnsweredElement(element=element, by="author", answer=text.strip(), source="author")
    for sentence in element.sentences:
        names = FACT.findall(sentence)
        if all(name in facts for name in names):
            return AnsweredElement(
                element=element,
                by="study",
                answer=FACT.sub(lambda match: facts[match.group(1)].text, sentence),
                source="; ".join(dict.fromkeys(facts[name].source for name in names)),
            )
    return AnsweredElement(element=element, by="")


def filled_share(answers: Sequence[AnsweredElement]) -> FilledShare:
    """Number of answered elements of one guideline."""
    return FilledShare(
        elements=len(answers),
        by_study=sum(each.by == "study" for each in answers),
        by_author=sum(each.by == "author" for each in answers),
    )
