"""Rows of a manifest whose file is named after another patient: a column that slipped by a row."""

import re
from collections.abc import Iterator

import pandas as pd

from idhray.patients import LETTER_BY_DIGIT, patient_key, shown

Words = tuple[str, ...]

_PARTS = 3  # the file's name and two folders
_MOST_NAMED = 5
_HEX = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-z])")  # UUID
_ENDING = re.compile(r"(?:\.[a-z][a-z0-9]*)+$")
_SEQUENCES = {("t", "1"), ("t", "2")}


def misplaced_files(text: pd.DataFrame, columns: tuple[str, ...]) -> Iterator[str]:
    """One line for each column with files whose path names another patient than their row.

    A path that also names the patient of its row is right. Names count if they have letters and
    digits, or if they are four digits and more and the whole name of the file: others cannot be
    told from numbers of files. UUIDs name nobody.

    Args:
        text: Manifest, every cell as text; its index is the number of each row less 2.
        columns: Columns of files.
    """
    names = {name for name in text["patient"] if name}
    index = {words: name for name in sorted(names) for words in _spellings(name)}
    starts = {words[0] for words in index}
    longest = max(map(len, index), default=0)
    for column in columns:
        misplaced = []
        for number, patient, path in zip(text.index, text["patient"], text[column], strict=True):
            if not path or not patient:
                continue
            owners = _owners(path, index, starts, longest)
            if owners and patient not in owners:
                misplaced.append((number + 2, patient, path, sorted(owners)[0]))
        if misplaced:
            yield _line(column, misplaced)


def _line(column: str, misplaced: list[tuple[int, str, str, str]]) -> str:
    rows = ", ".join(str(number) for number, *_ in misplaced[:_MOST_NAMED])
    rows += f" and {len(misplaced) - _MOST_NAMED} more" if misplaced[_MOST_NAMED:] else ""
    _, patient, path, owner = misplaced[0]
    return (
        f"row{'s' * (len(misplaced) > 1)} {rows}: {column} {path.rsplit('/', 1)[-1]} of patient "
        f"{shown(patient)} is named after patient {shown(owner)}; is the column shifted?"
    )


def _spellings(name: str) -> set[Words]:
    """Words of a name and of its key; none if they are too short to be told in a path."""
    spellings = {_words(name), _words(patient_key(name))}
    return {words for words in spellings if _is_distinct(words)}


def _is_distinct(words: Words) -> bool:
    text = "".join(words)
    has_digit = any(char.isdigit() for char in text)
    has_letter = any(char.isalpha() for char in text)
    return words not in _SEQUENCES and has_digit and (has_letter or len(text) >= 4)


def _words(text: str) -> Words:
    """Runs of letters and of digits, without case and leading zeros."""
    runs = LETTER_BY_DIGIT.sub(" ", re.sub(r"[^0-9a-z]+", " ", text.casefold())).split()
    return tuple(run.lstrip("0") or "0" if run.isdecimal() else run for run in runs)


def _is_number(words: Words) -> bool:
    """True for a name of digits alone, which is a name in a path only as the whole file name."""
    return all(word.isdecimal() for word in words)


def _owners(path: str, index: dict[Words, str], starts: set[str], longest: int) -> set[str]:
    """Patients that the last parts of a path name."""
    owners = set()
    parts = [_HEX.sub(" ", part.casefold()) for part in re.split(r"[/\\]", path)[-_PARTS:]]
    stem = _words(_ENDING.sub("", parts[-1]))
    for part in parts:
        words = _words(part)
        for first, word in enumerate(words):
            if word in starts:
                for end in range(first + 1, min(len(words), first + longest) + 1):
                    span = words[first:end]
                    if span in index and (not _is_number(span) or span == stem):
                        owners.add(index[span])
    return owners
