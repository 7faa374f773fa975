"""Size and time of a report: a study of tables of any number of patients, without slides.

    python -m benchmarks.report_size --patients 266 --side-px 256

The study has five folds, five repeats, four arms and a generator of each class for each fold and
repeat, as the preset `controlled`; tables, ledgers and statistics are written by the package.
"""

import csv
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from idhray.stages.checklist import ChecklistFlags, checklist
from idhray.stages.studies.slide_report import slide_report
from tests.stages.studies.study_of_tables import DEMO, study_of_tables

RESULTS = Path(__file__).parent / "results" / "report_size.csv"


@dataclass(frozen=True, kw_only=True)
class ReportSize:
    """Size of the study."""

    patients: int = 266
    """Patients of the cohort."""
    side_px: int = 256
    """Side of the images of the generators."""
    keep: bool = False
    """Append the figures to benchmarks/results/report_size.csv."""


def megabytes(*paths: Path) -> float:
    """Size of files and folders, in MB."""
    files = [f for path in paths for f in ([path] if path.is_file() else path.rglob("*"))]
    return round(sum(file.stat().st_size for file in files if file.is_file()) / 1e6, 2)


def main(flags: ReportSize) -> None:
    """Make a study, its report and its checklists; print their sizes and times."""
    protocol = replace(
        DEMO.protocol, fold_count=5, repeats=5, generators="per fold and repeat", counts=(120,)
    )
    folder = Path(tempfile.mkdtemp(prefix="report-size-"))
    try:
        start = time.perf_counter()
        study = study_of_tables(
            folder / "study", flags.patients, replace(DEMO, protocol=protocol), flags.side_px
        )
        made = time.perf_counter()
        cpu = time.process_time()
        slide_report(study)
        reported, cpu = time.perf_counter(), time.process_time() - cpu
        shares = checklist(ChecklistFlags(study=study))["filled"]
        filled = time.perf_counter()
        root = Path(study)
        figures = {
            "patients": flags.patients,
            "side_px": flags.side_px,
            "page_mb": megabytes(root / "report.html"),
            "files_mb": megabytes(root / "report"),
            "appendix_mb": megabytes(root / "appendix", root / "appendix.html"),
            "report_s": round(reported - made, 1),
            "report_cpu_s": round(cpu, 1),
            "checklist_s": round(filled - reported, 1),
            "tripod_ai_filled": shares["TRIPOD+AI"]["share"],
            "study_s": round(made - start, 1),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "commit": _commit(),
        }
    finally:
        shutil.rmtree(folder)
    print(json.dumps(figures))
    if flags.keep:
        _append(figures)


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _append(figures: dict[str, object]) -> None:
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(figures), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(figures)


if __name__ == "__main__":
    main(tyro.cli(ReportSize))
