"""Kinds of generators on the same real images, trained for the same CPU time.

    python -m benchmarks.generator_comparison --data FOLDER --out FOLDER [--cpu-s 300]
    python -m benchmarks.generator_comparison --data FOLDER --out FOLDER --names pair both

FOLDER/mri_slices holds slices of TCGA-LGG patients (Buda et al. 2019) with index.csv. The images
are CE-T1w and FLAIR of IDH-mutant patients at 64 px. Two thirds of the patients are trained on, and
the others are the reference, so that a copier gains nothing. Each line of OUT/figures.jsonl is one
measure of one generator and one seed, beside its floor: other real patients against the reference.
OUT/NAME-SEED.png shows generated images, OUT/real.png real ones.

`pair` is a StyleGAN2 of each class, with half of the CPU time each; `both` is one of both classes
with all of it. Both are measured by class.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro
from PIL import Image

from benchmarks.experiment_real import opened
from idhray.cohorts.manifest import LABELS
from idhray.fidelity.evaluation import evaluate
from idhray.fidelity.features import random_features
from idhray.fidelity.realism import realism
from idhray.fidelity.settings import FidelitySettings
from idhray.gan.architectures import PRESETS, conditional_settings
from idhray.gan.config import GanSettings
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
BY_CLASS = ("pair", "both")


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
    slices = {label: slices_of(data / "mri_slices", label) for label in LABELS}
    for label, of_class in slices.items():
        ending = "" if label == "mutant" else f"-{label}"
        save(of_class.images[~of_class.trained], out / f"real{ending}.png")
    for seed in seeds:
        for name in names:
            for label, generated, training in trained_generators(name, seed, slices, cpu_s, images):
                ending = f"-{label}" if name in BY_CLASS else ""
                save(generated, out / f"{name}-{seed}{ending}.png")
                row = training | measures(generated, slices[label])
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


Trained = tuple[str, np.ndarray, dict[str, object]]
"""Class, generated images, and how their generator was trained."""


def trained_generators(
    name: str, seed: int, slices: dict[str, Slices], cpu_s: float, count: int
) -> Iterator[Trained]:
    """Images after so many CPU seconds: of mutants, or of each class if classes are compared."""
    times: dict[str, Any] = {
        "cpu_s": cpu_s / len(slices) if name == "pair" else cpu_s,
        "count": count,
    }
    if name == "both":
        settings = conditional_settings(SETTINGS["stylegan2"])
        yield from _generators(name, settings, seed, slices, **times)
        return
    for label in slices if name == "pair" else ("mutant",):
        settings = SETTINGS["stylegan2" if name == "pair" else name]
        yield from _generators(name, settings, seed, {label: slices[label]}, **times)


def _generators(
    name: str,
    settings: GanSettings,
    seed: int,
    slices: dict[str, Slices],
    *,
    cpu_s: float,
    count: int,
) -> Iterator[Trained]:
    """Images of one network, of each class that it learned."""
    shown = [each.images[each.trained] for each in slices.values()]
    patients = [each.patients[each.trained] for each in slices.values()]
    classes = np.repeat(range(len(shown)), [len(images) for images in shown])
    run = new_run(
        np.concatenate(shown),
        settings,
        seed=seed,
        idh="/".join(slices),
        patients=tuple(np.concatenate(patients)),
        classes=tuple(classes.tolist()) if len(shown) > 1 else None,
    )
    start = time.process_time()
    train(run, lambda *_: False, stop=lambda: time.process_time() - start > cpu_s)
    for place, label in enumerate(slices):
        start = time.process_time()
        generator = generator_of(run, place if len(shown) > 1 else None)
        generated = generate(generator, seed, range(count))
        seconds = (time.process_time() - start) / count
        yield (
            label,
            generated,
            {
                "name": name,
                "class": label,
                "seed": seed,
                "kimg": run.images_shown / 1000,
                "cpu_s": cpu_s,
                "generation_cpu_s_per_image": round(seconds, 4),
            },
        )


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


def slices_of(folder: Path, idh: str) -> Slices:
    """CE-T1w and FLAIR of the patients of one class, at 64 px."""
    index = pd.read_csv(folder / "index.csv").query("has_post and idh == @idh")
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
