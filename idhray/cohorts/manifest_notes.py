"""Notes beside a manifest: what its importer left out and could not read, for the report.

MANIFEST.notes.json holds counts and cells of label tables, no names of patients.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from idhray.storage import exists, join, publish_json, read_json

ENDING = ".notes.json"
STUDY_NOTES = "manifest-notes.json"


def write_notes(manifest: str, notes: Mapping[str, Any]) -> None:
    """Publish the notes of a manifest."""
    publish_json(manifest + ENDING, dict(notes))


def read_notes(manifest: str) -> dict[str, Any]:
    """Notes of a manifest; empty if its importer left none."""
    path = manifest + ENDING
    return dict(read_json(path)) if exists(path) else {}


def copy_notes(manifest: str, study: str) -> None:
    """Put the notes of a study's manifest into the folder of the study, for its report."""
    path = join(study, STUDY_NOTES)
    notes = read_notes(manifest)
    if notes or exists(path):
        publish_json(path, notes)


def study_notes(study: str) -> dict[str, Any]:
    """Notes of the manifest of a study; empty if it has none."""
    path = join(study, STUDY_NOTES)
    return dict(read_json(path)) if exists(path) else {}


def note_lines(notes: Mapping[str, Any]) -> Iterator[str]:
    """One line for each reason why files were left out, and for each cell that was not read."""
    for reason, count in notes.get("left_out", {}).items():
        if count:
            yield f"{count} left out: {reason.replace('_', ' ')}"
    labels = notes.get("labels", {})
    if labels and labels["with_labels"] < labels["patients"]:
        missing = labels["patients"] - labels["with_labels"]
        yield f"{missing} of {labels['patients']} patients with files have no row in the labels"
    for cell in labels.get("not_read", []):
        yield f"{cell['column']} {cell['cell']!r} was not read, in {cell['rows']} rows"
