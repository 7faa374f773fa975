"""StyleGAN2 on real MRI slices as CE-T1w, FLAIR, null: samples, and whether both channels agree.

    python benchmarks/mri_stylegan2.py --data FOLDER --out FOLDER [--kimg 38 --r1-gamma 1]

FOLDER/mri_slices holds slices of 62 TCGA-LGG patients (Buda et al. 2019) with index.csv: R is
T1w without contrast, G FLAIR, B CE-T1w, 8 bit, with the skull. Patients are split in halves: the
GAN sees one of them, the other is what real images of other patients look like. Fidelity is told at
every sample, by features of a seeded random network, beside that of real patients against each
other; copies and diversity at the end. Written are samples.png, real.png, pairs.png, result.json
and the checkpoint.

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
from idhray.fidelity.channels import MRI_CHANNELS, channels_of
from idhray.fidelity.copies.pair_picture import closest_pairs, pair_picture
from idhray.fidelity.copies.search import EmbeddedImages
from idhray.fidelity.evaluation import compare
from idhray.fidelity.features import random_features
from idhray.fidelity.figures import Fidelity
from idhray.fidelity.gate import copies_gate
from idhray.fidelity.gate_settings import CopySettings
from idhray.fidelity.reference import Reference, reference_of
from idhray.fidelity.settings import PRESETS as FIDELITY
from idhray.gan.augment.config import PRESETS as AUGMENT
from idhray.gan.checkpoint import save
from idhray.gan.sample import generate, generator_of, image_grid
from idhray.gan.stylegan2.config import PRESETS as STYLEGAN2
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
    augment: str = "none",
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
        augment: A preset of augmentation: none, mri.
        threads: CPU cores that it may use.
        count: Generated images to measure.
        seed: Of everything that is drawn.
    """
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    changes = {"total_kimg": kimg, "r1_gamma": r1_gamma, "augment": AUGMENT[augment]}
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
    reference = reference_of(
        shown,
        tuple(seen["patient"]),
        random_features(),
        FIDELITY["training"],
        reference="training patients",
        n_generated=count,
        channels=MRI_CHANNELS,
    )
    train(run, progress(out, began, reference, count))
    seconds = time.process_time() - began
    save(run, str(out / "checkpoint"))
    made = generate(generator_of(run), seed, range(count))
    result = {
        "kimg": run.images_shown / 1000,
        "r1_gamma": settings.r1_gamma,
        "augment": augment,
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
        "fidelity": main_figures(compare(made, reference)),
        "copies": judged(
            made,
            with_features(shown, seen["patient"]),
            with_features(held_out, unseen["patient"]),
            out,
        ),
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


def progress(
    out: Path, began: float, reference: Reference, count: int
) -> Callable[[Run, Report], None]:
    """Print each report with fidelity, and keep the samples of the last."""

    def on_report(run: Run, report: Report) -> None:
        if not report.sample_due:
            return
        images = generate(generator_of(run), run.seed, range(count))
        (out / "samples.png").write_bytes(encode(sheet(images[:SHOWN])))
        said = {"kimg": report.kimg, "score_gap": round(report.losses["score_gap"], 2)}
        said |= {"p": round(float(run.p), 3)} | main_figures(compare(images, reference))
        print(f"{time.process_time() - began:6.0f} CPU-s  {json.dumps(said)}", flush=True)

    return on_report


def sheet(images: Slices) -> NDArray[np.uint8]:
    """Six pairs a row, CE-T1w and to the right of it FLAIR, in gray, twice as large."""
    side = images.shape[1]
    channels = np.moveaxis(images[..., :2], -1, 1).reshape(-1, side, side, 1)
    return image_grid(channels, columns=12).repeat(2, axis=0).repeat(2, axis=1)


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


def judged(
    made: Slices, train: EmbeddedImages, held_out: EmbeddedImages, out: Path
) -> dict[str, Any]:
    """The copies gate's verdict; the closest pairs as a picture, CE-T1w red and FLAIR green."""
    shown = with_features(made, None)
    found = copies_gate(shown, train, held_out, CopySettings(), "mirror")
    pairs = pair_picture(made, train.images, found.copies, closest_pairs(found.copies, 16))
    (out / "pairs.png").write_bytes(encode(pairs))
    names = ("copies", "generated", "copy_share_of_held_out", "authenticity_patients", "c_t")
    diversity = found.figures["diversity"]
    return {
        "passed": found.passed,
        "reasons": found.reasons,
        **{name: found.figures[name] for name in names},
        "vendi_ratio": diversity["vendi_ratio"],
        "mean_distance_ratio": diversity["mean_distance_ratio"],
    }


def with_features(images: Slices, patients: "pd.Series[str] | None") -> EmbeddedImages:
    """Images with features of both channels together."""
    together = random_features()(list(channels_of(images, MRI_CHANNELS, ("null",)).values())[-1])
    return EmbeddedImages(images, together, () if patients is None else tuple(patients))


def main_figures(fidelity: Fidelity) -> dict[str, str]:
    """Of both channels together: value (floor between real patients)."""
    channel = fidelity.figures[-1].channel
    return {
        metric: f"{one.value:.3g} ({one.floor:.3g})"
        for metric in ("fid", "kid", "precision", "recall", "coverage")
        for one in (fidelity.figure(metric, channel),)
    }


if __name__ == "__main__":
    tyro.cli(main)
