"""The Arrow schema of every table that passes between stages, and how parts are kept on disk.

A table is a folder of `part-<key>.parquet`. Images are `struct<bytes, path>` with the Hugging Face
metadata, so that `datasets`, pandas, Polars and DuckDB read them as they are.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from idhray.errors import TableError
from idhray.storage import filesystem, join, list_files, publish

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _schema(**columns: pa.DataType) -> pa.Schema:
    """A schema with the metadata by which Hugging Face `datasets` knows the image column."""
    features = {
        name: {"_type": "Image"} if kind == IMAGE else {"_type": "Value", "dtype": _hf_name(kind)}
        for name, kind in columns.items()
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(columns.items()), metadata=metadata)


def _hf_name(kind: pa.DataType) -> str:
    return {"double": "float64", "float": "float32", "bool": "bool"}.get(str(kind), str(kind))


_WHO = {"patient": pa.string(), "idh": pa.string(), "split": pa.string()}
_PLACE = {
    "slide": pa.string(),
    "x_l0": pa.int64(),
    "y_l0": pa.int64(),
    "size_l0": pa.float64(),  # side of the square in level-0 pixels; not whole when resampled
    "mpp": pa.float64(),  # um per pixel of the stored image
}

TILES = _schema(
    **_WHO,
    **_PLACE,
    mpp_source=pa.string(),
    tissue_fraction=pa.float64(),
    rank=pa.int64(),
    image=IMAGE,
)
PATCHES = _schema(**_WHO, **_PLACE, image=IMAGE)
SLICES = _schema(
    **_WHO,
    study=pa.string(),  # one pair of scans
    z_mm=pa.float64(),  # height (RAS) of the slice in the space of the CE-T1w
    brain_fraction=pa.float64(),  # of the image's pixels
    tumor_fraction=pa.float64(),  # null where no tumour mask was given
    image=IMAGE,  # CE-T1w, FLAIR, null
)
SYNTHETIC = _schema(
    generator=pa.string(),
    seed=pa.int64(),
    index=pa.int64(),
    psi=pa.float64(),
    idh=pa.string(),
    trained_on=pa.string(),
    image=IMAGE,
)
PREDICTIONS = _schema(
    **_WHO,
    model=pa.string(),
    n_synthetic=pa.int64(),
    repeat=pa.int64(),
    fold=pa.int64(),
    p_mutant=pa.float64(),
    n_images=pa.int64(),
)
READINGS = _schema(
    **_WHO,  # patient: null for a synthetic image
    reader=pa.string(),
    case=pa.string(),  # one image as readers saw it
    real=pa.bool_(),  # the truth: of a patient, or synthetic
    judged_real=pa.bool_(),  # what the reader thought; null where no Turing test was held
    location=pa.string(),
    enhancement=pa.string(),
    necrosis=pa.string(),
    surrounding=pa.string(),
    margin=pa.string(),
)
LEDGER = _schema(
    input=pa.string(),
    status=pa.string(),
    rows=pa.int64(),
    seconds=pa.float64(),
    attempts=pa.int64(),
    error=pa.string(),
    host=pa.string(),
    settings_hash=pa.string(),
    digest=pa.string(),
)


TRUTH = _schema(  # of a made-up slide
    patient=pa.string(),
    slide=pa.string(),
    idh=pa.string(),
    density_per_mm2=pa.float64(),
    pleomorphism=pa.float64(),
    necrosis_fraction=pa.float64(),
    proliferating_vessels_per_mm2=pa.float64(),
    stain_mix=pa.float64(),
    hematoxylin=pa.float64(),
    eosin=pa.float64(),
    white=pa.float64(),
    tissue_mm2=pa.float64(),
    tissue_fraction=pa.float64(),
    usable_fraction=pa.float64(),
    drawn_density_per_mm2=pa.float64(),
    drawn_necrosis_fraction=pa.float64(),
    drawn_nests=pa.int64(),
    pens=pa.string(),
    fold=pa.bool_(),
)


MRI_TRUTH = _schema(  # of a made-up patient with MRI
    patient=pa.string(),
    idh=pa.string(),  # normal where there is no tumour
    age=pa.int64(),
    sex=pa.string(),
    grade=pa.int64(),
    diagnosis=pa.string(),
    cohort=pa.string(),
    site=pa.string(),
    location=pa.string(),
    enhancement=pa.string(),
    necrosis=pa.string(),
    surrounding=pa.string(),
    margin=pa.string(),
    side=pa.string(),
    core_mm=pa.float64(),
    tumour_ml=pa.float64(),
    brain_ml=pa.float64(),
    motion_mm=pa.float64(),
    motion_degrees=pa.float64(),
    flair_from_t1ce=pa.list_(pa.float64()),
)


def part_path(folder: str, key: str) -> str:
    """Where the part of one input lies; `key` may be any text, a path or URI too."""
    return join(folder, f"part-{hashlib.sha256(key.encode()).hexdigest()[:20]}.parquet")


def publish_table(path: str, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> str:
    """Write rows as one Parquet file, atomically; 16 hex digits of its content come back."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    buffer = io.BytesIO()
    # Small row groups: readers of single images need not decode a whole slide's column chunk.
    pq.write_table(table, buffer, compression="zstd", row_group_size=256)
    data = buffer.getvalue()
    publish(path, data)
    return hashlib.sha256(data).hexdigest()[:16]


def parts(folder: str) -> list[str]:
    """The part files of a table, sorted by name."""
    return list_files(folder, prefix="part-", suffix=".parquet")


def read_part(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One part.

    Raises:
        TableError: it is no Parquet file, or a column is missing.
    """
    files, inner = filesystem(path)
    try:
        with files.open_input_file(inner) as handle:
            part = pq.ParquetFile(handle)
            if missing := sorted(set(columns or ()) - set(part.schema_arrow.names)):
                raise TableError(f"{path}: no column {', '.join(missing)}")
            return part.read(columns=columns)
    except pa.ArrowInvalid as error:
        raise TableError(f"{path}: not a Parquet file ({error})") from None
    except FileNotFoundError:
        raise TableError(f"{path}: no such part; run the stage that makes it again") from None


def read_table(folder: str, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """All parts of a table, in the order of their names, cast to `schema`.

    Raises:
        TableError: there are no parts, or a part lacks a column of the schema.
    """
    names = list(columns or schema.names)
    wanted = pa.schema([schema.field(name) for name in names])
    found = [read_part(path, names) for path in parts(folder)]
    if not found:
        raise TableError(f"{folder}: no part-*.parquet there; run the stage that makes it first")
    return pa.concat_tables([table.select(names).cast(wanted) for table in found])
