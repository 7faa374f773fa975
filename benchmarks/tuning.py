"""Hyperparameter search: what it finds where there is nothing, and early stopping beside none.

    python -m benchmarks.tuning --data FOLDER --out FOLDER --question null|schedulers

null: the labels of the patients of mri_slices are permuted, so that nothing can be learned. The
inner validation AUC of the best trial is above .5; the AUC of the tuned classifier on the untouched
patients of each fold is not.

schedulers: on he_patches, 20 full trials of a random search, then Optuna with ASHA for as many
seconds of work, with three seeds. Compared are the best inner AUC and that on untouched patients.

Both tune attention pooling on the features of EfficientNet-Lite0. Images and labels are those of
`experiment_real.py`. The same command continues.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import tyro

from benchmarks.experiment_real import encoded, he_table, mri_table
from idhray.chance import generator
from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import write_folds
from idhray.cohorts.manifest import patients_of, read_manifest, write_manifest
from idhray.config import Identity
from idhray.experiment.settings import ProtocolSettings
from idhray.stages.experiment.settings import PRESETS, ExperimentSettings
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.tune import TuneFlags, tune
from idhray.stages.tuning.search import SearchKind
from idhray.stats.settings import StatsSettings
from idhray.storage import read_json
from idhray.table_parts import part_path, parts, publish_table, read_table
from idhray.tables import SLICES

FOLDS, REPEATS, TRIALS = 5, 3, 20
Search = tuple[SearchKind, Literal["asha", "none"]]


def main(data: Path, out: Path, *, question: Literal["null", "schedulers"], seeds: int = 3) -> None:
    """Run the searches of a question and print their figures.

    Args:
        data: Folder with he_patches and mri_slices.
        out: Folder for everything.
        question: What is measured.
        seeds: Number of permutations, or of searches of each kind.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(seeds):
        if question == "null":
            table, manifest = permuted_slices(data, out / f"permuted-{seed}", seed)
            folder = out / f"null-{seed}"
            rows.append(searched(table, manifest, folder, ("random", "none"), seed=seed))
        else:
            table, manifest = str(out / "images"), str(out / "manifest.csv")
            he_table(data, table, manifest)
            full = searched(table, manifest, out / f"full-{seed}", ("random", "none"), seed=seed)
            early = out / f"asha-{seed}"
            rows += [
                full,
                searched(
                    table, manifest, early, ("optuna", "asha"), seed=seed, seconds=full["seconds"]
                ),
            ]
    frame = pd.DataFrame(rows)
    print(frame.to_string(index=False))
    print(frame.groupby("search").median(numeric_only=True).to_string())


def permuted_slices(data: Path, out: Path, seed: int) -> tuple[str, str]:
    """SLICES and manifest of the TCGA patients with permuted labels."""
    out.mkdir(parents=True, exist_ok=True)
    source, table, manifest = str(out / "true"), str(out / "images"), str(out / "manifest.csv")
    mri_table(data, source, manifest)
    cohort = read_manifest(manifest)
    rng = generator(seed, "permuted labels")
    labels = dict(zip(cohort["patient"], rng.permutation(cohort["idh"].to_numpy()), strict=True))
    write_manifest(manifest, cohort.assign(idh=cohort["patient"].map(labels)))
    with stage_folder(table, Identity({"stage": "mri_slices", "seed": seed}), overwrite=False):
        for path in parts(source):
            rows = read_table(path, SLICES).to_pylist()
            patient = rows[0]["patient"]
            publish_table(
                part_path(table, patient), [{**row, "idh": labels[patient]} for row in rows], SLICES
            )
    return table, manifest


def searched(
    table: str,
    manifest: str,
    out: Path,
    search: Search,
    *,
    seed: int,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Figures of one search, and of the classifier that it found, on untouched patients."""
    out.mkdir(parents=True, exist_ok=True)
    cohort = patients_of(read_manifest(manifest))
    folds = str(out / "folds.parquet")
    if not Path(folds).exists():
        write_folds(folds, draw_folds(cohort, count=FOLDS, seed=seed))
    features = (encoded(table, "mri" if "permuted" in table else "he"),)
    settings = real_alone()
    result = tune(
        TuneFlags(
            images=table,
            features=features,
            folds=folds,
            out=str(out / "tune"),
            settings=settings,
            search=search[0],
            scheduler=search[1],
            trials=TRIALS if seconds is None else 50 * TRIALS,
            hours=None if seconds is None else seconds / 3600,
            seed=seed,
        )
    )
    sweep(
        SweepFlags(
            images=table,
            features=features,
            folds=folds,
            out=str(out / "sweep"),
            settings=settings,
            tuned=result["best"],
            seed=seed,
        )
    )
    _, tables = fit_sweep(
        str(out / "statistics"), str(out / "sweep"), cohort, StatsSettings(), overwrite=True
    )
    best = read_json(result["best"])
    (arm,) = tables.arms.to_dict("records")
    row = {
        "search": "+".join(search),
        "seed": seed,
        "trials": sum(len(read_trials(out, number)) for number in best["folds"]),
        "seconds": best["hours"] * 3600,
        "inner_auc": float(np.mean([each["auc"] for each in best["folds"].values()])),
        "untouched_auc": arm["auc"],
        "low": arm["auc_low"],
        "high": arm["auc_high"],
    }
    print(json.dumps(row), flush=True)
    return row


def read_trials(out: Path, number: str) -> pd.DataFrame:
    """Finished trials of a fold."""
    rows = pd.concat(pd.read_parquet(path) for path in (out / "tune").glob("part-*.parquet"))
    return rows[rows["fold"] == int(number)]


def real_alone() -> ExperimentSettings:
    """Attention pooling on the arm `real` alone."""
    protocol = ProtocolSettings(
        fold_count=FOLDS, repeats=REPEATS, counts=(), controls=(), online_arms=False
    )
    return replace(PRESETS["demo"], protocol=protocol, classifiers=("abmil",))


if __name__ == "__main__":
    tyro.cli(main)
