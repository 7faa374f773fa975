"""Search of a study for all that is left of a patient, with no code of the command itself."""

import base64
import gzip
import re
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from idhray.table_parts import parts, read_part

TABLES = ("tiles", "patches", "slices")


def pictures(study, patient):
    """Images of a patient in the tables of a study, and pictures named after the patient."""
    cells = [
        row["image"]["bytes"]
        for table in TABLES
        for path in parts(f"{study}/{table}")
        for row in read_part(path, ["patient", "image"]).to_pylist()
        if row["patient"] == patient
    ]
    named = [path.read_bytes() for path in Path(study).rglob(f"quality/{patient}*")]
    return [*cells, *named]


def traces(study, secrets):
    """Files whose path or content, raw or decoded, holds one of some byte strings."""
    return [
        str(path)
        for path in sorted(Path(study).rglob("*"))
        if path.is_file() and any(secret in data for data in layers(path) for secret in secrets)
    ]


def layers(path):
    """Name and bytes of a file, and all that is packed in it."""
    data = path.read_bytes()
    yield path.name.encode()
    yield data
    for encoded in re.findall(rb"base64,([A-Za-z0-9+/=]+)", data):
        yield base64.b64decode(encoded)
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        yield repr(file.metadata.to_dict()).encode()
        yield repr(file.schema_arrow.metadata).encode()
        for row in file.read().to_pylist():
            yield repr({name: cell for name, cell in row.items() if name != "image"}).encode()
            if row.get("image"):
                yield row["image"]["bytes"]
                yield str(row["image"]["path"]).encode()
    elif data[:2] == bytes([0x1F, 0x8B]):
        yield gzip.decompress(data)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)
    elif path.suffix in (".png", ".jpg"):
        with Image.open(path) as picture:
            yield repr(picture.info).encode()
