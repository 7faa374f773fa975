"""Killed again and again, does tiling lose, double or leave behind anything?

    python benchmarks/slide_kills.py --archive FOLDER [--kills 20] [--seed 0]

FOLDER is an archive of `slide_archive.py`. `tile-slides` is killed with all its processes (SIGKILL)
at random moments and begun again on the same output each time: one kill in four at any moment of an
unbroken run, the others between the first file that a run publishes and the last, where something
can go wrong. A run that ends before its kill is begun anew in an empty folder. In the end, a second
run on the same output is tried, which must be refused.

Prints one JSON line: how far the output was at each kill, whether the table is at last the one of
the unbroken run byte for byte, duplicates, and files that nothing refers to.
"""

import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tyro

from idhray.ledger import fates
from idhray.table_parts import part_path, parts, read_table
from idhray.tables import TILES


def main(archive: Path, *, kills: int = 20, seed: int = 0, tile_px: int = 512) -> None:
    """Print the figures."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, out = Path(folder) / "whole", Path(folder) / "out"
        began = time.monotonic()
        first = begin(archive, whole, tile_px)
        published = waited_for_change(whole, first) - began
        first.communicate()
        takes = time.monotonic() - began
        at = []
        while len(at) < kills:
            anywhere = len(at) % 4 == 0
            seconds = draw.uniform(0, takes if anywhere else takes - published)
            if killed(archive, out, tile_px, seconds, after_change=not anywhere):
                at.append(files(out))
            else:
                shutil.rmtree(out)
        refused = second_is_refused(archive, out, tile_px)
        finish(archive, out, tile_px)
        print(json.dumps(compared(whole, out, takes, at) | {"second_run_refused": refused}))


def command(archive: Path, out: Path, tile_px: int) -> list[str]:
    """Small shards, so that a slide is many files."""
    run = [sys.executable, "-m", "idhray", "tile-slides", "--manifest", f"{archive}/manifest.csv"]
    return [*run, "--out", str(out), "--select", "all", *flags(tile_px)]


def flags(tile_px: int) -> list[str]:
    """Of the settings."""
    return ["--tile-px", str(tile_px), "--tiles-per-shard", "20"]


def begin(archive: Path, out: Path, tile_px: int) -> subprocess.Popen[bytes]:
    """A run, the first process of a session of its own."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    environment = {**os.environ, "RAY_ADDRESS": ""}
    run = command(archive, out, tile_px)
    return subprocess.Popen(run, env=environment, start_new_session=True, **quiet)


def finish(archive: Path, out: Path, tile_px: int) -> None:
    """A run to its end."""
    run = begin(archive, out, tile_px)
    _, said = run.communicate()
    assert run.returncode == 0, said.decode()


def files(out: Path) -> tuple[int, int]:
    """Parts and fates there are."""
    found = parts(str(out)) if out.exists() else []
    return len(found), len(fates(str(out))) if found else 0


def waited_for_change(out: Path, run: subprocess.Popen[bytes]) -> float:
    """When the run had published something, or ended."""
    before = files(out)
    while run.poll() is None and files(out) == before:
        time.sleep(0.02)
    return time.monotonic()


def killed(archive: Path, out: Path, tile_px: int, seconds: float, *, after_change: bool) -> bool:
    """Whether the run still ran when it was to be killed."""
    run = begin(archive, out, tile_px)
    try:
        if after_change:
            waited_for_change(out, run)
        run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        return True
    return False


def second_is_refused(archive: Path, out: Path, tile_px: int) -> bool:
    """Whether a run ends at once with one line while another is at work."""
    first = begin(archive, out, tile_px)
    while not (out / "_settings.json").exists():
        time.sleep(0.1)
    time.sleep(3)
    second = begin(archive, out, tile_px)
    _, said = second.communicate()
    working = first.poll() is None
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    lines = said.decode().strip().splitlines()
    return working and second.returncode == 1 and "another run is writing here" in lines[-1]


def compared(whole: Path, out: Path, takes: float, at: list[tuple[int, int]]) -> dict[str, object]:
    """What the output is beside that of the unbroken run."""
    tables = [read_table(str(folder), TILES) for folder in (whole, out)]
    places = tables[1].select(["slide", "x_l0", "y_l0"]).to_pandas()
    known = {
        part_path(str(out), name, shard)
        for name, fate in fates(str(out)).items()
        for shard in range(fate.parts)
    }
    sheets = sorted(path.name for path in (out / "quality").iterdir())
    hidden = [path.name for path in out.rglob(".*") if path.name != ".lock"]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "unbroken_s": round(takes, 1),
        "parts_and_fates_at_kills": at,
        "tiles": tables[0].num_rows,
        "same_table": tables[0].equals(tables[1]),
        "duplicates": int(places.duplicated().sum()),
        "orphan_parts": len(set(parts(str(out))) - known),
        "half_written": len(hidden),
        "sheets_missing": len(fates(str(out))) - len(sheets),
    }


if __name__ == "__main__":
    tyro.cli(main)
