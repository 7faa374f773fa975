"""Time of a rerun of `tile-slides` that has nothing to do, by several checkouts in turn.

    python -m benchmarks.rerun_cost --checkouts OLD NEW --out SCRATCH [--inputs 10000] [--rounds 3]

Each checkout makes a finished folder of stub inputs: links to one small file, whose fates and empty
parts are written without tiling. Then each runs the stage again, in turn, without Ray's start.
Prints a JSON line for each run, in CPU-seconds and wall seconds, and the medians at the end.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import tyro

STAGE = """
import json, sys, time
from pathlib import Path
from idhray import ledger
from idhray.ledger import Fate
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.runtime import mapping, session
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.table_parts import part_path

def finished(groups, *, attempts, work, options):
    for item in [item for group in groups for item in group]:
        people = {"people_hash": item.people_hash} if hasattr(item, "people_hash") else {}
        fate = Fate(input=item.name, status="done", rows=1, digest="0" * 16, **people,
                    settings_hash=item.settings_hash)
        Path(part_path(out, item.name)).touch()
        ledger.record(out, fate)
        yield {"input": item.name, "status": "done", "error": "", "rows": 1}

session.ray.is_initialized = lambda: True
session.ray.cluster_resources = lambda: {"CPU": 2}
mapping.wait_for_room = lambda **needs: None
mapping.run_tasks = finished
manifest, out = sys.argv[1:]
flags = TileSlidesFlags(manifest=manifest, out=out, settings=TilingSettings())
cpu, wall = time.process_time(), time.perf_counter()
rows = tile_slides(flags)["rows"]
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({"rows": rows, "cpu_s": round(cpu, 2), "wall_s": round(wall, 2)}))
"""


def main(checkouts: tuple[Path, ...], out: Path, *, inputs: int = 10_000, rounds: int = 3) -> None:
    """Print the figures."""
    manifest = archive(out / "archive", inputs)
    for number, checkout in enumerate(checkouts):
        shutil.rmtree(out / f"tiles-{number}", ignore_errors=True)
        rerun(checkout, manifest, out / f"tiles-{number}")
    figures = defaultdict(list)
    for turn in range(rounds):
        for number, checkout in enumerate(checkouts):
            result = rerun(checkout, manifest, out / f"tiles-{number}")
            print(json.dumps({"checkout": str(checkout), "round": turn, **result}), flush=True)
            figures[checkout].append((result["cpu_s"], result["wall_s"]))
    for checkout, pairs in figures.items():
        cpu, wall = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(json.dumps({"checkout": str(checkout), "median_cpu_s": cpu, "median_wall_s": wall}))


def archive(folder: Path, inputs: int) -> Path:
    """Manifest of links to one small file, one patient each."""
    (folder / "slides").mkdir(parents=True, exist_ok=True)
    stub = folder / "stub.svs"
    stub.write_bytes(bytes(1000))
    lines = ["patient,slide,idh,split"]
    for number in range(inputs):
        name = f"slides/S{number:05d}.svs"
        if not (folder / name).exists():
            os.link(stub, folder / name)
        lines.append(f"P{number:05d},{name},{('wildtype', 'mutant')[number % 2]},train")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


def rerun(checkout: Path, manifest: Path, out: Path) -> dict[str, float]:
    """Figures of one run of the stage."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STAGE, str(manifest), str(out)]
    done = subprocess.run(
        command, check=True, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    tyro.cli(main)
