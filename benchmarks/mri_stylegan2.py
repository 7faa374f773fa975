"""StyleGAN2 on real MRI slices as CE-T1w, FLAIR, null: samples, and whether both channels agree.

    python benchmarks/mri_stylegan2.py --data FOLDER --out FOLDER [--kimg 38 --r1-gamma 1]

FOLDER/mri_slices holds slices of 62 TCGA-LGG patients (Buda et al. 2019) with index.csv: R is
T1w without contrast, G FLAIR, B CE-T1w, 8 bit, with the skull. Patients are split in halves: the
GAN sees one of them, the other is what real images of other patients look like. Written are
samples.png, real.png, result.json and the checkpoint.

How well the channels agree is told by their masks of the head, each channel by its own threshold:
the share that both have of what either has (Jaccard). Those of CE-T1w and the next image's FLAIR
say what no agreement at all would give.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from idhray.chance import generator
from idhray.gan.checkpoint import save
from idhray.gan.config import STYLEGAN2
from idhray.gan.sample import generate, generator_of, grid
from idhray.gan.trainer import Report, Run, new_run, train
from idhray.images import encode, resize

Slices = NDArray[np.uint8]  # (N, height, width, 3): CE-T1w, FLAIR, null
SHOWN = 36


def main(
    data: Path,
    out: Path,
    *,
    kimg: float | None = None,
    r1_gamma: float | None = None,
    threads: int = 1,
    count: int = 400,
    seed: int = 0,
) -> None:
    """Train, look, measure; the JSON is printed, too.

    Args:
        data: Folder that holds mri_slices.
        out: Folder for samples, figures and checkpoint.
        kimg: Length of the training; that of demo-mri when not given.
        r1_gamma: Weight of R1; that of demo-mri when not given.
        threads: CPU cores that it may use.
        count: Generated images to measure.
        seed: Of everything that is drawn.
    """
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    changes = {"total_kimg": kimg, "r1_gamma": r1_gamma}
    settings = dataclasses.replace(
        STYLEGAN2["demo-mri"], **{k: v for k, v in changes.items() if v is not None}
    )
    index = pd.read_csv(data / "mri_slices" / "index.csv").sort_values("image", ignore_index=True)
    index = index[index["has_post"]]
    patients = generator(seed, "halves").permutation(index["patient"].unique())
    seen = index[index["patient"].isin(patients[::2])]
    unseen = index[index["patient"].isin(patients[1::2])]
    shown, held_out = (
        read_slices(data / "mri_slices", part["image"], settings.resolution_px)
        for part in (seen, unseen)
    )
    (out / "real.png").write_bytes(encode(sheet(shown[:: len(shown) // SHOWN][:SHOWN])))

    run = new_run(
        shown, settings, seed=seed, idh="mutant", patients=tuple(seen["patient"].unique())
    )
    began = time.process_time()
    train(run, progress(out, began))
    seconds = time.process_time() - began
    save(run, str(out / "checkpoint"))
    made = generate(generator_of(run), seed, range(count))
    result = {
        "kimg": run.images_shown / 1000,
        "r1_gamma": settings.r1_gamma,
        "cpu_seconds": round(seconds),
        "cpu_ms_per_image": round(1000 * seconds / run.images_shown, 1),
        "patients": len(run.patients),
        "images": len(shown),
        "channels_agree": {
            "real, seen": agreement(shown),
            "real, of other patients": agreement(held_out),
            "generated": agreement(made),
        },
        "null_channel_mean": round(float(made[..., 2].mean()), 2),
        "distance_to_seen": {
            "real, of other patients": distance(shown, held_out),
            "generated": distance(shown, made),
        },
    }
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


def read_slices(folder: Path, names: "pd.Series[str]", side_px: int) -> Slices:
    """The named images at `side_px`, as CE-T1w, FLAIR, null."""
    found = []
    for name in names:
        rgb = resize(np.asarray(Image.open(folder / name).convert("RGB")), side_px)
        found.append(np.stack([rgb[..., 2], rgb[..., 1], np.zeros_like(rgb[..., 0])], axis=-1))
    return np.stack(found)


def progress(out: Path, began: float) -> Callable[[Run, Report], None]:
    """Print each report and keep the samples of the last."""

    def on_report(run: Run, report: Report) -> None:
        print(f"{time.process_time() - began:6.0f} CPU-s  {dataclasses.asdict(report)}", flush=True)
        if report.sample_due:
            images = generate(generator_of(run), run.seed, range(SHOWN))
            (out / "samples.png").write_bytes(encode(sheet(images)))

    return on_report


def sheet(images: Slices) -> NDArray[np.uint8]:
    """Six pairs a row, CE-T1w and to the right of it FLAIR, in gray, twice as large."""
    side = images.shape[1]
    channels = np.moveaxis(images[..., :2], -1, 1).reshape(-1, side, side, 1)
    return grid(channels, columns=12).repeat(2, axis=0).repeat(2, axis=1)


def head(channel: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a slice is not air: above half of Otsu's threshold, holes filled."""
    if channel.min() == channel.max():
        return np.zeros(channel.shape, bool)
    above = ndimage.gaussian_filter(channel.astype(float), 1) > threshold_otsu(channel) / 2
    return np.asarray(ndimage.binary_fill_holes(above))


def agreement(images: Slices) -> dict[str, float]:
    """Median and worst tenth of the Jaccard of both channels' masks; median with the next image."""
    t1, flair = (np.stack([head(image[..., c]) for image in images]) for c in (0, 1))

    def jaccard(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float64]:
        either = (a | b).sum((1, 2))
        return np.asarray((a & b).sum((1, 2)) / np.maximum(either, 1))

    same, other = jaccard(t1, flair), jaccard(t1, np.roll(flair, len(flair) // 2, axis=0))
    return {
        "median": round(float(np.median(same)), 3),
        "tenth": round(float(np.quantile(same, 0.1)), 3),
        "with another image": round(float(np.median(other)), 3),
    }


def distance(seen: Slices, images: Slices, parts: int = 40) -> float:
    """Frechet distance in the first principal components of the seen images at half size.

    No published measure: it only tells whether more training helped.
    """

    def row(some: Slices) -> NDArray[Any]:
        n, height, width, _ = some.shape
        halves = some[..., :2].reshape(n, height // 2, 2, width // 2, 2, 2).mean((2, 4))
        return np.asarray(halves.reshape(n, -1) / 255)

    centre = row(seen).mean(0)
    axes = np.linalg.svd(row(seen) - centre, full_matrices=False)[2][:parts].T
    a, b = ((row(some) - centre) @ axes for some in (seen, images))
    ca, cb = np.cov(a.T), np.cov(b.T)
    shared = np.sqrt(np.clip(np.linalg.eigvals(ca @ cb).real, 0, None)).sum()
    gap = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return round(float(gap + np.trace(ca) + np.trace(cb) - 2 * shared), 2)


if __name__ == "__main__":
    tyro.cli(main)
