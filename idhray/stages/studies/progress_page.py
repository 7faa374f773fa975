"""Progress of a study that is not finished: status.json for programs, progress.html for people.

Neither shows a result of an arm, so that nobody stops a study at a lucky moment, unless the
protocol says that areas are shown (--unblind). On a terminal a bar tells how far the present stage
is.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from idhray.errors import IdhrayError
from idhray.report.content import Picture
from idhray.report.html import progress_html
from idhray.stages.runtime.cost import duration
from idhray.stages.runtime.folder_entries import folder_entry
from idhray.stages.runtime.stage_folders import stage_folders
from idhray.stages.studies.areas_so_far import areas_so_far
from idhray.stages.studies.stage_counts import StageCount, StageRates, safe_counts
from idhray.stages.studies.study_bar import StudyBar
from idhray.storage import (
    SETTINGS,
    exists,
    join,
    list_files,
    list_tree,
    publish,
    publish_json,
    read_bytes,
    read_json,
)

logger = logging.getLogger(__name__)

PROGRESS_FILES = ("status.json", "progress.html")
PERIOD_S = 30.0
FIRST_S = 5.0
"""Seconds until the first look at a study, from which rates are measured."""
LARGEST_SHARE = 0.02
"""Largest share of the time that is spent on looking, which decides the period of large studies."""
STAGES = {
    "slides": ("tiles", "patches", "generators", "sweep", "statistics"),
    "mri": ("slices", "gan-mutant", "synthetic-mutant", "form", "statistics"),
}
"""Kind of study -> folders of its stages, in order."""
SHOWN = {
    "kimg": "Real images shown, thousands (kimg)",
    "images_per_second": "Images per second",
    "d_loss": "Loss of the discriminator",
    "g_loss": "Loss of the generator",
    "kid": "KID, lower is better",
}
"""Number of a training of a generator -> its name; no number of a classifier."""
LARGEST_SAMPLE_BYTES = 2_000_000


def write_progress(
    study: str, *, running: bool, rates: StageRates | None = None, bar: StudyBar | None = None
) -> dict[str, Any]:
    """Write `status.json` and `progress.html` into the folder of a study.

    Args:
        study: Folder of the study.
        running: The page asks the browser to load it again.
        rates: Rates of the stages that this run has measured; without them no time is known.
        bar: Bar on the terminal that shows the same.
    """
    counts = safe_counts(study)
    left = rates.look(counts) if rates else {}
    if bar is not None:
        bar.show(counts, left)
    kind = read_json(join(study, SETTINGS)).get("kind", "slides")
    entries = [
        folder_entry(study, folder)
        for folder in stage_folders(list_tree(study))
        if folder.stage != "study"
    ]
    rows = [_row(entry) for entry in entries]
    missing = [
        name
        for name in STAGES.get(kind, ())
        if not any(entry["folder"].split("/")[0] == name for entry in entries)
    ]
    finished = sum(entry["complete"] for entry in entries)
    sentence = f"{finished} of {len(entries)} folders are complete"
    sentence += f"; {len(missing)} stages have not begun." if missing else "."
    trainings = [_training(study, entry) for entry in entries if entry.get("training")]
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    publish_json(
        join(study, "status.json"),
        {
            "written": written,
            "running": running,
            "stages": [
                {**asdict(count), "seconds_left": left.get(count.stage)} for count in counts
            ],
            "folders": rows,
            "not_begun": missing,
        },
    )
    page = progress_html(
        sentence=sentence,
        written=written,
        stages=[_stage_row(count, left.get(count.stage)) for count in counts],
        areas=areas_so_far(join(study, "sweep")),
        rows=rows,
        missing=missing,
        trainings=trainings,
        has_report=exists(join(study, "report.html")) and not running,
        refresh_s=int(PERIOD_S) if running else 0,
    )
    path = join(study, "progress.html")
    publish(path, page.encode())
    return {"progress": path, "complete": finished, "folders": len(entries), "not_begun": missing}


def _stage_row(count: StageCount, seconds_left: float | None) -> dict[str, Any]:
    """Work of one stage in words, and its share for a bar."""
    return {
        "stage": count.stage,
        "percent": round(100 * count.fraction),
        "work": count.words,
        "left": "" if seconds_left is None else f"about {duration(seconds_left)}",
    }


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """State of one folder in words and numbers."""
    seconds = entry.get("seconds")
    return {
        "folder": entry["folder"],
        "state": "complete" if entry["complete"] else "at work or stopped",
        **{name: entry.get(name, "") for name in ("done", "skipped", "failed")},
        "hours": f"{seconds / 3600:.2f} h" if isinstance(seconds, int | float) else "",
    }


def _training(study: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and newest images of a generator in training."""
    numbers = {
        title: f"{entry['training'][name]:.4g}"
        for name, title in SHOWN.items()
        if entry["training"].get(name) is not None
    }
    folder = join(study, entry["folder"])
    return {"folder": entry["folder"], "numbers": numbers, "picture": _newest_sample(folder)}


def _newest_sample(folder: str) -> Picture | None:
    """Newest sheet of images that a training wrote; None without one."""
    names = [
        name
        for name in list_files(join(folder, "samples"), suffix=".png")
        if not name.endswith("real.png")  # sheets of patients' images
    ]
    data = read_bytes(names[-1]) if names else b""
    if not data or len(data) > LARGEST_SAMPLE_BYTES:
        return None
    return Picture(title="Samples", data=data, alt="Sheet of generated images, not selected")


@contextlib.contextmanager
def progress_while_running(study: str) -> Iterator[None]:
    """Refresh the progress of a study in the background, until the block ends.

    A page that cannot be written is a warning, once: it must not stop a study.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_refresh, args=(study, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=PERIOD_S)
        _write_safely(study, running=False)


def _refresh(study: str, ended: threading.Event) -> None:
    rates, wait = StageRates(), FIRST_S
    with StudyBar() as bar:
        while not ended.wait(wait):
            begin = time.monotonic()
            if not _write_safely(study, running=True, rates=rates, bar=bar):
                return
            wait = max(PERIOD_S, (time.monotonic() - begin) / LARGEST_SHARE)


def _write_safely(
    study: str, *, running: bool, rates: StageRates | None = None, bar: StudyBar | None = None
) -> bool:
    """Write the progress if the study has begun; False if it cannot be written."""
    try:
        if exists(join(study, SETTINGS)):
            write_progress(study, running=running, rates=rates, bar=bar)
    except (IdhrayError, OSError, ValueError, KeyError) as error:
        logger.warning("%s: the progress cannot be written (%s)", study, error)
        return False
    return True
