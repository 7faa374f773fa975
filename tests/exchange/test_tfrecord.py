"""TFRecord files: bytes on disk by the specification, and what broken ones give."""

import json
import struct

import pytest

from idhray.errors import TableError
from idhray.exchange import tfrecord
from tests.exchange.made import KIND, patch, pixels, rows_of


def slow_crc32c(data):
    """CRC-32C bit by bit (RFC 3720: reflected polynomial 0x82F63B78)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def slow_masked(data):
    crc = slow_crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def written(tmp_path, rows):
    path = str(tmp_path / "A.tfrecord")
    index = tfrecord.write_tfrecord(path, rows_of(tmp_path / "t", rows), KIND["patches"], "A")
    return path, index


def records_of(path):
    """The records of a file by their lengths alone."""
    with open(path, "rb") as handle:
        while header := handle.read(12):
            yield handle.read(struct.unpack("<Q", header[:8])[0])
            handle.read(4)


def test_the_slow_checksum_is_the_standard_one():
    """RFC 3720, B.4: 32 bytes of zeros, and of ones."""
    assert slow_crc32c(bytes(32)) == 0x8A9136AA
    assert slow_crc32c(b"\xff" * 32) == 0x62A8AB43


def test_a_file_is_framed_as_tensorflow_frames_it(tmp_path):
    """Length, its masked checksum, the record, its masked checksum; and nothing else."""
    path, _ = written(tmp_path, [patch(0), patch(1)])
    data = (tmp_path / "A.tfrecord").read_bytes()
    found = list(records_of(path))
    framed = b""
    for record in found:
        length = struct.pack("<Q", len(record))
        framed += length + struct.pack("<I", slow_masked(length))
        framed += record + struct.pack("<I", slow_masked(record))

    assert len(found) == 2
    assert data == framed


def test_an_example_has_the_bytes_of_its_protocol_buffer():
    """By hand: Example > Features > entry > key 'a', Feature > Int64List > 1; then bytes 'x'."""
    assert tfrecord.encoded({"a": 1}) == bytes.fromhex("0a0c 0a0a 0a0161 1205 1a03 0a0101")
    assert tfrecord.encoded({"a": b"x"}) == bytes.fromhex("0a0c 0a0a 0a0161 1205 0a03 0a0178")


def test_numbers_are_read_packed_and_one_by_one():
    """Old writers pack nothing: tag 08 before each number."""
    packed = bytes.fromhex("0a0c 0a0a 0a0161 1205 1a03 0a0105")
    single = bytes.fromhex("0a0b 0a09 0a0161 1204 1a02 0805")

    assert tfrecord.decoded(packed) == tfrecord.decoded(single) == {"a": 5}


def test_slideflow_finds_its_features(tmp_path):
    """image_raw, slide, and the middle of the tile in level-0 pixels."""
    rows = [patch(3, height_l0=40.0), patch(4, x_l0=None)]
    path, index = written(tmp_path, rows)
    first, second = (tfrecord.decoded(record) for record in records_of(path))

    assert first["image_raw"] == rows[0]["image"]["bytes"]
    assert first["slide"] == b"A.1-DX1"
    assert (first["loc_x"], first["loc_y"]) == (46, 27)  # 30 + 32.5 / 2, 7 + 40 / 2
    assert (first["patient"], first["split"], first["idh"]) == (b"A/1", b"train", b"mutant")
    assert json.loads(first["row"])["size_l0"] == 32.5
    assert "loc_x" not in second
    assert [row["file"] for row in index] == ["A#0", "A#1"]


def test_what_was_written_is_read(tmp_path):
    """Pixels, patient, split and place."""
    rows = [patch(n) for n in range(3)]
    path, _ = written(tmp_path, rows)
    listed = list(tfrecord.READER.listing(path))
    found = list(tfrecord.READER.images(path, {n: listed[int(n)].span for n in ("2", "0")}))

    assert [sample.name for sample in listed] == ["0", "1", "2"]
    assert listed[2].metadata["patient"] == "A/1"
    assert [sample.name for sample in found] == ["2", "0"]
    assert found[0].metadata["x_l0"] == 20
    assert (pixels(found[0].data) == pixels(rows[2]["image"]["bytes"])).all()


@pytest.mark.parametrize("cut", [1, 3, 11, 13, 200])
def test_a_file_that_was_cut_off_is_refused(tmp_path, cut):
    """A download that stopped would lose its last images unseen."""
    path, _ = written(tmp_path, [patch(0), patch(1)])
    data = (tmp_path / "A.tfrecord").read_bytes()
    (tmp_path / "A.tfrecord").write_bytes(data[:-cut])

    with pytest.raises(TableError, match="cut off"):
        list(tfrecord.READER.listing(path))


@pytest.mark.parametrize("place", [0, 7, 9, 40, -1])
def test_one_wrong_bit_is_found(tmp_path, place):
    """In the length, its checksum, the record, its checksum."""
    path, _ = written(tmp_path, [patch(0)])
    data = bytearray((tmp_path / "A.tfrecord").read_bytes())
    data[place] ^= 4
    (tmp_path / "A.tfrecord").write_bytes(data)

    with pytest.raises(TableError, match="checksum"):
        list(tfrecord.READER.listing(path))


@pytest.mark.parametrize("data", [b"\x0a\xff", b"no protocol buffer", b"\xff" * 20])
def test_a_record_of_something_else_is_refused(data):
    """TFRecords may hold anything."""
    with pytest.raises(TableError, match=r"no tf\.train\.Example"):
        tfrecord.decoded(data)


def test_a_killed_writer_leaves_no_file(tmp_path):
    """Half a TFRecord would be read as a whole one."""

    def breaking():
        yield from rows_of(tmp_path / "t", [patch(0)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tfrecord.write_tfrecord(str(tmp_path / "o" / "A"), breaking(), KIND["patches"], "A")
    assert list((tmp_path / "o").iterdir()) == []


def test_a_listing_reads_the_first_record_and_headers_only(tmp_path):
    """Terabytes must not pass the driver; a record that is broken costs itself only."""
    path, _ = written(tmp_path, [patch(n) for n in range(3)])
    spans = {sample.name: sample.span for sample in tfrecord.READER.listing(path)}
    data = bytearray((tmp_path / "A.tfrecord").read_bytes())
    data[spans["1"][0] + 40] ^= 1
    (tmp_path / "A.tfrecord").write_bytes(data)
    again = {sample.name: sample.span for sample in tfrecord.READER.listing(path)}
    found = {sample.name: sample for sample in tfrecord.READER.images(path, spans)}

    assert again == spans
    assert "record 1 has a wrong checksum" in found["1"].broken
    assert found["2"].data == patch(2)["image"]["bytes"]
