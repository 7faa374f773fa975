"""Make an archive of slides from one real slide's own compressed blocks.

    python benchmarks/slide_archive.py --source CMU-1-Small-Region.svs --out DIR \
        --slides 8 --side-px 20000 --seed 0 [--at-40x 2] [--recoded 2]
    python benchmarks/slide_archive.py --source ... --out DIR --slides 10000 --side-px 600 --linked

Each slide is an Aperio-like pyramidal TIFF (levels 1, 4, 16; JPEG blocks) of 0.5 um per pixel, the
first `--at-40x` ones of 0.25. Level 0 holds whole compressed blocks of FILE, copied as they are:
its tissue blocks in smooth blobs over 30 to 60 % of the slide, its blocks of white glass elsewhere.
The last `--recoded` slides hold the same pixels in blocks of 256 px, YCbCr 4:2:0 at quality 70.
Lower levels are means of the decoded pixels, put together from each block's reductions: memory and
time per pixel do not grow with the slide. With `--linked` all slides are links to one file.

What comes out: slides/, manifest.csv (patient, slide, idh, split), a thumbnail.png of the first.
"""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import simplejpeg
import tifffile
import tyro
from numpy.typing import NDArray
from scipy import ndimage

from idhray.chance import generator
from idhray.images import RGB

DOWNSAMPLES = (1, 4, 16)
STAINED_GREEN = 200
"""Stain lets less green through."""
TISSUE_FRACTION = 0.6
"""Of a block's pixels stained, from which it goes inside blobs; without any it is glass."""
RECODED_PX, RECODED_QUALITY = 256, 70
LOWER_QUALITY = 85


@dataclass(frozen=True, kw_only=True)
class Source:
    """The blocks that slides are made of, tissue first."""

    side_px: int
    data: list[bytes]
    """Compressed."""
    tissue: int
    """So many are tissue, the others glass."""
    means: dict[int, RGB]
    """By downsample: (blocks, side, side, 3) of each block's means."""
    photometric: str
    tables: bytes | None
    """The JPEG tables that all blocks share, where they do not hold their own."""


def main(
    source: Path,
    out: Path,
    *,
    slides: int = 8,
    side_px: int = 20_000,
    at_40x: int = 0,
    recoded: int = 0,
    linked: bool = False,
    seed: int = 0,
) -> None:
    """Write the archive; print one JSON line."""
    if side_px < RECODED_PX or not 0 <= at_40x <= slides or not 0 <= recoded <= slides:
        raise SystemExit("slides of 256 px or more; --at-40x and --recoded up to --slides")
    folder = out / "slides"
    folder.mkdir(parents=True, exist_ok=True)
    side_px -= side_px % max(DOWNSAMPLES)
    plain, other = own_blocks(source), recoded_blocks(source)
    paths = [folder / f"slide-{number:05d}.svs" for number in range(slides)]
    for number, path in enumerate(paths):
        if linked and number:
            path.unlink(missing_ok=True)
            os.link(paths[0], path)
            continue
        blocks = other if number >= slides - recoded else plain
        layout = block_layout(blocks, side_px, seed, number)
        write_slide(path, blocks, layout, side_px, 0.25 if number < at_40x else 0.5)
    write_manifest(out / "manifest.csv", paths)
    with openslide.OpenSlide(str(paths[0])) as slide:
        slide.get_thumbnail((1000, 1000)).save(out / "thumbnail.png")
    megabytes = sum(path.stat().st_size for path in paths[: 1 if linked else None]) / 2**20
    print(json.dumps({"out": str(out), "slides": slides, "side_px": side_px, "mb": megabytes}))


# ---- blocks


def own_blocks(path: Path) -> Source:
    """The blocks that lie wholly inside the slide, as they lie in the file."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        photometric = tifffile.PHOTOMETRIC(page.photometric).name.lower()
        side = page.tilewidth
        pixels = page.asarray()
        across = -(-page.imagewidth // side)
        data, images = [], []
        for row in range(page.imagelength // side):
            for column in range(page.imagewidth // side):
                index = row * across + column
                tiff.filehandle.seek(page.dataoffsets[index])
                data.append(tiff.filehandle.read(page.databytecounts[index]))
                images.append(block_at(pixels, row, column, side))
        return sorted_blocks(images, data, photometric, page.jpegtables)


def recoded_blocks(path: Path) -> Source:
    """The slide's pixels in blocks of another size and coding."""
    with tifffile.TiffFile(path) as tiff:
        pixels = tiff.pages.first.asarray()
    rows, columns = (length // RECODED_PX for length in pixels.shape[:2])
    places = [(row, column) for row in range(rows) for column in range(columns)]
    data = [jpeg(block_at(pixels, *place, RECODED_PX), quality=RECODED_QUALITY) for place in places]
    images = [simplejpeg.decode_jpeg(block) for block in data]
    return sorted_blocks(images, data, "ycbcr", None)


def block_at(pixels: RGB, row: int, column: int, side: int) -> RGB:
    """A block of decoded pixels."""
    return pixels[row * side : (row + 1) * side, column * side : (column + 1) * side]


def jpeg(pixels: RGB, quality: int) -> bytes:
    """(side, side, 3) as JPEG in YCbCr, 4:2:0."""
    return bytes(
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=quality, colorsubsampling="420", fastdct=False
        )
    )


def sorted_blocks(
    images: list[RGB], data: list[bytes], photometric: str, tables: bytes | None
) -> Source:
    """Tissue, then glass, without what is neither."""
    stained = np.array([np.mean(image[..., 1] < STAINED_GREEN) for image in images])
    tissue, glass = np.flatnonzero(stained >= TISSUE_FRACTION), np.flatnonzero(stained == 0)
    if not (len(tissue) and len(glass)):
        raise SystemExit(f"{len(tissue)} blocks of tissue and {len(glass)} of glass: other source")
    kept = [*tissue, *glass]
    return Source(
        side_px=images[0].shape[0],
        data=[data[k] for k in kept],
        tissue=len(tissue),
        means={step: np.stack([means(images[k], step) for k in kept]) for step in DOWNSAMPLES[1:]},
        photometric=photometric,
        tables=tables,
    )


def means(image: RGB, step: int) -> RGB:
    """Of squares of `step` pixels."""
    side = image.shape[0] // step
    squares = image.reshape(side, step, side, step, 3)
    return np.asarray(np.rint(squares.mean(axis=(1, 3))), dtype=np.uint8)


def block_layout(blocks: Source, side_px: int, seed: int, number: int) -> NDArray[np.int32]:
    """(rows, columns): which block lies where; tissue in smooth blobs away from the edges."""
    random = generator(seed, "archive", number)
    count = -(-side_px // blocks.side_px)
    smooth = ndimage.gaussian_filter(random.normal(size=(count, count)), max(count / 12, 0.5))
    from_middle = np.hypot(*np.meshgrid(*[np.linspace(-1, 1, count)] * 2))
    height = smooth / smooth.std() - 2.5 * from_middle**2
    inside = height >= np.quantile(height, 1 - random.uniform(0.3, 0.6))
    glass = random.integers(blocks.tissue, len(blocks.data), size=inside.shape)
    tissue = random.integers(blocks.tissue, size=inside.shape)
    return np.asarray(np.where(inside, tissue, glass), dtype=np.int32)


# ---- files


def write_slide(
    path: Path, blocks: Source, layout: NDArray[np.int32], side_px: int, mpp: float
) -> None:
    """The pyramid; its lower levels have blocks of the same size."""
    said = f"Aperio Image Library v11.2.1 \r\n{side_px}x{side_px} ({blocks.side_px}x"
    said += f"{blocks.side_px}) JPEG mosaic of real blocks|AppMag = {10 / mpp:g}|MPP = {mpp:g}"
    part = path.with_suffix(".part")
    with tifffile.TiffWriter(part, bigtiff=side_px > 40_000) as tiff:
        for step in DOWNSAMPLES:
            tables = blocks.tables if step == 1 else None
            data = level_0(blocks, layout) if step == 1 else lower_level(blocks, layout, step)
            options: dict[str, Any] = {"subsampling": (2, 2)}
            if step == 1 and blocks.photometric == "rgb":
                # Without this, tifffile says YCbCr whatever the photometric.
                options = {"compressionargs": {"outcolorspace": "rgb"}}
            tiff.write(
                data,
                shape=(side_px // step, side_px // step, 3),
                dtype=np.uint8,
                tile=(blocks.side_px, blocks.side_px),
                compression="jpeg",
                photometric=blocks.photometric if step == 1 else "ycbcr",
                metadata=None,
                description=said,
                extratags=[(347, 7, len(tables), tables, True)] if tables else [],
                **options,
            )
    part.replace(path)


def level_0(blocks: Source, layout: NDArray[np.int32]) -> Iterator[bytes]:
    """Copies of the source's blocks, left to right, then down."""
    return (blocks.data[k] for k in layout.ravel())


def lower_level(blocks: Source, layout: NDArray[np.int32], step: int) -> Iterator[bytes]:
    """Blocks of means: `step` by `step` blocks of level 0 make one, white outside the slide."""
    reduced = blocks.means[step]
    small, side = reduced.shape[1], blocks.side_px
    for top in range(0, layout.shape[0], step):
        for left in range(0, layout.shape[1], step):
            here = layout[top : top + step, left : left + step]
            image = np.full((side, side, 3), 255, dtype=np.uint8)
            picture = reduced[here].swapaxes(1, 2)
            picture = picture.reshape(here.shape[0] * small, here.shape[1] * small, 3)
            image[: picture.shape[0], : picture.shape[1]] = picture
            yield jpeg(image, LOWER_QUALITY)


def write_manifest(path: Path, slides: list[Path]) -> None:
    """A patient for each slide, for training; every other one is mutant."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("patient", "slide", "idh", "split"))
        for number, slide in enumerate(slides):
            idh = "mutant" if number % 2 else "wildtype"
            rows.writerow((f"P{number:05d}", f"slides/{slide.name}", idh, "train"))


if __name__ == "__main__":
    tyro.cli(main)
