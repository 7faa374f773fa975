"""Output on terminals and in logs whose encoding lacks some characters."""

import codecs
import sys
import unicodedata

ERRORS = "idhray_plain"
"""Name of the error handler that replaces characters, for `open` and `reconfigure`."""
PLAIN = {
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\u2015", "-"),
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d", '"'),
    **dict.fromkeys("\u00b5\u03bc", "u"),
    "\u00d7": "x",
    "\u00b1": "+/-",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2248": "~",
    "\u2192": "->",
    "\u00b7": "*",
    "\u2026": "...",
    "\u00b2": "^2",
    "\u00b3": "^3",
    "\u00df": "ss",
}
"""Characters that idhray prints or that names often have, and their replacement in ASCII."""


def use_plain_output() -> None:
    """Replace characters that stdout and stderr cannot write, instead of raising an error."""
    codecs.register_error(ERRORS, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=ERRORS)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_in_ascii(letter) for letter in text), error.end


def _in_ascii(letter: str) -> str:
    """Nearest ASCII text of a character; ? if there is none."""
    if letter in PLAIN:
        return PLAIN[letter]
    base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return base or "?"
