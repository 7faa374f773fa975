"""Read a tiled TIFF's own compressed blocks, each once, at the smallest scale that will do.

OpenSlide still opens the file and says its size, levels and resolution; the pixels come from the
file itself at a fraction of OpenSlide's time. A slide that is not of this kind, or whose blocks do
not come out as OpenSlide shows them, is refused with a reason and stays with `Slide`.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import openslide

from idhray.errors import SlideError
from idhray.images import RGB
from idhray.slides.file_check import why_no_slide
from idhray.slides.reader import Slide
from idhray.slides.resample import WHOLE_PX, Plan, resampled, whole_steps
from idhray.slides.tiff.blocks import Block, Blocks
from idhray.slides.tiff.check import readable_levels
from idhray.slides.tiff.codecs import JPEG_SHRINKS

CACHE_BYTES = 256 * 2**20
"""Of decoded blocks kept for regions still to come. Along the lower edge of a row of tiles, a
slide of 100,000 px takes 20 MB (blocks of 256 px, halved)."""


def can_read_directly(path: str) -> str | None:
    """Why `DirectSlide` cannot read the slide; None if it can.

    One block of each level is compared with OpenSlide's.
    """
    if reason := why_no_slide(path):
        return reason
    try:
        with openslide.OpenSlide(path) as handle:
            levels = readable_levels(path, handle)
    except (openslide.OpenSlideError, OSError) as error:
        return f"OpenSlide cannot open it ({' '.join(str(error).split())})"
    return levels if isinstance(levels, str) else None


class IndirectError(SlideError):
    """`Slide` must read this one."""


def open_slide(
    path: str,
    *,
    name: str | None = None,
    mpp: float | None = None,
    objective_power: float | None = None,
    assume_mpp: float | None = None,
    to_srgb: bool = False,
    direct: bool = True,
) -> Slide:
    """The slide, read directly where it can be, and by OpenSlide otherwise or if not `direct`.

    Raises:
        SlideError: as `Slide`.
    """
    known: dict[str, Any] = {"name": name, "mpp": mpp, "objective_power": objective_power}
    known |= {"assume_mpp": assume_mpp, "to_srgb": to_srgb}
    if direct:
        with contextlib.suppress(IndirectError):
            return DirectSlide(path, **known)
    return Slide(path, **known)


class DirectSlide(Slide):
    """A `Slide` whose regions come from the file's own blocks."""

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        mpp: float | None = None,
        objective_power: float | None = None,
        assume_mpp: float | None = None,
        to_srgb: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Open and index the file.

        Args:
            path: A local file.
            name: How messages call it.
            mpp: The manifest's, where it has one.
            objective_power: The manifest's, where it has one.
            assume_mpp: As of `Slide`.
            to_srgb: As of `Slide`.
            cache_bytes: See `CACHE_BYTES`; without room for it blocks are decoded again.

        Raises:
            SlideError: as `Slide`; or it cannot be read directly.
        """
        super().__init__(
            path,
            name=name,
            mpp=mpp,
            objective_power=objective_power,
            assume_mpp=assume_mpp,
            to_srgb=to_srgb,
        )
        self._blocks: Blocks | None = None
        try:
            levels = readable_levels(path, self._opened())
        except (openslide.OpenSlideError, OSError) as error:
            levels = " ".join(str(error).split())
        self.close()
        if isinstance(levels, str):
            raise IndirectError(f"{self.name}: cannot be read directly: {levels}; use Slide")
        self._levels, self._cache_bytes = levels, cache_bytes

    @property
    def blocks_decoded(self) -> int:
        """Since the file was last opened."""
        return 0 if self._blocks is None else self._blocks.decoded

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        super().close()
        # OpenSlide's part of __init__ may fail before there are blocks.
        blocks = getattr(self, "_blocks", None)
        if blocks is not None:
            blocks.close()
            self._blocks = None

    def region(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> RGB:
        """As `Slide.region`, of which it is the faster form."""
        plan = self._plan(x_l0, y_l0, size, mpp)
        try:
            pixels = self._assembled(plan)
        except SlideError as error:
            raise SlideError(f"{self.name}: unreadable at ({x_l0}, {y_l0}) ({error})") from None
        return self._in_srgb(resampled(pixels, plan.box[:2], plan, size))

    def regions(
        self, places: Iterable[tuple[int, int]], size: tuple[int, int], mpp: float
    ) -> Iterator[tuple[tuple[int, int], RGB | SlideError]]:
        """((x_l0, y_l0), pixels or what is wrong there) of many places, from the top down.

        No block is decoded twice, but for what `cache_bytes` has no room for. Memory: the blocks
        that a region still to come shares with one already read, and one region.

        Raises:
            SlideError: the slide is coarser than `mpp`.
        """
        order = sorted(places, key=lambda place: (place[1], place[0]))
        blocks = self._open_blocks()
        blocks.forget()
        plans = [self._plan(*place, size, mpp) for place in order]
        for plan in plans:
            blocks.expect(self._needed(plan))
        for place in order:
            try:
                yield place, self.region(*place, size, mpp)
            except SlideError as error:
                yield place, error
        blocks.forget()

    def _plan(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> Plan:
        """From which level and how much shrunk a region is read.

        The smallest decoding on whose pixels the region lies exactly. If there is none, the
        smallest that resampling at least halves: 2.004 (0.499 um for 10x) is resampled from whole
        pixels, for 2.7 times the time of 2. Decoded as 2 and then resampled, H&E would be off by 1
        to 2 gray values on average instead of 0.3 to 0.5.
        """
        whole = self._plan_at(x_l0, y_l0, size, mpp)
        level, _, *exact = whole
        scales = (whole.width / size[0], whole.height / size[1])
        shrinks = [shrink for shrink in JPEG_SHRINKS if self._divides(level, shrink)]
        plans = [Plan(level, shrink, *(length / shrink for length in exact)) for shrink in shrinks]
        return next(
            plan
            for plan in plans
            if plan.shrink == 1
            or (plan.shrink <= min(scales) + WHOLE_PX and whole_steps(plan, size))
            or (plan.shrink * 2 <= min(scales) and not whole_steps(whole, size))
        )

    def _divides(self, level: int, shrink: int) -> bool:
        return all(side % shrink == 0 for side in self._levels[level].block)

    def _open_blocks(self) -> Blocks:
        if self._blocks is None:
            try:
                self._blocks = Blocks(self.path, self._levels, cache_bytes=self._cache_bytes)
            except OSError as error:
                raise SlideError(f"{self.name}: cannot be read again: {error}") from None
        return self._blocks

    def _needed(self, plan: Plan) -> list[Block]:
        """The blocks that a region touches, in the order of the file."""
        level = self._levels[plan.level]
        spans = []
        for axis in (0, 1):
            step = level.block[axis] // plan.shrink
            first, end = plan.box[axis], plan.box[axis + 2]
            last = -(-level.size[axis] // level.block[axis])
            spans.append(range(max(first // step, 0), min(-(-end // step), last)))
        return [
            Block(plan.level, plan.shrink, row, column) for row in spans[1] for column in spans[0]
        ]

    def _assembled(self, plan: Plan) -> RGB:
        """The whole pixels that hold a region, white outside the level."""
        left, top, right, bottom = plan.box
        pixels = np.full((bottom - top, right - left, 3), 255, dtype=np.uint8)
        blocks, failed = self._open_blocks(), None
        for block in self._needed(plan):
            try:
                part = blocks.read(block)
            except SlideError as error:
                failed = failed or error  # the others are still read: their count is kept
                continue
            y, x = block.row * part.shape[0] - top, block.column * part.shape[1] - left
            target = pixels[max(y, 0) : y + part.shape[0], max(x, 0) : x + part.shape[1]]
            above, before = max(-y, 0), max(-x, 0)
            target[:] = part[above : above + target.shape[0], before : before + target.shape[1]]
        if failed is not None:
            raise failed
        return pixels
