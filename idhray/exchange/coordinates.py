"""Places on a slide as CLAM and TRIDENT keep them: HDF5 with a data set `coords` and attributes.

`coords` are the upper left corners in level-0 pixels. Both tools have `patch_size`, and mean pixels
of different images: CLAM those of `patch_level`, TRIDENT those at `target_magnification`. So a file
is for one of them.

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
MOST = 10_000_000  # places on a slide; more is a broken or hostile file


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """Squares of one slide."""

    slide: str
    """Its name, as the file says it or is called."""
    corners: NDArray[np.int64]
    """(n, 2): x and y of the upper left corners, level-0 pixels."""
    size_l0: float
    """Side of the squares in level-0 pixels."""
    patch_px: int
    """Side of the image that the tool made of a square."""
    tool: Tool


def write_coordinates(
    path: str, rows: Iterable[Row], kind: Kind, file: str, tool: Tool
) -> list[dict[str, Any]]:
    """An HDF5 file of the places of one slide; what an index says of them comes back.

    Args:
        file: How the index calls the HDF5 file.

    Raises:
        TableError: a place is unknown, or the squares or images are not of one size.
    """
    index: list[dict[str, Any]] = []
    corners, kinds, name = [], set(), ""
    for number, row in enumerate(rows):
        values = row.values
        if None in (values["x_l0"], values["y_l0"], values["size_l0"], values["mpp"]):
            raise TableError(f"{row.part} row {row.number}: its place on the slide is not known")
        if abs((values.get("height_l0") or values["size_l0"]) / values["size_l0"] - 1) > SQUARE:
            raise TableError(f"{row.part} row {row.number}: its pixels at level 0 are not square")
        corners.append((values["x_l0"], values["y_l0"]))
        width, _ = size_of(portable(row)[0])
        kinds.add((values["size_l0"], values["mpp"], width))
        name = group_of(row, kind)
        index.append(index_row(f"{file}#{number}", row))
    if len(kinds) > 1:
        raise TableError(f"{name}: images of {len(kinds)} sizes; a file of coordinates has one")
    size_l0, mpp, side = kinds.pop()
    attributes = _trident(size_l0, mpp, side) if tool == "trident" else _clam(size_l0)
    with new_file(path) as handle, h5py.File(handle, "w") as h5:
        data = h5.create_dataset("coords", data=np.asarray(corners, dtype=np.int64))
        for key, value in {**attributes, "name": name}.items():
            data.attrs[key] = value
    return index


def _trident(size_l0: float, mpp: float, side: int) -> dict[str, Any]:
    """10x is 1 um per pixel. Magnifications need not be whole: their ratio is the exact one."""
    return {
        "patch_size": side,
        "patch_size_level0": round(size_l0),
        "level0_magnification": UM_AT_1X / (mpp * side / size_l0),
        "target_magnification": UM_AT_1X / mpp,
        "overlap": 0,
    }


def _clam(size_l0: float) -> dict[str, Any]:
    """Read at level 0, which every slide has: CLAM scales the square itself."""
    return {"patch_size": round(size_l0), "patch_level": 0, "downsample": (1.0, 1.0)}


def read_coordinates(path: str) -> Coordinates:
    """The squares in an HDF5 file of CLAM or TRIDENT, told apart by its attributes.

    Raises:
        SlideError: it is no such file, or does not say how large the squares are.
    """
    try:
        with h5py.File(path, "r") as h5:
            data = h5.get("coords")
            if not isinstance(data, h5py.Dataset):
                raise SlideError(
                    f"{path}: no data set `coords`; a file of CLAM or TRIDENT is needed"
                )
            if not data.size:
                raise SlideError(f"{path}: coords is empty; leave the file out, or make it anew")
            if data.ndim != 2 or data.shape[1] != 2 or data.shape[0] > MOST:
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
        text.encode()  # HDF5's strings may hold bytes that are none
    except UnicodeError:
        raise SlideError(f"{path}: name is {name!r}, no UTF-8 text; write it anew") from None
    return text


def _whole(corners: NDArray[Any]) -> bool:
    """Whether floats are whole numbers, as some tools save them."""
    return corners.dtype.kind == "f" and bool(np.all(np.mod(corners, 1) == 0))


def _size(path: str, attributes: dict[str, Any]) -> tuple[float, int, Tool]:
    """(side in level-0 pixels, side of the image, whose file it is)."""
    patch = _number(path, attributes, "patch_size")
    if "patch_size_level0" in attributes:
        return _number(path, attributes, "patch_size_level0"), int(patch), "trident"
    if "level0_magnification" in attributes:
        level0 = _number(path, attributes, "level0_magnification")
        return (
            patch * level0 / _number(path, attributes, "target_magnification"),
            int(patch),
            ("trident"),
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
    """A positive number; of (x, y), the one that both are to 1 %."""
    try:
        values = np.asarray(attributes[name], dtype=np.float64).ravel()
    except (KeyError, TypeError, ValueError):
        values = np.empty(0)
    if not values.size or not np.all(np.isfinite(values)) or values.min() <= 0:
        raise SlideError(f"{path}: {name} is {attributes.get(name)}; a positive number is needed")
    if values.max() > (1 + SQUARE) * values.min():
        raise SlideError(f"{path}: {name} is {values.tolist()}; squares are needed")
    return float(values[0])
