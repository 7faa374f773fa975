"""Tables as Parquet parts, and the ledger."""

import json

import pyarrow.parquet as pq
import pytest

from idhray.errors import StorageError, TableError
from idhray.ledger import Fate, check_failures, counts, fates, record
from idhray.tables import PATCHES, PREDICTIONS, part_path, publish_table, read_part, read_table

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


def test_the_ledger_keeps_the_last_fate_of_each_input(tmp_path):
    """A slide that failed and was mended is done."""
    record(str(tmp_path), Fate(input="a", status="failed", error="a: broken"))
    record(str(tmp_path), Fate(input="b", status="failed", error="b: gone"))
    record(str(tmp_path), Fate(input="a", status="done", rows=4, attempts=2))
    found = fates(str(tmp_path))

    assert counts(found) == {"done": 1, "skipped": 0, "failed": 1, "rows": 4}
    check_failures("out", found, max_failures=1)
    with pytest.raises(StorageError, match=r"1 of 2 inputs failed.*b: gone"):
        check_failures("out", found, max_failures=0)
