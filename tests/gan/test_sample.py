"""Generated images: image i is the same however it is asked for."""

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError
from idhray.gan.checkpoint import save
from idhray.gan.config import GanSettings
from idhray.gan.sample import generate, generator_of, grid, load_generator
from idhray.gan.trainer import new_run

SETTINGS = GanSettings(
    resolution_px=16, channels=2, latent_size=16, fmap_base=64, fmap_max=32, batch_sizes=(4, 4, 4)
)


@pytest.fixture
def run():
    images = np.zeros((4, 16, 16, 2), np.uint8)
    run = new_run(images, SETTINGS, seed=1, idh="wildtype", patients=("a",))
    run.images_shown = 10_000_000  # grown up
    return run


def test_images_do_not_depend_on_their_grouping(run):
    """Bit for bit, so any number of workers makes the same table."""
    generator = generator_of(run)
    together = generate(generator, 3, range(5))
    apart = np.concatenate([generate(generator, 3, [4, 2]), generate(generator, 3, [0])])

    assert together.shape == (5, 16, 16, 2)
    np.testing.assert_array_equal(together[[4, 2, 0]], apart)
    assert (generate(generator, 4, [0]) != together[0]).any()
    assert (together[1] != together[0]).any()


def test_a_saved_generator_makes_the_same_images(run, tmp_path):
    """A checkpoint holds the averaged generator, and how far it had grown."""
    save(run, str(tmp_path))
    loaded = load_generator(str(tmp_path))

    np.testing.assert_array_equal(
        generate(loaded, 3, range(2)), generate(generator_of(run), 3, range(2))
    )


def test_pixels_are_rounded_from_minus_one_to_one(run):
    """-1 is 0, 0 is 128 (127.5 to the even), 1 is 255, and overshoot is cut."""
    last = run.average.rgb[2]
    values = []
    for bias in (-3.0, -1.0, 0.0, 1.0, 3.0):
        with torch.no_grad():
            last.weight.zero_()
            last.bias.fill_(bias)
        values.append(int(generate(generator_of(run), 0, [0])[0, 0, 0, 0]))

    assert values == [0, 0, 128, 255, 255]


def test_a_young_generator_gives_enlarged_pixels(run):
    """Its images fit the table all the same."""
    run.images_shown = 0
    image = generate(generator_of(run), 0, [0])[0]

    np.testing.assert_array_equal(image, image[::4, ::4].repeat(4, 0).repeat(4, 1))


def test_no_indices_give_no_images(run):
    """An empty share of the work is no error."""
    assert generate(generator_of(run), 0, []).shape == (0, 16, 16, 2)


def test_grid_goes_row_by_row():
    """Five images in three columns leave one black cell."""
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    picture = grid(images, 3)

    assert picture.shape == (4, 6, 3)
    assert picture[::2, ::2, 0].tolist() == [[1, 2, 3], [4, 5, 0]]


@pytest.mark.parametrize(("channels", "shape"), [(1, (2, 2)), (2, (2, 2, 3)), (5, (2, 2, 3))])
def test_grid_of_any_channels_is_a_picture(channels, shape):
    """One channel is gray; two lack blue; of five the first three are seen."""
    assert grid(np.ones((1, 2, 2, channels), np.uint8), 1).shape == shape


def test_grid_of_nothing_is_refused():
    """With a message, not a division by zero."""
    with pytest.raises(ConfigError, match="needs images"):
        grid(np.zeros((0, 2, 2, 3), np.uint8), 2)
