"""Sex, grade and split of a cell: one word for all spellings."""

import re

from idhray.cohorts.values.cell_value import EMPTY, CellValue, is_unknown, plain, refused

_SEXES = {
    **dict.fromkeys(("m", "male", "man", "boy", "males", "masculine", "m."), "M"),
    **dict.fromkeys(("f", "female", "woman", "girl", "females", "feminine", "f.", "w"), "F"),
    **dict.fromkeys(("o", "other", "intersex", "diverse", "x", "non-binary", "nonbinary"), "O"),
}
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "tuning", "tune"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "hold-out", "held-out", "te"), "test"),
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_GRADE_WORDS = re.compile(
    r"\bwho\b|\bcns5?\b|\biccr\b|\bgrades?\b|\bgr\b|\bg(?=[\s.]|[1-4i])|\b(?:2007|2016|2021)\b|°|\btumou?r\b"
)
_GRADE_ADVICE = "write 1, 2, 3 or 4, or leave it empty"
_NO_GRADE = {"gx", "gb", "u", "u*"}  # UICC: grade cannot be assessed; GDC: borderline


def sex_value(text: str) -> CellValue:
    """Sex of a cell as DICOM codes it: M, F or O."""
    word = plain(text)
    if is_unknown(text) or word == "u":
        return EMPTY
    if sex := _SEXES.get(word):
        return CellValue(text=sex)
    return refused("write M, F or O, or leave it empty")


def split_value(text: str) -> CellValue:
    """Set of a cell: train, val or test."""
    word = re.sub(r"[ -]*(?:set|cohort|split|data|group)$", "", plain(text)) or plain(text)
    if is_unknown(text):
        return EMPTY
    if split := _SPLITS.get(word):
        return CellValue(text=split)
    return refused("write train, val or test")


def grade_value(text: str) -> CellValue:
    """WHO grade of a cell, 1 to 4, from 2, 2.0, II, G2, `Grade 2`, `CNS WHO grade 2` and more."""
    word = plain(text)
    if is_unknown(text) or word in _NO_GRADE or is_unknown(re.sub(r"^(who )?grade ", "", word)):
        return EMPTY
    if word[:1] in "+-":
        return refused(_GRADE_ADVICE)
    rest = _GRADE_WORDS.sub(" ", word)
    rest = re.sub(r"[\s()\[\]:,-]+", " ", re.sub(r"(?<=\d)[.,]0+\b", "", rest)).strip(" .")
    grade = _ROMAN.get(rest, rest)
    if grade in {"1", "2", "3", "4"}:
        return CellValue(text=grade)
    return refused(_GRADE_ADVICE)
