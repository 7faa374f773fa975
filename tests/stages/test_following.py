"""Tables of slides follow their inputs: what changed is done again, and nothing else."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from idhray.errors import SettingsChangedError
from idhray.ledger import fates
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.runtime.folder import seal
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.table_parts import part_path, parts
from tests.stages.conftest import PATCHES as PATCH_SETTINGS
from tests.stages.conftest import TILING


@dataclass
class Archive:
    """Slides and a manifest of a few patients, and the tables made from them."""

    folder: Path
    rows: pd.DataFrame

    @classmethod
    def of(cls, folder, phantom, count):
        """`count` patients with one slide each."""
        slides = sorted((phantom.parent / "slides").iterdir())[:count]
        rows = [
            {
                "patient": f"P{number}",
                "idh": "mutant" if number % 2 else "wildtype",
                "split": "train",
                "age": 40 + number,
                "slide": shutil.copy(path, folder / f"S{number}.svs"),
            }
            for number, path in enumerate(slides)
        ]
        return cls(folder, pd.DataFrame(rows))

    def tile(self, out="tiles", **flags):
        """Tiles of the present manifest; the folder."""
        manifest, folder = str(self.folder / "manifest.csv"), str(self.folder / out)
        self.rows.to_csv(manifest, index=False)
        tile_slides(TileSlidesFlags(manifest=manifest, out=folder, settings=TILING, **flags))
        return folder

    def cut(self, tiles="tiles", out="patches"):
        """Patches of the tiles; the folder."""
        folder = str(self.folder / out)
        tiles = str(self.folder / tiles)
        cut_patches(CutPatchesFlags(tiles=tiles, out=folder, settings=PATCH_SETTINGS))
        return folder


def contents(folder):
    """Bytes of each part."""
    return {os.path.basename(path): Path(path).read_bytes() for path in parts(folder)}


def works(folder):
    """Seconds of the work on each input, which differ from run to run."""
    return {name: fate.seconds for name, fate in fates(folder).items()}


def test_an_age_is_no_part_of_a_table_and_a_label_is_rewritten_without_reading_a_slide(
    tmp_path, phantom
):
    """A corrected birthday must not cost a day of tiling; a table must not keep an old label."""
    archive = Archive.of(tmp_path, phantom, 3)
    tiles = archive.tile()
    before, sealed, bytes_before = works(tiles), seal(tiles), contents(tiles)
    archive.rows.loc[0, "age"] = 41
    archive.tile()
    assert seal(tiles) == sealed

    archive.rows.loc[0, "idh"] = "mutant"
    archive.rows.loc[1, "patient"] = "Q1"
    archive.tile()
    assert works(tiles) == before
    assert seal(tiles) != sealed
    assert contents(tiles) == contents(archive.tile("fresh"))
    changed = {name for name, data in contents(tiles).items() if data != bytes_before[name]}
    assert changed == {os.path.basename(part_path(tiles, name)) for name in ("S0", "S1")}


def test_slides_join_leave_and_are_repaired(tmp_path, phantom):
    """Only they are worked on, and the tables are those of a fresh run."""
    archive = Archive.of(tmp_path, phantom, 6)
    everybody = archive.rows
    archive.rows = everybody.iloc[:5].copy()
    tiles, patches = archive.tile(), archive.cut()
    before = works(tiles)

    archive.rows = everybody.iloc[1:].copy()  # one joins and one of six leaves
    broken = Path(archive.rows.iloc[0]["slide"])
    broken.write_bytes(broken.read_bytes() + b"another scan")
    archive.tile()
    after = works(tiles)
    assert {name for name in after if after[name] != before.get(name)} == {"S1", "S5"}
    assert set(after) == {"S1", "S2", "S3", "S4", "S5"}
    assert not (Path(tiles) / "quality" / "S0.jpg").exists()
    archive.cut()
    fresh, fresh_patches = archive.tile("fresh"), archive.cut("fresh", "fresh-patches")
    assert contents(tiles) == contents(fresh)
    assert contents(patches) == contents(fresh_patches)
    assert (seal(tiles), seal(patches)) == (seal(fresh), seal(fresh_patches))


def test_a_manifest_that_lost_many_rows_needs_a_confirmation(tmp_path, phantom):
    """A truncated file must not empty a table."""
    archive = Archive.of(tmp_path, phantom, 3)
    tiles = archive.tile()
    before = contents(tiles)
    archive.rows = archive.rows.iloc[:1].copy()
    with pytest.raises(SettingsChangedError, match=r"2 of 3 inputs are gone.*--update"):
        archive.tile()
    assert contents(tiles) == before
    archive.tile(update=True)
    assert set(fates(tiles)) == {"S0"}
    assert len(parts(tiles)) == 1
