"""Files that are no slides, or lie: one line each, before OpenSlide can end the process."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tifffile
from PIL import Image

from idhray.errors import SlideError
from idhray.slides.direct import open_slide
from idhray.slides.file_check import wrong_levels
from idhray.slides.reader import Slide
from tests.slides.made import PINK, change_tag, plain, write_slide
from tests.slides.made_dicom import write_dicom
from tests.slides.made_tiff import blocks, jpeg, tissue, write_jpeg, write_plain

SIDE = 256
SCALE = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER", "metadata": None}


def refused(path, message: str) -> None:
    """Both ways of opening say the same, in one line."""
    for way in (Slide, open_slide):
        with pytest.raises(SlideError, match=message) as error:
            way(str(path), name="case", assume_mpp=0.5)

        assert str(error.value).startswith("case: ")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="no bytes"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "is a Git-LFS pointer of 64 bytes; run git lfs pull",
            id="Git-LFS",
        ),
        pytest.param(
            b"\n<!DOCTYPE html>\n<html>404", r"failed download \(<!DOCTYPE html> <html>404\)"
        ),
        pytest.param(b'{"error": "no token"}', "error page of a failed download", id="JSON"),
        pytest.param(b"<?xml version='1.0'?><Error>", "error page of a failed download", id="S3"),
        pytest.param(b"patient,slide\n", r"OpenSlide cannot open it \(.*leave it out", id="text"),
        pytest.param(b"II*\0\x08", "the file is cut short", id="five bytes of a TIFF"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "a PNG picture, .*convert it to a tiled", id="PNG"),
        pytest.param(b"\xff\xd8\xff\xe0", "a JPEG picture, .*convert it to a tiled", id="JPEG"),
        pytest.param(b"PK\3\4" + bytes(60), "a ZIP archive; convert it", id="ZIP"),
    ],
)
def test_files_of_other_kinds(tmp_path, content, message):
    """A download that failed is by far the commonest of them."""
    (tmp_path / "a.svs").write_bytes(content)

    refused(tmp_path / "a.svs", message)


@pytest.mark.parametrize("compression", ["webp", "jpeg2000", "jpegxl"])
def test_a_compression_that_openslide_lacks_is_named(tmp_path, compression):
    """ "Get the file again" would bring the same file."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, tissue(128, 128), tile=(64, 64), compression=compression, **SCALE)

    refused(path, "its blocks are (WebP|JPEG 2000|JPEG XL), .*convert it to a tiled")


def test_what_is_no_file(tmp_path):
    """Opening a pipe would wait forever."""
    os.mkfifo(tmp_path / "pipe.svs")
    (tmp_path / "folder.svs").mkdir()

    refused(tmp_path / "pipe.svs", "is a pipe or device")
    refused(tmp_path / "folder.svs", "is a folder")
    refused(tmp_path / "none.svs", r"no file .*none\.svs; correct its manifest row")


def test_a_transfer_in_text_mode(tmp_path):
    """Its header is whole, and it may open; every pixel is lost."""
    good = (write_jpeg(tmp_path / "good.tiff", tissue(SIDE, SIDE)), tmp_path / "a.svs")
    good[1].write_bytes((tmp_path / "good.tiff").read_bytes().replace(b"\n", b"\r\n"))

    refused(good[1], "destroyed by a transfer in text mode")
    with Slide(good[0]):
        pass


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_a_truncated_file(tmp_path, kept):
    """The directory of its second level is gone."""
    write_jpeg(tmp_path / "a.tiff", tissue(SIDE, SIDE), downsamples=(1, 4))
    data = (tmp_path / "a.tiff").read_bytes()
    (tmp_path / "a.tiff").write_bytes(data[: int(len(data) * kept)])

    refused(tmp_path / "a.tiff", r"OpenSlide cannot open it \(.*; the file is cut short; get")


PICTURE = tissue(SIDE, SIDE)
HALF = np.asarray(Image.fromarray(PICTURE).reduce(2))
GRAY, RGB = {"photometric": "minisblack"}, {"photometric": "rgb"}


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        (PICTURE.astype(np.uint16) * 257, RGB, r"a pixel: 3 \(rgb\) of 16 bits"),
        (PICTURE[..., 0].astype(np.uint16), GRAY, r"a pixel: 1 \(minisblack\) of 16 bits"),
        (PICTURE[..., 0], GRAY, r"a pixel: 1 \(minisblack\) of 8 bits"),
        (
            np.dstack([PICTURE, PICTURE[..., :2]]),
            GRAY | {"planarconfig": "contig"},
            r"a pixel: 5 \(minisblack\) of 8 bits",
        ),
        (
            np.moveaxis(np.dstack([PICTURE, PICTURE[..., :1]]), 2, 0).astype(np.uint16),
            GRAY | {"planarconfig": "separate"},
            r"a pixel: 4 \(minisblack\) of 16 bits",
        ),
        (PICTURE.astype(np.float32), RGB, "of 32 bits"),
    ],
    ids=["16-bit RGB", "16-bit gray", "gray", "5 channels", "4 planes", "float"],
)
def test_other_pixels_than_8_bit_colors(tmp_path, image, kind, message):
    """OpenSlide opens nearly all of these, and shows something."""
    tifffile.imwrite(tmp_path / "a.tiff", image, tile=(64, 64), **kind, **SCALE)

    refused(tmp_path / "a.tiff", message)


def test_colors_with_alpha_are_read(tmp_path):
    """As converters write them; what is transparent is white."""
    alpha = np.full((SIDE, SIDE, 1), 255, dtype=np.uint8)
    picture = np.dstack([PICTURE, alpha])
    kind = RGB | {"extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "a.tiff", picture, tile=(64, 64), **kind, **SCALE)

    with open_slide(str(tmp_path / "a.tiff")) as slide:
        assert np.array_equal(slide.region(0, 0, (SIDE, SIDE), 0.5), PICTURE)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("count", [0xFFFFFFF0, 30_000_000], ids=["4 GB", "30 MB"])
def test_a_block_that_claims_gigabytes(tmp_path, count, level):
    """OpenSlide allocates it as it stands, in the smallest level even on opening."""
    path = write_jpeg(tmp_path / "a.tiff", PICTURE, downsamples=(1, 2))
    change_tag(path, 325, count, page=level)

    refused(path, f"a block of {count} bytes, at most .* are plausible")


def test_blocks_as_large_as_the_memory(tmp_path):
    """OpenSlide would end the process: 17 GB for one block."""
    path = write_plain(tmp_path / "a.tiff", PICTURE, None)
    for tag in (322, 323):
        change_tag(path, tag, 65520)

    refused(path, "blocks of 65520 x 65520 px")


@pytest.mark.parametrize("tag", [256, 257], ids=["width", "height"])
def test_sizes_of_zero(tmp_path, tag):
    """Of the file, and of a level that OpenSlide would let pass."""
    path = write_jpeg(tmp_path / "a.tiff", PICTURE)
    change_tag(path, tag, 0)

    refused(path, "OpenSlide cannot open it")
    assert "level 1 is of 0 x 7 px" in wrong_levels([(9, 9), (0, 7)], {})
    assert wrong_levels([(9, 9)], {}) is None


def test_an_absurd_size_without_the_bytes(tmp_path):
    """15 million blocks, of which the index is not there."""
    path = write_jpeg(tmp_path / "a.tiff", PICTURE)
    for tag in (256, 257):
        change_tag(path, tag, 1_000_000)

    refused(path, "OpenSlide cannot open it")


def sparse(path, side: int) -> str:
    """A slide of which no block is there: OpenSlide shows it transparent."""
    with tifffile.TiffWriter(path) as tiff:
        empty = (b"" for _ in range((-(-side // 4096)) ** 2))
        tiff.write(
            empty,
            shape=(side, side, 3),
            dtype=np.uint8,
            tile=(4096, 4096),
            compression="deflate",
            photometric="rgb",
            resolution=(2e4, 2e4),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
    return str(path)


def test_an_absurd_size_with_an_index(tmp_path):
    """It opens: half a meter of glass, whose thumbnail alone is 3 GB. In 1 GB of memory."""
    path = sparse(tmp_path / "a.tiff", 1_000_000)
    script = f"""
        import resource
        from idhray.errors import SlideError
        from idhray.slides.direct import open_slide
        from idhray.slides.reader import Slide
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        for way in (Slide, open_slide):
            try:
                way({path!r})
            except SlideError as error:
                print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    said = "a.tiff: 1000000 x 1000000 px of 0.5 um are 500 x 500 mm, and no slide is over 200; "
    assert done.returncode == 0, done.stderr
    assert [line.startswith(said) for line in done.stdout.splitlines()] == [True, True]


def test_a_picture_in_strips(tmp_path):
    """OpenSlide calls it unsupported or missing, but to get it again would not help."""
    tifffile.imwrite(tmp_path / "a.tiff", PICTURE, rowsperstrip=16, photometric="rgb", **SCALE)

    refused(tmp_path / "a.tiff", r"cannot open it \(.*\); it is stored in strips, a slide in tiles")


def frames(inside: str, image: np.ndarray = PICTURE) -> list[bytes]:
    return [jpeg(block, inside, "444") for block in blocks(image)]


def write_levels(folder, *, photometric: str = "YBR_FULL_422") -> None:
    """whole.dcm, and half.dcm, whose colors are stored as YCbCr whatever it says."""
    folder.mkdir()
    write_dicom(folder / "whole.dcm", frames("ycbcr"), (SIDE, SIDE), 64)
    write_dicom(
        folder / "half.dcm",
        frames("ycbcr", HALF),
        (SIDE // 2, SIDE // 2),
        64,
        mpp=1.0,
        instance="1.2.3.40",
        photometric=photometric,
    )


def test_a_lesser_file_of_a_dicom_slide(tmp_path):
    """OpenSlide opens the slide by any of its files: each in a manifest would be another slide."""
    write_levels(tmp_path / "a")

    refused(
        tmp_path / "a" / "half.dcm", "not the full resolution of its DICOM slide; name whole.dc"
    )
    with open_slide(str(tmp_path / "a" / "whole.dcm")) as slide:
        assert slide.level_for(1.0) == 1
        off = slide.region(0, 0, (SIDE // 2, SIDE // 2), 1.0).astype(int) - HALF
        assert np.abs(off).mean() < 20  # a pixel off: 33


def test_dicom_levels_of_other_colors(tmp_path):
    """Each file says for itself how its colors are stored, and a converter forgot one of them."""
    write_levels(tmp_path / "a", photometric="RGB")

    refused(tmp_path / "a" / "whole.dcm", "levels 0 and 1 have other colors in the same place")


def test_a_damaged_level_of_dicom_is_no_reason_to_refuse_the_others(tmp_path):
    """The check of colors meets it first, and OpenSlide's handle is of no use afterwards."""
    write_levels(tmp_path / "a")
    data = (tmp_path / "a" / "half.dcm").read_bytes()
    (tmp_path / "a" / "half.dcm").write_bytes(data[: len(data) // 2])

    with Slide(str(tmp_path / "a" / "whole.dcm")) as slide:
        assert slide.region(0, 0, (64, 64), 0.5).shape == (64, 64, 3)


def test_a_dicom_series_of_two_slides(tmp_path):
    """OpenSlide takes the levels of both for one pyramid: tiles would be of the other slide."""
    sizes = [(8000, 8000), (2220, 2967), (500, 500)]

    assert "parts of several slides" in wrong_levels(sizes, {"openslide.vendor": "dicom"})
    assert wrong_levels(sizes[::2], {"openslide.vendor": "dicom"}) is None
    assert wrong_levels([(8000, 600), (500, 38)], {"openslide.vendor": "dicom"}) is None
    for number in (4, 5):
        path = tmp_path / f"{number}.dcm"
        write_dicom(path, frames("ycbcr"), (SIDE, SIDE), 64, instance=f"1.2.3.{number}")
    refused(tmp_path / "4.dcm", "its series holds parts of several slides in one folder; give each")


def test_dicom_that_is_no_slide_or_of_another_coding(tmp_path):
    """A CT slice in the slides' folder, JPEG-LS, HTJ2K, and one that is right."""
    for number, other in enumerate(
        (
            {"sop_class": "1.2.840.10008.5.1.4.1.1.2"},
            {"transfer_syntax": "1.2.840.10008.1.2.4.80"},
            {"transfer_syntax": "1.2.840.10008.1.2.4.201"},
            {},
        )
    ):
        (tmp_path / str(number)).mkdir()  # OpenSlide looks for other parts of the slide beside it
        write_dicom(tmp_path / str(number) / "a.dcm", frames("ycbcr"), (SIDE, SIDE), 64, **other)

    refused(tmp_path / "0" / "a.dcm", "is a DICOM file of the class 1.2.840.10008.5.1.4.1.1.2, not")
    for number, uid in ((1, "80"), (2, "201")):
        refused(
            tmp_path / str(number) / "a.dcm",
            rf"OpenSlide cannot open it \(.*Unsupported transfer syntax 1\.2\..*\.{uid}\); of "
            "DICOM it reads JPEG baseline, .* convert it, or leave it out",
        )
    with open_slide(str(tmp_path / "3" / "a.dcm")) as slide:
        assert slide.mpp == pytest.approx(0.5)
        off = slide.region(0, 0, (SIDE, SIDE), 0.5).astype(int) - PICTURE
        assert np.abs(off).mean() < 12


def test_dicom_with_absurd_sizes(tmp_path):
    """One frame of 17 GB, for which OpenSlide would end the process; and half a meter of glass."""
    for name, side, block_px in (("frame", 65000, 65000), ("slide", 1_000_000, 64)):
        (tmp_path / name).mkdir()
        write_dicom(tmp_path / name / "a.dcm", frames("ycbcr"), (side, side), block_px)

    refused(tmp_path / "frame" / "a.dcm", "frames of 65000 x 65000 px, too large to decode")
    refused(tmp_path / "slide" / "a.dcm", "500 x 500 mm, and no slide is over 200")


def test_a_plain_slide_is_none_of_these(tmp_path):
    """The checks themselves refuse nothing that is right, with or without levels."""
    for downsamples in ((1,), (1, 2, 4)):
        path = write_slide(tmp_path / "a.tiff", plain(PINK, SIDE), 0.5, downsamples)
        with open_slide(path) as slide:
            assert slide.size_l0 == (SIDE, SIDE)
