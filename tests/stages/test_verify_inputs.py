"""Input files are compared with the digests that were recorded when they were read."""

import logging
import os
from dataclasses import replace

import pandas as pd
import pytest

from idhray.ledger import fates, record
from idhray.phantom.patients import PhantomSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime.folder import seal
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from tests.stages.in_process import in_process as in_process

SLIDES = PhantomSettings(width_px=1024, height_px=1024, pen_fraction=0, fold_fraction=0)
TILING = TilingSettings(tile_px=256, min_object_px=20)


@pytest.fixture
def archive(in_process, tmp_path):
    """Manifest of three slides."""
    folder = tmp_path / "phantom"
    make_phantom(MakePhantomFlags(out=str(folder), settings=SLIDES, patients=3, seed=5))
    manifest = folder / "manifest.csv"
    pd.read_csv(manifest).assign(split="train").to_csv(manifest, index=False)
    return manifest


def works(folder):
    """Seconds of the work on each slide, which differ from run to run."""
    return {name: fate.seconds for name, fate in fates(folder).items()}


def test_a_slide_with_other_content_of_the_same_size_is_tiled_again(archive, tmp_path, caplog):
    """Without the flag, name and size decide; the run says how many were compared."""
    out = str(tmp_path / "tiles")

    def tile(**flags):
        """Result of the stage."""
        return tile_slides(
            TileSlidesFlags(manifest=str(archive), out=out, settings=TILING, **flags)
        )

    tile()
    before, sealed = works(out), seal(out)
    digests = [fate.input_digest for fate in fates(out).values()]
    assert len(set(digests)) == 3
    assert "" not in digests
    slides = pd.read_csv(archive)["slide"]
    first, second, third = (archive.parent / name for name in slides)
    content = first.read_bytes()
    first.write_bytes(content.replace(b"(idhray phantom)", b"(idhray PHANTOM)"))
    assert first.stat().st_size == len(content)

    assert "verified" not in tile()
    assert works(out) == before
    with caplog.at_level(logging.INFO):
        result = tile(verify_inputs=True)
    assert (result["verified"], result["changed_inputs"]) == (3, 1)
    assert f"content of 3 inputs compared, 1 have changed ({first.stem})" in caplog.text
    after = works(out)
    assert {name for name in before if after[name] != before[name]} == {first.stem}
    assert seal(out) == sealed  # the change was in a text of the file

    earlier = fates(out)[second.stem]
    record(out, replace(earlier, input_digest=""))
    os.rename(third, third.with_suffix(".away"))
    third.with_suffix(".away").rename(third)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        result = tile(verify_inputs=True)
    assert (result["verified"], result["changed_inputs"]) == (2, 0)
    assert "1 without a recorded digest" in caplog.text
    assert works(out) == after
