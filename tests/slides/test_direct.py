"""Blocks read directly are OpenSlide's pixels, and are decoded once."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageCms

from idhray.errors import SlideError
from idhray.slides.direct import DirectSlide, open_slide
from idhray.slides.reader import Slide
from idhray.slides.tiff.codecs import decode_block
from tests.slides.made import area_mean
from tests.slides.made_tiff import tissue, write_jpeg, write_jpeg2000, write_plain, zone_plate

JPEGS = [
    {"photometric": "ycbcr", "subsampling": "420"},
    {"photometric": "ycbcr", "subsampling": "422"},
    {"photometric": "ycbcr", "subsampling": "444", "bigtiff": True},
    {"photometric": "rgb", "subsampling": "444"},
    {"photometric": "rgb", "subsampling": "444", "tables": True},
    {"photometric": "ycbcr", "subsampling": "420", "tables": True, "downsamples": (1, 2, 8)},
]


def both(path, *place, **settings):
    """The same region as the two readers give it, as integers."""
    with DirectSlide(path, **settings) as direct, Slide(path) as plain:
        return tuple(slide.region(*place).astype(int) for slide in (direct, plain))


@pytest.mark.parametrize("kind", JPEGS, ids=lambda kind: " ".join(map(str, kind.values())))
def test_jpeg_at_full_scale_is_openslides(tmp_path, kind):
    """Same codec, same pixels, beyond the edges too; the last blocks are cut off."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(333, 259), **kind)

    direct, plain = both(path, -10, -10, (360, 280), 0.5)

    assert np.array_equal(direct, plain)


@pytest.mark.parametrize("level", [1, 2])
def test_a_smaller_level_is_openslides(tmp_path, level):
    """Level geometry is OpenSlide's; where whole pixels fit nothing is resampled."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(320, 256), downsamples=(1, 2, 8))
    mpp = (1.0, 4.0)[level - 1]

    direct, plain = both(path, 64, 32, (30, 20), mpp)

    assert np.array_equal(direct, plain)
    with DirectSlide(path) as slide:
        assert slide.level_for(mpp) == level


@pytest.mark.parametrize(
    ("compression", "predictor"),
    [(None, False), ("deflate", False), ("deflate", True), ("lzw", True)],
)
def test_lossless_blocks_are_openslides(tmp_path, compression, predictor):
    """Other tiled TIFFs, as converters write them."""
    path = write_plain(tmp_path / "a.tiff", tissue(100, 130), compression, predictor)

    direct, plain = both(path, 0, 0, (110, 140), 0.5)

    assert np.array_equal(direct, plain)


@pytest.mark.parametrize(("compression", "tolerance"), [(33005, 0), (33003, 1)])
def test_jpeg_2000_of_aperio(tmp_path, compression, tolerance):
    """33003 holds YCbCr, which OpenSlide converts with other roundings."""
    path = write_jpeg2000(tmp_path / "a.svs", tissue(100, 130), compression)

    direct, plain = both(path, 0, 0, (110, 140), 0.5)

    assert np.abs(direct - plain).max() <= tolerance


@pytest.mark.parametrize(("times", "most"), [(2, 12), (4, 6), (8, 4)])
def test_a_scaled_decode_is_nearly_the_mean(tmp_path, times, most):
    """libjpeg's smaller inverse DCTs are means but for roundings and what was cut off at 255."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(256, 256), subsampling="444", quality=90)

    direct, plain = both(path, 0, 0, (256 // times, 256 // times), 0.5 * times)

    with DirectSlide(path) as slide:
        assert slide._levels[0].coding.scaled == (8, 4, 2)
    assert np.abs(direct - plain).mean() < 1.2
    assert np.abs(direct - plain).max() <= most


def test_colors_that_would_blur_are_not_decoded_smaller(tmp_path):
    """libjpeg halves 4:2:2 colors once more across; the mean of the pixels is taken instead."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(256, 256), subsampling="422", quality=80)

    direct, plain = both(path, 0, 0, (64, 64), 2.0)

    assert np.abs(direct - plain).max() <= 1


@pytest.mark.parametrize("times", [2, 4, 8])
def test_a_zone_plate_does_not_alias(tmp_path, times):
    """What the coarser grid cannot show must vanish as it does in the mean over the area."""
    path = write_jpeg(
        tmp_path / "a.tiff", zone_plate(512), subsampling="444", quality=95, block_px=256
    )
    side = 512 // times

    with DirectSlide(path) as slide:
        whole = slide.region(0, 0, (512, 512), 0.5)
        found = slide.region(0, 0, (side, side), 0.5 * times)

    assert np.abs(found - area_mean(whole, (0, 0), (side, side), (times, times))).max() <= 2


@pytest.mark.parametrize(
    ("times", "most"),
    # Where rings are just too fine, the mean over the area itself shows some, another way.
    [(2.004, 18), (2.3, 22), (3.7, 28), (4.3, 44)],
)
def test_odd_scales_do_not_alias_either(tmp_path, times, most):
    """Of amplitude 100; a mean of whole pixels is off by up to 60 at 2.004."""
    path = write_jpeg(
        tmp_path / "a.tiff", zone_plate(512), subsampling="444", quality=95, block_px=256
    )
    side = int(512 / times)

    with DirectSlide(path) as slide:
        whole = slide.region(0, 0, (512, 512), 0.5)
        found = slide.region(0, 0, (side, side), 0.5 * times)

    assert np.abs(found - area_mean(whole, (0, 0), (side, side), (times, times))).max() <= most


@pytest.mark.parametrize("times", [2, 2.004, 4, 1.3])
def test_a_region_lies_where_it_should(tmp_path, times):
    """Half a pixel off would be 6 gray values of this ramp; also where blocks do not begin."""
    ramp = np.repeat(np.linspace(0, 255, 512)[None, :, None], 512, axis=0)
    image = np.rint(np.repeat(ramp, 3, axis=2)).astype(np.uint8)
    steep = np.clip(image.astype(int) * 8 - 900, 0, 255).astype(np.uint8)  # 4 gray values a pixel
    path = write_plain(tmp_path / "a.tiff", steep, "deflate")

    with DirectSlide(path) as slide:
        for left in (240, 245, 251):
            found = slide.region(left, 7, (6, 6), 0.5 * times)
            wanted = area_mean(steep, (left, 7), (6, 6), (times, times))

            assert np.abs(found - wanted)[:, 1:-1].max() <= 1.5


@pytest.fixture
def decodes(monkeypatch):
    """The blocks that were decoded since the list was last cleared."""
    calls = []

    def counted(data, *settings):
        calls.append(data)
        return decode_block(data, *settings)

    monkeypatch.setattr("idhray.slides.tiff.blocks.decode_block", counted)
    return calls


def test_no_block_is_decoded_twice(tmp_path, decodes):
    """Neighboring tiles share blocks; one pass decodes each once and keeps few."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(640, 640))
    places = [(x, y) for x in range(0, 600, 100) for y in range(0, 600, 100)]

    with DirectSlide(path) as slide:
        decodes.clear()
        most = 0
        found = {}
        for place, pixels in slide.regions(places, (50, 50), 1.0):
            found[place] = pixels
            most = max(most, slide._blocks.cached_bytes)
        decoded = len(decodes)
        left = slide._blocks.cached_bytes
        alone = {place: slide.region(*place, (50, 50), 1.0) for place in places}

    assert decoded == 100
    assert left == 0
    assert most <= (10 + 2) * 32 * 32 * 3  # a row of blocks, and a tile's right edge
    assert list(found) == sorted(places, key=lambda place: place[::-1])
    assert all(np.array_equal(found[place], alone[place]) for place in places)


def test_too_small_a_cache_costs_time_only(tmp_path, monkeypatch, decodes):
    """The memory bound holds; blocks that found no room are decoded again."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(640, 640))
    places = [(x, y) for x in range(0, 600, 100) for y in range(0, 600, 100)]
    bound = 3 * 32 * 32 * 3

    with DirectSlide(path) as slide, DirectSlide(path) as roomy:
        enough = [pixels for _, pixels in roomy.regions(places, (50, 50), 1.0)]
        monkeypatch.setattr("idhray.slides.direct.CACHE_BYTES", bound)
        decodes.clear()
        for large, (_, small) in zip(enough, slide.regions(places, (50, 50), 1.0), strict=True):
            assert np.array_equal(small, large)
            assert slide._blocks.cached_bytes <= bound

        assert len(decodes) > 100


def test_memory_does_not_grow_with_the_tiles_read(tmp_path):
    """A whole slide passes through a few blocks' worth of memory."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(2048, 1024), block_px=128)

    def peak(side: int) -> int:
        places = [(x, y) for x in range(0, side * 2, 128) for y in range(0, side, 128)]
        with DirectSlide(path) as slide:
            tracemalloc.start()
            for _ in slide.regions(places, (64, 64), 1.0):
                pass
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return most

    assert peak(1024) < 2 * peak(256) + 200_000


def test_resolution_is_that_of_slide(tmp_path):
    """Both take it from OpenSlide, or from the manifest."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(64, 64), mpp=0.2527)

    with DirectSlide(path) as direct, Slide(path) as plain:
        assert (direct.mpp, direct.mpp_source) == (plain.mpp, plain.mpp_source)
        assert direct.size_l0 == plain.size_l0
    with DirectSlide(path, mpp=0.5, name="case") as direct:
        assert (direct.mpp, direct.mpp_source, direct.name) == (0.5, "manifest", "case")
        with pytest.raises(SlideError, match="is coarser than"):
            direct.region(0, 0, (4, 4), 0.25)


def test_a_closed_slide_opens_again(tmp_path):
    """As `Slide` does."""
    path = write_jpeg(tmp_path / "a.tiff", tissue(64, 64))
    slide = DirectSlide(path)
    before = slide.region(0, 0, (64, 64), 0.5)
    slide.close()

    assert np.array_equal(slide.region(0, 0, (64, 64), 0.5), before)
    slide.close()


@pytest.mark.parametrize("direct", [True, False])
def test_colors_are_converted_only_if_asked(tmp_path, direct):
    """sRGB's own profile changes nothing, a broken one is refused, by either reader."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = tissue(64, 64)
    with_profile = write_jpeg(tmp_path / "a.tiff", image, icc_profile=srgb)
    without = write_jpeg(tmp_path / "b.tiff", image)
    broken = write_jpeg(tmp_path / "c.tiff", image, icc_profile=b"no profile" * 20)

    kind = DirectSlide if direct else Slide
    with kind(with_profile) as plain, kind(with_profile, to_srgb=True) as converted:
        off = converted.region(0, 0, (64, 64), 0.5).astype(int) - plain.region(0, 0, (64, 64), 0.5)
        assert np.abs(off).max() <= 1
    with kind(without, to_srgb=True) as slide:
        assert slide.region(0, 0, (64, 64), 0.5).shape == (64, 64, 3)
    with pytest.raises(SlideError, match="profile is broken"):
        kind(broken, to_srgb=True)
    with kind(broken) as slide:
        assert slide.region(0, 0, (64, 64), 0.5).shape == (64, 64, 3)


def test_a_profile_of_other_colors_is_applied(tmp_path):
    """sRGB's profile with the primaries of red and green exchanged exchanges the channels."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")
    image = tissue(64, 64)
    path = write_jpeg(tmp_path / "a.tiff", image, icc_profile=swapped)
    with DirectSlide(path) as plain, DirectSlide(path, to_srgb=True) as converted:
        before, after = (s.region(0, 0, (64, 64), 0.5) for s in (plain, converted))

    assert np.abs(before[..., [1, 0, 2]].astype(int) - after).max() <= 2
    assert np.abs(before.astype(int) - after).max() > 20


@pytest.mark.parametrize(("times", "mean", "most"), [(1, 0, 0), (2, 0.5, 24), (4, 0.3, 12)])
def test_a_real_aperio_slide(real_data, times, mean, most):
    """RGB inside JPEG, quality 30, shared tables: the stated tolerance."""
    path = str(real_data / "slides" / "CMU-1-Small-Region.svs")

    direct, plain = both(path, 0, 0, (2220 // times, 2967 // times), 0.499 * times)

    assert np.abs(direct - plain).mean() <= mean
    assert np.abs(direct - plain).max() <= most


def test_the_reader_is_chosen_by_the_file(tmp_path):
    """Directly where that is possible, unless it is not wanted."""
    tiled, stripped = tmp_path / "tiled.tiff", tmp_path / "stripped.tiff"
    write_jpeg(tiled, tissue(512, 512), photometric="ycbcr", subsampling="420")
    Image.fromarray(tissue(512, 512)).save(stripped)

    kinds = []
    for path, direct in ((tiled, True), (tiled, False), (stripped, True)):
        try:
            with open_slide(str(path), mpp=0.5, direct=direct) as slide:
                kinds.append(type(slide).__name__)
        except SlideError:  # OpenSlide reads no stripped TIFF either
            kinds.append("refused")

    assert kinds == ["DirectSlide", "Slide", "refused"]
