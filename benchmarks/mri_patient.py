"""A real patient from files to slices: CPU-seconds, the share that nobody can save, memory.

    python benchmarks/mri_patient.py --t1ce FILE --flair FILE [--repeats 5] [--picture FILE]

The floor is what any tool must do: unpack both files, and find both brains with the network. Whole
and floor are timed in turns; their medians are compared. One thread.
"""

import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import tyro

from idhray.images import encode
from idhray.mri.brain.extraction import extract_brain
from idhray.mri.brain.settings import BrainSettings
from idhray.mri.nifti.reader import read_volume
from idhray.mri.patient import MriSettings, PreparedStudy, Scans, prepare


def main(t1ce: str, flair: str, repeats: int = 5, picture: Path | None = None) -> None:
    """Print one JSON line: CPU-seconds a patient, the floor's share, patients a minute and core."""
    torch.set_num_threads(1)
    scans = Scans(study="one", t1ce=t1ce, flair=flair)
    found = prepare(scans, MriSettings())  # the networks are loaded now
    whole, floor = [], []
    for _ in range(repeats):
        whole.append(cpu_seconds(lambda: prepare(scans, MriSettings())))
        floor.append(cpu_seconds(lambda: least(scans)))
    seconds = statistics.median(whole)
    print(
        json.dumps(
            {
                "cpu_s": round(seconds, 2),
                "floor_cpu_s": round(statistics.median(floor), 2),
                "floor_share": round(statistics.median(floor) / seconds, 3),
                "patients_per_minute_and_core": round(60 / seconds, 1),
                "slices": len(found.slices),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                **quality(found),
            }
        )
    )
    if picture:
        picture.write_bytes(encode(found.picture))


def least(scans: Scans) -> None:
    """Unpack both scans and find both brains."""
    for path in (scans.t1ce, scans.flair):
        extract_brain(read_volume(path), BrainSettings())


def cpu_seconds(task: Callable[[], object]) -> float:
    """What the task takes of this process."""
    began = time.process_time()
    task()
    return time.process_time() - began


def quality(found: PreparedStudy) -> dict[str, object]:
    """A few of the figures that stand beside the slices."""
    names = ("nmi_before", "nmi_after", "displacement_mean_mm", "rotation_degrees", "brain_overlap")
    return {name: round(found.figures[name], 3) for name in names}


if __name__ == "__main__":
    tyro.cli(main)
