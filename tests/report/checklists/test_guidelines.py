"""Lists of elements: the published numbers, and answers that stand only on facts."""

import csv
import io
import re

import pytest

from idhray.report.checklists.drafts import answers_csv, draft_csv, draft_markdown
from idhray.report.checklists.guidelines import (
    GUIDELINES,
    ChecklistElement,
    StudyFact,
    answered,
    elements_of,
    filled_share,
)


def words(text):
    return text.split()


NUMBERS = {
    # Source: Collins et al. 2024, table 2: 27 items in 52 subitems.
    "TRIPOD+AI": words(
        "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 "
        "15 16 17 18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c"
    ),
    # Source: Tejani et al. 2024: 44 items.
    "CLAIM 2024": [str(number) for number in range(1, 45)],
    # Source: Sounderajah et al. 2025, table 2: 40 items in 48 rows.
    "STARD-AI": words(
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15a 15b 15c 15d 16a 16b 16c 17a 17b 18 19 20 21 22 23 24 "
        "25 26a 26b 27 28 29 30 31 32 33 34 35 36 37 38 39 40a 40b"
    ),
}


def element(answer, asks="Number of patients"):
    return ChecklistElement(item="20a", part=1, section="Results", asks=asks, answer=answer)


@pytest.mark.parametrize("guideline", GUIDELINES, ids=lambda each: each.name)
def test_every_published_number_is_there_once_in_its_order(guideline):
    """A missing item would count as one that nobody asks for."""
    elements = elements_of(guideline)
    items = list(dict.fromkeys(each.item for each in elements))
    parts = [[e.part for e in elements if e.item == item] for item in items]

    assert items == NUMBERS[guideline.name]
    assert all(each == list(range(1, len(each) + 1)) for each in parts)
    assert all(each.asks and each.section for each in elements)


def test_the_published_counts_are_those_of_the_statements():
    """27 items and 52 subitems, 44 items, 40 items and 48 rows."""
    counts = {name: len(numbers) for name, numbers in NUMBERS.items()}
    whole = {name: len({re.sub(r"\D", "", n) for n in NUMBERS[name]}) for name in NUMBERS}

    assert counts == {"TRIPOD+AI": 52, "CLAIM 2024": 44, "STARD-AI": 48}
    assert whole == {"TRIPOD+AI": 27, "CLAIM 2024": 44, "STARD-AI": 40}


def test_an_answer_stands_only_if_the_study_has_all_its_facts():
    """Half an answer would look like a whole one."""
    facts = {"cohort.patients": StudyFact(text="60 patients", source="cohort.parquet: patient")}
    whole, half, nobody = answered(
        [
            element("{cohort.patients}."),
            element("{cohort.patients} at {cohort.sites}."),
            element(""),
        ],
        facts,
        {},
    )

    assert (whole.by, whole.answer) == ("study", "60 patients.")
    assert whole.source == "cohort.parquet: patient"
    assert (half.by, half.answer, half.source) == ("", "", "")
    assert nobody.by == ""


def test_of_several_answers_the_first_with_its_facts_stands():
    """A study of MRI has no tiles; an external cohort changes what is said of the data."""
    one = element("Tiles {settings.tiling}. || Slices {settings.mri}.")
    (answer,) = answered([one], {"settings.mri": StudyFact(text="64 px", source="s")}, {})

    assert answer.answer == "Slices 64 px."


def test_the_author_comes_before_the_files():
    """Who writes an answer has a reason."""
    facts = {"cohort.patients": StudyFact(text="60 patients", source="c")}
    (answer,) = answered([element("{cohort.patients}.")], facts, {"20a.1": " 60 of 75 asked "})
    share = filled_share([answer])

    assert (answer.by, answer.answer) == ("author", "60 of 75 asked")
    assert (share.by_study, share.by_author, share.share) == (0, 1, 0)


def test_names_from_a_manifest_are_text_in_markdown():
    """A site may be called anything."""
    facts = {"cohort.sites": StudyFact(text="<img src=x> | [a](b) *c*", source="cohort_a.csv: s")}
    (answer,) = answered([element("{cohort.sites}.")], facts, {})
    text = draft_markdown(GUIDELINES[0], [answer], "a|b<i>").decode()
    line = next(each for each in text.splitlines() if each.startswith("| 20a.1"))

    assert "<img" not in text
    assert "<i>" not in text
    assert len(re.findall(r"(?<!\\)\|", line)) == 5
    assert r"\[a\](b) \*c\*" in line


def test_both_tables_hold_every_element_once():
    """The form of the author lists what the files do not answer."""
    facts = {"cohort.patients": StudyFact(text="=60 patients", source="c")}
    elements = [element("{cohort.patients}"), element("")]
    answers = answered(elements, facts, {})
    rows = [*csv.DictReader(io.StringIO(draft_csv(answers).decode("utf-8-sig")))]
    form = [*csv.DictReader(io.StringIO(answers_csv({"X": answers}).decode("utf-8-sig")))]

    assert [row["status"] for row in rows] == ["filled from the study", "author to complete"]
    assert rows[0]["answer"] == "'=60 patients"  # no formula
    assert [row["number"] for row in form] == ["20a.1"]
