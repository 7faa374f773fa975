"""Log lines of long computations."""

import logging

from idhray.stats import progress


def test_a_line_follows_every_ten_seconds(monkeypatch, caplog):
    """A bootstrap of a minute without a line looks like a program that hangs."""
    clock = iter([0.0, 4.0, 11.0, 15.0, 22.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO):
        assert list(progress.counted(4, "bootstrap")) == [0, 1, 2, 3]

    assert [record.message for record in caplog.records] == [
        "bootstrap: 2 of 4",
        "bootstrap: 4 of 4",
    ]
