"""The report of a study, of slides or MRI: all its folders -> one self-contained report.html."""

from dataclasses import dataclass
from typing import Any

from idhray.errors import StorageError
from idhray.stages.studies.reader_report import reader_report
from idhray.stages.studies.slide_report import slide_report
from idhray.storage import SETTINGS, exists, join, read_json


@dataclass(frozen=True, kw_only=True)
class ReportFlags:
    """Flags of `idhray report`."""

    study: str
    """Folder of a study that `idhray study` made."""


def report(flags: ReportFlags) -> dict[str, Any]:
    """Write `report.html` into the folder of a study."""
    if not exists(join(flags.study, "statistics", SETTINGS)):
        raise StorageError(f"{flags.study}: no statistics; finish `idhray study` first")
    if read_json(join(flags.study, SETTINGS)).get("kind") == "mri":
        return reader_report(flags.study)
    return slide_report(flags.study)
