"""The decoded blocks of one TIFF, each decoded once while somebody still needs it."""

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

SPARE_BYTES = 65536  # a block that does not compress is a little longer than its pixels


class Block(NamedTuple):
    """Which block, and how it is wanted."""

    level: int
    shrink: int
    """1, 2, 4 or 8."""
    row: int
    column: int


class Blocks:
    """The blocks of one open file.

    Between regions, only blocks that `expect` announced more often than they were read are kept,
    and never more than `cache_bytes` of them; what does not fit is decoded again.

    Attributes:
        decoded: Blocks decoded so far.
        kept_bytes: What the kept blocks take now.
    """

    def __init__(self, path: str, levels: list[TiledLevel], *, cache_bytes: int) -> None:
        self.levels = levels
        self.decoded = 0
        self.kept_bytes = 0
        self._cache_bytes = cache_bytes
        self._kept: dict[Block, RGB | SlideError] = {}
        self._awaited: Counter[Block] = Counter()
        self._file = open(path, "rb")  # noqa: SIM115 it is closed by close()
        self._file_bytes = os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Let go of the file and of all blocks."""
        self.forget()
        self._file.close()

    def plausible(self, level: TiledLevel) -> NDArray[np.bool_]:
        """Which blocks of a level lie within the file and are not absurdly long."""
        ends = level.offsets + level.counts
        return (level.counts <= _most_bytes(level)) & (ends <= self._file_bytes)

    def forget(self) -> None:
        """Nothing is awaited any more."""
        self._kept.clear()
        self._awaited.clear()
        self.kept_bytes = 0

    def expect(self, blocks: Iterable[Block]) -> None:
        """Each of `blocks` will be read once (more) by a later `read`."""
        self._awaited.update(blocks)

    def read(self, block: Block) -> RGB:
        """(height / shrink, width / shrink, 3) uint8; white beyond the level's edge.

        Raises:
            SlideError: it is damaged.
        """
        found = self._kept.get(block)
        if found is None:
            found = self._decoded_or_error(block)
        self._awaited[block] -= 1
        if self._awaited[block] > 0:
            self._keep(block, found)
        else:
            del self._awaited[block]
            if self._kept.pop(block, None) is not None:
                self.kept_bytes -= _bytes(found)
        if isinstance(found, SlideError):
            raise SlideError(str(found))
        return found

    def _keep(self, block: Block, found: RGB | SlideError) -> None:
        fits = self.kept_bytes + _bytes(found) <= self._cache_bytes
        if block not in self._kept and fits:
            self._kept[block] = found
            self.kept_bytes += _bytes(found)

    def _decoded_or_error(self, block: Block) -> RGB | SlideError:
        self.decoded += 1
        try:
            return self._decode(block)
        except SlideError as error:
            return error

    def _decode(self, block: Block) -> RGB:
        level = self.levels[block.level]
        data = self.data(block)
        width, height = level.block
        inside = (
            min(width, level.size[0] - block.column * width),
            min(height, level.size[1] - block.row * height),
        )
        if inside == level.block:
            return decode_block(data, level.block, level.coding, block.shrink)
        # Whatever the file holds beyond the level's edge must not be mixed into its last pixels.
        pixels = np.full((height, width, 3), 255, dtype=np.uint8)
        whole = decode_block(data, level.block, level.coding)
        pixels[: inside[1], : inside[0]] = whole[: inside[1], : inside[0]]
        return shrunk(pixels, block.shrink)

    def data(self, block: Block) -> bytes:
        """A block as it lies in the file.

        Raises:
            SlideError: it does not lie within the file, or is absurdly long.
        """
        level = self.levels[block.level]
        index = block.row * level.across + block.column
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
    """More than any block of the level can need: twice its pixels."""
    return 2 * 3 * level.block[0] * level.block[1] + SPARE_BYTES


def _bytes(found: RGB | SlideError) -> int:
    return 0 if isinstance(found, SlideError) else found.nbytes
