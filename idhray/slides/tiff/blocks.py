"""Decoded blocks of one TIFF, each stored as long as a later region needs it."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError
from idhray.images import RGB
from idhray.slides.tiff.codecs import decode_block, shrunk
from idhray.slides.tiff.tiles import TiledLevel

SPARE_BYTES = 65536  # a block that does not compress is slightly longer than its pixels


class BlockKey(NamedTuple):
    """Place of a block in the file, and the scale at which it is decoded."""

    level: int
    shrink: int
    """Divisor of width and height: 1, 2, 4 or 8."""
    row: int
    column: int


class BlockReader:
    """Reader of the blocks of one open file.

    Between regions it stores only blocks that `expect` announced more often than they were read,
    and never more than `cache_bytes` of them; other blocks are decoded again.

    Attributes:
        cached_bytes: Bytes of the blocks that are stored now.
    """

    def __init__(self, path: str, levels: list[TiledLevel], *, cache_bytes: int) -> None:
        self.levels = levels
        self.cached_bytes = 0
        self._cache_bytes = cache_bytes
        self._cache: dict[BlockKey, RGB | SlideError] = {}
        self._awaited: Counter[BlockKey] = Counter()
        self._file = open(path, "rb")  # noqa: SIM115 it is closed by close()
        self._file_bytes = os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file and drop all blocks."""
        self.forget()
        self._file.close()

    def plausible(self, level: TiledLevel) -> NDArray[np.bool_]:
        """Mask of the blocks of a level that lie within the file and are not absurdly long."""
        ends = level.offsets + level.counts
        return (level.counts <= _most_bytes(level)) & (ends <= self._file_bytes)

    def forget(self) -> None:
        """Drop all blocks and all announcements."""
        self._cache.clear()
        self._awaited.clear()
        self.cached_bytes = 0

    def expect(self, keys: Iterable[BlockKey]) -> None:
        """Announce one more `read` of each of these blocks."""
        self._awaited.update(keys)

    def read(self, key: BlockKey) -> RGB:
        """Pixels of a block, (height / shrink, width / shrink, 3) uint8; white beyond the level.

        Raises:
            SlideError: the block is damaged.
        """
        result = self._cache.get(key)
        if result is None:
            result = self._decoded_or_error(key)
        self._awaited[key] -= 1
        if self._awaited[key] > 0:
            self._store(key, result)
        else:
            del self._awaited[key]
            if self._cache.pop(key, None) is not None:
                self.cached_bytes -= _bytes(result)
        if isinstance(result, SlideError):
            raise SlideError(str(result))
        return result

    def _store(self, key: BlockKey, result: RGB | SlideError) -> None:
        fits = self.cached_bytes + _bytes(result) <= self._cache_bytes
        if key not in self._cache and fits:
            self._cache[key] = result
            self.cached_bytes += _bytes(result)

    def _decoded_or_error(self, key: BlockKey) -> RGB | SlideError:
        try:
            return self._decode(key)
        except SlideError as error:
            return error

    def _decode(self, key: BlockKey) -> RGB:
        level = self.levels[key.level]
        data = self.data(key)
        width, height = level.block
        inside = (
            min(width, level.size[0] - key.column * width),
            min(height, level.size[1] - key.row * height),
        )
        if inside == level.block:
            return decode_block(data, level.block, level.coding, key.shrink)
        # Content beyond the edge of the level must not be mixed into its last pixels.
        pixels = np.full((height, width, 3), 255, dtype=np.uint8)
        whole = decode_block(data, level.block, level.coding)
        pixels[: inside[1], : inside[0]] = whole[: inside[1], : inside[0]]
        return shrunk(pixels, key.shrink)

    def data(self, key: BlockKey) -> bytes:
        """Compressed bytes of a block.

        Raises:
            SlideError: the block does not lie within the file, or is absurdly long.
        """
        level = self.levels[key.level]
        index = key.row * level.across + key.column
        offset, count = int(level.offsets[index]), int(level.counts[index])
        most = _most_bytes(level)
        if count > most:
            raise SlideError(f"a block of {count} bytes, at most {most} are plausible")
        if offset + count > self._file_bytes:
            raise SlideError(f"a block ends at byte {offset + count} of {self._file_bytes}")
        try:
            self._file.seek(offset)
            data = self._file.read(count)
        except OSError as error:
            raise SlideError(f"cannot be read: {error}") from None
        if len(data) != count:
            raise SlideError(f"the file ends {count - len(data)} bytes before a block does")
        return data


def _most_bytes(level: TiledLevel) -> int:
    """Upper limit for the bytes of a block of the level: twice its pixels."""
    return 2 * 3 * level.block[0] * level.block[1] + SPARE_BYTES


def _bytes(result: RGB | SlideError) -> int:
    return 0 if isinstance(result, SlideError) else result.nbytes
