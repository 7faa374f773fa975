"""Generated images: image i is the same however it is asked for."""

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError
from idhray.gan.checkpoint import save
from idhray.gan.pggan_config import PgganSettings
from idhray.gan.sample import generate, generator_of, grid, load_generator
from idhray.gan.stylegan2_config import StyleGan2Settings
from idhray.gan.trainer import new_run

PGGAN = PgganSettings(
    resolution_px=16, channels=2, latent_size=16, fmap_base=64, fmap_max=32, batch_sizes=(4, 4, 4)
)
STYLEGAN2 = StyleGan2Settings(
    resolution_px=16, channels=2, latent_size=16, fmap_base=64, fmap_max=32, batch_size=4
)


def grown_up(settings):
    images = np.zeros((4, 16, 16, 2), np.uint8)
    run = new_run(images, settings, seed=1, idh="wildtype", patients=("a",))
    run.images_shown = 10_000_000
    return run


@pytest.fixture
def run():
    return grown_up(PGGAN)


@pytest.fixture
def styled():
    """A StyleGAN2 whose noise and mean w can be seen."""
    run = grown_up(STYLEGAN2)
    run.average.w_average.normal_(generator=torch.Generator().manual_seed(0))
    for name, parameter in run.average.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return run


@pytest.fixture(params=["run", "styled"])
def either(request):
    return request.getfixturevalue(request.param)


def test_images_do_not_depend_on_their_grouping(either):
    """Bit for bit, so any number of workers makes the same table."""
    generator = generator_of(either)
    together = generate(generator, 3, range(5))
    apart = np.concatenate([generate(generator, 3, [4, 2]), generate(generator, 3, [0])])

    assert together.shape == (5, 16, 16, 2)
    np.testing.assert_array_equal(together[[4, 2, 0]], apart)
    assert (generate(generator, 4, [0]) != together[0]).any()
    assert (together[1] != together[0]).any()


def test_a_saved_generator_makes_the_same_images(either, tmp_path):
    """A checkpoint holds the averaged generator, and how far it had grown."""
    save(either, str(tmp_path))
    loaded = load_generator(str(tmp_path))

    np.testing.assert_array_equal(
        generate(loaded, 3, range(2)), generate(generator_of(either), 3, range(2))
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


def test_no_indices_give_no_images(either):
    """An empty share of the work is no error."""
    assert generate(generator_of(either), 0, []).shape == (0, 16, 16, 2)


def test_noise_belongs_to_the_index(styled):
    """Each image has its own; fixed noise would mark all synthetic images alike."""
    generator = generator_of(styled)
    images = generate(generator, 3, range(2), psi=0.0)

    assert (images[0] != images[1]).any()
    np.testing.assert_array_equal(generate(generator, 3, [1], psi=0.0)[0], images[1])


def test_truncation_brings_images_nearer_to_the_mean(styled):
    """Psi 0 leaves only noise of all differences, psi 1 changes nothing."""
    for name, parameter in styled.average.named_parameters():
        if name.endswith("noise_strength"):
            parameter.zero_()
    generator = generator_of(styled)
    whole, half, mean = (generate(generator, 3, range(5), psi=psi) for psi in (1.0, 0.5, 0.0))

    np.testing.assert_array_equal(whole, generate(generator, 3, range(5)))
    np.testing.assert_array_equal(mean, np.broadcast_to(mean[:1], mean.shape))
    centre = mean[0].astype(float)
    assert 0 < np.abs(half - centre).mean() < np.abs(whole - centre).mean()


def test_pggan_has_no_truncation(run):
    """Rather than images that are not what was asked for."""
    with pytest.raises(ConfigError, match="psi must be 1"):
        generate(generator_of(run), 3, [0], psi=0.7)


@pytest.mark.parametrize("psi", [-0.1, 1.5, float("nan")])
def test_psi_out_of_range_is_refused(styled, psi):
    """Beyond w, images have no meaning."""
    with pytest.raises(ConfigError, match=r"psi must be in \[0, 1\]"):
        generate(generator_of(styled), 3, [0], psi=psi)


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
