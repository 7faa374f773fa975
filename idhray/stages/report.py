"""The report of a study, of slides or MRI: all its folders -> one self-contained report.html."""

import logging
from dataclasses import dataclass
from typing import Any

from idhray.errors import StorageError
from idhray.planning.cluster_cost import Prices
from idhray.stages.runtime.dry_run import DRY_RUN
from idhray.stages.studies.progress_page import write_progress
from idhray.stages.studies.reader_report import reader_report
from idhray.stages.studies.record import experiment_root
from idhray.stages.studies.slide_report import slide_report
from idhray.storage import SETTINGS, exists, join, read_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReportFlags:
    """Flags of `idhray report`."""

    study: str
    """Folder of a study that `idhray study` made."""
    experiment: str | None = None
    """Name of a further experiment of the study."""
    price_cpu_hour: float = 0.0
    """Price of one CPU for an hour. With a price, the table of the work has a column of costs."""
    price_gpu_hour: float = 0.0
    """Price of one GPU with its machine for an hour."""
    currency: str = "USD"
    """Name of the currency of both prices."""
    dry_run: bool = False
    """Print which page would be written, and stop."""


def report(flags: ReportFlags) -> dict[str, Any]:
    """Write `report.html` into the folder of a study, or of a further experiment of it.

    The folder `report` beside it holds each figure and table as a file, `appendix.html` shows the
    quality picture of every input. A study without
    statistics gets `progress.html`, which says what is done and what is missing, without a verdict.
    """
    root = experiment_root(flags.study, flags.experiment)
    if not exists(join(flags.study, SETTINGS)):
        raise StorageError(f"{flags.study}: no {SETTINGS}; give a folder that idhray study made")
    has_statistics = exists(join(root, "statistics", SETTINGS))
    if flags.dry_run:
        page = "report.html, appendix.html and report/" if has_statistics else "progress.html"
        text = f"reads: {root}\nwrites: {page}"
        return {"out": root, DRY_RUN: True, "verdict": has_statistics, "text": text}
    if not has_statistics:
        logger.warning("%s: no statistics yet, so there is no verdict", root)
        return write_progress(flags.study, running=False)
    prices = Prices(
        cpu_hour=flags.price_cpu_hour, gpu_hour=flags.price_gpu_hour, currency=flags.currency
    )
    if read_json(join(flags.study, SETTINGS)).get("kind") == "mri":
        return reader_report(flags.study, prices=prices)
    return slide_report(flags.study, flags.experiment, prices)
