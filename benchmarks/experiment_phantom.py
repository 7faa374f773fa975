"""The whole experiment on phantom cohorts with a known truth: says it "helps" when nothing helps?

    python -m benchmarks.experiment_phantom --out FOLDER [--cohorts 10 --patients 120]
        [--classifiers frozen|network]

Each cohort has as many further phantom patients. In four worlds, the "synthetic" images are

copies   training images of the same fold,
fresh    images of the further patients, of the right class: a perfect generator,
labels   the same images with permuted labels,
noise    smoothed noise.

Five folds, three repeats, arms real, synthetic, duplicate and more-real, one generator per fold and
repeat (other images each). "Helps" must be said in at most 1 of 10 cohorts in all worlds but
`fresh`. The same command continues; one JSON line per cohort and world goes to OUT/results.jsonl.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray
from scipy import ndimage

from idhray.chance import generator
from idhray.classify.settings import PRESETS as CLASSIFIER
from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import Folds, write_folds
from idhray.cohorts.manifest import patients_of, read_manifest, write_manifest
from idhray.config import Identity
from idhray.experiment.settings import ProtocolSettings
from idhray.experiment.trials import ClassifierKind
from idhray.generator_records import GeneratorRecord, write_generator
from idhray.images import image_cell
from idhray.phantom.patients import PhantomSettings
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.session import connect
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.stats.settings import StatsSettings
from idhray.table_parts import part_path, publish_table, read_table
from idhray.tables import PATCHES, SYNTHETIC

World = Literal["copies", "fresh", "labels", "noise"]
WORLDS: tuple[World, ...] = ("copies", "fresh", "labels", "noise")
CLASSES = ("wildtype", "mutant")
FOLDS, REPEATS = 5, 3
SLIDES = PhantomSettings(width_px=2048, height_px=2048)
TILES = TilingSettings(tile_px=512, min_object_px=50)
PATCH_PX, PER_PATIENT = 128, 8


def main(
    out: Path,
    *,
    cohorts: int = 10,
    patients: int = 120,
    count: int = 240,
    effect: float = 1.0,
    classifiers: ClassifierKind = "frozen",
    worlds: tuple[World, ...] = WORLDS,
) -> None:
    """Run all cohorts and worlds that have no result yet, and print the counts of the answers.

    Args:
        out: Folder for everything.
        cohorts: Number of cohorts.
        patients: Patients of a cohort.
        count: Images that an arm adds.
        effect: Effect of the mutation on the phantom's tissue; 1 is the preset's.
        classifiers: The frozen encoder, or the demo's network at 64 px.
        worlds: Worlds to run.
    """
    logging.basicConfig(level=logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    results = out / f"results-{classifiers}.jsonl"
    finished = {(row["cohort"], row["world"]) for row in rows_of(results)}
    connect(None)
    for number in range(cohorts):
        missing = [world for world in worlds if (number, world) not in finished]
        if not missing:
            continue
        folder = out / f"cohort-{number}"
        table, folds, cohort = made_cohort(folder, number, patients, effect)
        for world in missing:
            settings = experiment(count, patients, classifiers)
            row = judged(folder, table, folds, cohort, world=world, settings=settings)
            line = json.dumps({"cohort": number, "world": world, "patients": patients, **row})
            with results.open("a") as file:
                file.write(line + "\n")
            print(line, flush=True)
    table = pd.DataFrame(rows_of(results))
    print(table.groupby(["world", "answer"]).size().unstack(fill_value=0).to_string())


def rows_of(results: Path) -> list[dict[str, Any]]:
    """Lines of an earlier run."""
    return (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )


def experiment(count: int, patients: int, classifier: ClassifierKind) -> ExperimentSettings:
    """Five folds, three repeats, four arms at one count."""
    per_patient = PER_PATIENT // 2  # half of the training patients' patches train
    protocol = ProtocolSettings(
        fold_count=FOLDS,
        repeats=REPEATS,
        counts=(count,),
        controls=("duplicate", "more-real"),
        online_arms=False,
        train_per_class=int(patients / 2 * 0.65) * per_patient,
        eval_per_patient=PER_PATIENT,
        generators="per fold and repeat",
    )
    network = replace(CLASSIFIER["demo"], channels="rgb")
    return ExperimentSettings(protocol=protocol, classifier=network, classifiers=(classifier,))


def made_cohort(
    folder: Path, number: int, patients: int, effect: float
) -> tuple[pd.DataFrame, Folds, pd.DataFrame]:
    """Patches of cohort and further patients, folds of the cohort, and its patients."""
    phantom, tiles, patches = (str(folder / name) for name in ("phantom", "tiles", "all-patches"))
    settings = replace(SLIDES, effect=effect)
    make_phantom(
        MakePhantomFlags(out=phantom, settings=settings, patients=2 * patients, seed=1000 + number)
    )
    manifest = read_manifest(f"{phantom}/manifest.csv")
    everybody = str(folder / "everybody.csv")
    write_manifest(everybody, manifest.assign(split="test"))
    tile_slides(TileSlidesFlags(manifest=everybody, out=tiles, settings=TILES))
    cut_patches(
        CutPatchesFlags(
            tiles=tiles,
            out=patches,
            settings=PatchSettings(
                patch_px=PATCH_PX,
                tile_px=TILES.tile_px,
                train_per_class=1,
                eval_per_patient=PER_PATIENT,
                normalize="channel_stretch",
            ),
        )
    )
    table = read_table(patches, PATCHES).to_pandas()
    by_class = [
        sorted(group["patient"])[: patients // 2]
        for _, group in patients_of(manifest).groupby("idh")
    ]
    chosen = set(by_class[0]) | set(by_class[1])
    cohort = patients_of(manifest[manifest["patient"].isin(chosen)].assign(split=""))
    folds = draw_folds(cohort, count=FOLDS, seed=number)
    write_folds(str(folder / "folds.parquet"), folds)
    images = folder / "patches"
    with stage_folder(str(images), Identity({"stage": "phantom patches"}), overwrite=False):
        for patient, rows in table[table["patient"].isin(chosen)].groupby("patient"):
            path = part_path(str(images), str(patient))
            if not Path(path).exists():
                publish_table(path, rows.assign(split="").to_dict("records"), PATCHES)
    return table, folds, cohort


def judged(
    folder: Path,
    table: pd.DataFrame,
    folds: Folds,
    cohort: pd.DataFrame,
    *,
    world: World,
    settings: ExperimentSettings,
) -> dict[str, Any]:
    """Answer and contrasts of one world."""
    synthetic = tuple(synthetic_folders(folder, table, folds, world=world, settings=settings))
    place = f"{world}-{settings.classifiers[0]}"
    out = str(folder / f"sweep-{place}")
    sweep(
        SweepFlags(
            images=str(folder / "patches"),
            folds=str(folder / "folds.parquet"),
            synthetic=synthetic,
            settings=settings,
            out=out,
        )
    )
    _, tables = fit_sweep(
        str(folder / f"statistics-{place}"), out, cohort, StatsSettings(), overwrite=True
    )
    contrasts = tables.contrasts.set_index(["arm", "baseline"])
    figures = {
        f"{arm.partition(':')[0]} - {baseline.partition(':')[0]}": [
            round(float(row[name]), 4) for name in ("estimate", "ci_low", "ci_high")
        ]
        for (arm, baseline), row in contrasts.iterrows()
    }
    areas = tables.arms.set_index("arm")["auc"].round(3).to_dict()
    return {"answer": tables.verdict.answer, "areas": areas, "contrasts": figures}


def synthetic_folders(
    folder: Path,
    table: pd.DataFrame,
    folds: Folds,
    *,
    world: World,
    settings: ExperimentSettings,
) -> Iterator[str]:
    """A SYNTHETIC folder for each fold, repeat and class, with the training patients on record."""
    count = settings.protocol.counts[0]
    for fold in folds.numbers():
        roles = folds.roles(fold)
        for repeat in range(1, settings.protocol.repeats + 1):
            rng = generator(0, "experiment phantom", world, str(folder.name), fold, repeat)
            images = {
                idh: pictures(table, roles, idh, world=world, count=count // 2, rng=rng)
                for idh in CLASSES
            }
            if world == "labels":
                images = permuted(images, rng)
            for idh in CLASSES:
                name = f"{world}-{fold}-{repeat}-{idh}"
                out = str(folder / "synthetic" / name)
                seen = [p for p, role in roles.items() if role == "train"]
                labels = folds.labels()
                seen = [patient for patient in seen if labels[patient] == idh]
                write_synthetic(out, name, idh, patients=seen, images=images[idh], repeat=repeat)
                yield out


def pictures(
    table: pd.DataFrame,
    roles: dict[str, str],
    idh: str,
    *,
    world: World,
    count: int,
    rng: np.random.Generator,
) -> list[Any]:
    """Encoded images of one class."""
    if world == "noise":
        return [image_cell(noise(rng), f"{i}") for i in range(count)]
    of_class = table[table["idh"] == idh]
    if world == "copies":
        rows = of_class[of_class["patient"].map(roles).eq("train")]
        rows = rows[rows["rank"] <= PER_PATIENT // 2]
    else:
        rows = of_class[~of_class["patient"].isin(set(roles))]
    chosen = rng.choice(len(rows), count, replace=len(rows) < count)
    return rows["image"].iloc[chosen].tolist()


def permuted(images: dict[str, list[Any]], rng: np.random.Generator) -> dict[str, list[Any]]:
    """The same images, dealt to the classes at random."""
    pooled = [image for idh in CLASSES for image in images[idh]]
    order = rng.permutation(len(pooled))
    half = len(pooled) // 2
    return {
        idh: [pooled[i] for i in part]
        for idh, part in zip(CLASSES, (order[:half], order[half:]), strict=True)
    }


def noise(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Smoothed noise in three channels, (PATCH_PX, PATCH_PX, 3)."""
    field = ndimage.gaussian_filter(rng.normal(size=(PATCH_PX, PATCH_PX, 3)), (2, 2, 0))
    return (128 + 40 * field / field.std()).clip(0, 255).astype(np.uint8)


def write_synthetic(
    out: str, name: str, idh: str, *, patients: list[str], images: list[Any], repeat: int
) -> None:
    """A finished SYNTHETIC folder of a generator that saw the training patients of its class."""
    record = GeneratorRecord.of(name, idh, patients, seed=repeat)
    with stage_folder(out, Identity({"stage": "phantom world", "name": name}), overwrite=False):
        path = part_path(out, name)
        if not Path(path).exists():
            rows = [
                {
                    "generator": name, "seed": repeat, "index": i, "psi": 1.0, "idh": idh,
                    "trained_on": record.trained_on, "image": image,
                }
                for i, image in enumerate(images)
            ]  # fmt: skip
            publish_table(path, rows, SYNTHETIC)
        write_generator(out, record)


if __name__ == "__main__":
    tyro.cli(main)
