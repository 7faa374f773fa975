"""Real H&E and pens pass; the same pictures, decoded wrongly, do not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from idhray.slides.color_check import implausible_colors
from idhray.slides.reader import Slide
from tests.slides.made_dicom import JPEG_2000, write_dicom
from tests.slides.made_tiff import blocks, jpeg

CHANNELS = {"green for red": [1, 0, 2], "blue for green": [0, 2, 1], "turned": [2, 0, 1]}


def merged(planes: np.ndarray, mode: str) -> Image.Image:
    return Image.merge(
        mode, [Image.fromarray(np.ascontiguousarray(planes[..., k])) for k in range(3)]
    )


def undecoded(rgb: np.ndarray) -> np.ndarray:
    """YCbCr that is taken for RGB."""
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"))


def decoded_twice(rgb: np.ndarray) -> np.ndarray:
    """RGB that is taken for YCbCr."""
    return np.asarray(merged(rgb, "YCbCr").convert("RGB"))


def section(seed: int = 0, side: int = 160) -> np.ndarray:
    """A made thumbnail: pink tissue with purple dots on glass."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side - 0.5
    image = np.full((side, side, 3), 243.0)
    tissue = x**2 + 1.6 * y**2 < 0.12
    image[tissue] = (222, 150, 190)
    dots = random.random((side, side)) < 0.25
    image[tissue & dots] = (120, 75, 145)
    return np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_made_sections(seed):
    """Without real pictures at hand."""
    image = section(seed)

    assert implausible_colors(image) is None
    assert "YCbCr taken for RGB" in implausible_colors(undecoded(image))
    assert "RGB taken for YCbCr" in implausible_colors(decoded_twice(image))
    for order in CHANNELS.values():
        assert "of other colors" in implausible_colors(image[..., order])


def test_what_has_no_colors_is_plausible():
    """An empty slide is for the tissue mask to refuse; undecoded, it is seen here too."""
    for gray in (0, 128, 245, 255):
        assert implausible_colors(np.full((50, 40, 3), gray, dtype=np.uint8)) is None

    white = np.full((50, 40, 3), 245, dtype=np.uint8)
    assert implausible_colors(undecoded(white)) is not None
    assert implausible_colors(decoded_twice(white)) is not None


def test_a_biopsy_beside_a_pen_is_plausible():
    """1 % of tissue, 8 % of green ink; but ink without any tissue is not."""
    image = np.full((200, 200, 3), 244, dtype=np.uint8)
    image[20:60, 20:100] = (40, 140, 90)
    only_pen = implausible_colors(image)
    image[100:120, 100:120] = (200, 120, 170)

    assert "pen only" in only_pen
    assert implausible_colors(image) is None


def test_fluorescence_is_refused_and_black_margins_are_not():
    """Both are mostly black; the latter has glass."""
    random = np.random.default_rng(0)
    nuclei = np.zeros((200, 200, 3), dtype=np.uint8)
    nuclei[random.random((200, 200)) < 0.1] = (20, 30, 210)
    margins = np.zeros((400, 200, 3), dtype=np.uint8)
    margins[:160, :160] = section()

    assert "fluorescence" in implausible_colors(nuclei)
    assert implausible_colors(margins) is None


def jpeg2000(pixels: np.ndarray) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", level=0, mct=False))


@pytest.mark.parametrize(
    ("inside", "photometric", "right"),
    [
        ("ycbcr", "YBR_FULL_422", True),
        ("rgb", "RGB", True),
        ("ycbcr", "RGB", False),
        ("rgb", "YBR_FULL_422", False),
        ("jpeg2000", "RGB", True),
        ("jpeg2000 of YCbCr", "RGB", False),
        ("jpeg2000 of YCbCr", "YBR_ICT", False),
    ],
)
def test_dicom_slides_that_openslide_decodes_wrongly(tmp_path, inside, photometric, right):
    """What converters write: one thing in the frames, another in PhotometricInterpretation."""
    image = section(side=256)
    syntax = {"transfer_syntax": JPEG_2000} if inside.startswith("jpeg2000") else {}
    stored = undecoded(image) if inside.endswith("YCbCr") else image
    frames = [
        jpeg2000(block) if syntax else jpeg(block, inside, "444", 90) for block in blocks(stored)
    ]
    path = write_dicom(
        tmp_path / "a.dcm", frames, (256, 256), 64, photometric=photometric, **syntax
    )

    with Slide(path) as slide:
        thumbnail = slide.region(0, 0, (64, 64), 2.0)

    assert (implausible_colors(thumbnail) is None) == right


def real_pictures(folder: Path) -> list[tuple[str, np.ndarray]]:
    """Thumbnails and crops of slides that show some glass, pens and blanks among them."""
    files = [*(folder / "slides" / "pens").glob("*.png"), *(folder / "he_glioma").glob("*.png")]
    found = [(path.name, np.asarray(Image.open(path).convert("RGB"))) for path in sorted(files)]
    with Slide(str(folder / "slides" / "CMU-1-Small-Region.svs")) as slide:
        found.append((slide.name, slide.region(0, 0, (276, 370), 4.0)))
    return found


def test_real_slides_pass_and_fail_when_decoded_wrongly(real_data):
    """All of them pass. The one violet miss is a crop full of tissue: no glass to see it by."""
    wrong = {"undecoded": [], "decoded twice": []}
    for name, image in real_pictures(real_data):
        assert implausible_colors(image) is None, name
        for way, made in (("undecoded", undecoded), ("decoded twice", decoded_twice)):
            if implausible_colors(made(image)) is None:
                wrong[way].append(name)

    assert wrong == {"undecoded": [], "decoded twice": ["tcga-green-pen.png"]}


def test_real_patches_pass(real_data):
    """Full of eosin, and no glass at all: the hardest to tell."""
    files = sorted((real_data / "he_patches").glob("lung_*/*.j*"))[::16]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in files]

    assert len(pictures) > 50
    assert [implausible_colors(image) for image in pictures] == [None] * len(pictures)
    assert None not in [implausible_colors(undecoded(image)) for image in pictures]
