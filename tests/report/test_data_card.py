"""The card of a table of synthetic images as Markdown."""

from idhray.report.data_card import CRITERIA, card_markdown

CARD = {
    "title": "Data card: 20 synthetic images",
    "summary": "20 images.",
    "about": {"images": 20, "IDH_status": "mutant", "seal": "0a1b"},
    "limits": ["They add no patients."],
    **{name: {"value": None} for name in CRITERIA},
    "congruence": {"FID": {"synthetic": 41.04, "real_floor": None}, "passed": True},
}


def test_the_seven_criteria_of_the_scorecard_are_asked_as_questions():
    """Source: Zamzmi et al., arXiv 2406.11143."""
    text = card_markdown(CARD).decode()

    assert len(CRITERIA) == 7
    assert all(question in text for question in CRITERIA.values())


def test_what_is_not_known_is_said_and_numbers_are_short():
    """An empty cell could mean zero."""
    text = card_markdown(CARD).decode()

    assert "| FID | Synthetic: 41; Real floor: not known |" in text
    assert "| Value | not known |" in text
    assert "- They add no patients." in text
    assert "| Passed | yes |" in text


def test_a_generator_may_be_called_anything():
    """Names of imported generators come from users."""
    text = card_markdown({**CARD, "generator": {"name": "<b>*x*</b> | y"}}).decode()

    assert "<b>" not in text
    assert r"\*x\*" in text
    assert r"\| y |" in text
