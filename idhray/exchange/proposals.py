"""Proposals of a --patient-pattern, from the names of images and the patients of a manifest."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from idhray.patients import by_key, patient_key

PATTERNS = (
    r"^([^/]+)/",
    r"([^/]+)/[^/]+$",
    r"([^/_]+)_[^/]*$",
    r"([^/_]+_[^/_]+)_[^/]*$",
    r"([^/_]+_[^/_]+_[^/_]+)_[^/]*$",
    r"([^/-]+)-[^/]*$",
    r"([^/-]+-[^/-]+)-[^/]*$",
    r"([^/-]+-[^/-]+-[^/-]+)-[^/]*$",
    r"([^/.]+)\.[^/]*$",
    r"_([^/_]+)_[^/]*$",
    r"_([^/_.]+)\.[^/]*$",
    r"(\d+)[^/]*$",
)
"""Places of a patient's name in the path of an image: folders, then parts of the file's name."""
MOST_NAMES = 10_000  # that a pattern is tried on


class Proposal(NamedTuple):
    """A pattern, and what it finds."""

    pattern: str
    matched: int
    """Names, of those that were tried, in which it finds a patient of the manifest."""
    example: tuple[str, str]
    """Text that it finds, and the patient as the manifest writes it."""


def proposed_pattern(names: Sequence[str], patients: Collection[str]) -> Proposal | None:
    """The pattern that finds a patient in most names; None if none finds one in half of them.

    Args:
        names: Paths of images that match no patient.
        patients: Patients of the manifest.
    """
    tried, keys = names[:MOST_NAMES], by_key(patients)
    best: Proposal | None = None
    for pattern in PATTERNS:
        texts = [match[1] for name in tried if (match := re.search(pattern, name))]
        hits = [(text, keys[key]) for text in texts if (key := patient_key(text)) in keys]
        if hits and len(hits) > (best.matched if best else len(tried) // 2):
            best = Proposal(pattern, len(hits), hits[0])
    return best
