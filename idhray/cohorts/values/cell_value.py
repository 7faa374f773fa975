"""Value of one cell: read, empty or refused."""

import re
import unicodedata
from dataclasses import dataclass

_ABSENT = """
na n/a n.a. n.a nan none null <na> nil unknown unk unkn. missing blank - -- --- . ? ?? '-- #n/a
#null! nd n.d. n.d nos nec indeterminate undetermined inconclusive equivocal pending failed tbd
"""
_NOT = """
available evaluated applicable assessed performed tested done determined reported known recorded
specified provided examined collected otherwise_specified elsewhere_classified
"""
UNKNOWN = frozenset(
    [
        *_ABSENT.split(),
        *(f"not {word.replace('_', ' ')}" for word in _NOT.split()),
        *(f"no {word}" for word in ("data", "information", "result")),
    ]
)
"""Words for an absent value, without case and without brackets around them."""
_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")


@dataclass(frozen=True, kw_only=True)
class CellValue:
    """Reading of one cell. At most one of `text` and `problem` is filled."""

    text: str = ""
    """Value as the manifest writes it; "" if the cell is empty or refused."""
    problem: str = ""
    """Advice for a cell that cannot be read; "" for all others."""
    censored: bool = False
    """True for an age that only says "this old or older"."""


EMPTY = CellValue()


def refused(advice: str) -> CellValue:
    """Reading of a cell that has no meaning in its column."""
    return CellValue(problem=advice)


def plain(text: str) -> str:
    """Text for comparison: NFKC, without case, single blanks, one kind of dash."""
    composed = _DASHES.sub("-", unicodedata.normalize("NFKC", text))
    return " ".join(composed.casefold().replace("_", " ").split())


def is_unknown(text: str) -> bool:
    """True for an empty cell and for words such as NA, `[Not Available]` or "not tested"."""
    word = plain(text).strip("'\"")
    inner = word[1:-1].strip() if word[:1] + word[-1:] in ("[]", "()", "<>", "{}") else word
    if not word or word in UNKNOWN:
        return True
    parts = [part.strip().replace("-", " ") for part in inner.split("/")]
    return inner in UNKNOWN or all(part in UNKNOWN for part in parts)
