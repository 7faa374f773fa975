"""Does the study see what is there, and nothing where nothing is? The phantom with and without.

    python benchmarks/phantom_effect.py --out FOLDER [--patients 120] [--seeds 0 1]

For each seed and effect: a made-up cohort, tiles, patches, and the demo's baseline classifier
(no GAN), trained once and tested on the test patients. With effect 0 the interval of the test AUC
should hold 0.5 in 19 of 20 cohorts, with the default effect it should not.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

import tyro

from idhray.classify.settings import PRESETS as CLASSIFIER
from idhray.phantom.patients import PRESETS as PHANTOM
from idhray.slides.patches import PRESETS as PATCHES
from idhray.slides.tiling import PRESETS as TILES
from idhray.stages.cut_patches import cut_patches
from idhray.stages.make_phantom import make_phantom
from idhray.stages.predict import predict
from idhray.stages.session import connect
from idhray.stages.tile_slides import tile_slides
from idhray.stages.train_classifier import train_classifier
from idhray.stats.roc import auc_with_ci
from idhray.tables import PREDICTIONS, read_table


def main(
    out: Path,
    patients: int = 120,
    seeds: tuple[int, ...] = (0, 1),
    effects: tuple[float, ...] = (0.0, 1.0),
) -> None:
    """Print one JSON line per seed and effect."""
    logging.basicConfig(level=logging.WARNING)
    connect(None)
    for seed in seeds:
        for effect in effects:
            print(json.dumps(one(out / f"seed{seed}-effect{effect:g}", patients, effect, seed)))


def one(folder: Path, patients: int, effect: float, seed: int) -> dict[str, object]:
    """Test AUC of the baseline classifier on one made-up cohort."""
    made, tiles, patches, model, said = (
        str(folder / name) for name in ("phantom", "tiles", "patches", "model", "predictions")
    )
    make_phantom(made, patients, replace(PHANTOM["demo"], effect=effect), seed=seed)
    tile_slides(f"{made}/manifest.csv", tiles, TILES["demo"], seed=seed)
    cut_patches(tiles, patches, PATCHES["demo"], seed=seed)
    trained = train_classifier(patches, model, CLASSIFIER["demo"], seed=seed)
    predict(model, patches, said, split=("test",))
    rows = read_table(said, PREDICTIONS).to_pandas()
    area = auc_with_ci(rows["idh"] == "mutant", rows["p_mutant"])
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


if __name__ == "__main__":
    tyro.cli(main)
