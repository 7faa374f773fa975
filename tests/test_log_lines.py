"""The log as lines of JSON."""

import json
import logging

import pytest

from idhray.errors import ConfigError
from idhray.log_lines import LOG_VARIABLE, JsonLines, start_log


def test_a_line_is_an_object_with_the_fields_of_its_record():
    """A log store searches by input and attempt."""
    record = logging.makeLogRecord(
        {"name": "idhray.x", "levelname": "INFO", "msg": "%s: done\n", "args": ("M\u00fcller",)}
    )
    record.input, record.attempt = "slide 1", 2
    line = JsonLines("tile-slides").format(record)
    values = json.loads(line)

    assert "\n" not in line
    assert values["message"] == "M\u00fcller: done\n"
    assert (values["command"], values["input"], values["attempt"]) == ("tile-slides", "slide 1", 2)
    assert "state" not in values


def test_another_word_is_refused(monkeypatch):
    """A misspelled word would leave the log store empty."""
    monkeypatch.setenv(LOG_VARIABLE, "jsonl")
    with pytest.raises(ConfigError, match="IDHRAY_LOG must be json or text"):
        start_log("study")
