"""Resolution and where it came from; regions land where they should."""

import numpy as np
import pytest

from idhray.errors import SlideError
from idhray.slides.reader import Slide
from idhray.slides.resolution import resolution
from tests.slides.made import PINK, damage, plain, write_slide
from tests.slides.made_tiff import tissue, write_leica

MPP = {"openslide.mpp-x": "0.4999", "openslide.mpp-y": "0.5001"}
POWER = {"openslide.objective-power": "20"}


@pytest.mark.parametrize(
    ("properties", "given", "expected"),
    [
        pytest.param(MPP | POWER, {"mpp": 0.25}, (0.25, "manifest"), id="the manifest goes first"),
        pytest.param(MPP | POWER, {}, (0.5, "openslide.mpp"), id="then the file's mpp"),
        pytest.param(
            MPP, {"objective_power": 40}, (0.5, "openslide.mpp"), id="mpp before the given power"
        ),
        pytest.param(POWER, {}, (0.5, "objective_power"), id="then the file's power"),
        pytest.param(
            POWER, {"objective_power": 40}, (0.25, "objective_power"), id="the given power first"
        ),
    ],
)
def test_mpp_names_its_source(properties, given, expected):
    """A resolution that came from the power is only nominal: the table has to say so."""
    across, down, source, _ = resolution("a.svs", properties, **given)

    assert (across, source) == (pytest.approx(expected[0]), expected[1])
    assert across == down


@pytest.mark.parametrize(
    ("properties", "given", "message"),
    [
        pytest.param(
            {},
            {},
            "a.svs: no mpp and no objective power; add mpp or objective_power to its manifest row, "
            "or give --assume-mpp",
            id="nothing",
        ),
        pytest.param({}, {"mpp": 0.0}, "mpp of the manifest is 0.0", id="zero"),
        pytest.param({}, {"mpp": float("nan")}, "mpp of the manifest is nan", id="nan"),
        pytest.param(MPP | {"openslide.mpp-x": "352.7"}, {}, "352.7", id="72 dpi"),
        pytest.param(MPP | {"openslide.mpp-x": "-1"}, {}, "-1", id="negative"),
        pytest.param(MPP | {"openslide.mpp-x": "0.0005"}, {}, "0.0005", id="in mm"),
        pytest.param(
            {"openslide.mpp-x": "0.5"}, {}, "mpp of the file of 0.5 x 0 um", id="one side only"
        ),
        pytest.param(MPP | {"openslide.mpp-y": "1.1"}, {}, "1.1 down", id="far from square"),
        pytest.param(
            {"openslide.objective-power": "twenty"}, {}, "no objective power", id="no number"
        ),
        pytest.param({}, {"objective_power": 0}, "objective power is 0", id="power zero"),
        pytest.param({}, {"objective_power": float("nan")}, "power is nan", id="power nan"),
        pytest.param({}, {"objective_power": 0.5}, "20.0 um", id="power too small"),
    ],
)
def test_no_resolution_is_made_up(properties, given, message):
    """A wrong scale would show in no picture, and in every result."""
    with pytest.raises(SlideError, match=r"^a\.svs: ") as error:
        resolution("a.svs", properties, **given)

    assert message in str(error.value)


def waves(size_px: int, mpp: float, left_um: float = 0.0) -> np.ndarray:
    """Red waves across, green ones down, 64 um long, sampled at pixel centers."""
    um = left_um + (np.arange(size_px) + 0.5) * mpp
    wave = 128 + 100 * np.sin(2 * np.pi * um / 64)
    image = np.zeros((size_px, size_px, 3))
    image[..., 0], image[..., 1] = wave[None, :], wave[:, None]
    return np.rint(image).astype(np.uint8)


@pytest.mark.parametrize(
    ("mpp", "downsamples", "level"),
    [
        pytest.param(0.5, (1,), 0, id="20x, no level at 10x"),
        pytest.param(0.25, (1, 4), 1, id="40x, a level at 10x"),
        pytest.param(0.25, (1, 2, 8), 1, id="40x, a level at 20x"),
        pytest.param(0.2527, (1, 2), 1, id="odd mpp, halved"),
        pytest.param(0.2527, (1, 4), 1, id="odd mpp, a level 1 % coarser"),
        pytest.param(0.2325, (1, 4), 1, id="odd mpp, a level 7 % finer"),
        pytest.param(0.2425, (1,), 0, id="odd mpp, one level"),
        pytest.param(1.0, (1,), 0, id="10x as it is"),
    ],
)
def test_a_region_shows_its_place_at_the_exact_scale(tmp_path, mpp, downsamples, level):
    """Half a micrometer off would be five gray values here; so would 0.2 % of scale at the edge."""
    x_l0 = round(50 / mpp)
    # Levels of a whole number of pixels: OpenSlide works out the downsample from their size.
    side = round(50 / mpp) * 8
    path = write_slide(tmp_path / "a.tiff", waves(side, mpp), mpp, downsamples)

    with Slide(path) as slide:
        region = slide.region(x_l0, x_l0, (256, 256), 1.0)
        chosen = slide.level_for(1.0)

    error = region.astype(float) - waves(256, 1.0, left_um=x_l0 * mpp)
    assert chosen == level
    assert slide.mpp == pytest.approx(mpp, rel=1e-4)
    assert slide.mpp_source == "openslide.mpp"
    assert np.abs(error[2:-2, 2:-2].mean(axis=0)).max() < 3  # a column's: no place is off
    assert np.abs(error).max() < 8


@pytest.mark.parametrize("step", range(4))
def test_a_level_of_leica_is_not_off_by_one(tmp_path, step):
    """OpenSlide shows whole pixels of it: asked for a place between two it gives the one before."""
    small = tissue(128, 128)
    image = np.kron(small, np.ones((4, 4, 1), dtype=np.uint8))
    # A glass of no whole number of level-1 pixels, so that OpenSlide's downsample is not 4.
    path = write_leica(tmp_path / "a.scn", image, corner=(4000, 6000), whole=(9999, 20001))

    with Slide(path) as slide:
        level = slide.level_for(2.0)
        left, top = 4000 + 4 * (20 + step), 6000 + 4 * (24 + step)
        region = slide.region(left, top, (64, 64), 2.0)

    assert level == 1
    assert np.array_equal(region, small[24 + step : 88 + step, 20 + step : 84 + step])


def test_glass_that_was_not_scanned_is_not_read(tmp_path, monkeypatch):
    """A slide of Leica is of the whole glass: OpenSlide took 9 s to paint one thumbnail white."""
    path = write_leica(
        tmp_path / "a.scn", tissue(512, 512), corner=(4000, 6000), whole=(10000, 20000)
    )
    read = []

    with Slide(path) as slide:
        from_file = slide._read
        monkeypatch.setattr(slide, "_read", lambda plan: read.append(plan) or from_file(plan))
        for at in ((3700, 6100), (4100, 5700), (4600, 6100), (4100, 6600), (0, 0)):
            assert (slide.region(*at, (256, 256), 0.5) == 255).all()
        assert not read
        for at in ((3800, 6100), (4100, 5800), (4500, 6100), (4100, 6500)):
            assert (slide.region(*at, (256, 256), 0.5) != 255).any()

    assert len(read) == 4


def test_nothing_is_enlarged(tmp_path):
    """5x has not the detail of 10x; a tile of it would teach the network blur."""
    path = write_slide(tmp_path / "a.tiff", plain(PINK, 128), 2.0)

    with Slide(path) as slide, pytest.raises(SlideError, match=r"2 um per pixel .* is coarser"):
        slide.region(0, 0, (64, 64), 1.0)


def test_what_was_not_scanned_is_white(tmp_path):
    """OpenSlide gives transparent black there, which would be taken for tissue."""
    path = write_slide(tmp_path / "a.tiff", plain(PINK, 64), 1.0)

    with Slide(path) as slide:
        region = slide.region(32, 0, (64, 64), 1.0)

    assert np.array_equal(region[:, :32], plain(PINK, 64)[:, :32])
    assert (region[:, 32:] == 255).all()


def test_a_slide_goes_on_after_a_damaged_place(tmp_path):
    """OpenSlide refuses every read after one that failed."""
    path = write_slide(tmp_path / "a.tiff", plain(PINK, 128), 1.0)
    damage(path, tile=1)

    with Slide(path, name="case") as slide:
        with pytest.raises(SlideError, match=r"^case: unreadable at \(64, 0\) \("):
            slide.region(64, 0, (64, 64), 1.0)
        beside = slide.region(0, 64, (64, 64), 1.0)

    assert np.array_equal(beside, plain(PINK, 64))


def test_files_that_cannot_be_opened_say_so_in_one_line(tmp_path):
    """Each such slide is one line of the ledger."""
    (tmp_path / "text.svs").write_text("no slide")
    missing, text = str(tmp_path / "missing.svs"), str(tmp_path / "text.svs")

    with pytest.raises(SlideError, match=r"^missing.svs: no file "):
        Slide(missing)
    with pytest.raises(SlideError, match=r"^text.svs: OpenSlide cannot open it \(.*\); .*out$"):
        Slide(text)


def test_a_tiff_without_resolution_is_refused(tmp_path):
    """The commonest file without a scale; a made-up 20x would be wrong without a trace."""
    path = write_slide(tmp_path / "a.tiff", plain(PINK, 64), None)

    with pytest.raises(SlideError, match="no mpp and no objective power"):
        Slide(path)
    with Slide(path, objective_power=20) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.5, "objective_power")


def test_a_real_aperio_slide(real_data):
    """Its vendor's fields are found: 0.499 um per pixel."""
    with Slide(str(real_data / "slides" / "CMU-1-Small-Region.svs")) as slide:
        region = slide.region(500, 1500, (200, 100), 1.0)

    assert (slide.size_l0, slide.mpp, slide.mpp_source) == ((2220, 2967), 0.499, "openslide.mpp")
    assert region.shape == (100, 200, 3)
    assert 100 < region.mean() < 240


def test_real_broken_slides(real_data):
    """One fails when opened, the other when read."""
    broken = real_data / "slides" / "broken"

    with pytest.raises(SlideError, match=r"^unopenable.tiff: OpenSlide cannot open it"):
        Slide(str(broken / "unopenable.tiff"))
    with Slide(str(broken / "unreadable.svs")) as slide:
        for _ in range(2):
            with pytest.raises(SlideError, match=r"^unreadable.svs: unreadable at \(0, 0\)"):
                slide.region(0, 0, (4, 4), 1.0)
