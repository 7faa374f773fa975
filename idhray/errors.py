"""Errors that idhray raises on purpose: one message that says where, what was found, what to do.

Each takes one message only: an exception with another constructor loses its type on its way from
a Ray worker to the driver.
"""


class IdhrayError(Exception):
    """Any error that the user can act upon; the command line prints it as one line."""


class ConfigError(IdhrayError):
    """A setting or an argument is out of range or contradicts another one."""


class ManifestError(IdhrayError):
    """The manifest is contradictory or incomplete; the message lists all its problems."""


class SettingsChangedError(ConfigError):
    """An output folder was made with other settings or inputs than the ones given now."""


class StorageError(IdhrayError):
    """A file or folder is missing, in use, or not what it should be."""


class FullError(StorageError):
    """There is no space left for output; what was begun is not, and nothing else can be."""


class TableError(IdhrayError):
    """A Parquet table lacks columns or rows that its reader needs."""


class SlideError(IdhrayError):
    """A slide is missing, unreadable, or does not say its resolution."""


class TrainingError(IdhrayError):
    """A training diverged: its loss is not a finite number any more."""


class LeakageError(IdhrayError):
    """Patients that must stay apart (training, validation, test) would meet."""


class MriError(IdhrayError):
    """An MRI volume is missing, unreadable, implausible, or does not fit its partner."""
