"""Output in encodings that lack characters."""

import io
import sys

import pytest

from idhray.plain_output import use_plain_output


@pytest.mark.parametrize(
    ("text", "encoding", "written"),
    [
        ("AUC \u22120.02 \u00b1 0.01", "ascii", "AUC -0.02 +/- 0.01"),
        ("0.25 \u00b5m, 3 \u00d7 4, M\u00fcller", "ascii", "0.25 um, 3 x 4, Muller"),
        ("0.25 \u00b5m, \u22121, M\u00fcller", "latin-1", "0.25 \u00b5m, -1, M\u00fcller"),
        ("\u65e5\u672c \U0001f9e0", "ascii", "?? ?"),
        ("name \udce4.svs", "utf-8", "name ?.svs"),
        ("\u2212\u65e5", "utf-8", "\u2212\u65e5"),
    ],
)
def test_a_character_that_cannot_be_written_is_replaced(monkeypatch, text, encoding, written):
    """A table of results was lost after hours, for want of a minus sign."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    use_plain_output()
    print(text)
    stream.flush()

    assert stream.buffer.getvalue().decode(encoding) == written + "\n"
