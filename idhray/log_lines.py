"""Log of a command: lines for people, or lines of JSON for a log store.

`IDHRAY_LOG=json` chooses JSON, with a line for each input that ends: its name, state and attempt.
Names of inputs may tell a patient, so such a log is as confidential as the data.
"""

import json
import logging
import os
from datetime import UTC, datetime

from idhray.errors import ConfigError

LOG_VARIABLE = "IDHRAY_LOG"
FIELDS = ("stage", "out", "input", "state", "attempt")
"""Fields that a record may carry as `extra`."""


class JsonLines(logging.Formatter):
    """One JSON object for each record."""

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command

    def format(self, record: logging.LogRecord) -> str:
        """Line of a record."""
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "command": self._command,
            "logger": record.name,
            "message": record.getMessage(),
        }
        values |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False)


def start_log(command: str) -> None:
    """Send the log of this process to stderr.

    Raises:
        ConfigError: the environment variable holds another word than json or text.
    """
    word = os.environ.get(LOG_VARIABLE) or "text"
    if word not in ("json", "text"):
        raise ConfigError(f"{LOG_VARIABLE} must be json or text, got {word!r}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if word == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines(command))
        logging.getLogger("idhray").setLevel(logging.DEBUG)
