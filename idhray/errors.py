"""Errors that idhray raises on purpose. The message says where, what was found and what to do.

Each error takes one message only: an exception with another constructor loses its type on its way
from a Ray worker to the driver.
"""


class IdhrayError(Exception):
    """Any error that the user can act on; the command line prints it as one line."""


class ConfigError(IdhrayError):
    """A setting or an argument is out of range or contradicts another one."""


class ManifestError(IdhrayError):
    """The manifest is contradictory or incomplete; the message lists all problems."""


class SettingsChangedError(ConfigError):
    """An output folder was made with other settings or inputs than those of this run."""


class StorageError(IdhrayError):
    """A file or folder is missing, in use, or of the wrong kind."""


class OutputError(StorageError):
    """Output cannot be written, which is not the fault of the input in hand."""


class FullError(OutputError):
    """No space is left for output: the file in progress is not published, nor can any other be."""


class UnreachableError(OutputError):
    """A store did not answer for minutes: no input is at fault, and the others would fail, too."""


class TableError(IdhrayError):
    """A Parquet table lacks columns or rows that its reader needs."""


class SlideError(IdhrayError):
    """A slide is missing, unreadable, or has no resolution."""


class TrainingError(IdhrayError):
    """A training diverged: its loss is no longer finite."""


class LeakageError(IdhrayError):
    """Patients that must stay apart (training, validation, test) would be mixed."""


class MriError(IdhrayError):
    """An MRI volume is missing, unreadable, implausible, or does not match its partner."""


def one_line(error: Exception) -> str:
    """Message of an error with line breaks and runs of blanks replaced by single blanks."""
    return " ".join(str(error).split())
