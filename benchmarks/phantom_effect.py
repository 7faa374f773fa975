"""Does the study see what is there, and nothing where nothing is? The phantom with and without.

    python benchmarks/phantom_effect.py --out FOLDER [--patients 160] [--seeds 0 1 2]

For each seed and effect: a made-up cohort, tiles, patches, and the demo's baseline classifier
(no GAN), trained once and tested on the test patients. Four in eight patients train, one in eight
validates, three in eight test: more than the study's one in eight, so that the interval is narrow
enough to say something. With effect 0 it should hold 0.5 in 19 of 20 cohorts, with the default
effect it should not.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import tyro

from idhray.chance import generator
from idhray.classify.settings import PRESETS as CLASSIFIER
from idhray.cohorts.manifest import patients_of, read_manifest, write_manifest
from idhray.phantom.patients import PRESETS as PHANTOM
from idhray.slides.patches import PRESETS as PATCHES
from idhray.slides.tiling_settings import PRESETS as TILES
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.predict import PredictFlags, predict
from idhray.stages.runtime.session import connect
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.stages.train_classifier import TrainClassifierFlags, train_classifier
from idhray.stats.roc.area import auc_with_ci
from idhray.stats.sample import Scored
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS


def main(
    out: Path,
    patients: int = 160,
    seeds: tuple[int, ...] = (0, 1, 2),
    effects: tuple[float, ...] = (0.0, 1.0),
) -> None:
    """Print one JSON line per seed and effect."""
    logging.basicConfig(level=logging.WARNING)
    connect(None)
    for seed in seeds:
        for effect in effects:
            result = one(out / f"seed{seed}-effect{effect:g}", patients, effect, seed)
            print(json.dumps(result), flush=True)


def one(folder: Path, patients: int, effect: float, seed: int) -> dict[str, object]:
    """Test AUC of the baseline classifier on one made-up cohort."""
    made, tiles, patches, model, said = (
        str(folder / name) for name in ("phantom", "tiles", "patches", "model", "predictions")
    )
    make_phantom(
        MakePhantomFlags(
            out=made, settings=replace(PHANTOM["demo"], effect=effect), patients=patients, seed=seed
        )
    )
    manifest = str(folder / "split.csv")
    write_manifest(manifest, in_eighths(read_manifest(f"{made}/manifest.csv"), seed))
    tile_slides(TileSlidesFlags(manifest=manifest, out=tiles, settings=TILES["demo"], seed=seed))
    cut_patches(CutPatchesFlags(tiles=tiles, out=patches, settings=PATCHES["demo"], seed=seed))
    trained = train_classifier(
        TrainClassifierFlags(images=patches, out=model, settings=CLASSIFIER["demo"], seed=seed)
    )
    predict(PredictFlags(checkpoint=model, images=patches, out=said, split=("test",)))
    rows = read_table(said, PREDICTIONS).to_pandas()
    area = auc_with_ci(Scored(rows["idh"] == "mutant", rows["p_mutant"]))
    return {
        "seed": seed,
        "effect": effect,
        "test_patients": len(rows),
        "auc": round(area.auc, 3),
        "low": round(area.ci_low, 3),
        "high": round(area.ci_high, 3),
        "ci_method": area.ci_method,
        "holds_half": bool(area.ci_low <= 0.5 <= area.ci_high),
        "val_auc": trained["val_auc"],
    }


def in_eighths(cohort: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The manifest split 4:1:3 within each label."""
    parts = ["train"] * 4 + ["val"] + ["test"] * 3
    split: dict[str, str] = {}
    for label, rows in patients_of(cohort).groupby("idh"):
        names = generator(seed, "eighths", label).permutation(rows["patient"])
        split |= {name: parts[i % 8] for i, name in enumerate(names)}
    return cohort.assign(split=cohort["patient"].map(split))


if __name__ == "__main__":
    tyro.cli(main)
