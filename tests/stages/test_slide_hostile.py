"""Archives that nobody looked through: odd names, what is no file, damage anywhere, many hangs."""

import os

import numpy as np
import pandas as pd
import pytest

from idhray.ledger import fates
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.table_parts import parts, read_table
from idhray.tables import TILES
from tests.slides.made import PINK, WHITE
from tests.slides.made_tiff import write_jpeg

TILING = TilingSettings(tile_px=128, select="all", min_object_px=0)
NAMES = ["with space", "snow 雪", "new\nline", 'quote",', "-dash", "per%20cent{}", "x" * 251]


def manifest_of(folder, paths):
    """A manifest of slides of one patient: copies of one slide under two would be refused."""
    rows = pd.DataFrame({"slide": [str(path) for path in paths]})
    rows.assign(patient="P", idh="mutant", split="train").to_csv(folder / "m.csv", index=False)
    return str(folder / "m.csv")


@pytest.fixture
def intact(tmp_path):
    """A slide of two tiles on glass, in blocks of JPEG: 24 kB."""
    picture = np.full((512, 512, 3), WHITE, np.uint8)
    stained = np.random.default_rng(0).normal(PINK, 6, (128, 256, 3))
    picture[128:256, 128:384] = stained.clip(0, 255)
    path = tmp_path / "intact.svs"
    write_jpeg(path, picture, downsamples=(1, 4), mpp=1.0)
    return path


def test_a_slide_may_have_any_name_that_a_file_can_have(tmp_path, ray_local, intact):
    """Names come from scanners and people; each gives the same tiles and a sheet of its own."""
    paths = [tmp_path / f"{name}.svs" for name in NAMES]
    for path in paths:
        path.write_bytes(intact.read_bytes())
    out = tmp_path / "tiles"
    found = tile_slides(
        TileSlidesFlags(manifest=manifest_of(tmp_path, paths), out=str(out), settings=TILING)
    )
    tiles = read_table(str(out), TILES).to_pandas()

    assert found["rows"] == 2 * len(NAMES)
    assert sorted(set(tiles["slide"])) == sorted(NAMES)
    assert len({cell["bytes"] for cell in tiles["image"]}) == 2
    assert {path.stem for path in (out / "quality").iterdir()} == set(NAMES)


def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path, ray_local, intact):
    """A pipe that nobody writes to would hold a worker for an hour; /dev/zero has no end."""
    (tmp_path / "folder.svs").mkdir()
    os.mkfifo(tmp_path / "pipe.svs")
    (tmp_path / "loop.svs").symlink_to("loop.svs")
    (tmp_path / "dangling.svs").symlink_to("nowhere.svs")
    names = ["folder.svs", "pipe.svs", "loop.svs", "dangling.svs"]
    paths = [tmp_path / name for name in names] + ["/dev/zero", intact]
    out = str(tmp_path / "tiles")
    tile_slides(
        TileSlidesFlags(
            manifest=manifest_of(tmp_path, paths),
            out=out,
            settings=TILING,
            max_failures=5,
            limit_s=20,
        )
    )
    found = fates(out)

    assert found.pop("intact").rows == 2
    assert {fate.status for fate in found.values()} == {"failed"}
    assert not [fate.error for fate in found.values() if "took longer" in fate.error]


def test_damage_anywhere_in_a_file_costs_that_slide_only(tmp_path, ray_local, intact):
    """Cut short, bytes changed, a stretch of zeros, in the head and the tables as in the pixels."""
    random = np.random.default_rng(6)
    whole = np.frombuffer(intact.read_bytes(), np.uint8)
    paths = [intact]
    for number in range(24):
        data, place = whole.copy(), int(random.integers(len(whole)))
        if number % 4 == 0:
            data = data[:place]
        elif number % 4 == 1:
            data[place : place + 512] = 0
        else:  # everywhere, or in the last kilobyte, where tables of blocks lie
            span = len(data) if number % 4 == 2 else 1024
            data[-random.integers(1, span, 3)] ^= 1 << int(random.integers(8))
        paths.append(tmp_path / f"damaged-{number}.svs")
        paths[-1].write_bytes(data.tobytes())
    out = str(tmp_path / "tiles")
    tile_slides(
        TileSlidesFlags(
            manifest=manifest_of(tmp_path, paths),
            out=out,
            settings=TILING,
            max_failures=24,
            limit_s=20,
        )
    )
    found = fates(out)

    assert len(found) == 25
    assert found["intact"].rows == 2
    failed = [fate for fate in found.values() if fate.status == "failed"]
    assert len(failed) >= 6  # the slides cut short, at least
    assert all(fate.error.startswith(f"{fate.input}: ") for fate in failed)
    assert not [fate.error for fate in failed if "died" in fate.error or "longer" in fate.error]
    assert len(parts(out)) == sum(fate.rows > 0 for fate in found.values())
