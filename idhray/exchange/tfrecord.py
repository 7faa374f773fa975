"""TFRecord files as slideflow has them: one a slide, one record an image.

A record is a `tf.train.Example` with `image_raw` (JPEG or PNG), `slide`, and `loc_x`, `loc_y`: the
middle of the image in level-0 pixels. Ours also have `patient`, `idh`, `split` and `row`, all
columns as JSON.

Source: slideflow's documentation, "TFRecords: Reading and Writing"; TensorFlow's, "TFRecord and
tf.train.Example"; RFC 3720, B.4 (CRC-32C).
"""

import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from idhray.errors import TableError
from idhray.exchange.files import shards
from idhray.exchange.output import new_file
from idhray.exchange.rows import Kind, Row, facts, group_of, index_row, portable
from idhray.exchange.sample import Reader, Sample, Span

ENDING = ".tfrecord"
LARGEST = 1 << 30  # bytes of a record; more is a broken length
HEADER = struct.Struct("<QI")  # length, its checksum
FOOTER = struct.Struct("<I")  # checksum of the record

SHARED: tuple[str, ...] = ("slide", "patient", "idh", "split")  # by all records of a slide

Features = dict[str, bytes | int]


def _example_class() -> Any:
    """The message `tf.train.Example`. A map is, on the wire, a list of entries."""
    message, one, many = (
        descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
        descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
        descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    layout: dict[str, list[tuple[str, int, int, int, str]]] = {
        "BytesList": [("value", 1, many, kinds.TYPE_BYTES, "")],
        "FloatList": [("value", 1, many, kinds.TYPE_FLOAT, "")],
        "Int64List": [("value", 1, many, kinds.TYPE_INT64, "")],
        "Feature": [
            ("bytes_list", 1, one, message, "BytesList"),
            ("float_list", 2, one, message, "FloatList"),
            ("int64_list", 3, one, message, "Int64List"),
        ],
        "Entry": [("key", 1, one, kinds.TYPE_STRING, ""), ("value", 2, one, message, "Feature")],
        "Features": [("feature", 1, many, message, "Entry")],
        "Example": [("features", 1, one, message, "Features")],
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="idhray/example.proto", package="idhray", syntax="proto3"
    )
    for name, fields in layout.items():
        described = file.message_type.add(name=name)
        for field, number, label, kind, of in fields:
            type_name = f".idhray.{of}" if of else None
            described.field.add(
                name=field, number=number, label=label, type=kind, type_name=type_name
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("idhray.Example"))


_Example = _example_class()


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord: CRC-32C, rotated by 15 bits, plus a constant."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def encoded(features: Features) -> bytes:
    """A `tf.train.Example`, features by name."""
    example = _Example()
    for name, value in sorted(features.items()):
        entry = example.features.feature.add(key=name)
        if isinstance(value, bytes):
            entry.value.bytes_list.value.append(value)
        else:
            entry.value.int64_list.value.append(value)
    return bytes(example.SerializeToString())


def decoded(data: bytes) -> Features:
    """The first bytes or whole number of each feature.

    Raises:
        TableError: it is no `tf.train.Example`.
    """
    try:
        example = _Example.FromString(data)
    except DecodeError as error:
        raise TableError(
            f"a record of {len(data)} bytes is no tf.train.Example ({error})"
        ) from None
    found: Features = {}
    for entry in example.features.feature:
        for values in (entry.value.bytes_list.value, entry.value.int64_list.value):
            if values:
                found[entry.key] = values[0]
    return found


def write_tfrecord(path: str, rows: Iterable[Row], kind: Kind, file: str) -> list[dict[str, Any]]:
    """A TFRecord file of the rows of one slide; what an index says of them comes back.

    Args:
        file: How the index calls the TFRecord file.
    """
    index = []
    with new_file(path) as handle:
        for number, row in enumerate(rows):
            record = encoded(_features(row, kind))
            length = len(record).to_bytes(8, "little")
            handle.write(length + FOOTER.pack(masked_crc32c(length)))
            handle.write(record + FOOTER.pack(masked_crc32c(record)))
            index.append(index_row(f"{file}#{number}", row))
    return index


def _features(row: Row, kind: Kind) -> Features:
    values = row.values
    features: Features = {
        "image_raw": portable(row)[0],
        "slide": group_of(row, kind).encode(),
        "row": json.dumps(facts(row)).encode(),
    }
    for name in ("patient", "idh", "split"):
        features[name] = str(values.get(name) or "").encode()
    if values.get("x_l0") is not None and values.get("size_l0") is not None:
        width, height = values["size_l0"], values.get("height_l0") or values["size_l0"]
        features["loc_x"] = round(values["x_l0"] + width / 2)
        features["loc_y"] = round(values["y_l0"] + height / 2)
    return features


def records(path: str) -> Iterator[bytes]:
    """The records of a TFRecord file.

    Raises:
        TableError: it ends in the middle of one, or a checksum is wrong.
    """
    with open(path, "rb") as handle:
        for number, span in enumerate(_spans(handle, path)):
            yield _record(handle, span, f"{path}: record {number}")


def _spans(handle: IO[bytes], path: str) -> Iterator[Span]:
    """Where the records stand: by their headers alone, which are checked."""
    size, at, number = os.fstat(handle.fileno()).st_size, 0, 0
    while at < size:
        handle.seek(at)
        header, where = handle.read(HEADER.size), f"{path}: record {number}"
        if len(header) < HEADER.size:
            raise TableError(f"{where} is cut off; get the file anew")
        length, crc = HEADER.unpack(header)
        if crc != masked_crc32c(header[:8]) or length > LARGEST:
            raise TableError(f"{where} has a wrong checksum; not a TFRecord file, or a broken one")
        first, at = at + HEADER.size, at + HEADER.size + length + FOOTER.size
        if at > size:
            raise TableError(f"{where} is cut off; get the file anew")
        yield first, length
        number += 1


def _record(handle: IO[bytes], span: Span, where: str) -> bytes:
    first, length = span
    handle.seek(first)
    data, footer = handle.read(length), handle.read(FOOTER.size)
    if len(footer) < FOOTER.size:
        raise TableError(f"{where} is cut off; get the file anew")
    if FOOTER.unpack(footer)[0] != masked_crc32c(data):
        raise TableError(f"{where} has a wrong checksum; get the file anew")
    return data


def _listing(path: str) -> Iterator[Sample]:
    """The records, all of them of the slide of the first; no other one is read."""
    said: dict[str, Any] = {}
    with open(path, "rb") as handle:
        for number, span in enumerate(_spans(handle, path)):
            if number == 0:
                first = _sample(_record(handle, span, f"{path}: record 0"), 0).said
                said = {name: first[name] for name in SHARED if name in first}
            yield Sample(name=str(number), said=said, span=span)


def _images(path: str, names: Mapping[str, Span | None]) -> Iterator[Sample]:
    """A record that is broken costs none of the others."""
    with open(path, "rb") as handle:
        for name, span in names.items():
            try:
                assert span is not None
                yield _sample(_record(handle, span, f"record {name}"), int(name))
            except TableError as error:
                yield Sample(name=name, broken=str(error))


def _sample(record: bytes, number: int) -> Sample:
    features = decoded(record)
    said: dict[str, Any] = {
        name: value.decode(errors="replace")
        for name, value in features.items()
        if name in SHARED and isinstance(value, bytes)
    }
    row = features.get("row")
    try:
        said |= json.loads(row) if isinstance(row, bytes) else {}
    except (ValueError, TypeError, RecursionError):
        raise TableError(f"record {number}: its feature `row` is no JSON object") from None
    image = features.get("image_raw", b"")
    return Sample(name=str(number), said=said, data=image if isinstance(image, bytes) else b"")


READER = Reader(
    files=lambda source: shards(source, (ENDING, ".tfrecords")), listing=_listing, images=_images
)
