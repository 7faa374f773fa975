"""Kinds of generators on the same real images, trained for the same CPU time.

    python -m benchmarks.generator_comparison --data FOLDER --out FOLDER [--cpu-s 300]

FOLDER/mri_slices holds slices of TCGA-LGG patients (Buda et al. 2019) with index.csv. The images
are CE-T1w and FLAIR of IDH-mutant patients at 64 px. Two thirds of the patients are trained on, and
the others are the reference, so that a copier gains nothing. Each line of OUT/figures.jsonl is one
measure of one generator and one seed, beside its floor: other real patients against the reference.
OUT/NAME-SEED.png shows generated images, OUT/real.png real ones.
"""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro
from PIL import Image

from benchmarks.experiment_real import opened
from idhray.fidelity.evaluation import evaluate
from idhray.fidelity.features import random_features
from idhray.fidelity.realism import realism
from idhray.fidelity.settings import FidelitySettings
from idhray.gan.architectures import PRESETS
from idhray.gan.sample import generate, generator_of, image_grid
from idhray.gan.trainer import new_run, train

SIDE_PX = 64
CHANNELS = ("CE-T1w", "FLAIR", "null")
METRICS = ("kid", "precision", "recall", "density", "coverage")
LONG = 1e6  # kimg; the CPU time ends a training
SETTINGS = {
    name: replace(
        PRESETS[preset],
        symmetry="mirror",
        patient_weights="images",
        total_kimg=LONG,
        checkpoint_kimg=LONG,
        sample_kimg=LONG,
    )
    for name, preset in (("stylegan2", "demo-mri"), ("diffusion", "demo-diffusion"))
}


def main(
    data: Path,
    out: Path,
    *,
    cpu_s: float = 300.0,
    seeds: tuple[int, ...] = (0, 1),
    names: tuple[str, ...] = tuple(SETTINGS),
    images: int = 300,
) -> None:
    """Train each kind with each seed, one after the other, and measure it.

    Args:
        data: Folder with mri_slices.
        out: Folder of the results; lines are added.
        cpu_s: CPU seconds of each training.
        seeds: Seeds of the trainings.
        names: Kinds of generators.
        images: Generated images that are measured.
    """
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    slices = mutant_slices(data / "mri_slices")
    save(slices.images[~slices.trained], out / "real.png")
    for seed in seeds:
        for name in names:
            generated, row = trained_generator(name, seed, slices, cpu_s, images)
            save(generated, out / f"{name}-{seed}.png")
            row |= measures(generated, slices)
            print(json.dumps(row), flush=True)
            with (out / "figures.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")


@dataclass(frozen=True)
class Slices:
    """Real slices, two thirds of whose patients are trained on."""

    images: np.ndarray
    """(N, S, S, 3) uint8: CE-T1w, FLAIR and null."""
    patients: np.ndarray
    """Patient of each."""

    @property
    def trained(self) -> np.ndarray:
        """(N,) True for the images that are trained on."""
        return np.isin(self.patients, np.unique(self.patients)[::3], invert=True)


def trained_generator(
    name: str, seed: int, slices: Slices, cpu_s: float, count: int
) -> tuple[np.ndarray, dict[str, object]]:
    """Images of one generator after so many CPU seconds, and how it was trained."""
    trained = slices.trained
    patients = tuple(slices.patients[trained])
    run = new_run(
        slices.images[trained], SETTINGS[name], seed=seed, idh="mutant", patients=patients
    )
    start = time.process_time()
    train(run, lambda *_: False, stop=lambda: time.process_time() - start > cpu_s)
    start = time.process_time()
    generated = generate(generator_of(run), seed, range(count))
    seconds = (time.process_time() - start) / count
    return generated, {
        "name": name,
        "seed": seed,
        "kimg": run.images_shown / 1000,
        "cpu_s": cpu_s,
        "generation_cpu_s_per_image": round(seconds, 4),
    }


def measures(generated: np.ndarray, slices: Slices) -> dict[str, object]:
    """Each measure with its floor and the largest floor of three draws; realism in words."""
    reference = slices.images[~slices.trained]
    patients = tuple(slices.patients[~slices.trained])
    settings = FidelitySettings(draws=3, max_images=len(generated))
    fidelity = evaluate(
        generated, reference, patients, random_features(), settings,
        reference="other patients", channels=CHANNELS,
    )  # fmt: skip
    values = {
        f"{figure.metric} {figure.channel}": [
            round(each, 4) for each in (figure.value, figure.floor, figure.floor_max)
        ]
        for figure in fidelity.figures
        if figure.metric in METRICS
    }
    sentence = realism(generated, reference, patients, settings).sentence
    return {"value, floor, largest floor": values, "realism": sentence}


def mutant_slices(folder: Path) -> Slices:
    """CE-T1w and FLAIR of the IDH-mutant patients, at 64 px."""
    index = pd.read_csv(folder / "index.csv").query("has_post and idh == 'mutant'")
    images = []
    for path in index["image"]:
        rgb = opened(folder / path)
        pair = np.stack([rgb[..., 2], rgb[..., 1], np.zeros_like(rgb[..., 0])], axis=-1)
        images.append(np.asarray(Image.fromarray(pair).resize((SIDE_PX, SIDE_PX), Image.BOX)))
    return Slices(np.stack(images), index["patient"].to_numpy(dtype=str))


def save(images: np.ndarray, path: Path) -> None:
    """A sheet of 48 images, twice enlarged; CE-T1w red, FLAIR green."""
    picture = image_grid(images[:: max(1, len(images) // 48)][:48], 12)
    height, width = picture.shape[:2]
    Image.fromarray(picture).resize((2 * width, 2 * height), Image.NEAREST).save(path)


if __name__ == "__main__":
    tyro.cli(main)
