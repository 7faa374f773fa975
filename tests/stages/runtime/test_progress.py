"""What is said while a stage runs."""

import logging
from functools import partial

import pytest

from idhray.stages.runtime import progress as module
from idhray.stages.runtime.progress import progress

ROWS = [{"input": "large", "rows": 31}, {"input": "small", "rows": 9}]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"large": 300, "small": 100}, "1 of 2 inputs, 31 rows, 1.0 rows/s, 75% of the work"),
        ({"large": 0, "small": 0}, "1 of 2 inputs, 31 rows, 1.0 rows/s, 50% of the work"),
    ],
    ids=["by size", "all alike"],
)
def test_the_time_left_goes_by_the_work_and_not_by_the_count(monkeypatch, caplog, sizes, said):
    """The largest inputs come first: by the count, an archive would seem to take far longer."""
    ticks = iter([0.0, 31.0, 40.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO):
        assert list(progress(ROWS, sizes, label="out")) == ROWS

    left = "10 s" if sizes["large"] else "1 min"
    assert caplog.messages == [
        f"out: {said}, about {left} left",
        "out: 2 of 2 inputs, 40 rows, 1.0 rows/s",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(20, "20 s"), (100, "2 min"), (7140, "119 min"), (9000, "2.5 h")]
)
def test_long_times_are_not_given_in_seconds(seconds, text):
    """Nobody reads 9000 s."""
    assert module._duration(seconds) == text


def test_the_bar_of_a_terminal_goes_by_the_work_too(monkeypatch, capsys):
    """Its estimate, too, is of what the inputs take."""
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(module, "tqdm", partial(module.tqdm, mininterval=0))
    assert list(progress(ROWS, {"large": 300, "small": 100}, label="out")) == ROWS

    shown = capsys.readouterr().err.split("\r")
    assert any("75%" in line and "1/2 inputs, 31 rows" in line for line in shown)
    assert "100%" in shown[-1]
    assert "2/2 inputs, 40 rows" in shown[-1]


def test_a_stage_in_which_no_input_ends_for_long_still_tells(monkeypatch, caplog):
    """One slide of a terabyte looks like a hang."""
    monkeypatch.setattr(module, "SECONDS_PER_LINE", 0.05)
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)

    def slow():
        module.time.sleep(0.3)
        yield from ROWS

    with caplog.at_level(logging.INFO):
        list(progress(slow(), {"large": 0, "small": 0}, label="out"))

    assert "out: 0 of 2 inputs, 0 rows, 0.0 rows/s" in caplog.messages
