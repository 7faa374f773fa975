"""Do time and memory of tiling stay linear and flat, as slides and archives grow?

    python -m benchmarks.slide_growth --source CMU-1-Small-Region.svs --out SCRATCH \
        [--sides 5000 10000 20000 40000 80000] [--counts 10 100 1000 10000] [--workers 2]

One slide of each side in pixels (20x), and archives of each count of one tiny slide, linked, made
by `slide_archive.py`. Each is cut by `idhray tile-slides`, all tiles, in processes of its own.

Prints a JSON line for each: CPU-seconds of all processes and what that is a tile or a slide once a
slide of no tiles' cost is taken off (Ray's start), wall seconds, the driver's peak resident memory,
and the peak of all processes' proportional set sizes together.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import tyro

from benchmarks.process_cost import cost_of

DRIVER = """
import json, resource, sys
from idhray.cli import run
code = run(sys.argv[1:])
print(json.dumps({"driver_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
sys.exit(code)
"""
STUB_PX = 1200
STUB_FLAGS = ("--tile-px", "256", "--mask-mpp", "8")


def main(
    source: Path,
    out: Path,
    *,
    sides: tuple[int, ...] = (5000, 10_000, 20_000, 40_000, 80_000),
    counts: tuple[int, ...] = (10, 100, 1000, 10_000),
    workers: int = 2,
) -> None:
    """Print the figures."""
    out.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"machine": machine, "workers": workers}), flush=True)
    start = cut(archive(source, out, 1, STUB_PX), out, workers)["cpu_s"]  # smaller than a tile
    print(json.dumps({"start_cpu_s": round(start, 1)}), flush=True)
    for side in sides:
        found = cut(archive(source, out, 1, side), out, workers)
        each = (found["cpu_s"] - start) / max(found["tiles"], 1) * 1000
        print(json.dumps({"side_px": side, **found, "cpu_ms_a_tile": round(each, 1)}), flush=True)
    for count in counts:
        found = cut(archive(source, out, count, STUB_PX), out, workers, *STUB_FLAGS)
        each = (found["cpu_s"] - start) / count * 1000
        print(json.dumps({"slides": count, **found, "cpu_ms_a_slide": round(each, 1)}), flush=True)


def archive(source: Path, out: Path, slides: int, side_px: int) -> Path:
    """A fresh one."""
    folder = out / "archive"
    shutil.rmtree(folder, ignore_errors=True)
    maker = Path(__file__).with_name("slide_archive.py")
    flags = ["--slides", str(slides), "--side-px", str(side_px), "--out", str(folder)]
    made = [sys.executable, str(maker), "--source", str(source), *flags]
    linked = ["--linked"] if slides > 1 else []
    subprocess.run([*made, *linked], check=True, stdout=subprocess.DEVNULL)
    return folder


def cut(folder: Path, out: Path, workers: int, *flags: str) -> dict[str, Any]:
    """What one run costs."""
    tiles, log = out / "tiles", out / "log"
    shutil.rmtree(tiles, ignore_errors=True)
    where = ["--manifest", str(folder / "manifest.csv"), "--out", str(tiles)]
    how = ["--select", "all", "--workers", str(workers), *flags]
    run = [sys.executable, "-c", DRIVER, "tile-slides", *where, *how]
    cost = cost_of(run, log=log)
    if cost.returncode:
        raise SystemExit(log.with_name("log.err").read_text()[-2000:])
    result, driver = (json.loads(line) for line in log.read_text().splitlines()[-2:])
    return {
        "tiles": result["rows"],
        "cpu_s": round(cost.cpu_s, 2),
        "wall_s": round(cost.wall_s, 1),
        "driver_mb": round(driver["driver_mb"]),
        "peak_mb": round(cost.peak_mb),
    }


if __name__ == "__main__":
    tyro.cli(main)
