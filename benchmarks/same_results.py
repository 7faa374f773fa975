"""Compare the results of two checkouts on small studies of slides and MRI.

    python benchmarks/same_results.py --before CHECKOUT --after CHECKOUT --out FOLDER

Both run the same commands. Tables, weights, pictures and CSV files must be the same bytes, JSON
files the same values. Then the second checkout runs the commands on the folders of the first one:
it must continue them, and rewrite no table and no weights.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SLIDES = "--width-px 2048 --height-px 2048 --patients 24 --seed 5"
SLIDE_STUDY = (
    "--preset demo --seed 1 --tiling.tile-px 512 --tiling.min-object-px 50 --patches.patch-px 128 "
    "--patches.tile-px 512 --patches.train-per-class 48 --patches.eval-per-patient 4 "
    "--gan.resolution-px 16 --gan.latent-size 16 --gan.fmap-base 64 --gan.fmap-max 8 "
    "--gan.stabilise-kimg 0.1 --gan.fade-kimg 0.1 --gan.total-kimg 0.8 --gan.batch-sizes 8 8 8 "
    "--gan.checkpoint-kimg 0.2 --gan.sample-kimg 0.4 --classifier.image-px 32 "
    "--classifier.batch-size 16 --classifier.epochs 2 --counts 0 8 --repeats 2 "
    "--evaluation-images 24"
)
MRI = "--preset demo-mri --patients 16 --normals 2 --t1ce-mm 2.5 --flair-mm 2.5 --flair-slice-mm 6 "
MRI += "--seed 3"
GANS = ("pretraining", "gan")
MRI_STUDY = (
    "--preset demo-mri --seed 1 --mri.slices.size-px 32 --mri.slices.registration-steps-mm 8 "
    "--mri.slices.max-slices 3 --synthetic 6 --evaluation-images 24 "
    "--statistics.bootstrap-draws 100 --statistics.optimism-resamples 2 "
    + " ".join(
        f"--{gan}.resolution-px 32 --{gan}.latent-size 8 --{gan}.mapping-layers 2 "
        f"--{gan}.fmap-base 64 --{gan}.fmap-max 8 --{gan}.total-kimg 0.1 --{gan}.batch-size 8 "
        f"--{gan}.checkpoint-kimg 0.05 --{gan}.sample-kimg 0.1"
        for gan in GANS
    )
)
CLASSIFIER = "--preset demo --image-px 32 --batch-size 16 --epochs 2"
COMMANDS = (
    f"make-phantom --preset demo {SLIDES} --out slides",
    f"study {SLIDE_STUDY} --manifest slides/manifest.csv --out study",
    f"train-classifier {CLASSIFIER} --images study/patches --synthetic study/synthetic-wildtype "
    "study/synthetic-mutant --n-synthetic 8 --allow-failed-gan --out classifier",
    "predict --checkpoint classifier --images study/patches --split test --out predictions",
    "export-images --images study/patches --format webdataset --out export",
    "import-images --source export/shards --format webdataset --manifest study/cohort.parquet "
    "--out import",
    "split-cohort --manifest slides/manifest.csv --out split.csv --overwrite",
    "plan --patients 34 --mutant 18 --auc 0.92 --gain 0.07 --out plan.json",
    f"make-phantom {MRI} --out mri",
    f"study {MRI_STUDY} --manifest mri/manifest.csv --normals mri/normals.csv --out study-mri",
)
BYTES = (".parquet", ".safetensors", ".csv", ".png", ".jpg", ".npy", ".tar", ".gz", ".svs", ".tif")
FREE = ("_ledger", "_provenance.json", "report.html", "tables.html", "_ray", "_history")
"""Time, host, version and prose may differ."""
MANIFESTS = ("cohort.parquet", "_cohort.parquet", "normals.parquet")
SEAL = re.compile(r'"[0-9a-f]{16}"')
REWORDED = (
    ("already without its skull: taken as it is", "already skull-stripped: used unchanged"),
    ("not analysed", "not analyzed"),
    ("judgements", "judgments"),
)
"""Notes in tables and statistics.json that are worded anew; no key and no number is."""


def run_all(checkout: Path, folder: Path) -> list[str]:
    """Run every command of a checkout in a folder; the JSON lines that they print."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    lines = []
    for command in COMMANDS:
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "idhray", *command.split()],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        name = command.split()[0]
        print(f"{checkout.name}: {name} {time.monotonic() - start:.0f} s", flush=True)
        if done.returncode:
            raise SystemExit(f"{checkout}: idhray {command}\n{done.stderr[-3000:]}")
        lines.append(done.stdout.splitlines()[-1].replace(str(folder), ""))
    return lines


def files_of(folder: Path) -> dict[str, Path]:
    """The files to compare, by their path in the folder."""
    return {
        str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(FREE) for part in path.parts)
    }


def content(path: Path, folder: Path) -> Any:
    """What must be the same: bytes, or the text of CSV and JSON files and of manifests.

    Texts are compared without the folder, seals, versions and seconds, and after `REWORDED`.
    """
    if path.suffix == ".parquet" and path.name not in MANIFESTS:
        names = set(pq.read_schema(path).names)
        if "generator" in names:  # the seal of a folder whose notes are worded anew
            table = pq.read_table(path, columns=sorted(names - {"generator"}))
            return hashlib.sha256(repr(table.to_pydict()).encode()).hexdigest()
    if path.name in MANIFESTS or path.suffix in (".csv", ".json"):
        manifest = path.name in MANIFESTS
        text = pq.read_table(path).to_pandas().to_csv() if manifest else path.read_text()
        for old, new in ((str(folder), ""), *REWORDED):
            text = text.replace(old, new)
        text = SEAL.sub('"seal"', text)
        return without_versions(json.loads(text)) if path.suffix == ".json" else text
    return hashlib.sha256(path.read_bytes()).hexdigest()


def without_versions(values: Any) -> Any:
    """JSON values without the version of the package and without seconds."""
    if isinstance(values, dict):
        left_out = {"idhray", "seconds", "digest"}
        return {k: without_versions(v) for k, v in values.items() if k not in left_out}
    return [without_versions(v) for v in values] if isinstance(values, list) else values


def compare(before: Path, after: Path) -> bool:
    """Print the files that differ; True if none does."""
    old, new = files_of(before), files_of(after)
    kinds: Counter[str] = Counter()
    different = sorted(set(old) ^ set(new))
    for name in sorted(set(old) & set(new)):
        kind = Path(name).suffix
        if kind not in (*BYTES, ".json"):
            continue
        kinds[kind] += 1
        if content(old[name], before) != content(new[name], after):
            different.append(name)
    print("compared:", ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    for name in different:
        print("differs:", name, "" if name in old and name in new else "(in one of them only)")
    return not different


def rewritten(folder: Path, times: dict[str, int]) -> list[str]:
    """Tables and weights whose file is newer than it was."""
    return [
        name
        for name, path in files_of(folder).items()
        if name in times
        and path.suffix in (".parquet", ".safetensors")
        and path.name not in MANIFESTS  # written by every run: an archive may have moved
        and path.stat().st_mtime_ns != times[name]
    ]


def printed_values(line: str) -> Any:
    """The values of the JSON line that a command prints."""
    for old, new in REWORDED:
        line = line.replace(old, new)
    return without_versions(json.loads(line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("before", "after", "out"):
        parser.add_argument(f"--{name}", type=lambda path: Path(path).resolve(), required=True)
    flags = parser.parse_args()
    before, after = flags.out / "before", flags.out / "after"
    lines = [run_all(flags.before, before), run_all(flags.after, after)]
    for command, first, second in zip(COMMANDS, *lines, strict=True):
        if printed_values(first) != printed_values(second):
            print("prints otherwise:", command.split()[0], first, second, sep="\n  ")
    same = compare(before, after)
    times = {name: path.stat().st_mtime_ns for name, path in files_of(before).items()}
    run_all(flags.after, before)
    again = rewritten(before, times)
    print("continued; rewritten:", again or "nothing")
    sys.exit(0 if same and not again else 1)


if __name__ == "__main__":
    main()
