"""Text of a file, whatever program encoded it."""

import logging
import re

from charset_normalizer import from_bytes

from idhray.errors import ManifestError

logger = logging.getLogger(__name__)

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WIDE_SHARE = 0.3
"""Least share of zero bytes in every second place of UTF-16 without a byte order mark."""
_OTHER_SCRIPTS = ("gb18030", "shift_jis", "euc_kr", "big5", "cp1251")
_CANDIDATES = [*_OTHER_SCRIPTS, "cp1252", "cp1250", "cp850", "mac_roman", "iso8859_2", "cp1253"]
_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BEYOND_ASCII = re.compile(rb"([A-Za-z]?)([\x80-\xff]+)")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def decoded(data: bytes, path: str) -> str:
    """Text of a file in UTF-8, UTF-16, UTF-32 or an older encoding.

    A guess among older encodings concerns letters beyond ASCII only; it is logged.

    Args:
        data: Content of the file.
        path: Name of the file in messages.

    Raises:
        ManifestError: The file holds NUL or other control characters, or mixes encodings.
    """
    text = _text(data, path).replace("\ufeff", "")
    text = text.rstrip("\x1a")  # the end of a file in DOS
    if match := _CONTROL.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise ManifestError(
            f"line {line} holds the control character {ord(match[0]):#04x}; the file is damaged or "
            "no table"
        )
    return text


def _text(data: bytes, path: str) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), _wide(data))
    try:
        return data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding:
            raise ManifestError(f"starts as {encoding.upper()} and is damaged ({error})") from None
    return _older(data, path)


def _wide(data: bytes) -> str | None:
    """Encoding of two bytes a character without a byte order mark; None if it is not such."""
    start = data[: 4096 - len(data) % 2]
    if len(data) % 2 or b"\x00" not in start:
        return None
    even, odd = start[::2].count(0), start[1::2].count(0)
    enough = _WIDE_SHARE * len(start) / 2
    if odd > enough and not even:
        return "utf-16-le"
    return "utf-16-be" if even > enough and not odd else None


def _older(data: bytes, path: str) -> str:
    """Text in an encoding older than Unicode.

    Raises:
        ManifestError: Some lines are UTF-8 and others are not, or no encoding fits.
    """
    match = from_bytes(data, cp_isolation=_CANDIDATES).best()
    is_other = match is not None and match.encoding in _OTHER_SCRIPTS
    if match is None or not is_other or _is_western(data, match.encoding):
        if _UTF8.search(data):
            raise ManifestError(
                f"mixes two encodings, UTF-8 and another ({_odd_line(data)}); {_SAVE}"
            )
        encoding = _western(data)
    else:
        encoding = match.encoding
    if encoding is None:
        if match is None:
            raise ManifestError(f"its encoding is not recognized ({_odd_line(data)}); {_SAVE}")
        encoding = match.encoding
    logger.warning(
        "%s: read as %s; if letters beyond ASCII look wrong, save it as UTF-8", path, encoding
    )
    return data.decode(encoding)


_SAVE = "open it in a spreadsheet and save it as CSV UTF-8"


def _is_western(data: bytes, encoding: str) -> bool:
    """True if most letters beyond ASCII stand alone within ASCII words, as in Köln."""
    runs = [*_BEYOND_ASCII.finditer(data)]
    if encoding == "shift_jis":  # its second bytes may be ASCII letters
        return len(runs) < 4
    alone = sum(len(run[2]) == 1 or bool(run[1]) for run in runs)
    return 2 * alone > len(runs)


def _western(data: bytes) -> str | None:
    """Windows-1252, or Mac Roman where the line ends are those of an old Mac; None if neither."""
    encoding = "mac_roman" if b"\n" not in data and b"\r" in data else "cp1252"
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return encoding


def _odd_line(data: bytes) -> str:
    """Place of the first line that is not UTF-8."""
    lines = data.splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return f"line {number} is not UTF-8"
    return "all lines are UTF-8"
