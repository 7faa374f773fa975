"""The augmentation experiment on real images, small: 5 folds, 3 repeats, one count.

    python -m benchmarks.experiment_real --data FOLDER --out FOLDER [--images he|mri]

he: FOLDER/he_patches holds LC25000 patches (Borkowski et al. 2019) with groups.csv. Lung
adenocarcinoma stands in for wildtype, squamous cell carcinoma for mutant. Images of one source tile
are augmentations of each other, so a source tile counts as a patient. This measures the path, not
IDH.

mri: FOLDER/mri_slices holds slices of 62 TCGA-LGG patients (Buda et al. 2019) with index.csv.
CE-T1w and FLAIR become a SLICES table; labels, grade and age are those of TCGA.

One pair of small GANs is trained for each fold. Two classifiers run on every arm: the demo's
network at 64 px, and logistic regression on a frozen encoder. With --heads it is three on the
features of one encoder: logistic regression, the same on the mean of a patient's features, and
attention pooling. OUT/statistics-KIND holds the tables; the figure of the arms is
OUT/arms-KIND.svg.
"""

import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray
from PIL import Image

from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import read_folds, write_folds
from idhray.cohorts.manifest import LABELS, patients_of, read_manifest
from idhray.config import Identity
from idhray.experiment.settings import ProtocolSettings
from idhray.gan.config import GanSettings
from idhray.gan.pggan.config import PRESETS as PGGAN
from idhray.gan.stylegan2.config import PRESETS as STYLEGAN2
from idhray.images import image_cell
from idhray.stages.encode import EncodeFlags, EncodeSettings, encode
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.experiment.settings import PRESETS, ClassifierKind, ExperimentSettings
from idhray.stages.gan_training.task import GanTask
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.session import connect
from idhray.stages.studies.experiment_report import experiment_figures
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.train_gan import train_gans
from idhray.stats.settings import StatsSettings
from idhray.table_parts import part_path, publish_table
from idhray.tables import PATCHES, SLICES

HEADS: tuple[ClassifierKind, ...] = ("frozen", "mean-pool", "abmil")
Images = Literal["he", "mri"]
STANDS_FOR = {"lung_aca": "wildtype", "lung_scc": "mutant"}
RGB = NDArray[np.uint8]  # (height, width, 3)


def main(
    data: Path,
    out: Path,
    *,
    images: Images = "he",
    heads: bool = False,
    gan_kimg: float = 3.0,
    count: int = 120,
    repeats: int = 3,
    seed: int = 0,
) -> None:
    """Build the table, train the GANs of each fold, run the experiment and judge it.

    Args:
        data: Folder with he_patches and mri_slices.
        out: Folder for everything.
        images: Which of them.
        heads: Compare the classifiers on features instead of the network and one of them.
        gan_kimg: Length of each GAN's training.
        count: Images that an arm adds.
        repeats: Trainings of each arm in each fold.
        seed: Seed of everything.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    table, manifest = str(out / "images"), str(out / "manifest.csv")
    (he_table if images == "he" else mri_table)(data, table, manifest)
    cohort = patients_of(read_manifest(manifest))
    folds = str(out / "folds.parquet")
    if not Path(folds).exists():
        write_folds(folds, draw_folds(cohort, count=5, seed=seed))
    settings = experiment_settings(images, count, repeats)
    if heads:
        settings = replace(settings, classifiers=HEADS)
    gan = gan_settings(images, gan_kimg)
    synthetic = generators(table, folds, out, gan, settings.protocol)
    features = tuple(encoded(folder, images) for folder in (table, *synthetic)) if heads else ()
    folder = str(out / ("sweep-heads" if heads else "sweep"))
    result = sweep(
        SweepFlags(
            images=table,
            features=features,
            out=folder,
            settings=settings,
            synthetic=synthetic,
            folds=folds,
            seed=seed,
        )
    )
    print(json.dumps(result))
    judge(out, folder, cohort)
    print(f"{time.monotonic() - start:.0f} s in this run")


def experiment_settings(images: Images, count: int, repeats: int) -> ExperimentSettings:
    """The demo's network on RGB patches, or on both channels of slices; and the frozen encoder."""
    protocol = ProtocolSettings(
        fold_count=5,
        repeats=repeats,
        counts=(count,),
        controls=("duplicate", "more-real"),
        online_arms=False,
        train_per_class=160 if images == "he" else None,
        generators="per fold",
    )
    channels: Literal["rgb", "two-channel"] = "rgb" if images == "he" else "two-channel"
    classifier = replace(PRESETS["demo"].classifier, channels=channels)
    return ExperimentSettings(
        protocol=protocol, classifier=classifier, classifiers=("network", "frozen")
    )


def gan_settings(images: Images, kimg: float) -> GanSettings:
    """The demo's GAN of each modality, at 32 px and shorter."""
    if images == "he":
        stage = kimg / 8
        return replace(
            PGGAN["demo"],
            resolution_px=32,
            batch_sizes=PGGAN["demo"].batch_sizes[:4],
            stabilise_kimg=stage,
            fade_kimg=stage,
            total_kimg=kimg,
            sample_kimg=kimg,
        )
    return replace(STYLEGAN2["demo-mri"], resolution_px=32, total_kimg=kimg, sample_kimg=kimg)


def generators(
    table: str, folds: str, out: Path, settings: GanSettings, protocol: ProtocolSettings
) -> tuple[str, ...]:
    """A generator of each class and fold; the folders of their images."""
    connect(None)
    tasks = {
        f"fold-{fold}-{idh}": GanTask(
            images=table,
            idh=idh,
            out=str(out / f"gan-{fold}-{idh}"),
            settings=settings,
            folds=folds,
            fold=fold,
            train_per_class=protocol.train_per_class,
            fidelity_every_kimg=0,
            allow_few=True,
        )
        for fold in read_folds(folds).numbers()
        for idh in LABELS
    }
    train_gans(tasks)
    folders = []
    for name, task in tasks.items():
        folder = str(out / f"synthetic-{name}")
        synthesize(SynthesizeFlags(checkpoint=task.out, count=protocol.counts[0] // 2, out=folder))
        folders.append(folder)
    return tuple(folders)


def encoded(folder: str, images: Images) -> str:
    """Folder of the features of a table, by the encoder whose weights a package holds."""
    out = f"{folder}-features"
    settings = EncodeSettings(image_px=64, channels="rgb" if images == "he" else "two-channel")
    encode(EncodeFlags(images=folder, encoder="efficientnet_lite0", out=out, settings=settings))
    return out


def judge(out: Path, sweep_folder: str, cohort: pd.DataFrame) -> None:
    """Statistics of each classifier, and the figure of its arms."""
    outcome = read_outcome(sweep_folder)
    for model in (outcome.model, *outcome.other_models):
        kind = model.replace(" ", "-")
        result, tables = fit_sweep(
            str(out / f"statistics-{kind}"),
            sweep_folder,
            cohort,
            StatsSettings(model=model),
            overwrite=True,
        )
        print(model, result["text"])
        (out / f"arms-{kind}.svg").write_bytes(experiment_figures(tables)[0].data)


def he_table(data: Path, table: str, manifest: str) -> None:
    """A PATCHES table of the lung patches, one part for each source tile, and its manifest."""
    folder = data / "he_patches"
    groups = pd.read_csv(folder / "groups.csv").sort_values("file", ignore_index=True)
    groups["idh"] = groups["label"].map(STANDS_FOR)
    patients = groups.drop_duplicates("source_tile").rename(columns={"source_tile": "patient"})
    patients = patients.assign(cohort="stand-in: lung, LC25000")
    patients[["patient", "idh", "cohort"]].to_csv(manifest, index=False)
    with stage_folder(table, Identity({"stage": "he_patches"}), overwrite=False):
        for tile, rows in groups.groupby("source_tile"):
            path = part_path(table, str(tile))
            if not Path(path).exists():
                publish_table(path, [he_row(folder, row) for _, row in rows.iterrows()], PATCHES)


def he_row(folder: Path, row: "pd.Series[str]") -> dict[str, object]:
    """One row; neither the place on a slide nor the scale of a patch is known."""
    return {
        "patient": row["source_tile"],
        "idh": row["idh"],
        "split": "",
        "slide": row["source_tile"],
        "image": image_cell(opened(folder / row["file"]), row["file"]),
    }


def mri_table(data: Path, table: str, manifest: str) -> None:
    """A SLICES table of CE-T1w, FLAIR, null, one part for each patient, and its manifest."""
    folder = data / "mri_slices"
    index = pd.read_csv(folder / "index.csv").query("has_post")
    patients = index.drop_duplicates("patient").assign(
        grade=lambda rows: rows["grade"].str.removeprefix("G"), cohort="TCGA-LGG"
    )
    patients[["patient", "idh", "age", "grade", "cohort"]].to_csv(manifest, index=False)
    with stage_folder(table, Identity({"stage": "mri_slices"}), overwrite=False):
        for patient, rows in index.groupby("patient"):
            path = part_path(table, str(patient))
            if not Path(path).exists():
                publish_table(path, [mri_row(folder, row) for _, row in rows.iterrows()], SLICES)


def mri_row(folder: Path, row: "pd.Series[str]") -> dict[str, object]:
    """One slice; the file has T1w without contrast, FLAIR and CE-T1w as red, green and blue."""
    rgb = opened(folder / row["image"])
    pair = np.stack([rgb[..., 2], rgb[..., 1], np.zeros_like(rgb[..., 0])], axis=-1)
    return {
        "patient": row["patient"],
        "idh": row["idh"],
        "split": "",
        "study": row["folder"],
        "image": image_cell(pair, row["image"]),
    }


def opened(path: Path) -> RGB:
    """Pixels of an image file."""
    return np.asarray(Image.open(path).convert("RGB"))


if __name__ == "__main__":
    tyro.cli(main)
