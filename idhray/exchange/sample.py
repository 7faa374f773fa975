"""An image that came from another tool, and what its file says of it."""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from PIL import Image

from idhray.errors import TableError

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
LARGEST_BYTES = 256_000_000  # of a file; more is no image of ours
PLACE = ("x_l0", "y_l0", "size_l0", "height_l0", "mpp")
WHOLE = ("x_l0", "y_l0")
FARTHEST = 2**31  # level-0 pixels
KEPT = {"JPEG": "jpg", "PNG": "png"}  # formats whose bytes go into a table as they are


Span = tuple[int, int]  # (first byte, number of bytes) in a shard


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image of a folder or shard."""

    name: str
    """Its name there: a path, a member of the archive, the number of the record."""
    said: dict[str, Any] = field(default_factory=dict)
    """What stands beside it: patient, idh, split, slide, x_l0, y_l0, size_l0, mpp."""
    data: bytes = b""
    broken: str = ""
    """Why there are no bytes, where the reader knows."""
    span: Span | None = None
    """Where its bytes stand in the shard, if they can be read from there alone."""
    mark: str = ""
    """Changes with its file, where it has one of its own."""


class Reader(NamedTuple):
    """How one format is read. Both raise TableError for what is not of the format."""

    files: Callable[[str], list[str]]
    """The shards of a source, or the source itself."""
    listing: Callable[[str], Iterator[Sample]]
    """What a shard holds, without the images."""
    images: Callable[[str, Mapping[str, Span | None]], Iterator[Sample]]
    """Those of a shard that are named, each with the span that the listing gave."""


def refuse_twins(path: str, names: Sequence[str]) -> None:
    """Archives may hold a name twice; which of the two was meant, nobody can tell.

    Raises:
        TableError: this one does.
    """
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise TableError(f"{path}: {times} images are named {name}; pack it anew")


def stored(data: bytes, side_px: int) -> tuple[bytes, str]:
    """(bytes, ending) as a table keeps an image: JPEG and PNG as they are, others as PNG.

    It is decoded once, to the last pixel, unless its header is refused before.

    Raises:
        TableError: it is no image, a broken one, not 8-bit RGB or gray, or not of `side_px`.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.mode not in ("RGB", "L"):
                raise TableError(f"its pixels are {picture.mode}; 8-bit RGB or gray is needed")
            if picture.size != (side_px, side_px):
                width, height = picture.size
                raise TableError(f"is {width} x {height} px, not {side_px} x {side_px}")
            picture.load()
            if ending := KEPT.get(picture.format or ""):
                return data, ending
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", compress_level=1)
            return buffer.getvalue(), "png"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TableError(f"{len(data)} bytes that are no whole image ({error})") from None


def place_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Slide and place as columns of a table, null where nothing is said.

    Raises:
        TableError: what is said is no number.
    """
    slide = said.get("slide") or said.get("study")
    return {
        "slide": None if slide is None else str(slide),
        **{name: _number(name, said.get(name), whole=name in WHOLE) for name in PLACE},
    }


def _number(name: str, value: Any, *, whole: bool) -> float | int | None:
    if value is None:
        return None
    good = isinstance(value, int | float) and abs(value) < FARTHEST  # not so for NaN
    if not good or (whole and value != int(value)):
        raise TableError(f"its {name} is {str(value)[:40]!r}, not a {'whole ' * whole}number")
    return int(value) if whole else float(value)
