"""The study's second half on real H&E patches: GAN -> synthetic -> sweep -> statistics -> report.

    python benchmarks/he_patches.py --data FOLDER --out FOLDER [--kimg 25]

FOLDER/he_patches holds LC25000 patches (Borkowski et al. 2019) with groups.csv: label, file,
source_tile. Lung adenocarcinoma stands in for wildtype, squamous cell carcinoma for mutant; images
of one source tile are augmentations of each other, so the source tile is split as a patient would
be. What it measures is the path, not IDH: these are lungs.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from PIL import Image

from idhray.cohorts.manifest import read_manifest, with_split, write_manifest
from idhray.images import image_cell
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.studies.settings import PRESETS, StudyFlags
from idhray.stages.study import study
from idhray.table_parts import part_path, publish_table
from idhray.tables import PATCHES

STANDS_FOR = {"lung_aca": "wildtype", "lung_scc": "mutant"}


def main(data: Path, out: Path, kimg: float = 25.0, seed: int = 0) -> None:
    """Build a PATCHES table of the real patches and run the demo's study from there.

    Args:
        data: Folder that holds he_patches.
        out: Folder for the table and the study.
        kimg: Length of each GAN's training; real tissue needs more than the demo's.
        seed: Of everything that is drawn.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    folder = data / "he_patches"
    groups = pd.read_csv(folder / "groups.csv").sort_values("file", ignore_index=True)
    groups["idh"] = groups["label"].map(STANDS_FOR)
    out.mkdir(parents=True, exist_ok=True)
    manifest = str(out / "manifest.csv")
    patients = groups.drop_duplicates("source_tile")
    patients = patients.assign(cohort="stand-in: lung, LC25000")
    patients.rename(columns={"source_tile": "patient"})[["patient", "idh", "cohort"]].to_csv(
        manifest, index=False
    )
    cohort = with_split(read_manifest(manifest), seed)
    write_manifest(manifest, cohort)
    patches = str(out / "patches")
    write_patches(folder, groups, cohort, patches, seed)
    demo = PRESETS["demo"]
    settings = replace(demo, gan=replace(demo.gan, total_kimg=kimg))
    result = study(
        StudyFlags(
            manifest=manifest, out=str(out / "study"), settings=settings, patches=patches, seed=seed
        )
    )
    print(json.dumps(result))


def write_patches(
    folder: Path, groups: pd.DataFrame, cohort: pd.DataFrame, out: str, seed: int
) -> None:
    """A PATCHES table of the images in `groups`, one part per source tile."""
    split = dict(zip(cohort["patient"], cohort["split"], strict=True))
    settings = {"stage": "he_patches", "images": len(groups), "seed": seed}
    with stage_folder(out, settings, overwrite=False):
        for tile, rows in groups.groupby("source_tile"):
            publish_table(
                part_path(out, str(tile)),
                [patch_row(folder, row, split[row["source_tile"]]) for _, row in rows.iterrows()],
                PATCHES,
            )


def patch_row(folder: Path, row: "pd.Series[str]", split: str) -> dict[str, object]:
    """One row; nothing is known of where on its slide a patch lay, nor at which scale."""
    image = np.asarray(Image.open(folder / row["file"]).convert("RGB"))
    return {
        "patient": row["source_tile"],
        "idh": row["idh"],
        "split": split,
        "slide": row["source_tile"],
        "image": image_cell(image, row["file"]),
    }


if __name__ == "__main__":
    tyro.cli(main)
