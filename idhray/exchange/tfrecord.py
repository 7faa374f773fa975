"""TFRecord files in the form that slideflow uses: one file per slide, one record per image.

A record is a `tf.train.Example` with `image_raw` (JPEG or PNG), `slide`, and `loc_x`, `loc_y`: the
middle of the image in level-0 pixels. Files of this package also have `patient`, `idh`, `split` and
`row`, which holds all columns as JSON.

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
from idhray.exchange.files import shard_files
from idhray.exchange.output import new_file
from idhray.exchange.rows import Kind, Row, group_of, index_row, portable, row_metadata
from idhray.exchange.sample import ByteRange, Reader, Sample

ENDING = ".tfrecord"
MAX_RECORD_BYTES = 1 << 30  # more is a broken length
HEADER = struct.Struct("<QI")  # length, its checksum
FOOTER = struct.Struct("<I")  # checksum of the record

SHARED: tuple[str, ...] = ("slide", "patient", "idh", "split")  # equal in all records of a slide

Features = dict[str, bytes | int]


def _example_class() -> Any:
    """Class of the message `tf.train.Example`. A map is encoded as a list of entries."""
    message, single, many = (
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
            ("bytes_list", 1, single, message, "BytesList"),
            ("float_list", 2, single, message, "FloatList"),
            ("int64_list", 3, single, message, "Int64List"),
        ],
        "Entry": [
            ("key", 1, single, kinds.TYPE_STRING, ""),
            ("value", 2, single, message, "Feature"),
        ],
        "Features": [("feature", 1, many, message, "Entry")],
        "Example": [("features", 1, single, message, "Features")],
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="idhray/example.proto", package="idhray", syntax="proto3"
    )
    for name, fields in layout.items():
        message_type = file.message_type.add(name=name)
        for field, number, label, kind, target in fields:
            type_name = f".idhray.{target}" if target else None
            message_type.field.add(
                name=field, number=number, label=label, type=kind, type_name=type_name
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("idhray.Example"))


_Example = _example_class()


def masked_crc32c(data: bytes) -> int:
    """Checksum of TFRecord: CRC-32C, rotated by 15 bits, plus a constant."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def encoded(features: Features) -> bytes:
    """Bytes of a `tf.train.Example` with these features, sorted by name."""
    example = _Example()
    for name, value in sorted(features.items()):
        entry = example.features.feature.add(key=name)
        if isinstance(value, bytes):
            entry.value.bytes_list.value.append(value)
        else:
            entry.value.int64_list.value.append(value)
    return bytes(example.SerializeToString())


def decoded(data: bytes) -> Features:
    """First bytes value or integer of each feature of a record.

    Raises:
        TableError: the record is no `tf.train.Example`.
    """
    try:
        example = _Example.FromString(data)
    except DecodeError as error:
        raise TableError(
            f"a record of {len(data)} bytes is no tf.train.Example ({error})"
        ) from None
    features: Features = {}
    for entry in example.features.feature:
        for values in (entry.value.bytes_list.value, entry.value.int64_list.value):
            if values:
                features[entry.key] = values[0]
    return features


def write_tfrecord(path: str, rows: Iterable[Row], kind: Kind, file: str) -> list[dict[str, Any]]:
    """Write a TFRecord file of the rows of one slide; return the rows of the index.

    Args:
        path: Path of the TFRecord file.
        rows: Rows of the slide.
        kind: Kind of the table.
        file: Name of the TFRecord file in the index.
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
        "row": json.dumps(row_metadata(row)).encode(),
    }
    for name in ("patient", "idh", "split"):
        features[name] = str(values.get(name) or "").encode()
    if values.get("x_l0") is not None and values.get("size_l0") is not None:
        width, height = values["size_l0"], values.get("height_l0") or values["size_l0"]
        features["loc_x"] = round(values["x_l0"] + width / 2)
        features["loc_y"] = round(values["y_l0"] + height / 2)
    return features


def _spans(handle: IO[bytes], path: str) -> Iterator[ByteRange]:
    """Byte ranges of the records, from their headers, whose checksums are checked.

    Raises:
        TableError: a record is cut off, or the checksum of its header is wrong.
    """
    size, position, number = os.fstat(handle.fileno()).st_size, 0, 0
    while position < size:
        handle.seek(position)
        header, location = handle.read(HEADER.size), f"{path}: record {number}"
        if len(header) < HEADER.size:
            raise TableError(f"{location} is cut off; get the file again")
        length, crc = HEADER.unpack(header)
        if crc != masked_crc32c(header[:8]) or length > MAX_RECORD_BYTES:
            raise TableError(
                f"{location} has a wrong checksum; not a TFRecord file, or a broken one"
            )
        first = position + HEADER.size
        position = first + length + FOOTER.size
        if position > size:
            raise TableError(f"{location} is cut off; get the file again")
        yield first, length
        number += 1


def _record(handle: IO[bytes], span: ByteRange, location: str) -> bytes:
    first, length = span
    handle.seek(first)
    data, footer = handle.read(length), handle.read(FOOTER.size)
    if len(footer) < FOOTER.size:
        raise TableError(f"{location} is cut off; get the file again")
    if FOOTER.unpack(footer)[0] != masked_crc32c(data):
        raise TableError(f"{location} has a wrong checksum; get the file again")
    return data


def _listing(path: str) -> Iterator[Sample]:
    """Samples of a file. Only the first record is read: all are of its slide."""
    shared: dict[str, Any] = {}
    with open(path, "rb") as handle:
        for number, span in enumerate(_spans(handle, path)):
            if number == 0:
                first = _sample(_record(handle, span, f"{path}: record 0"), 0).metadata
                shared = {name: first[name] for name in SHARED if name in first}
            yield Sample(name=str(number), metadata=shared, span=span)


def _images(path: str, names: Mapping[str, ByteRange | None]) -> Iterator[Sample]:
    """Samples with their bytes. A broken record does not stop the others."""
    with open(path, "rb") as handle:
        for name, span in names.items():
            try:
                assert span is not None
                yield _sample(_record(handle, span, f"record {name}"), int(name))
            except TableError as error:
                yield Sample(name=name, broken=str(error))


def _sample(record: bytes, number: int) -> Sample:
    features = decoded(record)
    metadata: dict[str, Any] = {
        name: value.decode(errors="replace")
        for name, value in features.items()
        if name in SHARED and isinstance(value, bytes)
    }
    row = features.get("row")
    try:
        metadata |= json.loads(row) if isinstance(row, bytes) else {}
    except (ValueError, TypeError, RecursionError):
        raise TableError(f"record {number}: its feature `row` is no JSON object") from None
    image = features.get("image_raw", b"")
    return Sample(
        name=str(number), metadata=metadata, data=image if isinstance(image, bytes) else b""
    )


READER = Reader(
    files=lambda source: shard_files(source, (ENDING, ".tfrecords")),
    listing=_listing,
    images=_images,
)
