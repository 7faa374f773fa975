"""Fingerprints of all images of a table.

A part of an earlier version has no columns of fingerprints. They are then made at its first use as
an input, and stay beside it: FOLDER/_fingerprints/part-*.parquet, in the order of its rows.
"""

import functools
import logging
import os
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from idhray.errors import LeakageError, StorageError
from idhray.fingerprints import columns_of, is_marked_synthetic
from idhray.input_digest import content_digest
from idhray.storage import exists, filesystem, join, list_files, remove
from idhray.table_parts import column_names, parts, publish_table, read_part
from idhray.tables import FINGERPRINT_COLUMNS, FINGERPRINTS, PERCEPTUAL_HASH, PIXELS_DIGEST

logger = logging.getLogger(__name__)

FileState = tuple[str, int, int]
"""Path, bytes, and time of change in ns."""
FOLDER = "_fingerprints"
SOURCE = b"idhray_part"
"""Metadata key of a file of fingerprints: digest of the part that it belongs to."""
MANY_IMAGES = 1000
"""Images above which the reading of a table is announced."""


@dataclass(frozen=True, kw_only=True)
class TableFingerprints:
    """Fingerprints of the N images of a table that have one, in its order."""

    patients: NDArray[np.str_]  # (N,), "" for a synthetic image
    splits: NDArray[np.str_]  # (N,), "" where unknown
    labels: NDArray[np.str_]  # (N,), mutant, wildtype or ""
    pixels: NDArray[np.uint64]  # (N,)
    perceptual: NDArray[np.uint64]  # (N,), 0 where an image has none
    parts: tuple[str, ...]
    """Paths of the parts."""
    slides: NDArray[np.str_]  # (N,), slide or study of an image, "" if the table has none
    part: NDArray[np.int64]  # (N,), number of the image's part
    row: NDArray[np.int64]  # (N,), row in the part

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "TableFingerprints":
        """Some of the images."""
        names = ("patients", "splits", "labels", "pixels", "perceptual", "slides", "part", "row")
        values = {name: getattr(self, name)[chosen] for name in names}
        return TableFingerprints(parts=self.parts, **values)

    def of_patients(self, patients: Collection[str]) -> "TableFingerprints":
        """Images of some patients."""
        return self.take(np.isin(self.patients, sorted(patients)))

    def of_rows(self, rows: Iterable[tuple[str, int]]) -> "TableFingerprints":
        """Images of some rows, each given as the path of its part and its number there."""
        numbers = {path: number for number, path in enumerate(self.parts)}
        places = {(numbers[path], row) for path, row in rows}
        pairs = zip(self.part.tolist(), self.row.tolist(), strict=True)
        return self.take(np.array([pair in places for pair in pairs], dtype=np.bool_))

    def place(self, number: int) -> str:
        """Slide, if there is one, and PART:ROW of one image."""
        place = f"{self.parts[self.part[number]].rsplit('/', 1)[-1]}:{self.row[number]}"
        return f"{self.slides[number]}, {place}" if self.slides[number] else place


def table_fingerprints(folder: str) -> TableFingerprints:
    """Fingerprints of a table of images. Those that its parts lack are made, and kept beside it.

    Raises:
        TableError: a part is damaged.
        LeakageError: a row of a patient holds a synthetic image.
    """
    return _fingerprints_of(folder, tuple(_file_state(path) for path in parts(folder)))


@functools.lru_cache(maxsize=32)  # an experiment compares each of its folders in every fold
def _fingerprints_of(folder: str, states: tuple[FileState, ...]) -> TableFingerprints:
    paths = tuple(path for path, _, _ in states)
    missing = [path for path in paths if not set(FINGERPRINT_COLUMNS) <= set(column_names(path))]
    side_tables = _side_tables(folder, missing)
    tables = [_columns(path, number, side_tables.get(path)) for number, path in enumerate(paths)]
    table = pa.concat_tables(tables) if tables else _EMPTY
    table = table.filter(pc.is_valid(table[PIXELS_DIGEST]))
    values = {name: table[name] for name in table.column_names}
    texts = {name: np.array(values[name].to_pylist(), dtype=np.str_) for name in _TEXTS}
    return TableFingerprints(
        patients=texts["patient"],
        splits=texts["split"],
        labels=texts["idh"],
        pixels=values[PIXELS_DIGEST].to_numpy().astype(np.uint64),
        perceptual=pc.fill_null(values[PERCEPTUAL_HASH], 0).to_numpy().astype(np.uint64),
        slides=np.char.add(texts["slide"], texts["study"]),
        parts=paths,
        part=values["part"].to_numpy(),
        row=values["row"].to_numpy(),
    )


def remove_fingerprints(folder: str, part_names: Collection[str] | None = None) -> None:
    """Remove what lies beside a table; all if no names of parts are given."""
    for path in list_files(join(folder, FOLDER)) if exists(join(folder, FOLDER)) else []:
        if part_names is None or path.rsplit("/", 1)[-1] in part_names:
            remove(path)


_TEXTS = ("patient", "split", "idh", "slide", "study")
_EMPTY = pa.table(
    {
        **{name: pa.array([], pa.string()) for name in _TEXTS},
        **{name: pa.array([], pa.uint64()) for name in FINGERPRINT_COLUMNS},
        **{name: pa.array([], pa.int64()) for name in ("part", "row")},
    }
)


def _columns(path: str, number: int, side_table: Any) -> Any:
    """Patient, split, label, fingerprints and place of the images of one part."""
    existing = set(column_names(path))
    read = [name for name in _TEXTS if name in existing]
    if side_table is None:
        read += FINGERPRINT_COLUMNS
    table = read_part(path, read)
    count = table.num_rows if read else len(side_table)
    columns = {
        name: pc.fill_null(table[name].cast(pa.string()), "")
        if name in existing
        else pa.array([""] * count, pa.string())
        for name in _TEXTS
    }
    source = table if side_table is None else side_table
    columns |= {name: source[name].cast(pa.uint64()) for name in FINGERPRINT_COLUMNS}
    columns["part"] = pa.array([number] * count, pa.int64())
    columns["row"] = pa.array(range(count), pa.int64())
    return pa.table(columns)


def _side_tables(folder: str, paths: list[str]) -> dict[str, pa.Table]:
    """Fingerprints of parts without these columns, by path; made where they are missing or old."""
    tables, open_paths = {}, []
    for path in paths:
        side_path = join(folder, FOLDER, path.rsplit("/", 1)[-1])
        table = _current(side_path, path)
        if table is None:
            open_paths.append(path)
        else:
            tables[path] = table
    count = sum(_row_count(path) for path in open_paths)
    if count > MANY_IMAGES:
        logger.info("%s: reading %d images once, for their fingerprints", folder, count)
    for path in open_paths:
        tables[path] = _made_table(folder, path)
    return tables


def _current(side_path: str, path: str) -> pa.Table | None:
    """Fingerprints beside a part; None if there are none, or they are of another part."""
    if not exists(side_path):
        return None
    table = read_part(side_path)
    source = (table.schema.metadata or {}).get(SOURCE, b"").decode()
    return table if source == _part_digest(path) else None


@functools.lru_cache(maxsize=4096)
def _digest_of(path: str, size: int, changed: int) -> str:
    return content_digest([path])


def _part_digest(path: str) -> str:
    """Digest of a part's bytes; a file that did not change is read once by a process."""
    return _digest_of(*_file_state(path))


def _file_state(path: str) -> FileState:
    """Path, size and time of change of a file."""
    files, inner = filesystem(path)
    info = files.get_file_info(inner)
    return path, info.size or 0, info.mtime_ns or 0


def _made_table(folder: str, path: str) -> pa.Table:
    """Fingerprints of the images of a part, published beside it if the folder can be written."""
    rows = [values for group in _groups(path) for values in group]
    schema = FINGERPRINTS.with_metadata(
        {**(FINGERPRINTS.metadata or {}), SOURCE: _part_digest(path).encode()}
    )
    side_path = join(folder, FOLDER, path.rsplit("/", 1)[-1])
    try:
        publish_table(side_path, rows, schema)
    except (StorageError, OSError) as error:
        logger.warning("%s: fingerprints are made again at each use (%s)", folder, error)
    return pa.Table.from_pylist(rows, schema=schema)


def _groups(path: str) -> Iterable[list[dict[str, int | None]]]:
    """Values of the columns of fingerprints of the images of a part, by row group."""
    files, inner = filesystem(path)
    with files.open_input_file(inner) as handle, ThreadPoolExecutor(os.cpu_count()) as pool:
        part = pq.ParquetFile(handle)
        has_patients = "patient" in part.schema_arrow.names
        for group in range(part.num_row_groups):
            cells = part.read_row_group(group, columns=["image"])["image"].to_pylist()
            data = [(cell or {}).get("bytes") or b"" for cell in cells]
            if has_patients and any(map(is_marked_synthetic, data)):
                raise LeakageError(
                    f"{path}: holds synthetic images under the name of a patient; only images of "
                    "patients belong in this table"
                )
            yield list(pool.map(columns_of, data))


def _row_count(path: str) -> int:
    files, inner = filesystem(path)
    with files.open_input_file(inner) as handle:
        return int(pq.ParquetFile(handle).metadata.num_rows)
