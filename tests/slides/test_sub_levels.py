"""Levels of an OME-TIFF that lie in SubIFDs, which OpenSlide does not list."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from idhray.slides.direct import DirectSlide, open_slide
from idhray.slides.reader import Slide
from tests.slides.made_tiff import tissue

SIDE_PX = 1024
MPP = 0.25
STORED = {"tile": (128, 128), "photometric": "rgb", "compression": "zlib"}


def smooth(seed: int = 0) -> np.ndarray:
    """Spots some 20 pixels wide, which a copy of an eighth still shows."""
    return np.asarray(Image.fromarray(tissue(170, 170, seed)).resize((SIDE_PX, SIDE_PX)))


def write_ome(path: Path, image: np.ndarray, copies: list[np.ndarray], **stored) -> str:
    size = {"PhysicalSizeX": MPP, "PhysicalSizeY": MPP}
    meta = {"axes": "YXS", **size, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(image, subifds=len(copies), metadata=meta, **STORED | stored)
        for copy in copies:
            tiff.write(copy, subfiletype=1, metadata=None, **STORED | stored)
    return str(path)


def reduced(image: np.ndarray, *factors: int) -> list[np.ndarray]:
    return [np.asarray(Image.fromarray(image).reduce(factor)) for factor in factors]


@pytest.mark.parametrize("compression", ["zlib", "jpeg"])
def test_a_smaller_copy_in_a_subifd_is_a_level(tmp_path, compression):
    image = smooth()
    path = write_ome(tmp_path / "a.ome.tif", image, reduced(image, 4, 8), compression=compression)

    with DirectSlide(path) as direct, Slide(path) as plain:
        assert (direct.level_scale(4 * MPP), plain.level_scale(4 * MPP)) == (1, 4)
        assert direct.level_scale(8 * MPP) == 1
        place = (128, 256, (160, 96), 4 * MPP)
        difference = np.abs(direct.region(*place).astype(int) - plain.region(*place))
        whole = np.abs(direct.region(128, 256, (64, 64), MPP).astype(int) - image[256:320, 128:192])

    assert difference.mean() < (2 if compression == "zlib" else 6)  # colors at half scale
    assert whole.max() <= (0 if compression == "zlib" else 60)


def test_every_second_pixel_is_a_copy_too(tmp_path):
    image = smooth()
    path = write_ome(tmp_path / "a.ome.tif", image, [np.ascontiguousarray(image[::2, ::2])])

    with DirectSlide(path) as slide:
        assert slide.level_scale(2 * MPP) == 1


@pytest.mark.parametrize(
    "copy",
    [
        reduced(smooth(seed=1), 4)[0],
        reduced(smooth(), 4)[0][:, ::-1].copy(),
        reduced(smooth(), 4)[0][:200],
        np.full((256, 256, 3), 255, dtype=np.uint8),
    ],
    ids=["another picture", "mirrored", "cut off", "white"],
)
def test_a_copy_that_shows_something_else_is_not_used(tmp_path, copy):
    image = smooth()
    path = write_ome(tmp_path / "a.ome.tif", image, [copy, reduced(image, 8)[0]])

    with DirectSlide(path) as slide:
        assert slide.level_scale(4 * MPP) == 4, "read from level 0"
        assert slide.level_scale(8 * MPP) == 1, "the next copy is right"


def test_a_copy_with_damaged_blocks_is_not_used(tmp_path):
    image = smooth()
    path = write_ome(tmp_path / "a.ome.tif", image, reduced(image, 4))
    with tifffile.TiffFile(path) as tiff:
        copy = tiff.pages.first.pages[0].aspage()
        places = list(zip(copy.dataoffsets, copy.databytecounts, strict=True))
    with open(path, "r+b") as file:
        for offset, count in places:
            file.seek(offset)
            file.write(bytes(count))

    with open_slide(path) as slide:
        assert slide.level_scale(4 * MPP) == 4
        assert slide.region(0, 0, (64, 64), 4 * MPP).shape == (64, 64, 3)
