"""Seconds of one core for the fingerprints of images, and near-duplicates on real cohorts.

    python benchmarks/fingerprint_speed.py [--data FOLDER]

Measured are 100,000 images of 256 px beyond their decoding, the decoding itself, and the search for
near-duplicates among 100,000 hashes. With --data, a folder as `IDHRAY_REAL_DATA`, all images of the
folders mri_slices and he_patches are compared between patients.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from idhray.chance import generator
from idhray.fidelity.copies.near_duplicates import candidate_pairs, near_duplicates
from idhray.fingerprints import fingerprint
from idhray.images import decode, encode, image_cell
from idhray.table_fingerprints import TableFingerprints, table_fingerprints
from idhray.table_parts import part_path, publish_table
from idhray.tables import PATCHES

COUNT, SAMPLE = 100_000, 2_000


def images(count: int) -> list[NDArray[np.uint8]]:
    """Noise on a gradient, 256 px RGB."""
    rng = generator(0, "benchmark")
    slope = np.linspace(60, 190, 256)[:, None, None]
    return [
        (slope + rng.normal(0, 20, (256, 256, 3))).clip(0, 255).astype(np.uint8)
        for _ in range(count)
    ]


def seconds_per_image(work, inputs) -> float:
    """Least CPU seconds of an image over 5 runs."""
    runs = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(SAMPLE // len(inputs)):
            for each in inputs:
                work(each)
        runs.append((time.process_time() - start) / SAMPLE)
    return min(runs)


def random_table(count: int) -> TableFingerprints:
    """Random hashes of 300 patients."""
    rng = generator(0, "hashes")
    empty, numbers = np.full(count, ""), np.arange(count)
    return TableFingerprints(
        patients=np.array([f"P{k}" for k in rng.integers(0, 300, count)]),
        splits=empty,
        labels=empty,
        pixels=rng.integers(1, 2**62, count).astype(np.uint64),
        perceptual=rng.integers(1, 2**62, count).astype(np.uint64),
        slides=empty,
        parts=("part",),
        part=np.zeros(count, np.int64),
        row=numbers,
    )


def real_rows(data: Path):
    """Rows of PATCHES by the name of the cohort."""
    slices = sorted(p for p in (data / "mri_slices").glob("*/*.png") if "mask" not in p.name)
    yield "mri_slices", [(path.parent.name, path) for path in slices]
    groups = csv.DictReader((data / "he_patches" / "groups.csv").open())
    yield (
        "he_patches",
        [(f"{g['label']} {g['source_tile']}", data / "he_patches" / g["file"]) for g in groups],
    )


def compare_real(data: Path, out: Path) -> None:
    """Print candidates and confirmed pairs between the patients of real cohorts."""
    for name, files in real_rows(data):
        rows = [
            {"patient": patient, "image": image_cell(decode(path.read_bytes()), path.stem)}
            for patient, path in files
        ]
        folder = str(out / name)
        publish_table(part_path(folder, "part"), rows, PATCHES)
        table = table_fingerprints(folder)
        pairs = near_duplicates(folder, table)
        print(
            f"{name}: {len(table)} of {len(rows)} images have fingerprints, {len(pairs)} "
            f"candidates, {sum(pair.is_confirmed for pair in pairs)} confirmed, largest r "
            f"{max((pair.correlation for pair in pairs), default=0):.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("fingerprints"))
    arguments = parser.parse_args()
    pixels = images(20)
    print(f"fingerprints: {seconds_per_image(fingerprint, pixels) * COUNT:.1f} s a core")
    for codec in ("jpeg", "png"):
        files = [encode(image, codec) for image in pixels]
        print(f"decoding {codec}: {seconds_per_image(decode, files) * COUNT:.1f} s a core")
    start = time.process_time()
    pairs, _ = candidate_pairs(random_table(COUNT))
    print(f"near-duplicates: {time.process_time() - start:.1f} s, {len(pairs)} pairs")
    if arguments.data:
        compare_real(arguments.data, arguments.out)


if __name__ == "__main__":
    main()
