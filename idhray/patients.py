"""Canonical key of a patient: the same for all spellings of one name.

Tables of one study call a patient `TCGA-02-0001`, `TCGA-02-0001-01A`, `tcga_02_0001` or, through a
spreadsheet, `7`, `007` and `7.0`. The key never replaces a name: it finds twins, and twins stop a
run with a question, because nobody but the user knows whether `P1` and `P01` are two persons.

Source: GDC encyclopedia, "TCGA Barcode"; case IDs of CPTAC (TCIA); names of UCSF-PDGM, UPENN-GBM
and BraTS 2017 to 2024 (TCIA, Synapse); EBRAINS "Digital Brain Tumour Atlas", whose slides are named
by UUID; Unicode Standard Annex 15 (NFKC).
"""

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from idhray.errors import LeakageError

ADVICE = (
    "give one person one name, and two persons names that differ in more than case, leading zeros, "
    "blanks and separators"
)
SEPARATORS = re.compile(r"[-\s_.,/\\|:;+~'\"()\[\]{}]+")
WHOLE_FLOAT = re.compile(r"\d+[.,]0+")
UUID = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
LETTER_BY_DIGIT = re.compile(r"(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])")


class CohortRule(NamedTuple):
    """Names of one public cohort. The groups of the pattern are the patient; the rest is a sample,
    a time point or a file."""

    prefix: str
    pattern: re.Pattern[str]


_END = r"(?:-.*)?"
COHORT_RULES = tuple(
    CohortRule(prefix, re.compile(pattern + _END))
    for prefix, pattern in (
        ("tcga", r"tcga-?([a-z0-9]{2})-?([a-z0-9]{4})"),
        ("cptac", r"(c3[a-z])-?(\d{5})"),
        ("ucsf-pdgm", r"ucsf-?pdgm-?0*(\d+)"),
        ("upenn-gbm", r"upenn-?gbm-?0*(\d+)"),
        # BraTS 2023 and later: BraTS-GLI-00005-100 is time point 100 of patient 5.
        ("brats", r"brats-?(gli|men|met|ped|ssa|goat|path)-?0*(\d+)"),
        # BraTS 2023 took over the numbers of BraTS 2021.
        ("brats-gli", r"brats-?2021-?0*(\d+)"),
        ("brats2020", r"brats-?20-(train|valid|test)[a-z]*-0*(\d+)"),
        # BraTS 2017 to 2019 share patients: Brats18_TCIA08_167_1 is time point 1 of patient 167.
        ("brats-site", r"brats-?1[789]-(2013|cbica|tcia|tmc|wustl|mdanderson)(\d*)-0*([a-z0-9]+)"),
    )
)
"""Rules by cohort, tried in this order on lower-case names with `-` as the only separator."""


@functools.lru_cache(maxsize=1 << 17)
def patient_key(name: str) -> str:
    """Key that all spellings of a patient's name share; "" for a name without letters or digits.

    Compared are letters and digits after Unicode NFKC, without case, invisible characters, leading
    zeros and a `.0`; separators only divide. Names of public cohorts are cut to the patient.

    Args:
        name: Name of a patient, sample, case or scan, as written in a table.
    """
    text = _plain_text(name)
    if WHOLE_FLOAT.fullmatch(text):
        text = re.split("[.,]", text)[0]
    text = SEPARATORS.sub("-", text).strip("-")
    if match := UUID.fullmatch(text):
        return "-".join(match.groups())
    for prefix, pattern in COHORT_RULES:
        if match := pattern.fullmatch(text):
            return "-".join([prefix, *filter(None, match.groups())])
    words = LETTER_BY_DIGIT.sub("-", text).split("-")
    return "-".join(str(int(word)) if word.isdecimal() else word for word in words)


def _plain_text(name: str) -> str:
    """NFKC without case and invisible characters; every dash is `-`."""
    visible = "".join(
        "-" if kind == "Pd" or char in "\u2212\u02d7\u2043" else char
        for char in unicodedata.normalize("NFKC", name)
        if (kind := unicodedata.category(char)) not in ("Cf", "Cc") or char.isspace()
    )
    return unicodedata.normalize("NFKC", visible.casefold()).strip()


def twins(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of different names with one key, each group sorted; "" is no name."""
    by_key = defaultdict(set)
    for name in names:
        if name:
            by_key[patient_key(name) or name].add(name)
    return sorted(tuple(sorted(group)) for group in by_key.values() if len(group) > 1)


def twin_text(group: Collection[str]) -> str:
    """Clause that names twins; unusual characters are shown as escapes."""
    return f"patients {', '.join(map(shown, group))} look like one"


def shown(name: str) -> str:
    """A name as it is printed: as escapes if it has characters that may look like others."""
    return name if name.isascii() and name.isprintable() else ascii(name)


def refuse_twins_across(
    names: Iterable[str], others: Iterable[str], table: str, other: str
) -> None:
    """Refuse a patient whom two tables write in two ways: one of them would do without.

    Args:
        names: Patients of one table.
        others: Patients of the other table.
        table: Name of the first table, for the message.
        other: Name of the other table.

    Raises:
        LeakageError: naming the first of these patients.
    """
    pairs = same_patients(names, others)
    if torn := sorted(name for name, twin in pairs.items() if name != twin):
        raise LeakageError(
            f"{table} and {other}: {twin_text((torn[0], pairs[torn[0]]))}, {len(torn)} such pairs "
            f"in all; {ADVICE}"
        )


def by_key(names: Iterable[str]) -> dict[str, str]:
    """Patient key -> name. Of twins, the first in alphabetical order is named."""
    return {patient_key(name) or name: name for name in sorted(set(names), reverse=True)}


def same_patients(names: Iterable[str], others: Iterable[str]) -> Mapping[str, str]:
    """Name -> name of the same patient in another table, however it is written there.

    Args:
        names: Patients of one table.
        others: Patients of the other table.
    """
    other_names, keys = set(others), by_key(others)
    pairs = {name: name if name in other_names else keys.get(patient_key(name)) for name in names}
    return {name: other for name, other in pairs.items() if other is not None}
