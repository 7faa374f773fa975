"""Files that are damaged, lie about themselves, or are of another kind."""

import random
import struct
import tracemalloc

import numpy as np
import pytest
import tifffile

from idhray.errors import SlideError
from idhray.slides.direct import DirectSlide
from idhray.slides.reader import Slide
from idhray.slides.tiff.codecs import decode_block
from tests.slides.made import change_tag, damage
from tests.slides.made_tiff import BLOCK_PX, blocks, jpeg, tissue, write_jpeg, write_plain

SIDE = 4 * BLOCK_PX
LEFT, RIGHT = (0, 0, (BLOCK_PX, BLOCK_PX), 0.5), (BLOCK_PX, 0, (BLOCK_PX, BLOCK_PX), 0.5)
SMALL = np.full((BLOCK_PX, BLOCK_PX, 3), 200, dtype=np.uint8)  # short: not the block compared


def with_block(path, change) -> str:
    """A slide of 4 x 4 blocks whose first, a plain one, was changed."""
    image = tissue(SIDE, SIDE).copy()
    image[:BLOCK_PX, :BLOCK_PX] = SMALL
    return write_jpeg(
        path, image, change=lambda number, data: change(data) if number == 0 else data
    )


def gray(pixels: np.ndarray) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels[..., 0])))


def claims(width: int, height: int):
    """A JPEG that says another size than it has."""

    def change(data: bytes) -> bytes:
        place = data.index(b"\xff\xc0")
        return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda data: b"\xff" * len(data), "JPEG", id="0xff"),
        pytest.param(lambda data: b"\0" * len(data), "not a JPEG", id="zeros"),
        pytest.param(lambda data: data[:40], "JPEG", id="cut in its header"),
        pytest.param(lambda data: data[: len(data) * 3 // 4], "jpeg block", id="cut in its pixels"),
        pytest.param(lambda _: gray(SMALL), "1 colors", id="gray"),
        pytest.param(claims(65500, 65500), "65500 x 65500 px", id="12 GB"),
        pytest.param(claims(0, 0), "0 x 0 px", id="no pixels"),
        pytest.param(lambda _: jpeg(SMALL[:32, :32], "ycbcr", "444"), "32 x 32 px", id="smaller"),
        pytest.param(
            lambda data: data.replace(b"\xff\xc0", b"\xff\xc3"), "unusual kind", id="lossless JPEG"
        ),
    ],
)
def test_a_bad_block_is_an_error_of_its_region_only(tmp_path, change, message):
    """Other regions are still read, before and after, and nothing large is allocated."""
    path = with_block(tmp_path / "a.tiff", change)

    with DirectSlide(path, name="case") as slide, Slide(path) as plain:
        for shrink in (1, 2):
            size, mpp = (BLOCK_PX // shrink, BLOCK_PX // shrink), 0.5 * shrink
            tracemalloc.start()
            with pytest.raises(SlideError, match=rf"^case: unreadable at \(0, 0\) .*{message}"):
                slide.region(0, 0, size, mpp)
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

            assert most < 2**20
        assert np.array_equal(slide.region(*RIGHT), plain.region(*RIGHT))


def reason_not_direct(path) -> str | None:
    """What `DirectSlide` says of a file that it refuses."""
    try:
        DirectSlide(str(path), mpp=0.5).close()
    except SlideError as error:
        return str(error)
    return None


def test_one_pass_goes_on_after_a_bad_block(tmp_path, monkeypatch):
    """A block that four tiles touch is tried once, and fails each of them."""
    decodes = []

    def counted(data, *settings):
        decodes.append(data)
        return decode_block(data, *settings)

    monkeypatch.setattr("idhray.slides.tiff.blocks.decode_block", counted)
    path = with_block(tmp_path / "a.tiff", lambda data: b"\0" * len(data))
    places = [(0, 0), (32, 0), (0, 32), (128, 128)]

    with DirectSlide(path) as slide:
        decodes.clear()
        found = dict(slide.regions(places, (BLOCK_PX, BLOCK_PX), 0.5))

    assert [isinstance(found[place], SlideError) for place in places] == [True, True, True, False]
    assert len(decodes) == 1 + 1 + 1 + 1  # (0, 0), its neighbors to the right and below, (128, 128)


@pytest.mark.parametrize("value", [0xFFFFFFF0, 30_000_000], ids=["4 GB", "30 MB"])
def test_an_offset_outside_the_file(tmp_path, value):
    """The other blocks are still read."""
    # On opening, OpenSlide reads all of the smallest level.
    path = write_jpeg(tmp_path / "a.tiff", tissue(SIDE, SIDE), downsamples=(1, 4))
    change_tag(path, 324, value)

    with DirectSlide(path) as slide:
        with pytest.raises(SlideError, match=r"a block ends at byte "):
            slide.region(*LEFT)
        assert slide.region(*RIGHT).shape == (BLOCK_PX, BLOCK_PX, 3)


def test_a_truncated_file(tmp_path):
    """Its last blocks are gone; OpenSlide, too, finds that on opening, or not at all."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(SIDE, SIDE), downsamples=(1, 4))
    with tifffile.TiffFile(path) as tiff:
        data = bytearray((tmp_path / "a.tiff").read_bytes())
        offsets, counts = tiff.pages[0].tags[324].valueoffset, tiff.pages[0].databytecounts
    # As if block 12 lay at the end, where the file is cut in the middle of it.
    data[offsets + 4 * 12 : offsets + 4 * 13] = struct.pack("<I", len(data) - counts[12] // 2)
    (tmp_path / "a.tiff").write_bytes(data)

    with DirectSlide(path) as slide:
        assert slide.region(*LEFT).shape == (BLOCK_PX, BLOCK_PX, 3)
        with pytest.raises(SlideError, match=r"unreadable at .*a block ends at byte"):
            slide.region(0, 3 * BLOCK_PX, (BLOCK_PX, BLOCK_PX), 0.5)

    (tmp_path / "a.tiff").write_bytes(data[: len(data) // 2])

    assert "OpenSlide cannot open it" in reason_not_direct(path)


@pytest.mark.parametrize("compression", ["deflate", "lzw"])
def test_a_bad_lossless_block(tmp_path, compression):
    """Not a JPEG's way of failing; nor may it unpack to more than a block."""
    path = write_plain(tmp_path / "a.tiff", tissue(SIDE, SIDE), compression)
    damage(path, tile=0)

    with DirectSlide(path) as slide:
        with pytest.raises(SlideError, match=f"{compression} block"):
            slide.region(*LEFT)
        assert slide.region(*RIGHT).shape == (BLOCK_PX, BLOCK_PX, 3)


def write(path, image, **options) -> str:
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(image, metadata=None, **options)
    return str(path)


TILED = {"tile": (BLOCK_PX, BLOCK_PX), "photometric": "rgb"}
PICTURE = tissue(SIDE, SIDE)


@pytest.mark.parametrize(
    ("image", "options", "reason"),
    [
        pytest.param(PICTURE, {"photometric": "rgb"}, "OpenSlide cannot open", id="strips"),
        pytest.param(PICTURE.astype(np.uint16), TILED, "16 bits", id="16 bits"),
        pytest.param(
            PICTURE[..., 0], TILED | {"photometric": "minisblack"}, "a pixel: 1 ", id="gray"
        ),
        pytest.param(
            np.dstack([PICTURE, PICTURE[..., :1]]),
            TILED | {"extrasamples": ["unassalpha"]},
            "4 samples",
            id="alpha",
        ),
        pytest.param(
            np.moveaxis(PICTURE, 2, 0),
            TILED | {"planarconfig": "separate"},
            "lie apart",
            id="planes",
        ),
        pytest.param(
            PICTURE, TILED | {"extratags": [(274, 3, 1, 3, True)]}, "turned", id="upside down"
        ),
        pytest.param(
            PICTURE, TILED | {"compression": "packbits"}, "compression 32773", id="PackBits"
        ),
    ],
)
def test_other_kinds_are_left_to_openslide(tmp_path, image, options, reason):
    """The reason is said, and `DirectSlide` refuses with it."""
    path = write(tmp_path / "a.tiff", image, **options)

    assert reason in reason_not_direct(path)


def test_two_images_of_one_size_are_left_to_openslide(tmp_path):
    """Which of them the level is cannot be told: a stack, or two slides."""
    path = tmp_path / "a.tiff"
    with tifffile.TiffWriter(path) as tiff:
        for _ in range(2):
            tiff.write(PICTURE, metadata=None, subfiletype=0, **TILED)

    assert "tiled images of the levels' sizes: [2]" in reason_not_direct(path)


def test_missing_blocks_are_left_to_openslide(tmp_path):
    """Aperio's empty blocks mean: look at another level."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(SIDE, SIDE))
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags[325].valueoffset
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(struct.pack("<I", 0))

    assert "blocks are missing" in reason_not_direct(path)


def test_colors_that_openslide_sees_otherwise_are_left_to_it(tmp_path, monkeypatch):
    """The block that is compared is the net below all other checks."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(SIDE, SIDE))
    from idhray.slides.tiff import tiles as tiff_tiles

    monkeypatch.setattr(tiff_tiles, "YCBCR_PHOTOMETRIC", 2)  # takes YCbCr for RGB
    monkeypatch.setattr(tiff_tiles, "RGB_PHOTOMETRIC", 6)

    assert "pixels differ from OpenSlide's" in reason_not_direct(path)


def test_files_that_are_no_slides(tmp_path):
    """A reason, not an error: `Slide` will say the rest."""
    (tmp_path / "a.svs").write_text("version https://git-lfs.github.com/spec/v1")

    assert "Git-LFS pointer" in reason_not_direct(tmp_path / "a.svs")
    assert ": no file " in reason_not_direct(tmp_path / "none.svs")


@pytest.mark.parametrize("kind", ["jpeg", "deflate"])
def test_random_damage_never_crashes(tmp_path, kind):
    """A reason, a SlideError, or pixels; 150 files with some bytes changed, at times cut short."""
    good = tmp_path / "good.tiff"
    if kind == "jpeg":
        write_jpeg(good, tissue(SIDE, SIDE))
    else:
        write_plain(good, tissue(SIDE, SIDE), kind, predictor=True)
    data, chance = good.read_bytes(), random.Random(0)
    bad, path = 0, tmp_path / "bad.tiff"
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 2, 5))):
            # Half of them in the header and the first tags.
            place = chance.randrange(chance.choice((400, len(changed))))
            changed[place] = chance.choice((0, 255, chance.randrange(256)))
        path.write_bytes(changed[: chance.choice((len(changed), len(changed), 5000))])
        if reason_not_direct(path):
            bad += 1
            continue
        with DirectSlide(str(path), mpp=0.5) as slide:
            for _, found in slide.regions([(0, 0), (100, 100)], (64, 64), 1.0):
                bad += isinstance(found, SlideError)

    assert bad > 20


def test_real_broken_slides(real_data):
    """One opens in OpenSlide alone, and none of its blocks can be read by either."""
    broken = real_data / "slides" / "broken"

    assert "OpenSlide cannot open" in reason_not_direct(broken / "unopenable.tiff")
    with DirectSlide(str(broken / "unreadable.svs")) as slide:
        for _ in range(2):
            with pytest.raises(SlideError, match=r"^unreadable.svs: unreadable at \(0, 0\)"):
                slide.region(0, 0, (4, 4), 1.0)


def test_blocks_cover_the_picture():
    """Of the helper: the last blocks are filled up."""
    cut = blocks(PICTURE[:100, :70])

    assert len(cut) == 4
    assert np.array_equal(cut[0], PICTURE[:BLOCK_PX, :BLOCK_PX])
