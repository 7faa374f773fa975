"""Stain normalization of a cohort: each slide from its own pixels, what does not fit is counted."""

import logging

import numpy as np

from idhray.config import Identity
from idhray.images import decode, image_cell
from idhray.ledger import Fate, fates, record
from idhray.slides.patches import PatchSettings
from idhray.stages.cut_patches import STAIN_LOST, CutPatchesFlags, cut_patches
from idhray.stages.runtime.folder import stage_folder
from idhray.table_parts import part_path, publish_table, read_table
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
                | {"image": image_cell(tile_of(stains, rank), f"{name}-{rank}")}
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
