"""Names of images and files, and how rows are streamed."""

import io

import pyarrow as pa
import pytest
from PIL import Image

from idhray.errors import TableError
from idhray.exchange.rows import (
    BATCH,
    Names,
    image_name,
    index_row,
    kind_of,
    portable,
    safe_name,
    stream,
)
from idhray.tables import PATCHES, PREDICTIONS, SYNTHETIC, TILES
from tests.exchange.made import KIND, part_of, patch, picture, pixels, rows_of
from tests.test_tables import ROW


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "a/b", "a b", ".hidden", "-rf", "", "Ä", "x" * 300, "a\nb", "CON:"]
)
def test_no_name_leaves_its_folder_or_hides(text):
    """Patients are called by people; a slash in a name must not make a folder."""
    name = safe_name(text)

    assert name
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert name[0] not in ".-"
    assert len(name) < 100


def test_names_that_look_alike_stay_apart():
    """a/b and a_b are two patients: one must not overwrite the other's files."""
    assert safe_name("a_b") == "a_b"
    assert len({safe_name(text) for text in ("a/b", "a_b", "a b", "a:b", "a.b")}) == 5
    assert safe_name("a.b") == "a.b"
    assert "." not in safe_name("a.b", dots=False)


def test_every_image_of_a_table_has_its_own_name(tmp_path):
    """The same place twice, no place and the same file name, no file name at all."""
    unplaced = {"x_l0": None, "y_l0": None}
    rows = [patch(0), patch(0), *(patch(n, **unplaced) for n in (1, 1)), patch(2, slide=None)]
    rows.append(patch(3, **unplaced, image={"bytes": b"", "path": None}))
    streamed = list(rows_of(tmp_path, rows))
    names = Names(KIND["patches"])
    found = [names.of(row) for row in streamed]

    assert len(set(found)) == len(rows)
    assert found[0].endswith("_x0_y7")
    assert found[1].endswith("_x0_y7-2")
    assert not any("." in name or "/" in name for name in found)
    assert image_name(streamed[2], KIND["patches"]) == image_name(
        next(row for row in stream(part_of(tmp_path, rows)) if row.number == 2), KIND["patches"]
    )


def test_jpeg_and_png_keep_their_bytes_and_others_become_png(tmp_path):
    """JPEG that is encoded again is another image."""
    buffer = io.BytesIO()
    Image.fromarray(picture(5)).save(buffer, "TIFF")
    tiff = {"bytes": buffer.getvalue(), "path": "t.tif"}
    rows = [patch(0), patch(1), patch(2, image=tiff)]
    png, jpeg, other = (portable(row) for row in rows_of(tmp_path, rows))

    assert png == (rows[0]["image"]["bytes"], "png")
    assert jpeg == (rows[1]["image"]["bytes"], "jpg")
    assert other[1] == "png"
    assert (pixels(other[0]) == picture(5)).all()


def test_a_row_without_an_image_is_an_error(tmp_path):
    """An empty file would be found by somebody else, much later."""
    (row,) = rows_of(tmp_path, [patch(0, image=None)])

    with pytest.raises(TableError, match="0 bytes"):
        portable(row)


def test_rows_are_streamed_in_order_and_numbered(tmp_path):
    """Numbers name images: a reader of some columns must count as one of all."""
    path = part_of(tmp_path, [patch(n) for n in range(2 * BATCH + 3)])
    whole, some = list(stream(path)), list(stream(path, ["slide", "split"]))

    assert [row.number for row in whole] == list(range(2 * BATCH + 3))
    assert [row.values["x_l0"] for row in whole] == [10 * n for n in range(2 * BATCH + 3)]
    assert [row.number for row in some] == [row.number for row in whole]
    assert set(some[0].values) == {"slide", "split"}


def test_a_table_is_known_by_its_columns(tmp_path):
    """TILES hold all columns of PATCHES; predictions hold no images."""
    assert kind_of(part_of(tmp_path, [patch(0)])).name == "patches"
    older = pa.schema([field for field in PATCHES if field.name != "mpp"])
    assert kind_of(part_of(tmp_path, [patch(0)], older, key="older")).name == "patches"
    assert kind_of(part_of(tmp_path, [patch(0) | {"rank": 1}], TILES, key="t")).name == "tiles"
    values = {"generator": "g", "seed": 0, "index": 0, "idh": "mutant", "trained_on": "t"}
    made = part_of(tmp_path, [values], SYNTHETIC, key="s")
    assert kind_of(made).name == "synthetic"
    with pytest.raises(TableError, match="are needed"):
        kind_of(part_of(tmp_path, [ROW], PREDICTIONS, key="p"))


def test_the_index_says_all_but_the_image(tmp_path):
    """Patient and split go with every format."""
    (row,) = rows_of(tmp_path, [patch(4)])
    said = index_row("f.png", row)

    assert said.pop("file") == "f.png"
    assert {name: value for name, value in patch(4).items() if name != "image"}.items() <= (
        said.items()
    )
    assert set(said) == set(PATCHES.names) - {"image"}
