"""make_phantom, tile_slides and cut_patches on Ray."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest

from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.ledger import fates
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.export_images import ExportImagesFlags, export_images
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime.folder import seal
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.table_parts import part_path, parts, read_rows, read_table
from idhray.tables import PATCHES, TILES, TRUTH
from tests.stages.conftest import PATCHES as PATCH_SETTINGS
from tests.stages.conftest import SLIDES, TILING

SKIN = TilingSettings(min_tissue_fraction=0.1)


def manifest_of(tmp_path, **slides):
    """A manifest of one patient per slide, all in the training split."""
    rows = "".join(
        f"{patient},{'mutant' if i % 2 else 'wildtype'},train,{path}\n"
        for i, (patient, path) in enumerate(slides.items())
    )
    path = tmp_path / "manifest.csv"
    path.write_text(f"patient,idh,split,slide\n{rows}")
    return str(path)


def first_slides(phantom, count):
    return {f"P{i}": p for i, p in enumerate(sorted((phantom.parent / "slides").iterdir())[:count])}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, phantom):
    """Manifest of five patients of each class."""
    rows = pd.read_csv(phantom).groupby("idh").head(5)
    path = tmp_path_factory.mktemp("cohort") / "manifest.csv"
    rows.assign(slide=[str(phantom.parent / slide) for slide in rows["slide"]]).to_csv(path)
    return str(path)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory, cohort):
    """Tiles of all slides, by two workers."""
    out = tmp_path_factory.mktemp("tiles") / "tiles2"
    tile_slides(TileSlidesFlags(manifest=cohort, out=str(out), settings=TILING, workers=2))
    return out


def test_one_worker_makes_the_phantom_that_many_make(tmp_path, ray_local):
    """A truth that depends on the machine is none."""
    one, many = (tmp_path / name for name in ("one", "many"))
    for out, workers in ((one, 1), (many, 2)):
        make_phantom(
            MakePhantomFlags(out=str(out), settings=SLIDES, patients=4, seed=5, workers=workers)
        )

    for name in ("slides/PH-0003-1.svs", "masks/PH-0003-1.png", "manifest.csv"):
        assert (one / name).read_bytes() == (many / name).read_bytes()
    assert read_table(str(one), TRUTH).equals(read_table(str(many), TRUTH))


def test_two_workers_give_the_tiles_and_patches_of_one(tmp_path, cohort, tiles):
    """The whole tables, image bytes and the order of rows included."""
    tables, one = [], tmp_path / "tiles1"
    tile_slides(TileSlidesFlags(manifest=cohort, out=str(one), settings=TILING, workers=1))
    folders = {1: one, 2: tiles}
    for workers, folder in folders.items():
        patches = str(tmp_path / f"patches{workers}")
        cut_patches(
            CutPatchesFlags(
                tiles=str(folder), out=patches, settings=PATCH_SETTINGS, workers=workers
            )
        )
        tables.append((read_table(str(folder), TILES), read_table(patches, PATCHES)))

    assert tables[0][0].num_rows > 10
    sheets = [sorted((folder / "quality").iterdir()) for folder in folders.values()]
    assert len(sheets[0]) == 10
    assert [s.read_bytes() for s in sheets[0]] == [s.read_bytes() for s in sheets[1]]
    assert tables[0][0].equals(tables[1][0])
    assert tables[0][1].equals(tables[1][1])
    per_class = tables[0][1].to_pandas().groupby(["split", "idh"]).size()
    assert per_class["train"].to_dict() == {"mutant": 40, "wildtype": 40}  # 32 and a reserve of 8


def test_bad_slides_are_ledger_rows_and_the_others_are_done(tmp_path, phantom):
    """Missing, truncated, no slide at all: one line each, with the reason."""
    good = first_slides(phantom, 2)
    short = tmp_path / "short.svs"
    short.write_bytes(good["P0"].read_bytes()[: good["P0"].stat().st_size // 2])
    text = tmp_path / "text.svs"
    text.write_text("not a slide")
    manifest = manifest_of(tmp_path, **good, P2=short, P3=text, P4=tmp_path / "gone.svs")
    out = str(tmp_path / "tiles")

    with pytest.raises(StorageError, match="3 of 5 inputs failed, --max-failures is 0"):
        tile_slides(TileSlidesFlags(manifest=manifest, out=out, settings=TILING))
    found = fates(out)
    assert {name: fate.status for name, fate in found.items() if "PH" not in name} == {
        "short": "failed",
        "text": "failed",
        "gone": "failed",
    }
    assert "no such file" in found["gone"].error
    assert sum(fate.status == "done" for fate in found.values()) == 2
    done = tile_slides(TileSlidesFlags(manifest=manifest, out=out, settings=TILING, max_failures=3))
    assert (done["done"], done["failed"]) == (2, 3)
    assert fates(out)["gone"].attempts == 2


def test_the_real_broken_slides_end_in_the_ledger(tmp_path, real_data, ray_local):
    """OpenSlide's own fixtures: one fails at open; one, of 16 px, opens and fails at read."""
    broken = real_data / "slides" / "broken"
    manifest = manifest_of(
        tmp_path,
        A=broken / "unopenable.tiff",
        B=broken / "unreadable.svs",
        C=real_data / "slides" / "CMU-1-Small-Region.svs",
    )
    counts = tile_slides(
        TileSlidesFlags(
            manifest=manifest, out=str(tmp_path / "tiles"), settings=SKIN, max_failures=1
        )
    )
    small = TilingSettings(tile_px=4, mask_mpp=2, min_object_px=0, max_tiles_per_slide=1)
    tile_slides(
        TileSlidesFlags(
            manifest=manifest, out=str(tmp_path / "small"), settings=small, max_failures=2
        )
    )
    large, tiny = (fates(str(tmp_path / name)) for name in ("tiles", "small"))

    assert (counts["done"], counts["skipped"], counts["failed"]) == (1, 1, 1)
    assert large["unreadable"].error == (
        "unreadable: 16 x 16 px is smaller than one tile of 2048 px"
    )
    assert large["unopenable"].error.startswith("unopenable: OpenSlide cannot open it")
    assert tiny["unreadable"].status == "failed"
    assert "1 of 1 tiles cannot be seen" in tiny["unreadable"].error


def test_a_killed_run_continues_and_ends_with_the_same_table(tmp_path, cohort, tiles):
    """SIGKILL gives nobody a chance to tidy up."""
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "idhray", "tile-slides", "--manifest", cohort]
    command += ["--out", str(out), "--tile-px", "512", "--min-object-px", "50", "--workers", "1"]
    environment = {**os.environ, "RAY_ADDRESS": ""}
    run = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while len(list(out.glob("part-*.parquet"))) < 3 and time.monotonic() < deadline:
        assert run.poll() is None, run.stderr.read().decode()
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    before = len(fates(str(out)))
    tile_slides(TileSlidesFlags(manifest=cohort, out=str(out), settings=TILING))

    assert 0 < before < 10
    assert read_table(str(out), TILES).equals(read_table(str(tiles), TILES))


def test_other_settings_are_refused(tmp_path, phantom):
    """Tiles of two settings must never share a folder."""
    slides = first_slides(phantom, 2)
    manifest = manifest_of(tmp_path, **slides)
    out = str(tmp_path / "tiles")
    tile_slides(TileSlidesFlags(manifest=manifest, out=out, settings=TILING))

    with pytest.raises(SettingsChangedError, match="tile_px: was 512, now 1024"):
        tile_slides(TileSlidesFlags(manifest=manifest, out=out, settings=SKIN))


def test_a_slide_of_many_tiles_is_several_files_made_by_several_workers(tmp_path, phantom):
    """Another number of tiles a shard, the same tiles; the ledger counts files, and misses one."""
    manifest = manifest_of(tmp_path, **first_slides(phantom, 1))
    one, many = (str(tmp_path / name) for name in ("one", "many"))
    everything = replace(TILING, select="all", tile_px=128, mask_mpp=8.0)
    tile_slides(TileSlidesFlags(manifest=manifest, out=one, settings=everything, workers=1))
    tile_slides(
        TileSlidesFlags(
            manifest=manifest, out=many, settings=replace(everything, tiles_per_shard=10)
        )
    )
    fate = next(iter(fates(many).values()))
    rows = [read_table(folder, TILES).to_pylist() for folder in (one, many)]

    assert fate.rows == len(rows[0]) > 30
    assert fate.parts == len(parts(many)) > 2
    assert rows[0] == list(read_rows(many, fate.input))
    os.remove(part_path(many, fate.input, 1))
    assert (
        tile_slides(
            TileSlidesFlags(
                manifest=manifest, out=many, settings=replace(everything, tiles_per_shard=10)
            )
        )["rows"]
        == fate.rows
    )
    assert len(parts(many)) == fate.parts


def test_places_go_to_trident_and_come_back(tmp_path, phantom):
    """The same tiles at the same places; a slide without a file is skipped, and said to be."""
    manifest = manifest_of(tmp_path, **first_slides(phantom, 2))
    first, places, again = (str(tmp_path / name) for name in ("tiles", "places", "again"))
    tile_slides(TileSlidesFlags(manifest=manifest, out=first, settings=TILING))
    export_images(ExportImagesFlags(images=first, out=places, format="h5"))
    files = sorted((tmp_path / "places" / "patches").glob("*.h5"))
    slide, other = (path.name.removesuffix("_patches.h5") for path in files)
    os.remove(files[1])
    counts = tile_slides(
        TileSlidesFlags(
            manifest=manifest, out=again, settings=TILING, coordinates=str(files[0].parent)
        )
    )
    rows = [read_rows(folder, slide, ["x_l0", "y_l0", "image"]) for folder in (first, again)]

    assert (counts["done"], counts["skipped"]) == (1, 1)
    assert "no file of coordinates for it" in fates(again)[other].error
    assert list(rows[0]) == list(rows[1])


def test_slides_of_a_slow_disk_are_tiled_from_a_cache(tmp_path, phantom):
    """The same table; each slide is copied once, and a slide of several shards waits for none."""
    manifest = manifest_of(tmp_path, **first_slides(phantom, 3))
    plain, cached = str(tmp_path / "plain"), str(tmp_path / "cached")
    settings = replace(TILING, tile_px=256, tiles_per_shard=4)
    tile_slides(TileSlidesFlags(manifest=manifest, out=plain, settings=settings))
    tile_slides(
        TileSlidesFlags(
            manifest=manifest,
            out=cached,
            settings=settings,
            cache=str(tmp_path / "cache"),
            workers=1,
        )
    )

    assert read_table(cached, TILES).equals(read_table(plain, TILES))
    assert any(fate.parts > 1 for fate in fates(cached).values())
    assert len(list((tmp_path / "cache").glob("*-*/*.svs"))) == 3


def test_a_slide_that_is_given_up_leaves_no_tiles(tmp_path, phantom, monkeypatch):
    """Its shards were being written by other workers; half a slide must not be sealed."""
    manifest = manifest_of(tmp_path, **first_slides(phantom, 2))
    everything = replace(TILING, select="all", tile_px=16, mask_mpp=8.0, tiles_per_shard=900)
    out = str(tmp_path / "tiles")
    counts = tile_slides(
        TileSlidesFlags(
            manifest=manifest, out=out, settings=everything, limit_s=0.15, max_failures=2
        )
    )
    found = fates(out)
    known = sum(fate.parts for fate in found.values())

    assert counts["failed"] > 0
    assert "took longer than 0.15 s" in next(
        f.error for f in found.values() if f.status == "failed"
    )
    assert len(parts(out)) == known
    assert seal(out)


def test_a_finished_folder_stays_finished_when_a_command_is_refused(tmp_path, phantom):
    """And one that lost a part is noticed by the stage that reads it."""
    slides = first_slides(phantom, 2)
    copies = {name: shutil.copy(path, tmp_path) for name, path in slides.items()}
    manifest, out = manifest_of(tmp_path, **copies), str(tmp_path / "tiles")
    tile_slides(TileSlidesFlags(manifest=manifest, out=out, settings=TILING))
    before = seal(out)
    with pytest.raises(ConfigError, match="--workers must be above 0"):
        tile_slides(TileSlidesFlags(manifest=manifest, out=out, settings=TILING, workers=0))
    with pytest.raises(ConfigError, match="--cache-gb must be above 0, got 0"):
        tile_slides(TileSlidesFlags(manifest=manifest, out=out, settings=TILING, cache_gb=0))
    smaller = manifest_of(tmp_path, P1=copies["P1"])
    with pytest.raises(SettingsChangedError, match="1 of 2 inputs are gone"):
        tile_slides(TileSlidesFlags(manifest=smaller, out=out, settings=TILING))
    assert seal(out) == before
    manifest_of(tmp_path, **copies)

    os.remove(parts(out)[0])
    with pytest.raises(StorageError, match="part files, was finished with"):
        cut_patches(
            CutPatchesFlags(tiles=out, out=str(tmp_path / "patches"), settings=PATCH_SETTINGS)
        )


def test_files_beside_slides_must_be_of_these_slides(tmp_path, phantom):
    """A folder of another cohort would skip every slide, and end well."""
    manifest, drawn = manifest_of(tmp_path, **first_slides(phantom, 1)), tmp_path / "drawn"
    drawn.mkdir()
    (drawn / "other.geojson").write_text("{}")

    with pytest.raises(StorageError, match="none of its 1 files belongs to a slide"):
        tile_slides(
            TileSlidesFlags(
                manifest=manifest, out=str(tmp_path / "tiles"), settings=TILING, regions=str(drawn)
            )
        )
    with pytest.raises(ConfigError, match="need --regions"):
        tile_slides(
            TileSlidesFlags(
                manifest=manifest,
                out=str(tmp_path / "tiles"),
                settings=replace(TILING, region_classes=("a",)),
            )
        )
