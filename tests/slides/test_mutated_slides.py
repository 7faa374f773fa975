"""Slides with damaged headers: each is tiled or refused in one line, in bounded time and memory."""

import functools
from collections import Counter

import pytest

from idhray.slides.direct import open_slide
from idhray.slides.tile_rows import tile_rows
from idhray.slides.tiling import plan_tiles
from idhray.slides.tiling_settings import TilingSettings
from tests.forked import fate, mutated
from tests.slides.made import write_slide
from tests.slides.made_tiff import tissue, write_jpeg

SETTINGS = TilingSettings(
    tile_px=64, mask_mpp=8.0, min_object_px=0, select="all", check_colors=False
)
CRASH = ("died of SIGSEGV", "died of SIGABRT", "died of SIGBUS", "died of SIGTRAP")
"""In a worker a crash of the library is a failed row: Ray starts another one."""


def _tile(path: str) -> None:
    with open_slide(path, name="case", assume_mpp=0.5) as slide:
        plan = plan_tiles(slide, SETTINGS)
        for _ in tile_rows(slide, plan.tiles[:4], SETTINGS, plan.green_limit):
            pass


def _slides(folder) -> list[bytes]:
    image = tissue(300, 260)
    paths = [
        write_slide(folder / "plain.tiff", image, 0.5, downsamples=(1, 4)),
        write_jpeg(folder / "jpeg.tiff", image),
    ]
    return [open(path, "rb").read() for path in paths]


def _headers(data: bytes) -> tuple[int, int]:
    """First and last place of the tags; tifffile writes the first directory at the start."""
    return 0, min(1200, len(data))


def _fates(folder, seeds) -> Counter:
    files = _slides(folder)
    counts: Counter = Counter()
    for seed in seeds:
        data = files[seed % len(files)]
        first, end = _headers(data)
        path = folder / f"{seed}.tiff"
        path.write_bytes(mutated(data, seed, first=first, end=end))
        answer = fate(functools.partial(_tile, str(path)))
        path.unlink()
        counts[answer if answer in ("done", "refused", *CRASH) else f"seed {seed}: {answer}"] += 1
    return counts


def _assert_orderly(counts: Counter) -> None:
    assert [text for text in counts if text.startswith(("seed", "refused in"))] == []
    assert sum(counts[text] for text in CRASH) == 0
    assert counts["refused"] > 0
    assert counts["done"] > 0


def test_damaged_headers_are_refused_in_one_line(tmp_path):
    """A cohort of thousands has some, and one traceback ends the whole stage."""
    _assert_orderly(_fates(tmp_path, range(24)))


@pytest.mark.slow
def test_five_hundred_damaged_headers(tmp_path):
    """The same with more seeds."""
    _assert_orderly(_fates(tmp_path, range(1000, 1500)))
