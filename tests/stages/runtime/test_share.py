"""Shares of the inputs for job arrays: one folder, several runs, the table of one run."""

import threading

import pytest

from idhray.config import Identity
from idhray.errors import ConfigError, StorageError
from idhray.ledger import fates
from idhray.phantom.patients import PhantomSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.share import InputShare, parse_share
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.storage import output_folder, shared_output_folder
from idhray.table_parts import read_table
from idhray.tables import TILES
from tests.stages.in_process import in_process as in_process

IDENTITY = Identity({"stage": "test"})


def test_every_input_is_in_one_share_and_shares_are_of_one_size():
    """The largest slides must not meet in one task."""
    items = [Item(name=f"{k}", settings_hash="", task=None, size=k % 10) for k in range(40)]
    shares = [InputShare(number, 4).of(items) for number in range(1, 5)]

    assert sorted(item.name for share in shares for item in share) == sorted(i.name for i in items)
    sizes = [sum(item.size for item in share) for share in shares]
    assert max(sizes) - min(sizes) <= 9


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "1/4/2"])
def test_a_text_that_is_no_share_is_refused(text):
    """A mistyped array would leave slides out."""
    with pytest.raises(ConfigError, match="--part must be such as 3/16"):
        parse_share(text)
    with pytest.raises(ConfigError, match="--part and --overwrite"):
        parse_share("1/2", overwrite=True)


def test_shares_are_filled_side_by_side_and_not_beside_a_whole_run(tmp_path):
    """A whole run removes what it does not know; each share has one run."""
    out = str(tmp_path / "out")

    def filled(name):
        return shared_output_folder(out, IDENTITY, provenance={}, share=name)

    def whole():
        return output_folder(out, IDENTITY, provenance={})

    with filled("1-of-2"), filled("2-of-2"):
        with pytest.raises(StorageError, match="another run is writing"), whole():
            pass
        with pytest.raises(StorageError, match="another run is writing"), filled("1-of-2"):
            pass
    with whole():
        pass


def test_many_shares_that_begin_together_wait_for_their_turn(tmp_path):
    """An array starts its tasks at the same moment."""
    out, entered = str(tmp_path / "out"), []

    def run(k):
        with shared_output_folder(out, IDENTITY, provenance={}, share=f"{k}"):
            entered.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(entered) == list(range(6))


def test_the_table_of_an_array_is_that_of_one_run(tmp_path, in_process):
    """Rows, ledger and seal; the last command finds nothing to do but to finish."""
    slides = PhantomSettings(width_px=1024, height_px=1024, pen_fraction=0, fold_fraction=0)
    make_phantom(MakePhantomFlags(out=str(tmp_path / "p"), settings=slides, patients=5, seed=5))
    settings = TilingSettings(tile_px=256, min_object_px=20, min_tissue_fraction=0.2)

    def tiled(name, part=""):
        flags = TileSlidesFlags(
            manifest=str(tmp_path / "p" / "manifest.csv"),
            out=str(tmp_path / name),
            settings=settings,
            part=part,
        )
        return tile_slides(flags)

    whole = tiled("whole")
    parts = [tiled("array", f"{k}/3") for k in (1, 2, 3)]
    with pytest.raises(StorageError, match="not finished"):
        seal(str(tmp_path / "array"))
    last = tiled("array")

    assert sum(part["done"] for part in parts) == whole["done"] == last["done"]
    assert seal(str(tmp_path / "array")) == seal(str(tmp_path / "whole"))
    rows = [read_table(str(tmp_path / name), TILES).to_pylist() for name in ("array", "whole")]
    assert rows[0] == rows[1]
    assert {fate.attempts for fate in fates(str(tmp_path / "array")).values()} == {1}
