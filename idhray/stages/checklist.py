"""Reporting guidelines of a study as filled drafts: TRIPOD+AI, CLAIM 2024, STARD-AI.

STUDY/checklists/tripod-ai.md   the draft; tripod-ai.csv holds the same as a table
STUDY/checklists/answers.csv    elements that no file of the study answers; the author fills `text`
STUDY/checklists/checklists.json  share of each guideline that is filled
"""

from dataclasses import asdict, dataclass
from typing import Any

from idhray.cohorts.text_table import read_text_table
from idhray.errors import StorageError, TableError
from idhray.report.checklists.drafts import (
    ANSWERS_HEADER,
    answers_csv,
    draft_csv,
    draft_markdown,
    share_sentence,
)
from idhray.report.checklists.guidelines import GUIDELINES, answered, elements_of, filled_share
from idhray.stages.checklists.study_facts import study_facts
from idhray.stages.studies.record import AUTHOR_ANSWERS, CHECKLISTS, experiment_root
from idhray.storage import SETTINGS, absolute, exists, join, publish, publish_json


@dataclass(frozen=True, kw_only=True)
class ChecklistFlags:
    """Flags of `idhray checklist`."""

    study: str
    """Folder of a study that `idhray study` made; it may be unfinished."""
    experiment: str | None = None
    """Name of a further experiment of the study."""
    dry_run: bool = False
    """Print the share of each guideline that would be filled, and stop."""


def checklist(flags: ChecklistFlags) -> dict[str, Any]:
    """Fill the reporting guidelines from the files of a study; the author's answers stay."""
    study = absolute(flags.study).rstrip("/")
    if not exists(join(study, SETTINGS)):
        raise StorageError(f"{study}: no {SETTINGS}; give a folder that idhray study made")
    folder = join(experiment_root(study, flags.experiment), CHECKLISTS)
    facts, texts = study_facts(study, flags.experiment), _author_texts(folder)
    answers = {
        each.name: answered(elements_of(each), facts, texts.get(each.name, {}))
        for each in GUIDELINES
    }
    shares = {name: filled_share(of_guideline) for name, of_guideline in answers.items()}
    lines = [share_sentence(each, shares[each.name]) for each in GUIDELINES]
    result = {
        "out": folder,
        "filled": {
            name: {**asdict(share), "share": round(share.share, 4)}
            for name, share in shares.items()
        },
    }
    if not flags.dry_run:
        title = " ".join([study.rpartition("/")[2], *filter(None, [flags.experiment])])
        for each in GUIDELINES:
            of_guideline = answers[each.name]
            publish(join(folder, f"{each.file}.md"), draft_markdown(each, of_guideline, title))
            publish(join(folder, f"{each.file}.csv"), draft_csv(of_guideline))
        publish(join(folder, AUTHOR_ANSWERS), answers_csv(answers))
        publish_json(join(folder, "checklists.json"), {"filled": result["filled"]})
    return {**result, "text": "\n".join([*lines, f"drafts: {folder}"])}


def _author_texts(folder: str) -> dict[str, dict[str, str]]:
    """Guideline -> number of an element -> text that the author wrote.

    Raises:
        TableError: the file of the author's answers lacks a column.
    """
    path = join(folder, AUTHOR_ANSWERS)
    if not exists(path):
        return {}
    table = read_text_table(path)
    if missing := [name for name in ANSWERS_HEADER if name not in table]:
        raise TableError(f"{path}: no column {', '.join(missing)}; restore it, or delete the file")
    texts: dict[str, dict[str, str]] = {}
    for row in table.to_dict("records"):
        texts.setdefault(str(row["guideline"]), {})[str(row["number"])] = str(row["text"])
    return texts
