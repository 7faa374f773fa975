"""Tiled TIFFs of every compression, made for a test; pictures with fine detail."""

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

BLOCK_PX = 64


def tissue(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Pink and purple spots on white, a few pixels wide; `(height, width, 3) uint8`."""
    random = np.random.default_rng(seed)
    coarse = random.integers(60, 255, (height // 3 + 1, width // 3 + 1, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def zone_plate(side_px: int) -> np.ndarray:
    """Rings that narrow to two pixels at the middle of each edge; gray, amplitude 100."""
    y, x = np.mgrid[:side_px, :side_px] - (side_px - 1) / 2
    gray = 128 + 100 * np.cos(np.pi * (x * x + y * y) / side_px)
    return np.repeat(np.rint(gray).astype(np.uint8)[..., None], 3, axis=2)


def blocks(image: np.ndarray, block_px: int = BLOCK_PX) -> list[np.ndarray]:
    """The picture cut into blocks; the last ones are filled up with green."""
    height, width = image.shape[:2]
    full = np.full((-(-height // block_px) * block_px, -(-width // block_px) * block_px, 3), 0)
    full = full.astype(np.uint8) + np.array([0, 255, 0], dtype=np.uint8)
    full[:height, :width] = image
    return [
        np.ascontiguousarray(full[y : y + block_px, x : x + block_px])
        for y in range(0, height, block_px)
        for x in range(0, width, block_px)
    ]


def jpeg(pixels: np.ndarray, photometric: str, subsampling: str, quality: int = 70) -> bytes:
    """One block; inside a stream that is called RGB the colors are RGB."""
    inside = "YCBCR" if photometric == "ycbcr" else "RGB"
    return bytes(
        imagecodecs.jpeg8_encode(
            pixels,
            level=quality,
            colorspace="RGB",
            outcolorspace=inside,
            subsampling=subsampling,
        )
    )


def without_tables(data: bytes) -> tuple[bytes, bytes]:
    """A JPEG's shared tables (as in JPEGTables) and what is left of it."""
    tables, own, place = b"", b"", 2
    while data[place + 1] != 0xDA:
        stop = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] in (0xDB, 0xC4):
            tables += data[place:stop]
        else:
            own += data[place:stop]
        place = stop
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + own + data[place:]


def write_jpeg(
    path: Path,
    image: np.ndarray,
    *,
    downsamples=(1,),
    photometric="ycbcr",
    subsampling="420",
    quality=70,
    mpp=0.5,
    block_px=BLOCK_PX,
    tables=False,
    bigtiff=False,
    icc_profile=None,
    change=lambda number, data: data,
) -> str:
    """A pyramid of JPEG blocks.

    `change` gets the number of each block of level 0 and its bytes, and returns what is written.
    """
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tiff:
        for downsample in downsamples:
            level = np.asarray(Image.fromarray(image).reduce(downsample))
            coded = [jpeg(b, photometric, subsampling, quality) for b in blocks(level, block_px)]
            extra = []
            if tables:
                shared = without_tables(coded[0])[0]
                coded = [without_tables(data)[1] for data in coded]
                extra = [(347, 7, len(shared), shared, True)]
            if downsample == 1:
                coded = [change(number, data) for number, data in enumerate(coded)]
            factors = (2, 2) if subsampling == "420" and photometric == "ycbcr" else (1, 1)
            tiff.write(
                iter(coded),
                shape=level.shape,
                dtype=np.uint8,
                tile=(block_px, block_px),
                compression="jpeg",
                photometric="rgb",
                # Without this, tifffile says YCbCr whatever the photometric.
                compressionargs={"outcolorspace": photometric},
                subsampling=factors if photometric == "ycbcr" else None,
                resolution=(1e4 / mpp, 1e4 / mpp),
                resolutionunit="CENTIMETER",
                subfiletype=int(downsample > 1),
                metadata=None,
                iccprofile=icc_profile,
                extratags=extra,
            )
    return str(path)


def write_jpeg2000(path: Path, image: np.ndarray, compression: int) -> str:
    """One level as Aperio writes it: 33005 holds RGB, 33003 YCbCr."""
    coded = []
    for pixels in blocks(image):
        inside = pixels if compression == 33005 else np.asarray(_ycbcr(pixels))
        coded.append(
            bytes(
                imagecodecs.jpeg2k_encode(
                    inside, codecformat="j2k", level=0, mct=False, resolutions=3
                )
            )
        )
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            iter(coded),
            shape=image.shape,
            dtype=np.uint8,
            tile=(BLOCK_PX, BLOCK_PX),
            compression=compression,
            photometric="rgb" if compression == 33005 else "ycbcr",
            description="Aperio Image Library v1\r\n|AppMag = 20|MPP = 0.5",
            metadata=None,
        )
    return str(path)


def _ycbcr(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels).convert("YCbCr")


def write_plain(path: Path, image: np.ndarray, compression: str | None, predictor=False) -> str:
    """One level without loss."""
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            image,
            tile=(BLOCK_PX, BLOCK_PX),
            compression=compression,
            predictor=predictor,
            photometric="rgb",
            resolution=(2e4, 2e4),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
    return str(path)


def write_leica(
    path: Path, image: np.ndarray, *, corner: tuple[int, int], whole: tuple[int, int], mpp=0.5
) -> str:
    """An SCN of levels 1 and 4, its picture at `corner` of an empty glass of `whole` (w, h) px."""
    small = np.asarray(Image.fromarray(image).reduce(4))
    nm = round(mpp * 1000)

    def scan(levels, size, place, power):
        sizes = "".join(
            f'<dimension sizeX="{level.shape[1]}" sizeY="{level.shape[0]}" r="{r}" ifd="{page}"/>'
            for r, (page, level) in enumerate(levels)
        )
        return (
            f'<image><device model="Leica SCN400" version="1"/><pixels>{sizes}</pixels>'
            f'<view sizeX="{size[0] * nm}" sizeY="{size[1] * nm}" offsetX="{place[0] * nm}" '
            f'offsetY="{place[1] * nm}"/><scanSettings><objectiveSettings><objective>{power}'
            "</objective></objectiveSettings><illuminationSettings><illuminationSource>brightfield"
            "</illuminationSource></illuminationSettings></scanSettings></image>"
        )

    macro = np.full((64, 64, 3), 255, dtype=np.uint8)
    xml = (
        '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection '
        f'sizeX="{whole[0] * nm}" sizeY="{whole[1] * nm}">'
        + scan([(0, macro)], whole, (0, 0), 0.6)
        + scan([(1, image), (2, small)], (image.shape[1], image.shape[0]), corner, 20)
        + "</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for page, pixels in enumerate((macro, image, small)):
            tiff.write(
                pixels,
                tile=(BLOCK_PX, BLOCK_PX),
                compression="zlib",
                photometric="rgb",
                description=xml if page == 0 else None,
                metadata=None,
            )
    return str(path)
