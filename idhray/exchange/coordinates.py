"""Places on a slide in the files of CLAM and TRIDENT: HDF5 with a data set `coords` and attributes.

`coords` are upper left corners in level-0 pixels. Both tools have an attribute `patch_size`, in
different pixels: CLAM counts those of `patch_level`, TRIDENT those at `target_magnification`. A
file therefore fits only one of the two.

Source: CLAM (mahmoodlab/CLAM, patches of create_patches_fp.py) and TRIDENT (mahmoodlab/TRIDENT,
coordinates of a slide); the names and meanings of their attributes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError, TableError
from idhray.exchange.output import new_file
from idhray.exchange.rows import Kind, Row, group_of, index_row, portable, size_of

Tool = Literal["trident", "clam"]
UM_AT_1X = 10.0
SQUARE = 0.01  # width and height of a square agree to this fraction
MAX_PLACES = 10_000_000  # on one slide; more is a broken or hostile file


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """Squares of one slide."""

    slide: str
    """Name of the slide, from the attribute `name` or the name of the file."""
    corners: NDArray[np.int64]
    """(n, 2): x and y of the upper left corners, level-0 pixels."""
    size_l0: float
    """Side of the squares in level-0 pixels."""
    patch_px: int
    """Side of the image that the tool cuts from a square."""
    tool: Tool


def write_coordinates(
    path: str, rows: Iterable[Row], kind: Kind, file: str, tool: Tool
) -> list[dict[str, Any]]:
    """Write an HDF5 file of the places of one slide; return the rows of the index.

    Args:
        path: Path of the HDF5 file.
        rows: Rows of the slide.
        kind: Kind of the table.
        file: Name of the HDF5 file in the index.
        tool: Tool that will read the file.

    Raises:
        TableError: a place is unknown, or the squares or images differ in size.
    """
    index: list[dict[str, Any]] = []
    corners, sizes, name = [], set(), ""
    for number, row in enumerate(rows):
        values = row.values
        if None in (values["x_l0"], values["y_l0"], values["size_l0"], values["mpp"]):
            raise TableError(f"{row.part} row {row.number}: its place on the slide is not known")
        if abs((values.get("height_l0") or values["size_l0"]) / values["size_l0"] - 1) > SQUARE:
            raise TableError(f"{row.part} row {row.number}: its pixels at level 0 are not square")
        corners.append((values["x_l0"], values["y_l0"]))
        width, _ = size_of(portable(row)[0])
        sizes.add((values["size_l0"], values["mpp"], width))
        name = group_of(row, kind)
        index.append(index_row(f"{file}#{number}", row))
    if len(sizes) > 1:
        raise TableError(f"{name}: images of {len(sizes)} sizes; a file of coordinates has one")
    size_l0, mpp, side = sizes.pop()
    attributes = _trident(size_l0, mpp, side) if tool == "trident" else _clam(size_l0)
    with new_file(path) as handle, h5py.File(handle, "w") as h5:
        data = h5.create_dataset("coords", data=np.asarray(corners, dtype=np.int64))
        for key, value in {**attributes, "name": name}.items():
            data.attrs[key] = value
    return index


def _trident(size_l0: float, mpp: float, side: int) -> dict[str, Any]:
    """Attributes for TRIDENT. 10x is 1 um per pixel; magnifications need not be whole numbers."""
    return {
        "patch_size": side,
        "patch_size_level0": round(size_l0),
        "level0_magnification": UM_AT_1X / (mpp * side / size_l0),
        "target_magnification": UM_AT_1X / mpp,
        "overlap": 0,
    }


def _clam(size_l0: float) -> dict[str, Any]:
    """Attributes for CLAM: level 0, which every slide has. CLAM scales the square itself."""
    return {"patch_size": round(size_l0), "patch_level": 0, "downsample": (1.0, 1.0)}


def read_coordinates(path: str) -> Coordinates:
    """Squares in an HDF5 file of CLAM or TRIDENT; its attributes tell which tool wrote it.

    Raises:
        SlideError: the file is of neither tool, or lacks the size of the squares.
    """
    try:
        with h5py.File(path, "r") as h5:
            data = h5.get("coords")
            if not isinstance(data, h5py.Dataset):
                raise SlideError(
                    f"{path}: no data set `coords`; a file of CLAM or TRIDENT is needed"
                )
            if not data.size:
                raise SlideError(f"{path}: coords is empty; leave the file out, or make it again")
            if data.ndim != 2 or data.shape[1] != 2 or data.shape[0] > MAX_PLACES:
                raise SlideError(f"{path}: coords are {data.shape}; (n, 2) is needed")
            attributes = dict(data.attrs)
            corners = data[:]
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise SlideError(f"{path}: not an HDF5 file, or a broken one ({error})") from None
    if corners.dtype.kind not in "iu" and not _whole(corners):
        raise SlideError(f"{path}: coords are {corners.dtype}; whole level-0 pixels are needed")
    if corners.min() < 0:
        raise SlideError(f"{path}: a corner is at {corners.min()} px; level 0 begins at 0")
    size_l0, patch_px, tool = _size(path, attributes)
    return Coordinates(
        slide=_name(path, attributes),
        corners=corners.astype(np.int64),
        size_l0=size_l0,
        patch_px=patch_px,
        tool=tool,
    )


def _name(path: str, attributes: dict[str, Any]) -> str:
    name = attributes.get("name", PurePosixPath(path).stem.removesuffix("_patches"))
    try:
        text = name.decode() if isinstance(name, bytes) else str(name)
        text.encode()  # strings of HDF5 may hold bytes that are no text
    except UnicodeError:
        raise SlideError(f"{path}: name is {name!r}, no UTF-8 text; write it again") from None
    return text


def _whole(corners: NDArray[Any]) -> bool:
    """True for floats that are whole numbers; some tools save coordinates so."""
    return corners.dtype.kind == "f" and bool(np.all(np.mod(corners, 1) == 0))


def _size(path: str, attributes: dict[str, Any]) -> tuple[float, int, Tool]:
    """(side in level-0 pixels, side of the image, tool that wrote the file)."""
    patch = _number(path, attributes, "patch_size")
    if "patch_size_level0" in attributes:
        return _number(path, attributes, "patch_size_level0"), int(patch), "trident"
    if "level0_magnification" in attributes:
        level0 = _number(path, attributes, "level0_magnification")
        return (
            patch * level0 / _number(path, attributes, "target_magnification"),
            int(patch),
            "trident",
        )
    if "patch_level" not in attributes:
        raise SlideError(f"{path}: neither patch_level nor level0_magnification beside patch_size")
    level = np.asarray(attributes["patch_level"])
    if level.size != 1:
        raise SlideError(f"{path}: patch_level is {level.tolist()}; one number is needed")
    level = level.item()
    if level != 0 and "downsample" not in attributes:
        raise SlideError(f"{path}: patches of level {level}, and no `downsample` says how large")
    scale = _number(path, attributes, "downsample") if "downsample" in attributes else 1.0
    if "custom_downsample" in attributes:
        scale *= _number(path, attributes, "custom_downsample")
    return patch * scale, int(patch), "clam"


def _number(path: str, attributes: dict[str, Any], name: str) -> float:
    """A positive attribute; a pair (x, y) must agree to 1 %."""
    try:
        values = np.asarray(attributes[name], dtype=np.float64).ravel()
    except (KeyError, TypeError, ValueError):
        values = np.empty(0)
    if not values.size or not np.all(np.isfinite(values)) or values.min() <= 0:
        raise SlideError(f"{path}: {name} is {attributes.get(name)}; a positive number is needed")
    if values.max() > (1 + SQUARE) * values.min():
        raise SlideError(f"{path}: {name} is {values.tolist()}; squares are needed")
    return float(values[0])
