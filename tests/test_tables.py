"""Parts of tables, and the ledger."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from idhray.errors import StorageError, TableError
from idhray.ledger import Fate, check_failures, fates, record, tally
from idhray.table_parts import (
    further_parts,
    may_hold,
    part_path,
    publish_rows,
    publish_table,
    read_part,
    read_rows,
    read_table,
)
from idhray.tables import PATCHES, PREDICTIONS

ROW = {
    "patient": "A",
    "idh": "mutant",
    "split": "test",
    "model": "m",
    "n_synthetic": 0,
    "repeat": 0,
    "fold": 0,
    "p_mutant": 0.5,
    "n_images": 3,
}


def test_a_part_says_to_hugging_face_which_column_is_an_image(tmp_path):
    """`datasets`, and the viewer of the hub, read the images without any code of ours."""
    path = part_path(str(tmp_path), "s3://a slide/with?any name")
    publish_table(path, [{"patient": "A", "image": {"bytes": b"x", "path": "x.png"}}], PATCHES)
    features = json.loads(pq.read_schema(path).metadata[b"huggingface"])["info"]["features"]

    assert features["image"] == {"_type": "Image"}
    assert features["x_l0"] == {"_type": "Value", "dtype": "int64"}
    assert read_table(str(tmp_path), PATCHES, ["image"]).to_pylist() == [
        {"image": {"bytes": b"x", "path": "x.png"}}
    ]


def test_reading_what_is_not_there_says_so(tmp_path):
    """An empty folder, another table, a broken file."""
    with pytest.raises(TableError, match="run the stage that makes it first"):
        read_table(str(tmp_path), PREDICTIONS)
    publish_table(part_path(str(tmp_path), "a"), [ROW], PREDICTIONS)
    with pytest.raises(TableError, match="no column image"):
        read_part(part_path(str(tmp_path), "a"), ["patient", "image"])
    (tmp_path / "part-b.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(TableError, match="not a Parquet file"):
        read_table(str(tmp_path), PREDICTIONS)


def test_a_column_that_older_tables_lack_is_null(tmp_path):
    """Patches cut by an earlier version have no ranks, and a table may hold parts of both."""
    image = {"bytes": b"x", "path": "x.png"}
    old = pa.schema([field for field in PATCHES if field.name != "rank"], PATCHES.metadata)
    publish_table(part_path(str(tmp_path), "a"), [{"patient": "A", "image": image}], old)
    publish_table(part_path(str(tmp_path), "b"), [{"patient": "B", "rank": 3}], PATCHES)
    table = read_table(str(tmp_path), PATCHES)

    assert table.schema.names == PATCHES.names
    ranks = dict(zip(table["patient"].to_pylist(), table["rank"].to_pylist(), strict=True))
    assert ranks == {"A": None, "B": 3}
    without_mpp = PATCHES.remove(PATCHES.get_field_index("mpp"))
    publish_table(part_path(str(tmp_path), "c"), [{"patient": "C"}], without_mpp)
    with pytest.raises(TableError, match="no column mpp"):
        read_table(str(tmp_path), PATCHES)


def test_a_changed_bit_of_an_image_is_not_read_as_one(tmp_path):
    """JPEG decodes damaged bytes to wrong colors without a word; disks and transfers do err."""
    path = tmp_path / "part-a.parquet"
    cell = {"bytes": bytes(range(256)) * 20, "path": "x.jpg"}
    publish_table(str(path), [{"patient": "A", "image": cell}], PATCHES)
    data = bytearray(path.read_bytes())
    data[data.index(bytes(range(256))) + 700] ^= 1
    path.write_bytes(data)

    with pytest.raises(TableError, match=r"part-a.parquet: .*damaged one .*; delete it and run"):
        read_part(str(path))


def test_the_ledger_keeps_the_last_fate_of_each_input(tmp_path):
    """A slide that failed and was mended is done."""
    record(str(tmp_path), Fate(input="a", status="failed", error="a: broken"))
    record(str(tmp_path), Fate(input="b", status="failed", error="b: gone"))
    record(str(tmp_path), Fate(input="a", status="done", rows=4, attempts=2))
    found = fates(str(tmp_path))

    assert tally(found) == {"done": 1, "skipped": 0, "failed": 1, "rows": 4}
    check_failures("out", found, max_failures=1)
    with pytest.raises(StorageError, match=r"1 of 2 inputs failed.*b: gone"):
        check_failures("out", found, max_failures=0)


def counted(rows, seen):
    for row in rows:
        seen.append(row)
        yield row


def test_rows_are_written_as_they_come_and_read_as_they_are_wanted(tmp_path):
    """A slide of thousands of tiles is larger than a worker's memory."""
    rows = [{**ROW, "n_images": k} for k in range(5)]
    out, seen = str(tmp_path), []
    first = publish_rows(part_path(out, "a"), counted(rows, seen), PREDICTIONS, rows_per_group=2)
    second = publish_rows(part_path(out, "a", 1), rows[:1], PREDICTIONS, rows_per_group=2)
    publish_rows(part_path(out, "b"), rows[:1], PREDICTIONS, rows_per_group=2)

    assert (first.rows, second.rows, len(seen)) == (5, 1, 5)
    assert pq.ParquetFile(part_path(out, "a")).num_row_groups == 3
    assert [row["n_images"] for row in read_rows(out, "a", ["n_images"])] == [0, 1, 2, 3, 4, 0]
    assert further_parts(out, "a", 1) == [part_path(out, "a", 1)]
    some = read_rows(out, "a", ["n_images"], only=("n_images", {1, 4}))
    assert [row["n_images"] for row in some] == [1, 4]
    assert set(further_parts(out, "a", 0)) == {part_path(out, "a"), part_path(out, "a", 1)}
    assert further_parts(out, "a", 2) == further_parts(out, "b", 1) == []
    again = publish_rows(part_path(out, "c"), rows, PREDICTIONS, rows_per_group=2)
    assert again.digest == first.digest != second.digest


def test_rows_that_end_in_an_error_leave_no_file(tmp_path):
    """Half a slide is not the slide."""

    def broken():
        yield ROW
        raise TableError("broken")

    with pytest.raises(TableError, match="broken"):
        publish_rows(part_path(str(tmp_path), "a"), broken(), PREDICTIONS, rows_per_group=1)
    assert list(tmp_path.iterdir()) == []


def test_a_part_without_a_wanted_row_is_known_by_its_statistics(tmp_path):
    """Training reads the images of its own split and class, not an archive."""
    path = part_path(str(tmp_path), "a")
    rows = [{**ROW, "split": split} for split in ("test", "test", "val", "val")]
    publish_rows(path, rows, PREDICTIONS, rows_per_group=2)

    assert may_hold(path, {"split": "val"})
    assert may_hold(path, {"split": "test", "idh": "mutant"})
    assert not may_hold(path, {"split": "train"})
    assert not may_hold(path, {"split": "val", "idh": "wildtype"})
    with pytest.raises(TableError, match="no column spl"):
        may_hold(path, {"spl": "val"})


def test_encoded_images_are_not_compressed_again(tmp_path):
    """JPEG does not shrink; the other columns do."""
    row = {"patient": "A", "image": {"bytes": bytes(5000), "path": "x.png"}}
    publish_table(part_path(str(tmp_path), "a"), [row], PATCHES)
    group = pq.read_metadata(part_path(str(tmp_path), "a")).row_group(0)
    columns = [group.column(k) for k in range(group.num_columns)]
    codecs = {column.path_in_schema: column.compression for column in columns}

    assert codecs["image.bytes"] == "UNCOMPRESSED"
    assert codecs["patient"] == "ZSTD"
