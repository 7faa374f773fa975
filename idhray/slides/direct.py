"""Reader of a tiled TIFF's own compressed blocks: each once, at the smallest sufficient scale.

OpenSlide still opens the file and gives its size, levels and resolution; the pixels are decoded
from the file itself in a fraction of OpenSlide's time. Smaller copies in the SubIFDs of an OME-TIFF
are further levels, which OpenSlide does not know. A slide of another kind, or one whose blocks
differ from what OpenSlide shows, is refused with a reason and read by `Slide`.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import openslide

from idhray.errors import SlideError, one_line
from idhray.images import RGB
from idhray.slide_cache.source import OME_ZARR_FILE
from idhray.slides.reader import Slide, UnopenedError
from idhray.slides.resample import WHOLE_PX, ReadPlan, level_downsamples, resampled, whole_steps
from idhray.slides.second_reader import SecondSlide, refuse_other_pixels
from idhray.slides.tiff.blocks import BlockKey, BlockReader
from idhray.slides.tiff.check import readable_levels, usable_shrinks
from idhray.slides.tiff.codecs import JPEG_SHRINKS
from idhray.slides.tiff.tiles import TiledLevel, sub_levels

SecondReader = Literal["never", "unopened", "always"]

CACHE_BYTES = 256 * 2**20
"""Limit of decoded blocks that are stored for later regions; beyond it blocks are decoded again.
For the lower edge of a row of tiles, a slide 100,000 px wide takes 20 MB (256 px blocks, halved).
"""
MAX_COPY_DIFFERENCE = 3.0
"""Largest average difference in gray values between a smaller copy in a SubIFD and the next finer
level, over the means of 8 x 8 squares of a block."""
LEAST_STEP, MAX_STEP = 1.9, 16
"""Ratio of the sides of two neighboring levels of which one lies in a SubIFD."""


class IndirectError(SlideError):
    """The slide cannot be read directly; `Slide` must read it."""


def open_slide(
    path: str,
    *,
    name: str | None = None,
    mpp: float | None = None,
    objective_power: float | None = None,
    assume_mpp: float | None = None,
    to_srgb: bool = False,
    direct: bool = True,
    second_reader: SecondReader = "never",
) -> Slide:
    """Open a slide: read directly if possible and `direct` is set, else by OpenSlide.

    Args:
        path: Path of a local file, see `Slide`.
        name: See `Slide`, as the next four.
        mpp: um per pixel in the manifest, if any.
        objective_power: Objective power in the manifest, if any.
        assume_mpp: um per pixel of a slide whose resolution is unknown.
        to_srgb: Convert colors by the file's ICC profile.
        direct: Decode the file's own blocks where possible.
        second_reader: Use of fastslide: never, for slides that OpenSlide cannot open, or always.

    Raises:
        SlideError: see `Slide`.
        ConfigError: the second reader is needed and not installed.
    """
    options: dict[str, Any] = {"name": name, "mpp": mpp, "objective_power": objective_power}
    options |= {"assume_mpp": assume_mpp, "to_srgb": to_srgb}
    if second_reader == "always" or os.path.basename(path) == OME_ZARR_FILE:
        if second_reader == "never":
            raise SlideError(
                f"{name or path}: is an OME-Zarr, which OpenSlide does not read; use "
                "--second-reader unopened"
            )
        return _second(path, options)
    try:
        if direct:
            with contextlib.suppress(IndirectError):
                return DirectSlide(path, **options)
        return Slide(path, **options)
    except UnopenedError:
        if second_reader == "never":
            raise
        return _second(path, options)


def _second(path: str, options: dict[str, Any]) -> Slide:
    slide = SecondSlide(path, **options)
    try:
        refuse_other_pixels(slide)
    except SlideError:
        slide.close()
        raise
    return slide


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
    ) -> None:
        """Open and index the file. The arguments are those of `Slide`.

        Raises:
            SlideError: see `Slide`.
            IndirectError: the slide cannot be read directly.
        """
        super().__init__(
            path,
            name=name,
            mpp=mpp,
            objective_power=objective_power,
            assume_mpp=assume_mpp,
            to_srgb=to_srgb,
        )
        self._blocks: BlockReader | None = None
        try:
            levels = readable_levels(path, self._opened())
        except (openslide.OpenSlideError, OSError) as error:
            levels = one_line(error)
        self.close()
        if isinstance(levels, str):
            raise IndirectError(f"{self.name}: cannot be read directly: {levels}; use Slide")
        self._use(levels)
        for level in sub_levels(path, self.size_l0):
            self._add(level)

    def _use(self, levels: list[TiledLevel]) -> None:
        self.close()
        self._levels = levels
        self._downsamples = level_downsamples([level.size for level in levels])

    def _add(self, level: TiledLevel) -> None:
        """Use a level that OpenSlide does not list, if it shows the next finer level."""
        listed = self._levels
        if not LEAST_STEP <= listed[-1].size[0] / level.size[0] <= MAX_STEP:
            return
        self._use([*listed, level])
        try:
            checked = self._compared_with_finer(level)
        except SlideError:
            checked = None
        self._use(listed if checked is None else [*listed, checked])

    def _compared_with_finer(self, level: TiledLevel) -> TiledLevel | None:
        """The last level with its usable scales; None if its longest block shows something else."""
        blocks, number = self._open_blocks(), len(self._levels) - 1
        lengths = np.where(blocks.plausible(level), level.counts, 0)
        if not lengths.any():
            return None
        row, column = divmod(int(np.argmax(lengths)), level.across)
        left, top = column * level.block[0], row * level.block[1]
        width, height = (
            min(block, side - start)
            for block, side, start in zip(level.block, level.size, (left, top), strict=True)
        )
        x, y = (
            coarse / fine
            for coarse, fine in zip(self._downsamples[-1], self._downsamples[-2], strict=True)
        )
        squares = (min(8, width), min(8, height))
        views = [
            ReadPlan(number, 1, left, top, width, height),
            ReadPlan(number - 1, 1, left * x, top * y, width * x, height * y),
        ]
        coarse, fine = (
            resampled(self._assembled(plan), plan.box[:2], plan, squares).astype(np.int16)
            for plan in views
        )
        if np.abs(coarse - fine).mean() > MAX_COPY_DIFFERENCE:
            return None
        data = blocks.data(BlockKey(number, 1, row, column))
        return replace(level, coding=replace(level.coding, scaled=usable_shrinks(data, level)))

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        super().close()
        # Slide.__init__ may fail, and close, before the attribute exists.
        blocks = getattr(self, "_blocks", None)
        if blocks is not None:
            blocks.close()
            self._blocks = None

    def region(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> RGB:
        """Pixels of a region, see `Slide.region`."""
        plan = self._plan(x_l0, y_l0, size, mpp)
        try:
            pixels = self._assembled(plan)
        except SlideError as error:
            raise SlideError(f"{self.name}: unreadable at ({x_l0}, {y_l0}) ({error})") from None
        return self._in_srgb(resampled(pixels, plan.box[:2], plan, size))

    def regions(
        self, places: Iterable[tuple[int, int]], size: tuple[int, int], mpp: float
    ) -> Iterator[tuple[tuple[int, int], RGB | SlideError]]:
        """((x_l0, y_l0), pixels or error) of many places, from the top down.

        No block is decoded twice unless `CACHE_BYTES` is exceeded. Memory: the blocks that a later
        region shares with an earlier one, and one region.

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

    def _plan(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> ReadPlan:
        """Level and scale from which a region is read.

        The smallest decoding whose pixel grid fits the region exactly is chosen. If none fits, it
        is the smallest one that resampling then at least halves. Example: a scale of 2.004
        (0.499 um for 10x) is resampled from full-scale pixels, which takes 2.7 times as long as a
        scale of 2. If it were decoded at one half and then resampled, H&E would be off by 1 to 2
        gray values on average instead of 0.3 to 0.5.
        """
        whole = self._plan_at(x_l0, y_l0, size, mpp)
        level, _, *exact = whole
        scales = (whole.width / size[0], whole.height / size[1])
        shrinks = [shrink for shrink in JPEG_SHRINKS if self._divides(level, shrink)]
        plans = [
            ReadPlan(level, shrink, *(length / shrink for length in exact)) for shrink in shrinks
        ]
        return next(
            plan
            for plan in plans
            if plan.shrink == 1
            or (plan.shrink <= min(scales) + WHOLE_PX and whole_steps(plan, size))
            or (plan.shrink * 2 <= min(scales) and not whole_steps(whole, size))
        )

    def _divides(self, level: int, shrink: int) -> bool:
        return all(side % shrink == 0 for side in self._levels[level].block)

    def _open_blocks(self) -> BlockReader:
        if self._blocks is None:
            try:
                self._blocks = BlockReader(self.path, self._levels, cache_bytes=CACHE_BYTES)
            except OSError as error:
                raise SlideError(f"{self.name}: cannot be read again: {error}") from None
        return self._blocks

    def _needed(self, plan: ReadPlan) -> list[BlockKey]:
        """Blocks that a region touches, in the order of the file."""
        level = self._levels[plan.level]
        spans = []
        for axis in (0, 1):
            step = level.block[axis] // plan.shrink
            first, end = plan.box[axis], plan.box[axis + 2]
            last = -(-level.size[axis] // level.block[axis])
            spans.append(range(max(first // step, 0), min(-(-end // step), last)))
        return [
            BlockKey(plan.level, plan.shrink, row, column)
            for row in spans[1]
            for column in spans[0]
        ]

    def _assembled(self, plan: ReadPlan) -> RGB:
        """Whole pixels that cover a region, white outside the level."""
        left, top, right, bottom = plan.box
        pixels = np.full((bottom - top, right - left, 3), 255, dtype=np.uint8)
        blocks, failed = self._open_blocks(), None
        for block in self._needed(plan):
            try:
                part = blocks.read(block)
            except SlideError as error:
                failed = failed or error  # the other blocks are still read, so that counts match
                continue
            y, x = block.row * part.shape[0] - top, block.column * part.shape[1] - left
            target = pixels[max(y, 0) : y + part.shape[0], max(x, 0) : x + part.shape[1]]
            above, before = max(-y, 0), max(-x, 0)
            target[:] = part[above : above + target.shape[0], before : before + target.shape[1]]
        if failed is not None:
            raise failed
        return pixels
