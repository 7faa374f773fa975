"""CPU time of a generated image beyond its network: loading, latents and noise, PNG, rows.

    python benchmarks/generation_cpu.py --checkouts OLD NEW --out SCRATCH --rounds 3

Parts of 128 images are made as workers of `synthesize` make them, by each checkout in turn in a
process of its own. The network's output is replaced by the first images of a folder, or by noise,
so that its own time does not count; all else is the real code.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import tyro

PART = """
import json, sys, time
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
from idhray.gan import sample
from idhray.gan.checkpoint import save
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.trainer import new_run
from idhray.stages import synthesize as stage

folder, side, base, parts, source = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
settings = StyleGan2Settings(resolution_px=side, fmap_base=base, total_kimg=0.001)
if not Path(folder, "model.json").exists():
    blank = np.zeros((4, side, side, 3), np.uint8)
    blank[:, ::2] = 255
    save(new_run(blank, settings, seed=0, idh="mutant", patients=("a",)), folder)
if source:
    from PIL import Image
    files = sorted(Path(source).rglob("*.png"))[:8]
    pictures = np.stack([np.asarray(Image.open(f).convert("RGB"))[:side, :side] for f in files])
    pictures = np.concatenate([pictures] * 8)[:8]
else:
    pictures = np.random.default_rng(0).integers(0, 256, (8, side, side, 3), np.uint8)
blocks = torch.from_numpy(pictures)
sample.render = lambda generator, inputs, noise=None: blocks
task = stage.SynthesizeTask(checkpoint=folder, generator="0" * 64, seed=0, psi=1.0, gate=None)
import dataclasses
milliseconds = []
for part in range(parts):
    some = dataclasses.replace(task, first=128 * part, end=128 * (part + 1))
    begun = time.process_time()
    rows = stage.synthesize_some(some).rows
    milliseconds.append(1000 * (time.process_time() - begun) / 128)
size = sum(len(row["image"]["bytes"]) for row in rows) / len(rows)
print(json.dumps({"first": milliseconds[0], "later": min(milliseconds[1:]), "bytes": size}))
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure."""

    checkouts: tuple[Path, ...]
    out: Path
    """Scratch folder for the checkpoint, which the first checkout writes."""
    images: Path | None = None
    """Folder of PNG files that stand for the network's output; noise by default."""
    resolution_px: int = 256
    fmap_base: int = 8192
    parts: int = 3
    """Parts of 128 images that a worker makes, one after the other, 2 or more. The first one loads
    the generator; of the later ones the fastest counts."""
    rounds: int = 3


def main(options: Options) -> None:
    """Measure each checkout in turn, and print one line of JSON for each."""
    figures: dict[str, list[dict[str, float]]] = {str(c): [] for c in options.checkouts}
    for _ in range(options.rounds):
        for checkout in options.checkouts:
            figures[str(checkout)].append(_one(checkout, options))
    for name, values in figures.items():
        rounds = {part: [round(value[part], 2) for value in values] for part in ("first", "later")}
        line = {
            "checkout": name,
            "cpu_ms_per_image": {part: median(each) for part, each in rounds.items()},
            "rounds": rounds,
            "bytes_per_image": round(values[0]["bytes"]),
        }
        print(json.dumps(line), flush=True)


def _one(checkout: Path, options: Options) -> dict[str, float]:
    """CPU ms of an image, and bytes of its file, by one checkout."""
    arguments = [
        str(options.out.absolute()),
        *map(str, (options.resolution_px, options.fmap_base, options.parts)),
        str(options.images or ""),
    ]
    environment = {**os.environ, "PYTHONPATH": str(checkout.absolute()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PART, *arguments]
    finished = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, cwd=checkout
    )
    values: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return values


if __name__ == "__main__":
    main(tyro.cli(Options))
