"""How fast is a slide read as tiles at 10x: OpenSlide, or the file's own blocks?

    python benchmarks/slide_reading.py --slide FILE [--mosaic-px 8160] [--mpp 0.5] [--rounds 3]

With `--mosaic-px`, FILE is a small JPEG slide whose whole blocks are copied, as they are, into a
square slide of one level of at least that side, in a temporary folder; `--mpp` is what it then
says. Ways, in turn, one thread each, every whole 1024 px tile of the slide:

openslide    `Slide.region`
one by one   `DirectSlide.region`: blocks at tile borders are decoded for each tile
full scale   `DirectSlide.regions`, blocks decoded at full scale and their means taken
direct       `DirectSlide.regions`
decode only  each block decoded as for `direct`, and thrown away: what bounds it

Prints one JSON line: megapixels of level 0 in those tiles per CPU-second, median and range of the
rounds; how `direct` differs from `openslide`; what is kept of blocks at most.
"""

import json
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import tifffile
import tyro

from idhray.chance import generator
from idhray.slides.direct import DirectSlide
from idhray.slides.reader import UM_AT_1X, Slide
from idhray.slides.tiff.blocks import BlockKey, BlockReader
from idhray.slides.tiling import tile_grid


def main(
    slide: Path,
    *,
    mosaic_px: int = 0,
    mpp: float = 0.5,
    magnification: float = 10.0,
    tile_px: int = 1024,
    rounds: int = 3,
) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = slide
        if mosaic_px:
            path = Path(folder) / "mosaic.tiff"
            write_mosaic(slide, path, mosaic_px, mpp)
        print(json.dumps(figures(str(path), UM_AT_1X / magnification, tile_px, rounds)))


def write_mosaic(source: Path, path: Path, side_px: int, mpp: float) -> None:
    """Blocks of `source` that lie wholly inside it, in random order, as often as needed."""
    with tifffile.TiffFile(source) as tiff:
        page = tiff.pages.first
        block = page.tilewidth
        across, down = page.imagewidth // block, page.imagelength // block
        columns = -(-page.imagewidth // block)
        data = []
        for row in range(down):
            for column in range(across):
                index = row * columns + column
                tiff.filehandle.seek(page.dataoffsets[index])
                data.append(tiff.filehandle.read(page.databytecounts[index]))
        tables = page.jpegtables
        photometric = page.photometric
    side = -(-side_px // block)
    random = generator(0, "mosaic")
    rows: Iterator[bytes] = (data[k] for k in random.integers(len(data), size=side * side))
    with tifffile.TiffWriter(path, bigtiff=True) as out:
        out.write(
            rows,
            shape=(side * block, side * block, 3),
            dtype=np.uint8,
            tile=(block, block),
            compression="jpeg",
            photometric="rgb",
            # Without this, tifffile says YCbCr whatever the photometric.
            compressionargs={"outcolorspace": photometric.name.lower()},
            resolution=(1e4 / mpp, 1e4 / mpp),
            resolutionunit="CENTIMETER",
            metadata=None,
            extratags=[(347, 7, len(tables), tables, True)] if tables else [],
        )


def figures(path: str, mpp: float, tile_px: int, rounds: int) -> dict[str, object]:
    """What is printed."""
    size = (tile_px, tile_px)
    with (
        Slide(path) as plain,
        DirectSlide(path) as direct,
        DirectSlide(path) as full,
    ):
        full._levels = [
            replace(level, coding=replace(level.coding, scaled=())) for level in full._levels
        ]
        tile_l0 = plain.extent_l0(size, mpp)
        places = tile_grid(plain.size_l0, tile_l0)
        ways: dict[str, Callable[[], object]] = {
            "openslide": lambda: [plain.region(*place, size, mpp).shape for place in places],
            "one by one": lambda: [direct.region(*place, size, mpp).shape for place in places],
            "full scale": lambda: [found[1].shape for found in full.regions(places, size, mpp)],
            "direct": lambda: [found[1].shape for found in direct.regions(places, size, mpp)],
            "decode only": lambda: decode_all(direct, places, size, mpp),
        }
        spent = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                start = process_time()
                way()
                spent[name].append(process_time() - start)
        megapixels = len(places) * tile_l0[0] * tile_l0[1] / 1e6
        off = [
            np.abs(direct.region(*place, size, mpp).astype(int) - plain.region(*place, size, mpp))
            for place in places[:: max(len(places) // 4, 1)]
        ]
        said = {
            name: [round(megapixels / figure, 1) for figure in (median(s), max(s), min(s))]
            for name, s in spent.items()
        }
        return {
            "slide": {"size_l0": plain.size_l0, "mpp": plain.mpp, "tiles": len(places)},
            "blocks": direct._levels[0].block,
            "mpx_of_level_0_per_cpu_s": said,
            "difference_mean": round(float(np.mean([each.mean() for each in off])), 3),
            "difference_max": int(max(each.max() for each in off)),
            "kept_mb": round(kept_bytes(direct, places, size, mpp) / 2**20, 2),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        }


def decode_all(
    slide: DirectSlide, places: list[tuple[int, int]], size: tuple[int, int], mpp: float
) -> None:
    """Each block that the tiles touch, once."""
    needed = {block for place in places for block in slide._needed(slide._plan(*place, size, mpp))}
    blocks = BlockReader(slide.path, slide._levels, cache_bytes=0)
    for block in sorted(needed, key=lambda b: BlockKey(b.level, b.shrink, b.row, b.column)):
        blocks.read(block)
    blocks.close()


def kept_bytes(
    slide: DirectSlide, places: list[tuple[int, int]], size: tuple[int, int], mpp: float
) -> int:
    """The most that decoded blocks took between two tiles."""
    return max(slide._open_blocks().cached_bytes for _ in slide.regions(places, size, mpp))


if __name__ == "__main__":
    tyro.cli(main)
