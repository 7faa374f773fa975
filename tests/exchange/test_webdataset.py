"""Tar shards."""

import gzip
import io
import json
import tarfile

import pytest

from idhray.errors import TableError
from idhray.exchange import webdataset
from idhray.images import encode
from tests.exchange.made import KIND, patch, picture, rows_of


def written(tmp_path, rows, name="s.tar"):
    path = tmp_path / name
    streamed = rows_of(tmp_path / "t", rows)
    return path, webdataset.write_shard(str(path), streamed, KIND["patches"], "s.tar")


def test_a_sample_is_an_image_and_its_json_of_one_name(tmp_path):
    """WebDataset joins neighbors whose names agree up to the first dot."""
    rows = [patch(0), patch(1)]
    path, index = written(tmp_path, rows)
    with tarfile.open(path) as tar:
        names = tar.getnames()
        said = json.loads(tar.extractfile(names[1]).read())
        first = tar.extractfile(names[0]).read()

    keys = [name.split(".", 1) for name in names]
    assert [ending for _, ending in keys] == ["png", "json", "jpg", "json"]
    assert keys[0][0] == keys[1][0] != keys[2][0] == keys[3][0]
    assert first == rows[0]["image"]["bytes"]
    assert (said["patient"], said["split"]) == ("A/1", "train")
    assert [row["file"] for row in index] == [f"s.tar#{names[0]}", f"s.tar#{names[2]}"]


def test_the_same_rows_make_the_same_bytes(tmp_path):
    """A resumed export must give the archive that an unbroken one gives."""
    one, _ = written(tmp_path, [patch(0), patch(1)], "one.tar")
    two, _ = written(tmp_path, [patch(0), patch(1)], "two.tar")

    assert one.read_bytes() == two.read_bytes()


def test_json_may_stand_after_its_image_or_be_missing(tmp_path):
    """Foreign tars are sorted otherwise, and hold folders and other members."""
    path = tmp_path / "foreign.tar"
    image = encode(picture(1))
    with tarfile.open(path, "w") as tar:
        for name, data in (
            ("a/b.v2.json", b"{}"),
            ("a/c.png", image),
            ("a/d.png", image),
            ("a/d.cls", b"1"),
            ("a/c.json", b'{"patient": "P"}'),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    listed = {sample.name: sample.metadata for sample in webdataset.READER.listing(str(path))}

    assert listed == {"a/c.png": {"patient": "P"}, "a/d.png": {}}
    (found,) = webdataset.READER.images(str(path), {"a/d.png": None})
    assert found.data == image


def test_two_images_of_one_name_are_refused(tmp_path):
    """`tar -r` appends; the second would pass for the first."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("a.png"))

    with pytest.raises(TableError, match=r"2 images are named a\.png"):
        list(webdataset.READER.listing(str(path)))


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100])
def test_what_is_no_tar_is_refused(tmp_path, data):
    """One line, with the file's name."""
    path = tmp_path / "x.tar"
    path.write_bytes(data)

    with pytest.raises(TableError, match=r"x\.tar: not a tar"):
        list(webdataset.READER.listing(str(path)))


def test_a_tar_that_was_cut_off_is_refused(tmp_path):
    """Python's tarfile takes the end of a file for the end of the archive."""
    path, _ = written(tmp_path, [patch(n) for n in range(6)])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])

    with pytest.raises(TableError, match="broken"):
        list(webdataset.READER.listing(str(path)))


@pytest.mark.parametrize("block", [0, 2])
def test_zeros_in_the_middle_are_not_the_end(tmp_path, block):
    """A stretch of a disk that was lost hides all images behind it."""
    path, _ = written(tmp_path, [patch(i) for i in range(3)])
    with tarfile.open(path) as tar:
        place = tar.getmembers()[block].offset
    data = bytearray(path.read_bytes())
    data[place : place + 512] = bytes(512)
    path.write_bytes(data)

    with pytest.raises(TableError, match="broken one"):
        list(webdataset.READER.listing(str(path)))


def test_json_that_is_none_is_refused(tmp_path):
    """Its image would lose its patient."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("a.json")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"{no"))

    with pytest.raises(TableError, match=r"a\.json is not JSON"):
        list(webdataset.READER.listing(str(path)))


def test_images_are_read_from_where_the_listing_saw_them(tmp_path):
    """256 images of a tar must not cost all of it: what lies before them may even be broken."""
    rows = [patch(n) for n in range(4)]
    path, _ = written(tmp_path, rows)
    spans = {sample.name: sample.span for sample in webdataset.READER.listing(str(path))}
    last = list(spans)[-1]
    first, size = spans[last]
    path.write_bytes(b"x" * (first - 1) + path.read_bytes()[first - 1 :])
    (found,) = webdataset.READER.images(str(path), {last: spans[last]})

    assert size == len(rows[3]["image"]["bytes"])
    assert (found.name, found.data) == (last, rows[3]["image"]["bytes"])


def test_a_compressed_tar_has_no_places_and_is_walked(tmp_path):
    """Its offsets are those of the tar within."""
    path, _ = written(tmp_path, [patch(0), patch(1)])
    packed = tmp_path / "s.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    spans = {sample.name: sample.span for sample in webdataset.READER.listing(str(packed))}
    found = {s.name: s.data for s in webdataset.READER.images(str(packed), spans)}

    assert set(spans.values()) == {None}
    assert [found[name] for name in spans] == [patch(n)["image"]["bytes"] for n in range(2)]
