"""Stain normalization of a cohort: each slide from its own pixels, what does not fit is counted."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from idhray.cohorts.folds import folds_of_roles, write_folds
from idhray.config import Identity, recorded_values, settings_hash
from idhray.images import decode, image_cell
from idhray.leakage import patient_splits
from idhray.ledger import Fate, fates, record
from idhray.slides.patch_plan import plan_patches
from idhray.slides.patches import PatchSettings
from idhray.stages.cut_patches import (
    STAIN_LOST,
    CutPatchesFlags,
    cut_patches,
    missing_by_patient,
    stain_ranks,
)
from idhray.stages.export_images import ExportImagesFlags, export_images
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.storage import publish_json, read_json
from idhray.table_parts import part_path, publish_table, read_part, read_table
from idhray.tables import PATCHES, TILES
from tests.slides.made_stain import STAINS, amounts, picture, unit

SETTINGS = PatchSettings(
    patch_px=32,
    tile_px=64,
    stride_px=8,
    train_per_class=12,
    eval_per_patient=6,
    min_object_px=0,
    normalize="macenko",
)
OTHER = unit((0.55, 0.76, 0.34), (0.20, 0.88, 0.43))


def tile_of(stains, seed):
    """64 px of the same tissue for the same seed; blocks of 2 px are one color."""
    concentration = amounts(32 * 32, seed=seed)[: len(stains)]
    small = picture(0.6 * concentration + 0.1, stains, noise=0.5).reshape(32, 32, 3)
    return small.repeat(2, axis=0).repeat(2, axis=1)


def write_tiles(folder, slides):
    """A finished TILES table: name -> (idh, split, stains), ten tiles each in two shards."""
    with stage_folder(str(folder), Identity({"stage": "tile_slides"}), overwrite=False):
        for name, (idh, split, stains) in slides.items():
            rows = [
                {"patient": name, "idh": idh, "split": split, "slide": name, "rank": rank}
                | {"x_l0": 64 * rank, "y_l0": 0, "size_l0": 64.0, "mpp": 1.0, "mpp_source": "file"}
                | {"tissue_fraction": 1.0}
                | {
                    "image": image_cell(
                        np.roll(tile_of(stains, rank), 13 * ord(name[0]), 0), "tile"
                    )
                }
                for rank in range(1, 11)
            ]
            digests = [
                publish_table(part_path(str(folder), name, shard), part, TILES)
                for shard, part in enumerate((rows[:6], rows[6:]))
            ]
            record(str(folder), Fate(input=name, status="done", rows=10, digest=digests[0]))


def mean_color(cells):
    """Of all pixels of images, (3,)."""
    return np.mean([decode(cell["bytes"]) for cell in cells], axis=(0, 1, 2))


def test_stain_is_fitted_to_each_slide_alone_and_fallbacks_are_counted(tmp_path, ray_local, caplog):
    """Two laboratories come to look alike, whatever else is in the cohort; one slide has a single
    stain and keeps its colors."""
    slides = {
        "A": ("mutant", "train", STAINS),
        "B": ("wildtype", "train", OTHER),
        "C": ("mutant", "test", STAINS[:1]),
    }
    write_tiles(tmp_path / "tiles", slides)
    write_tiles(tmp_path / "fewer", {name: slides[name] for name in "AB"})
    with caplog.at_level(logging.WARNING):
        found = cut_patches(
            CutPatchesFlags(
                tiles=str(tmp_path / "tiles"), out=str(tmp_path / "all"), settings=SETTINGS
            )
        )
    without_test = cut_patches(
        CutPatchesFlags(tiles=str(tmp_path / "fewer"), out=str(tmp_path / "two"), settings=SETTINGS)
    )
    images = {
        name: read_table(str(tmp_path / name), PATCHES).to_pandas().set_index("slide")["image"]
        for name in ("all", "two")
    }

    assert (found["stain_fallbacks"], without_test["stain_fallbacks"]) == (1, 0)
    assert found["rows"] == 30
    assert fates(str(tmp_path / "all"))["C"].error.startswith(f"{STAIN_LOST}, macenko: its two")
    assert "1 of 3 slides keep their colors" in caplog.text
    for name in "AB":  # to the last byte: the test patient's colors decide nothing
        assert list(images["all"][name]) == list(images["two"][name])
    before = {name: tile_of(stains, 1).mean((0, 1)) for name, (_, _, stains) in slides.items()}
    after = {name: mean_color(images["all"][name]) for name in slides}
    assert np.abs(before["A"] - before["B"]).max() > 8
    assert np.abs(after["A"] - after["B"]).max() < 4
    assert np.abs(after["C"] - before["C"]).max() < 4


PLAIN = replace(SETTINGS, normalize="none", min_tissue_fraction=0)
SLIDES = {
    "A": ("mutant", "train", STAINS),
    "B": ("mutant", "test", STAINS),
    "C": ("wildtype", "train", STAINS),
    "D": ("wildtype", "val", STAINS),
}


def cut(tmp_path, name, settings=PLAIN, **flags):
    """PATCHES table of the tiles in `tmp_path`, and what the stage returned."""
    out = str(tmp_path / name)
    tiles = str(tmp_path / "tiles")
    answer = cut_patches(CutPatchesFlags(tiles=tiles, out=out, settings=settings, **flags))
    return read_table(out, PATCHES).to_pandas().sort_values(["patient", "rank"]), answer


def test_missing_patches_are_counted_by_patient():
    """262 of 280 patches came, and `shortfall` was empty: it knew the number of tiles only."""
    assert missing_by_patient({"B": 4, "A": 20, "C": 3}, {"A": 2, "B": 4}) == {"A": 18, "C": 3}


def test_a_reserve_follows_the_patches_of_a_run_without(tmp_path, ray_local):
    """The baseline of an experiment is the same with and without its arm of further patches."""
    write_tiles(tmp_path / "tiles", SLIDES)
    plain, _ = cut(tmp_path, "plain")
    larger, answer = cut(tmp_path, "larger", replace(PLAIN, reserve_per_class=9))
    training = larger["patient"].isin(["A", "C"])
    first = larger[~training | (larger["rank"] <= 12)]

    assert plain.groupby("patient")["rank"].agg(list).to_dict() == {
        name: [*range(1, (12 if name in "AC" else 6) + 1)] for name in SLIDES
    }
    columns = ["patient", "split", "rank", "x_l0", "y_l0"]
    assert first[columns].to_numpy().tolist() == plain[columns].to_numpy().tolist()
    assert [cell["bytes"] for cell in first["image"]] == [cell["bytes"] for cell in plain["image"]]
    assert answer["per_class"]["train mutant"] == 21
    assert plain[plain["rank"] <= 10].groupby("patient")["x_l0"].agg(
        lambda x: len(set(x // 64))
    ).to_dict() == {"A": 10, "B": 6, "C": 10, "D": 6}  # one tile each


def test_patches_for_folds_have_no_split_and_serve_every_role(tmp_path, ray_local):
    """Which patients are tested differs from fold to fold; the images are cut once."""
    write_tiles(tmp_path / "tiles", SLIDES)
    labels = {name: idh for name, (idh, _, _) in SLIDES.items()}
    roles = {1: dict.fromkeys("AC", "test"), 2: dict.fromkeys("BD", "test")}
    every = {fold: dict.fromkeys("ABCD", "train") | tested for fold, tested in roles.items()}
    write_folds(str(tmp_path / "folds.csv"), folds_of_roles(labels, every))
    flags = {"folds": str(tmp_path / "folds.csv")}
    patches, answer = cut(tmp_path, "patches", **flags)

    assert patches["patient"].value_counts().to_dict() == dict.fromkeys("ABCD", 12)
    assert set(patches["split"]) == {""}
    assert patient_splits(str(tmp_path / "patches")) == dict.fromkeys("ABCD", "")
    assert answer["per_class"] == {"mutant": 24, "wildtype": 24}
    source, out = str(tmp_path / "patches"), str(tmp_path / "files")
    assert export_images(ExportImagesFlags(images=source, out=out, format="folder"))["rows"] == 48
    again, _ = cut(tmp_path, "patches", **flags)
    pd.testing.assert_frame_equal(again, patches)
    every[1] = dict.fromkeys("AD", "test") | dict.fromkeys("BC", "train")
    every[2] = dict.fromkeys("BC", "test") | dict.fromkeys("AD", "train")
    write_folds(str(tmp_path / "folds.csv"), folds_of_roles(labels, every))
    other, _ = cut(tmp_path, "patches", **flags)
    fresh, _ = cut(tmp_path, "fresh", **flags)
    pd.testing.assert_frame_equal(other, fresh)


def test_a_folder_without_ranks_is_continued(tmp_path, ray_local):
    """Slides that an earlier version cut stay, and the others get ranks."""
    write_tiles(tmp_path / "tiles", SLIDES)
    patches, _ = cut(tmp_path, "patches")
    out = str(tmp_path / "patches")
    forget_ranks(out)
    Path(part_path(out, "B")).unlink()
    digest = Path(part_path(out, "A")).read_bytes()
    again, _ = cut(tmp_path, "patches")

    assert Path(part_path(out, "A")).read_bytes() == digest
    ranks = again.groupby("patient")["rank"].agg(lambda column: column.notna().sum()).to_dict()
    assert ranks == {"A": 0, "B": 6, "C": 0, "D": 0}
    columns = ["patient", "x_l0", "y_l0"]
    both = [table.sort_values(columns)[columns] for table in (again, patches)]
    assert both[0].to_numpy().tolist() == both[1].to_numpy().tolist()


def forget_ranks(out):
    """Make a finished folder one of a version that knew neither ranks, reserve nor folds."""
    recorded = read_json(f"{out}/_settings.json")
    for name in ("reserve_per_class", "folds"):
        del recorded[name]
    recorded["tiles"] = seal(str(Path(out).parent / "tiles"))
    publish_json(f"{out}/_settings.json", recorded)
    old = pa.schema([field for field in PATCHES if field.name != "rank"], PATCHES.metadata)
    tiles = read_table(str(Path(out).parent / "tiles"), TILES, ["slide", "rank"]).to_pandas()
    every = read_table(str(Path(out).parent / "tiles"), TILES).to_pandas()
    plan = plan_patches(every, PLAIN, 0)
    settings = recorded_values(PLAIN, recorded)
    for name, fate in fates(out).items():
        rows = read_part(part_path(out, name)).drop_columns(["rank"]).to_pylist()
        digest = publish_table(part_path(out, name), rows, old)
        counts = sorted((rank, n) for (slide, rank), n in plan.counts.items() if slide == name)
        stain = stain_ranks(name, list(tiles.loc[tiles["slide"] == name, "rank"]), 0)
        values = {"slide": name, "ranks": counts, "stain_ranks": stain, "settings": settings}
        digest_of_settings = settings_hash({**values, "seed": 0})
        record(out, replace(fate, digest=digest, settings_hash=digest_of_settings, people_hash=""))
    Path(f"{out}/_done.json").unlink()
