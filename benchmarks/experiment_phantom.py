"""The whole experiment on phantom cohorts with a known truth: says it "helps" when nothing helps?

    python -m benchmarks.experiment_phantom --out FOLDER [--cohorts 10 --patients 240]
        [--classifier frozen|network --eval-per-patient 2]

Phantom patients are made once, tiled and cut by the package's own stages. A cohort is a random part
of them. In four worlds, the "synthetic" images are

copies   training images of the same fold (for `network`, with a gray level of noise),
fresh    images of patients outside the cohort, of the right class: a perfect generator,
labels   the same images with permuted labels,
noise    smoothed noise.

Five folds, three repeats, arms real, synthetic, duplicate and more-real; in each fold and repeat
other synthetic images. "Helps" must be said in at most 1 of 10 cohorts in all worlds but `fresh`.
In a fold, `--train-patients` of each class train and the others validate, since the gain of further
patients is small where many train.

`frozen` encodes each patch once and trains in this process, by the functions that the workers call.
`network` runs `idhray sweep` with the demo's network at 64 px; the worlds of a cohort share the
trainings of the arms without synthetic images. The same command continues; a line for each cohort
and world goes to OUT/results-CLASSIFIER.jsonl.
"""

import functools
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray
from scipy import ndimage

from idhray.chance import generator, seed_for
from idhray.classify.aggregate import patient_means
from idhray.classify.encoders import encode_images, encoder_network
from idhray.classify.frozen import arm_weights, choose_penalty, fit_frozen, repeat_weights
from idhray.classify.image_set import ImageSet
from idhray.classify.preprocessing import prepared
from idhray.classify.settings import PRESETS as CLASSIFIER
from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import Folds, folds_of_roles, write_folds
from idhray.cohorts.manifest import LABELS, patients_of, read_manifest, write_manifest
from idhray.config import Identity
from idhray.experiment.arms import parse_arm
from idhray.experiment.images import CohortImages, FoldImages, arm_images, fold_images
from idhray.experiment.settings import ProtocolSettings
from idhray.experiment.trials import ClassifierKind
from idhray.generator_records import GeneratorRecord, write_generator
from idhray.image_ranks import image_ranks
from idhray.images import decode, image_cell
from idhray.phantom.patients import PhantomSettings
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.session import connect
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.sweep import SweepFlags, sweep, sweep_before_generators
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.tables import ExperimentTables, experiment_tables
from idhray.stats.settings import StatsSettings
from idhray.table_parts import part_path, publish_table, read_table
from idhray.tables import PATCHES, SYNTHETIC

World = Literal["copies", "fresh", "labels", "noise"]
WORLDS: tuple[World, ...] = ("copies", "fresh", "labels", "noise")
FOLDS, REPEATS = 5, 3
POOL_SEEDS, POOL_PATIENTS = (7, 11), 480
SLIDES = PhantomSettings(width_px=1024, height_px=1024)
TILES = TilingSettings(tile_px=512, min_object_px=50)
PATCH_PX, PER_PATIENT, SHARE = 128, 8, 2  # patches of a patient, and of these for training
ENCODER = "efficientnet_lite0"
NOISES = 400


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Patches of all phantom patients, in the order of their table."""

    table: pd.DataFrame
    """patient, idh, rank and image."""
    features: NDArray[np.float32]  # (M, D)
    noise: NDArray[np.float32]  # (NOISES, D), features of smoothed noise


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cohort in one world."""

    number: int
    """Number of the cohort."""
    world: World
    train_patients: int
    """Patients of each class that train in a fold."""
    eval_per_patient: int
    """Patches of a patient that are scored."""
    folds: Folds

    @property
    def count(self) -> int:
        """Images that an arm adds: all patches of the training patients that do not train."""
        return 2 * self.train_patients * (PER_PATIENT - SHARE)

    @property
    def train_per_class(self) -> int:
        """Training images of each class."""
        return self.train_patients * SHARE

    def draws(self, fold: int, repeat: int) -> np.random.Generator:
        """Random numbers of the synthetic images of a fold and repeat."""
        return generator(self.number, "phantom images", self.world, fold, repeat)


def main(
    out: Path,
    *,
    cohorts: int = 10,
    patients: int = 240,
    train_patients: int = 20,
    eval_per_patient: int = PER_PATIENT,
    classifier: ClassifierKind = "frozen",
    worlds: tuple[World, ...] = WORLDS,
) -> None:
    """Run all cohorts and worlds that have no result yet, and print the counts of the answers.

    Args:
        out: Folder for everything.
        cohorts: Number of cohorts.
        patients: Patients of a cohort.
        train_patients: Patients of each class that train in a fold; the arms add three times their
            images.
        eval_per_patient: Patches of a patient that are scored.
        classifier: The frozen encoder, or the demo's network at 64 px.
        worlds: Worlds to run.
    """
    logging.basicConfig(level=logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    results = out / f"results-{classifier}.jsonl"
    finished = {(row["cohort"], row["world"]) for row in rows_of(results)}
    pool = read_pool(out)
    for number in range(cohorts):
        folds = drawn_folds(pool, number, patients, train_patients)
        for world in worlds:
            if (number, world) in finished:
                continue
            case = Case(
                number=number,
                world=world,
                train_patients=train_patients,
                eval_per_patient=eval_per_patient,
                folds=folds,
            )
            if classifier == "frozen":
                tables = frozen_tables(pool, case)
            else:
                tables = network_tables(out / f"cohort-{number}", pool, case)
            origin = {"cohort": number, "world": world, "patients": patients, "count": case.count}
            line = json.dumps({**origin, **summary(tables)})
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


def summary(tables: ExperimentTables) -> dict[str, Any]:
    """Answer, areas and contrasts."""
    contrasts = tables.contrasts.set_index(["arm", "baseline"])
    figures = {
        f"{arm.partition(':')[0]} - {baseline.partition(':')[0]}": [
            round(float(row[name]), 4) for name in ("estimate", "ci_low", "ci_high")
        ]
        for (arm, baseline), row in contrasts.iterrows()
    }
    areas = tables.arms.set_index("arm")["auc"].round(3).to_dict()
    return {"answer": tables.verdict.answer, "areas": areas, "contrasts": figures}


def read_pool(out: Path) -> Pool:
    """Patches and features of all patients; made if they do not exist."""
    tables, features = [], []
    for seed in POOL_SEEDS:
        folder = out / f"pool-{seed}"
        if not (folder / "features.npy").exists():
            make_pool(folder, seed)
        table = read_table(str(folder / "patches"), PATCHES).to_pandas()
        tables.append(table.assign(patient=f"{seed}-" + table["patient"]))
        features.append(np.load(folder / "features.npy"))
    rng = generator(0, "experiment phantom", "noise")
    pictures = [noise(rng) for _ in range(NOISES)]
    table = pd.concat(tables, ignore_index=True)[["patient", "idh", "rank", "image"]]
    return Pool(table=table, features=np.concatenate(features), noise=encoded(pictures))


def make_pool(folder: Path, seed: int) -> None:
    """Phantom slides, tiles, patches and their features."""
    connect(None)
    phantom, tiles, patches = (str(folder / name) for name in ("phantom", "tiles", "patches"))
    make_phantom(MakePhantomFlags(out=phantom, settings=SLIDES, patients=POOL_PATIENTS, seed=seed))
    everybody = str(folder / "everybody.csv")
    write_manifest(everybody, read_manifest(f"{phantom}/manifest.csv").assign(split="test"))
    tile_slides(TileSlidesFlags(manifest=everybody, out=tiles, settings=TILES))
    settings = PatchSettings(
        patch_px=PATCH_PX,
        tile_px=TILES.tile_px,
        train_per_class=1,
        eval_per_patient=PER_PATIENT,
        normalize="channel_stretch",
    )
    cut_patches(CutPatchesFlags(tiles=tiles, out=patches, settings=settings))
    images = [
        decode(cell["bytes"])
        for cell in read_table(patches, PATCHES, ["image"])["image"].to_pylist()
    ]
    np.save(folder / "features.npy", encoded(images))


def encoded(images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Features of RGB images, (N, D), prepared as the classifier prepares them."""
    settings = replace(CLASSIFIER["demo"], channels="rgb")
    pixels = np.stack([prepared(image, settings) for image in images])
    rows = np.arange(len(pixels))
    images_set = ImageSet(
        pixels=pixels,
        labels=np.zeros(len(pixels), np.int8),
        patients=np.full(len(pixels), "", dtype=np.str_),
        ranks=rows + 1,
    )
    return encode_images(images_set.view(rows), encoder_network(ENCODER, "rgb"))


def drawn_folds(pool: Pool, number: int, patients: int, train_patients: int) -> Folds:
    """Folds of a cohort: random patients, half of each class."""
    labels = pool.table.drop_duplicates("patient").set_index("patient")["idh"]
    rng = generator(number, "experiment phantom", "cohort")
    names = np.concatenate(
        [rng.permutation(sorted(labels.index[labels == idh]))[: patients // 2] for idh in LABELS]
    ).tolist()
    cohort = pd.DataFrame({"patient": names, "idh": labels[names].to_numpy(), "split": ""})
    folds = draw_folds(patients_of(read_cohort(cohort)), count=FOLDS, seed=number)
    roles = {fold: dict(folds.roles(fold)) for fold in folds.numbers()}
    for of_fold in roles.values():
        for idh in LABELS:
            train = [p for p in sorted(of_fold) if of_fold[p] == "train" and labels[p] == idh]
            of_fold.update(dict.fromkeys(rng.permutation(train)[train_patients:].tolist(), "val"))
    return folds_of_roles(folds.labels(), roles)


def read_cohort(cohort: pd.DataFrame) -> pd.DataFrame:
    """A cohort with the columns of a manifest."""
    columns = ("age", "age_censored", "sex", "grade", "diagnosis", "site", "cohort")
    return cohort.assign(**dict.fromkeys(columns, ""))


def frozen_tables(pool: Pool, case: Case) -> ExperimentTables:
    """Statistics of one cohort in one world, by logistic regression on a frozen encoder."""
    folds = case.folds
    inside = pool.table["patient"].isin(set(folds.labels())).to_numpy()
    table, features = pool.table[inside], pool.features[inside]
    images = CohortImages(
        patients=table["patient"].to_numpy(dtype=np.str_),
        labels=table["idh"].map(dict(zip(LABELS, (0, 1), strict=True))).to_numpy(dtype=np.int8),
        ranks=image_ranks(table["patient"].tolist(), table["rank"].tolist()),
        identities=table.index.astype(str).to_numpy(dtype=np.str_),
    )
    rows: list[dict[str, Any]] = []
    for fold in folds.numbers():
        by_role = fold_images(
            images,
            folds.roles(fold),
            train_per_class=case.train_per_class,
            eval_per_patient=case.eval_per_patient,
        )
        seed = seed_for(case.number, "phantom", fold)
        train = np.concatenate(by_role.train)
        penalty = choose_penalty(
            features[train], images.labels[train], images.patients[train], seed=seed
        )
        fit = functools.partial(predicted, images, features, by_role, penalty=penalty)
        for repeat in range(1, REPEATS + 1):
            halves = (features[rows_of_class] for rows_of_class in by_role.train)
            synthetic = synthetic_features(
                pool, ~inside, tuple(halves), case, case.draws(fold, repeat)
            )
            for name in ("real", *(f"{kind}:{case.count}" for kind in ARMS)):
                rows += fit(synthetic, arm=name, fold=fold, repeat=repeat, seed=case.number)
    count = case.count
    rule = DecisionRule(
        primary=f"synthetic:{count}",
        controls=(f"duplicate:{count}", f"more-real:{count}"),
        generators="per fold and repeat",
        planned_repeats=REPEATS,
        planned_folds=FOLDS,
    )
    return experiment_tables(pd.DataFrame(rows), None, rule)


ARMS = ("synthetic", "duplicate", "more-real")


def synthetic_features(
    pool: Pool,
    outside: NDArray[np.bool_],
    training: tuple[NDArray[np.float32], ...],
    case: Case,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Features of the synthetic images, (count, D); classes alternate, wildtype first.

    Args:
        pool: All patients.
        outside: Rows of the pool whose patients are not in the cohort.
        training: Features of the training images of each class.
        case: Cohort and world.
        rng: Random numbers.
    """
    half, of_class = case.count // 2, []
    for idh, copies in zip(LABELS, training, strict=True):
        fresh = pool.features[outside & (pool.table["idh"] == idh).to_numpy()]
        source = {"copies": copies, "noise": pool.noise}.get(case.world, fresh)
        of_class.append(source[rng.choice(len(source), half, replace=len(source) < half)])
    if case.world == "labels":
        mixed = rng.permutation(np.concatenate(of_class))
        of_class = [mixed[:half], mixed[half:]]
    return np.stack(of_class, axis=1).reshape(2 * half, -1)


def predicted(
    images: CohortImages,
    features: NDArray[np.float32],
    fold_rows: FoldImages,
    synthetic: NDArray[np.float32],
    *,
    penalty: float,
    arm: str,
    fold: int,
    repeat: int,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Predictions of one training for the test patients, as a worker of `sweep` makes them."""
    rows = arm_images(parse_arm(arm), images, fold_rows, seed=seed, fold_number=fold, repeat=repeat)
    added = (synthetic if rows.source == "synthetic" else features)[rows.added]
    weights = repeat_weights(images.patients[rows.real], seed_for(seed, "experiment", fold, repeat))
    head = fit_frozen(
        np.concatenate([features[rows.real], added]),
        np.concatenate([images.labels[rows.real], rows.added_labels]),
        weights=arm_weights(weights, len(added), total=fold_rows.n_real),
        penalty=penalty,
        n_scale=len(rows.real),
    )
    test = fold_rows.test
    names, p_mutant, _ = patient_means(
        images.patients[test], head.mutant_probabilities(features[test])
    )
    _, labels, _ = patient_means(images.patients[test], images.labels[test].astype(np.float64))
    for patient, p, label in zip(names, p_mutant, labels, strict=True):
        yield {
            "patient": str(patient), "label": int(label), "fold": fold, "repeat": repeat,
            "arm": arm, "p_mutant": float(p),
        }  # fmt: skip


def network_tables(folder: Path, pool: Pool, case: Case) -> ExperimentTables:
    """Statistics of one cohort in one world, by `idhray sweep` with the demo's network."""
    folds = case.folds
    connect(None)
    patches, file = str(folder / "patches"), str(folder / "folds.parquet")
    write_folds(file, folds)
    labels = folds.labels()
    with stage_folder(patches, Identity({"stage": "phantom patches"}), overwrite=False):
        for patient, rows in pool.table[pool.table["patient"].isin(set(labels))].groupby("patient"):
            publish_table(part_path(patches, str(patient)), rows.to_dict("records"), PATCHES)
    settings = ExperimentSettings(
        protocol=ProtocolSettings(
            fold_count=FOLDS,
            repeats=REPEATS,
            counts=(case.count,),
            controls=("duplicate", "more-real"),
            online_arms=False,
            train_per_class=case.train_per_class,
            eval_per_patient=case.eval_per_patient,
            generators="per fold and repeat",
        ),
        classifier=replace(CLASSIFIER["demo"], channels="rgb"),
        classifiers=("network",),
    )
    shared, sweep_folder = folder / "sweep-shared", str(folder / f"sweep-{case.world}")
    flags = SweepFlags(images=patches, folds=file, settings=settings, out=str(shared))
    if not Path(sweep_folder).exists():
        sweep_before_generators(flags)
        shutil.copytree(shared, f"{sweep_folder}-copy", dirs_exist_ok=True)
        Path(f"{sweep_folder}-copy").rename(sweep_folder)
    synthetic = tuple(synthetic_folders(folder, pool, case))
    sweep(replace(flags, out=sweep_folder, synthetic=synthetic))
    statistics = str(folder / f"statistics-{case.world}")
    return fit_sweep(statistics, sweep_folder, None, StatsSettings(), overwrite=True)[1]


def synthetic_folders(folder: Path, pool: Pool, case: Case) -> Iterator[str]:
    """A SYNTHETIC folder for each fold, repeat and class, with the training patients on record."""
    labels = case.folds.labels()
    for fold in case.folds.numbers():
        roles = case.folds.roles(fold)
        for repeat in range(1, REPEATS + 1):
            rng = case.draws(fold, repeat)
            images = {idh: pictures(pool, roles, idh, case, rng) for idh in LABELS}
            if case.world == "labels":
                mixed = [cell for idh in LABELS for cell in images[idh]]
                order = rng.permutation(len(mixed))
                images = {
                    idh: [mixed[i] for i in order[k :: len(LABELS)]] for k, idh in enumerate(LABELS)
                }
            for idh in LABELS:
                name = f"{case.world}-{fold}-{repeat}-{idh}"
                seen = [p for p, role in roles.items() if role == "train" and labels[p] == idh]
                record = GeneratorRecord.of(name, idh, seen, seed=repeat)
                yield write_synthetic(str(folder / "synthetic" / name), record, images[idh])


def pictures(
    pool: Pool, roles: dict[str, str], idh: str, case: Case, rng: np.random.Generator
) -> list[Any]:
    """Encoded images of one class."""
    half = case.count // 2
    if case.world == "noise":
        return [image_cell(noise(rng), f"{i}") for i in range(half)]
    of_class = pool.table[pool.table["idh"] == idh]
    role = of_class["patient"].map(roles)
    rows = of_class[(role == "train") & (of_class["rank"] <= SHARE)]
    if case.world != "copies":
        rows = of_class[role.isna()]
    chosen = rows["image"].iloc[rng.choice(len(rows), half, replace=len(rows) < half)].tolist()
    if case.world != "copies":
        return chosen
    return [image_cell(almost(decode(cell["bytes"]), rng), f"{i}") for i, cell in enumerate(chosen)]


def almost(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A copy that differs by at most one gray level: equal pixels are refused by `sweep`."""
    return (image + rng.integers(-1, 2, image.shape)).clip(0, 255).astype(np.uint8)


def noise(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Smoothed noise in three channels, (PATCH_PX, PATCH_PX, 3)."""
    field = ndimage.gaussian_filter(rng.normal(size=(PATCH_PX, PATCH_PX, 3)), (2, 2, 0))
    return (128 + 40 * field / field.std()).clip(0, 255).astype(np.uint8)


def write_synthetic(out: str, record: GeneratorRecord, images: list[Any]) -> str:
    """A finished SYNTHETIC folder of a generator that saw the training patients of its class."""
    identity = Identity({"stage": "phantom world", "name": record.generator})
    with stage_folder(out, identity, overwrite=False):
        rows = [
            {
                "generator": record.generator, "seed": record.seed, "index": i, "psi": 1.0,
                "idh": record.idh, "trained_on": record.trained_on, "image": image,
            }
            for i, image in enumerate(images)
        ]  # fmt: skip
        publish_table(part_path(out, record.generator), rows, SYNTHETIC)
        write_generator(out, record)
    return out


if __name__ == "__main__":
    tyro.cli(main)
