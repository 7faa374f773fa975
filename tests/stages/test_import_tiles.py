"""Tiles of other tools: images in, patches out, without Ray."""

import numpy as np
import pytest

from idhray.errors import ConfigError, StorageError
from idhray.images import encode
from idhray.ledger import fates
from idhray.slides.patches import PatchSettings
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.import_images import ImportImagesFlags, import_images
from idhray.table_parts import read_table
from idhray.tables import PATCHES, TILES
from tests.slides.made_stain import STAINS, amounts, picture
from tests.stages.in_process import in_process as in_process

SIDE = 64
MANIFEST = """patient,idh,split,slide
A,mutant,train,/archive/A-DX1.svs
A,mutant,train,/archive/A-DX2.svs
B,wildtype,train,
"""


def tissue(seed):
    """A tile of tissue, no two alike."""
    small = picture(0.6 * amounts(32 * 32, seed=seed) + 0.1, STAINS, noise=0.5)
    return small.reshape(32, 32, 3).repeat(2, axis=0).repeat(2, axis=1)


@pytest.fixture
def source(tmp_path):
    """Tiles of two slides of A and of B, who has no slide; a mask beside one of them."""
    (tmp_path / "tiles").mkdir()
    (tmp_path / "manifest.csv").write_text(MANIFEST)
    names = ["A-DX1_0_0", "A-DX1_64_0", "A-DX2_0_0", "B_2", "B_1"]
    for seed, name in enumerate(names):
        (tmp_path / "tiles" / f"{name}.png").write_bytes(encode(tissue(seed)))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[10:40, 20:50] = 255
    (tmp_path / "tiles" / "B_1_mask.png").write_bytes(encode(mask))
    return tmp_path


def flags(source, **changed):
    values = {
        "source": str(source / "tiles"),
        "manifest": str(source / "manifest.csv"),
        "out": str(source / "t"),
        "format": "folder",
        "table": "tiles",
    }
    return ImportImagesFlags(**values | changed)


def rows(source):
    """Slide, rank and place of all tiles."""
    columns = ["slide", "rank", "x_l0", "mpp", "patient", "split", "image"]
    table = read_table(str(source / "t"), TILES, columns).to_pylist()
    return sorted(table, key=lambda row: (row["slide"], row["rank"]))


def test_tiles_of_another_tool_become_tiles_of_their_slides(source, in_process):
    """1024 px tiles could only be imported as patches; a patient without a slide has one."""
    done = import_images(flags(source))
    again = import_images(flags(source))

    assert done == again
    assert (done["done"], done["failed"], done["rows"], done["patients"]) == (3, 0, 5, 2)
    listed = [(row["slide"], row["rank"], row["x_l0"], row["patient"]) for row in rows(source)]
    assert listed == [
        ("A-DX1", 1, None, "A"),
        ("A-DX1", 2, None, "A"),
        ("A-DX2", 1, None, "A"),
        ("B", 1, None, "B"),
        ("B", 3, None, "B"),  # the mask between them was number 2
    ]
    assert fates(str(source / "t"))["B"].error == "1 of 3 images are masks"


def test_images_csv_gives_place_scale_and_rank(source, in_process):
    """As the export of tiles writes them."""
    lines = ["file,slide,x_l0,y_l0,size_l0,mpp,rank", "A-DX1_0_0.png,A-DX1,0,0,128,0.5,2"]
    lines.append("A-DX1_64_0.png,A-DX1,128,0,128,0.5,1")
    (source / "tiles" / "images.csv").write_text("\n".join(lines) + "\n")
    import_images(flags(source))

    first, second, *_ = rows(source)
    assert (first["rank"], first["x_l0"], first["mpp"]) == (1, 128, 0.5)
    assert (second["rank"], second["x_l0"]) == (2, 0)


def test_patches_are_cut_from_imported_tiles(source, in_process):
    """Without a place on the slide, patches have none either, and distinct names."""
    import_images(flags(source))
    settings = PatchSettings(
        patch_px=32, tile_px=SIDE, stride_px=8, train_per_class=12, min_object_px=0
    )
    done = cut_patches(
        CutPatchesFlags(tiles=str(source / "t"), out=str(source / "p"), settings=settings)
    )
    patches = read_table(str(source / "p"), PATCHES, ["x_l0", "size_l0", "image"]).to_pylist()

    assert done["rows"] == len(patches) == 24
    assert {(row["x_l0"], row["size_l0"]) for row in patches} == {(None, None)}
    assert len({row["image"]["path"] for row in patches}) == 24


def test_a_broken_tile_fails_its_slide_and_can_be_left_out(source, in_process):
    """A slide with a hole that nobody sees would not be the slide."""
    (source / "tiles" / "A-DX1_0_0.png").write_bytes(b"text")
    with pytest.raises(StorageError, match=r"A-DX1: 1 of 2 tiles cannot be imported, .*--exclude"):
        import_images(flags(source))
    done = import_images(flags(source, exclude=("A-DX1_0_0.png",)))

    assert (done["failed"], done["rows"]) == (0, 4)


def test_tiles_are_not_resized(source):
    """Their scale is that of the slide."""
    with pytest.raises(ConfigError, match="--resize would change the scale of tiles"):
        import_images(flags(source, resize=True))
