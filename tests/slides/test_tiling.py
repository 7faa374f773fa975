"""The best tiles of a slide, and what becomes of slides that have none."""

import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from idhray.errors import ConfigError, SlideError
from idhray.images import decode
from idhray.slides.direct import open_slide
from idhray.slides.reader import Slide
from idhray.slides.thumbnail import thumbnail
from idhray.slides.tile_rows import tile_rows
from idhray.slides.tiling import (
    RankedTile,
    TilePlan,
    plan_tiles,
    tile_grid,
    tile_shards,
    tiles_with_tissue,
)
from idhray.slides.tiling_settings import PRESETS, TilingSettings
from idhray.tables import TILES
from tests.slides.made import PINK, WHITE, damage, plain, write_levels, write_slide
from tests.slides.made_tiff import write_leica

SMALL = TilingSettings(tile_px=64, mask_mpp=8.0, min_object_px=0)


class Cut(NamedTuple):
    plan: TilePlan
    rows: list


def cut(path, settings=SMALL, name="a", mpp=None):
    """The plan of a slide, and the rows of its tiles by rank."""
    known = {"mpp": mpp, "assume_mpp": settings.assume_mpp, "direct": settings.direct}
    with open_slide(path, name=name, **known) as slide:
        plan = plan_tiles(slide, settings)
        rows = sorted(tile_rows(slide, plan.tiles, settings), key=lambda row: row["rank"])
    return Cut(plan, rows)


def striped(fractions):
    """A row of 64 px squares whose left part is tissue, one for each fraction."""
    image = np.concatenate([plain(WHITE, 64) for _ in fractions], axis=1)
    for k, fraction in enumerate(fractions):
        image[:, 64 * k : 64 * k + round(64 * fraction)] = PINK
    return image


def test_liu_2020_is_the_preset():
    """1024 px at 10x, half tissue, the best 50 of a slide; JPEG."""
    liu = PRESETS["liu2020"]

    assert (liu.tile_px, liu.mpp, liu.min_tissue_fraction) == (1024, 1.0, 0.5)
    assert (liu.max_tiles_per_slide, liu.codec) == (50, "jpeg")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tile_px": 0},
        {"magnification": 0.0},
        {"min_tissue_fraction": 0.0},
        {"mask_mpp": 0.5},
        {"mask_mpp": 2000.0},
        {"codec": "webp"},
        {"tissue": "otsu"},
    ],
    ids=str,
)
def test_nonsense_settings_are_refused(wrong):
    """Before a thousand slides are read with them."""
    with pytest.raises(ConfigError):
        TilingSettings(**wrong)


def test_the_grid_has_whole_tiles_from_the_corner():
    """A tile of a size that is no whole number drifts by less than a pixel."""
    assert tile_grid((299, 100), (100.0, 100.0)) == [(0, 0), (100, 0)]
    assert tile_grid((300, 99), (100.0, 100.0)) == []
    assert tile_grid((10_000, 500), (400.75, 400.75))[-1] == (round(23 * 400.75), 0)


def test_tiles_with_tissue_are_found_whatever_the_order_of_the_grid():
    """Fractions by hand: two of four pixels of the first tile, all of the second and fourth."""
    mask = np.zeros((4, 16), dtype=np.bool_)
    mask[:, 0:2] = mask[:, 4:8] = mask[:, 12:16] = True
    grid = tile_grid((160, 40), (40.0, 40.0))

    found = tiles_with_tissue(grid, mask, tile_l0=(40.0, 40.0), mask_l0=(10.0, 10.0), least=0.5)

    assert found == [(0, 0, 0.5), (40, 0, 1.0), (120, 0, 1.0)]
    assert sorted(found) == sorted(
        tiles_with_tissue(grid[::-1], mask, tile_l0=(40.0, 40.0), mask_l0=(10.0, 10.0), least=0.5)
    )


def test_the_thumbnail_is_seamless(tmp_path, monkeypatch):
    """It is read block by block, and an edge in between would be seen."""
    image = np.random.default_rng(0).integers(0, 255, (320, 480, 3), dtype=np.uint8)
    path = write_slide(tmp_path / "a.tiff", image, 1.0)

    with Slide(path) as slide:
        whole, _ = thumbnail(slide, 8.0)
        monkeypatch.setattr("idhray.slides.thumbnail._BLOCK_PX", 64)
        blocks, readable = thumbnail(slide, 8.0)

    assert np.array_equal(whole, blocks)
    assert whole.shape == (40, 60, 3)
    assert readable.all()


def test_rows_are_those_of_the_tiles_table(tmp_path):
    """Best first, encoded, with what is needed to find the place on the slide again."""
    path = write_slide(tmp_path / "a.tiff", striped([0.25, 1.0, 0.75, 0.5]), 1.0)
    plan, rows = cut(path, name="case 1")

    assert [(row["rank"], row["x_l0"], row["tissue_fraction"]) for row in rows] == [
        (1, 64, 1.0),
        (2, 128, 0.75),
        (3, 192, 0.5),
    ]
    assert (plan.grid, plan.candidates, plan.hidden) == (4, 3, [])
    assert plan.skipped_reason is None
    assert [row["own_tissue_fraction"] for row in rows] == [1.0, 0.75, 0.5]
    row = rows[0]
    assert (row["slide"], row["size_l0"], row["mpp"]) == ("case 1", pytest.approx(64), 1.0)
    assert row["mpp_source"] == "openslide.mpp"
    assert row["image"]["path"] == "case 1_x64_y0.jpg"
    assert np.abs(decode(row["image"]["bytes"]) - np.asarray(PINK, float)).max() < 4
    who = {"patient": "p", "idh": "mutant", "split": "train"}
    assert pa.Table.from_pylist([who | row], schema=TILES).num_rows == 1


def test_only_the_best_are_kept(tmp_path):
    """Fifty a slide in Liu et al.; candidates are still counted."""
    path = write_slide(tmp_path / "a.tiff", striped([0.625, 1.0, 0.75]), 1.0)
    settings = TilingSettings(tile_px=64, mask_mpp=8.0, min_object_px=0, max_tiles_per_slide=2)
    plan, rows = cut(path, settings)

    assert [row["x_l0"] for row in rows] == [64, 128]
    assert plan.candidates == 3


def test_a_slide_at_40x_gives_the_same_tissue(tmp_path):
    """The same glass scanned finer: the same tile, at twice the coordinates."""
    rough = striped([1.0, 0.75])
    fine = rough.repeat(2, axis=0).repeat(2, axis=1)
    settings = TilingSettings(tile_px=64, mask_mpp=8.0, min_object_px=0, codec="png")
    at_10x, at_20x = (
        cut(write_slide(tmp_path / "a.tiff", image, mpp), settings).rows
        for image, mpp in ((rough, 1.0), (fine, 0.5))
    )

    assert [row["x_l0"] for row in at_20x] == [2 * row["x_l0"] for row in at_10x]
    assert [row["image"]["bytes"] for row in at_20x] == [row["image"]["bytes"] for row in at_10x]


def test_pixels_that_are_not_square_are_tiled_by_their_width_and_height(tmp_path):
    """A line scanner: 1 um across, 0.5 down. The same glass as square pixels."""
    square = striped([1.0, 0.75, 0.0]).repeat(2, axis=0)  # 128 px high: two rows of tiles
    tall = square.repeat(2, axis=0)
    settings = replace(SMALL, codec="png")
    paths = [tmp_path / f"{name}.tiff" for name in ("square", "tall")]
    write_slide(paths[0], square, 1.0)
    write_levels(paths[1], [tall], (1.0, 0.5))
    found = [cut(str(path), settings).rows for path in paths]

    assert len(found[0]) == 4
    for a, b in zip(*found, strict=True):
        assert (b["x_l0"], b["y_l0"]) == (a["x_l0"], 2 * a["y_l0"])
        assert (b["size_l0"], b["height_l0"]) == (64.0, 128.0)
        assert (
            np.abs(decode(a["image"]["bytes"]) - decode(b["image"]["bytes"]).astype(int)).max() < 4
        )
        assert a["tissue_fraction"] == b["tissue_fraction"]


def test_a_slide_whose_colors_cannot_be_right_is_refused(tmp_path):
    """Red and green exchanged, as a wrongly decoded DICOM; unless it is wanted as it is."""
    image = np.concatenate([plain((180, 90, 170), 128), plain(WHITE, 128)], axis=1)[..., [1, 0, 2]]
    path = write_slide(tmp_path / "a.tiff", image, 1.0)

    with pytest.raises(SlideError, match=r"^a: .*; --no-check-colors takes it as it is"):
        cut(path)
    assert cut(path, replace(SMALL, check_colors=False)).plan.grid == 8


def test_the_white_around_a_fluorescence_slide_is_no_glass(tmp_path):
    """The last row of the thumbnail reaches beyond the slide, and is white there."""
    image = np.zeros((515, 1027, 3), dtype=np.uint8)
    image[100:140, 100:140] = (20, 30, 210)

    for mask_mpp in (8.0, 16.0, 32.0):
        with pytest.raises(SlideError, match="fluorescence"):
            cut(write_slide(tmp_path / "a.tiff", image, 1.0), replace(SMALL, mask_mpp=mask_mpp))


def test_a_resolution_is_assumed_only_when_asked_for(tmp_path):
    """And the row says so; a slide that says its own keeps it."""
    path = write_slide(tmp_path / "a.tiff", plain(PINK, 128), None)

    with pytest.raises(SlideError, match="no mpp and no objective power"):
        cut(path)
    rows = cut(path, replace(SMALL, assume_mpp=0.5)).rows
    assert [(row["size_l0"], row["mpp_source"]) for row in rows] == [(128.0, "assumed")]


@pytest.mark.parametrize("mpp", [0.499, 0.5046, 0.2489])
def test_a_slide_near_20x_is_cut_at_whole_pixels(tmp_path, mpp):
    """Resampling 2.004 pixels to one took 2.7 times the reading time of exact slides."""
    factor = round(1 / mpp)
    image = np.random.default_rng(0).integers(60, 250, (64 * factor, 128 * factor, 3))
    image[..., 1] = 40
    path = write_slide(tmp_path / "a.tiff", image.astype(np.uint8), mpp)
    rows = cut(path, replace(SMALL, codec="png")).rows
    exact = cut(path, replace(SMALL, mpp_tolerance=0)).rows

    assert [row["mpp"] for row in rows] == [pytest.approx(factor * mpp)] * len(rows)
    assert [row["size_l0"] for row in rows] == [pytest.approx(64 * factor)] * 2
    means = np.asarray(Image.fromarray(image.astype(np.uint8)).reduce(factor))
    first = next(row for row in rows if row["x_l0"] == 0)
    np.testing.assert_array_equal(decode(first["image"]["bytes"]), means[:, :64])
    assert {row["mpp"] for row in exact} <= {1.0}


@pytest.mark.parametrize("mpp", [0.5, 0.25, 1.0, 0.49999, 0.47, 0.512])
def test_exact_and_distant_slides_are_as_before(tmp_path, mpp):
    """The tolerance changes nothing where nothing is to be gained, or the scale is another one."""
    image = np.asarray(striped([0.75] * 4))
    image = image.repeat(3, axis=0).repeat(2, axis=1)
    path = write_slide(tmp_path / "a.tiff", image, mpp)

    assert cut(path).rows == cut(path, replace(SMALL, mpp_tolerance=0)).rows


def test_the_manifest_overrides_the_scale(tmp_path):
    """A slide that does not say its scale is tiled by the manifest's, and the row says so."""
    path = write_slide(tmp_path / "a.tiff", plain(PINK, 128), None)
    found = cut(path, mpp=0.5)

    assert [(row["size_l0"], row["mpp_source"]) for row in found.rows] == [(128.0, "manifest")]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        pytest.param(plain(PINK, 60), "60 x 60 px is smaller than one tile of 64 px", id="small"),
        pytest.param(
            striped([0.25, 0.0]),
            "none of 2 tiles has 50% tissue, the fullest has 25.0%; the "
            "mask finds tissue on 12.50% of the slide: see its picture in quality/",
            id="empty",
        ),
    ],
)
def test_a_sound_slide_without_tiles_is_skipped(tmp_path, image, reason):
    """No failure: nothing is wrong with the file."""
    found = cut(write_slide(tmp_path / "a.tiff", image, 1.0))

    assert (found.rows, found.plan.skipped_reason) == ([], reason)


def test_a_damaged_tile_fails_the_slide_once_the_others_were_read(tmp_path):
    """Its thumbnail, from another level, is whole; the message counts what is lost."""
    path = write_slide(tmp_path / "a.tiff", striped([1.0, 1.0, 0.75, 0.0]), 1.0, (1, 8))
    damage(path, tile=0)
    read = []
    with open_slide(path, name="a") as slide:
        plan = plan_tiles(slide, SMALL)
        with pytest.raises(SlideError, match=r"^a: 1 of 3 tiles are unreadable, .* \(0, 0\)"):
            read.extend(row["x_l0"] for row in tile_rows(slide, plan.tiles, SMALL))

    assert (plan.candidates, plan.hidden) == (3, [])


def test_tiles_that_the_thumbnail_cannot_show_are_counted(tmp_path, monkeypatch):
    """Whether they have tissue is not known; white would drop them without a word."""
    monkeypatch.setattr("idhray.slides.thumbnail._SMALLEST_BLOCK_PX", 8)
    path = write_slide(tmp_path / "a.tiff", striped([1.0, 1.0, 0.75, 0.0]), 1.0)
    damage(path, tile=3)
    found = cut(path)

    assert [row["x_l0"] for row in found.rows] == [0, 64, 128]
    assert found.plan.hidden == [(192, 0)]


def test_a_coarse_slide_fails(tmp_path):
    """A 5x scan."""
    path = write_slide(tmp_path / "a.tiff", plain(PINK, 128), 2.0)

    with pytest.raises(SlideError, match=r"^a: 2 um per pixel .* coarser"):
        cut(path)


def test_a_real_slide(real_data):
    """Exactly one 1024 um tile fits on it, and a third of that is tissue."""
    path = str(real_data / "slides" / "CMU-1-Small-Region.svs")
    half = cut(path, PRESETS["liu2020"])
    tiles = cut(path, TilingSettings(min_tissue_fraction=0.25))

    assert "none of 1 tiles has 50% tissue" in half.plan.skipped_reason
    (row,) = tiles.rows
    assert row["tissue_fraction"] == pytest.approx(0.31, abs=0.03)
    assert (row["size_l0"], row["mpp"]) == (pytest.approx(2048), pytest.approx(0.998))
    assert decode(row["image"]["bytes"]).shape == (1024, 1024, 3)


def test_a_real_slide_of_which_nothing_can_be_read(real_data):
    """Opens, but its only pixels cannot be read."""
    path = str(real_data / "slides" / "broken" / "unreadable.svs")
    tiny = TilingSettings(tile_px=4, magnification=20, mask_mpp=1.0, min_object_px=0)

    assert len(cut(path, tiny).plan.hidden) == 9
    assert cut(path).plan.skipped_reason is not None


def test_robust_leaves_a_pen_out_and_the_sheet_shows_it(tmp_path):
    """Tissue on the left, blue ink on the right; both readers agree."""
    image = np.concatenate([plain(PINK, 2048), plain(WHITE, 2048), plain((30, 60, 160), 2048)], 1)
    path = write_slide(tmp_path / "a.tiff", image, 1.0)
    settings = TilingSettings(tile_px=512, tissue="robust")
    found = cut(path, settings)
    by_openslide = cut(path, replace(settings, direct=False))

    assert len(found.rows) == 16
    assert {row["x_l0"] for row in found.rows} == {0, 512, 1024, 1536}
    assert found.rows == by_openslide.rows  # at full scale pixels are the same
    assert found.plan.sheet.shape[1] == 1024
    assert found.plan.sheet.shape[0] > 1024 // 3  # the legend is below


def test_the_sheet_is_there_without_tiles_too(tmp_path):
    """It is what says why."""
    found = cut(write_slide(tmp_path / "a.tiff", plain(WHITE, 256), 1.0))

    assert not found.rows
    assert found.plan.sheet is not None


def test_only_tissue_in_the_drawn_regions_counts(tmp_path):
    """A pathologist's outline of the second tile, and an artifact in it."""
    path = write_slide(tmp_path / "a.tiff", striped([1.0, 1.0, 1.0]), 1.0)

    def square(x, width, name):
        ring = [[x, 0], [x + width, 0], [x + width, 64], [x, 64], [x, 0]]
        said = {"classification": {"name": name}}
        return {
            "type": "Feature",
            "properties": said,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }

    drawn = tmp_path / "a.geojson"
    features = [square(64, 64, "Tumor"), square(112, 16, "Artefact"), square(128, 64, "Stroma")]
    drawn.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    only = replace(SMALL, region_classes=("Tumor",), region_exclude=("Artefact",))
    with open_slide(path, name="a") as slide:
        plans = [plan_tiles(slide, s, regions=str(drawn)).tiles for s in (only, SMALL)]

    assert [tile[1:] for tile in plans[0]] == [(64, 0, 0.75)]
    assert [tile[1:] for tile in plans[1]] == [(64, 0, 1.0), (128, 0, 1.0)]


def test_places_that_were_chosen_elsewhere_are_cut_as_they_are(tmp_path):
    """Off the grid, and without tissue, too; tissue decides the ranks."""
    path = write_slide(tmp_path / "a.tiff", striped([0.0, 1.0, 0.0]), 1.0)
    with open_slide(path, name="a") as slide:
        plan = plan_tiles(slide, SMALL, corners=[(0, 0), (32, 0), (64, 0)])

    assert [tile[1:] for tile in plan.tiles] == [(64, 0, 1.0), (32, 0, 0.5), (0, 0, 0.0)]


def test_shards_are_whole_rows_of_tiles():
    """Two shards share blocks of the file along one edge only; no tile is lost or cut twice."""
    tiles = [RankedTile(k, x, y, 1.0) for k, (y, x) in enumerate(np.ndindex(5, 4), start=1)]
    runs = tile_shards(tiles[::-1], 6)

    assert [[tile.rank for tile in run] for run in runs] == [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [9, 10, 11, 12, 13, 14, 15, 16],
        [17, 18, 19, 20],
    ]
    assert tile_shards([], 6) == []


def test_a_sheet_shows_what_was_scanned_of_the_glass(tmp_path):
    """Leica's and MIRAX's slides are of the whole glass, on which tissue would be a speck."""
    picture = np.full((1024, 1024, 3), 245, np.uint8)
    picture[256:768, 256:768] = (190, 90, 170)
    path = write_leica(tmp_path / "a.scn", picture, corner=(20_000, 40_000), whole=(50_000, 90_000))
    settings = TilingSettings(tile_px=128, magnification=10, min_object_px=0, mask_mpp=8.0)
    with Slide(path) as slide:
        plan = plan_tiles(slide, settings)

    assert plan.tiles
    assert plan.sheet.shape[1] == 1024
    ink = (np.abs(plan.sheet[:1024].astype(int) - (190, 90, 170)).max(axis=-1) < 12).mean()
    assert 0.2 < ink < 0.26  # a quarter, less the lines drawn over it


def test_a_sheet_of_a_file_that_scanned_beyond_its_glass_shows_all(tmp_path, monkeypatch):
    """Bounds are words of the file; a slide must not fail for its picture."""
    picture = np.full((1024, 1024, 3), 245, np.uint8)
    picture[256:768, 256:768] = (190, 90, 170)
    settings = TilingSettings(tile_px=128, magnification=10, min_object_px=0, mask_mpp=8.0)
    with Slide(write_slide(tmp_path / "a.tiff", picture, 0.5)) as slide:
        sheet = plan_tiles(slide, settings).sheet
        monkeypatch.setattr(slide, "_is_bare", lambda *_: False)
        monkeypatch.setattr(slide, "scanned", (5000, 0, 90_000, 1024))
        np.testing.assert_array_equal(plan_tiles(slide, settings).sheet, sheet)
