"""An image of another tool, with its metadata."""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from idhray.errors import TableError
from idhray.exchange.masks import MaskError, is_mask
from idhray.images import resize, upright

IMAGE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".webp", ".gif"),
    *(".jp2", ".j2k", ".avif", ".ppm", ".pgm", ".pnm"),
)
LARGEST_BYTES = 256_000_000  # of an image file; larger files are refused
PLACE = ("x_l0", "y_l0", "size_l0", "height_l0", "mpp")
INTEGERS = ("x_l0", "y_l0")
MAX_NUMBER = 2**31  # level-0 pixels
STORED_FORMATS = {"JPEG": "jpg", "PNG": "png"}  # a table holds their bytes unchanged

ByteRange = tuple[int, int]  # (first byte, number of bytes) in a shard


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image of a folder or shard."""

    name: str
    """Name in its source: a path, a member of an archive, or the number of a record."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Patient, idh, split, slide, x_l0, y_l0, size_l0 and mpp, as far as its file has them."""
    data: bytes = b""
    broken: str = ""
    """Reason why there are no bytes, if the reader knows it."""
    span: ByteRange | None = None
    """Place of its bytes in the shard, if they can be read without the rest."""
    mark: str = ""
    """Mark of its file, if the image has a file of its own; see `files.mark`."""


class Reader(NamedTuple):
    """Functions that read one format. `listing` and `images` raise TableError for other content."""

    files: Callable[[str], list[str]]
    """Shards of a source, or the source itself."""
    listing: Callable[[str], Iterator[Sample]]
    """Samples of a shard, without their bytes."""
    images: Callable[[str, Mapping[str, ByteRange | None]], Iterator[Sample]]
    """Samples of a shard with their bytes; takes their names and the spans of the listing."""


def refuse_twins(path: str, names: Sequence[str]) -> None:
    """Refuse an archive that holds a name twice: the right one of the two is unknown.

    Raises:
        TableError: a name stands twice in `names`.
    """
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise TableError(f"{path}: {times} images are named {name}; pack it again")


def stored(
    data: bytes, side_px: int, *, name: str = "", resized: bool = False, masks: bool = True
) -> tuple[bytes, str]:
    """(bytes, ending) of an image as a table stores it: JPEG and PNG unchanged, others as PNG.

    Also a JPEG or PNG becomes a PNG if it is to be turned, composed over white or converted to RGB,
    see `images.upright`.

    The image is decoded once, to the last pixel, unless its header is refused before.

    Args:
        data: Encoded image.
        side_px: Side of the images of the table.
        name: Path of the image in its source.
        resized: Resize square images of another size.
        masks: Take masks as images.

    Raises:
        MaskError: the image is a mask.
        TableError: the bytes are no image or a broken one, `images.upright` refuses them, or the
            image is not `side_px` square.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.size != (side_px, side_px):
                _refuse_size(picture.size, side_px, resized=resized)
            ending = STORED_FORMATS.get(picture.format or "")
            pixels = upright(picture, data)
            array = np.asarray(pixels)
            if not masks and is_mask(array, name):
                raise MaskError("is a mask, areas of single values; --masks import takes it")
            if pixels is picture and ending and picture.size == (side_px, side_px):
                return data, ending
            buffer = io.BytesIO()
            clean = Image.fromarray(resize(array, side_px))  # without the file's metadata
            clean.save(buffer, "PNG", compress_level=1)
            return buffer.getvalue(), "png"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TableError(f"{len(data)} bytes that are no whole image ({error})") from None


def _refuse_size(size: tuple[int, int], side_px: int, *, resized: bool) -> None:
    width, height = size
    if resized and width == height:
        return
    advice = (
        "only square images are resized"
        if resized
        else f"--resize makes it {side_px} px, or choose images of one size by --include"
    )
    raise TableError(f"is {width} x {height} px, not {side_px} x {side_px} px; {advice}")


def place_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Slide and place of an image as columns of a table, null if the metadata lack them.

    Raises:
        TableError: a coordinate, size or mpp is no number.
    """
    slide = metadata.get("slide") or metadata.get("study")
    return {
        "slide": None if slide is None else str(slide),
        **{name: _number(name, metadata.get(name), whole=name in INTEGERS) for name in PLACE},
    }


def _number(name: str, value: Any, *, whole: bool) -> float | int | None:
    if value is None:
        return None
    valid = isinstance(value, int | float) and abs(value) < MAX_NUMBER  # False for NaN
    if not valid or (whole and value != int(value)):
        raise TableError(f"its {name} is {str(value)[:40]!r}, not a {'whole ' * whole}number")
    return int(value) if whole else float(value)
