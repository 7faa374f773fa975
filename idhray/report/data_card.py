"""Data card of a table of synthetic images: what made it, how good it is, and its limits.

The card follows the scorecard for synthetic medical data of Zamzmi et al. (arXiv 2406.11143; Commun
Eng 2025;4:130): a description, and seven criteria. The entries are ours. It names no patient.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from idhray.report.markdown import plain_markdown

CARD_NAME = "_data_card"
"""Name of both files of a card beside its table, without an ending."""
UNKNOWN = "not known"
INTENDED_USE = (
    "Training images for classifiers of IDH status in research, added to real images of training "
    "patients, with control arms that add as many other images."
)
NOT_INTENDED = (
    "Testing or validating a model, since they are no cases.",
    "Diagnosis, teaching of diagnosis, or any decision on a patient.",
    "Sharing as anonymous data: that no image resembles a patient is tested, not proven.",
)
CRITERIA = {
    "congruence": "Do the images follow the distribution of real ones?",
    "coverage": "Do they show the variety of real ones?",
    "constraint": "Are they anatomically and medically plausible?",
    "completeness": "Is anything missing?",
    "compliance": "Is the privacy of the training patients kept?",
    "comprehension": "Can others understand how they were made?",
    "consistency": "Do the figures hold over repeated draws?",
}
Card = Mapping[str, Any]


def card_markdown(card: Card) -> bytes:
    """Card as Markdown.

    Args:
        card: `title`, sections of names and values, and lists of sentences.
    """
    lines = [f"# {card['title']}", "", str(card["summary"])]
    for section, content in card.items():
        if section in ("title", "summary"):
            continue
        lines += ["", f"## {_heading(section)}", ""]
        if section in CRITERIA:
            lines += [CRITERIA[section], ""]
        lines += _list(content) if isinstance(content, list | tuple) else _table(content)
    return ("\n".join(lines) + "\n").encode()


def _heading(name: str) -> str:
    """Name of a value with a capital letter; abbreviations stay."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _list(sentences: Sequence[str]) -> list[str]:
    return [f"- {plain_markdown(sentence)}" for sentence in sentences]


def _table(values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {_heading(name)} | {_cell(value)} |" for name, value in values.items()]
    return ["| | |", "|---|---|", *rows]


def _cell(value: Any) -> str:
    """Value as the text of a cell."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{_heading(name)}: {_cell(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_cell(each) for each in value) or "none"
    return plain_markdown(str(value))
