"""Walks between latents, strips, mixed styles."""

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError
from idhray.gan.growth import Growth
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.pggan.networks import PgganGenerator
from idhray.gan.pictures import (
    interpolation,
    slerp,
    strip,
    style_mixing,
    style_mixing_grid,
)
from idhray.gan.sample import TrainedGenerator, generate, generator_of, latent
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.networks import StyleGan2Generator
from tests.gan.made_up import BY_NAME, start

PGGAN = PgganSettings(
    resolution_px=16, channels=2, latent_size=16, fmap_base=64, fmap_max=32, batch_sizes=(4, 4, 4)
)
STYLEGAN2 = StyleGan2Settings(
    resolution_px=16, channels=2, latent_size=16, fmap_base=64, fmap_max=32, batch_size=4
)


@pytest.fixture
def grown():
    torch.manual_seed(0)
    return TrainedGenerator(PgganGenerator(PGGAN), PGGAN, Growth(2), torch.device("cpu"))


@pytest.fixture
def styled():
    """A StyleGAN2 with biases, noise and mean w that can be seen."""
    torch.manual_seed(0)
    network = StyleGan2Generator(STYLEGAN2).requires_grad_(False)
    network.w_average.normal_()
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return TrainedGenerator(network, STYLEGAN2, Growth(2), torch.device("cpu"))


def shown(images):
    """(N, C, H, W) -1..1 as (N, H, W, C) 0..255, not rounded."""
    return ((images + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy()


def test_slerp_stays_on_the_circle():
    """A third of a right angle is 30 degrees; a line would have passed inside."""
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])

    assert slerp(x, y, 1 / 3).tolist() == pytest.approx([3**0.5 / 2, 0.5])
    assert torch.equal(slerp(x, y, 0.0), x)
    torch.testing.assert_close(slerp(x, y, 1.0), y)


def test_slerp_of_parallel_latents_is_a_line():
    """Not a division by a sine of zero."""
    x = torch.tensor([1.0, 2.0])

    torch.testing.assert_close(slerp(x, 3 * x, 0.5), 2 * x)


def test_a_walk_of_a_pggan_passes_the_images_along_the_arc(grown):
    """Its stops are those of `generate`; what lies between is the latents' slerp."""
    frames = interpolation(grown, 3, [0, 11, 2], steps=5)
    stops = generate(grown, 3, [0, 11, 2])
    z = slerp(latent(3, 0, 16)[0], latent(3, 11, 16)[0], 0.4)
    with torch.no_grad():
        between = shown(grown.network(z[None], 2))[0]

    assert frames.shape == (11, 16, 16, 2)
    assert frames.dtype == np.uint8
    assert np.abs(frames[::5] - stops.astype(float)).max() <= 1
    assert np.abs(frames[2] - between).max() < 0.51


def test_a_walk_of_a_stylegan2_goes_straight_through_w(styled):
    """With fixed noise, and drawn to the mean w by psi."""
    frames = interpolation(styled, 3, [0, 1], steps=4, psi=0.6)
    network = styled.network
    ends = network.mapping(torch.cat([latent(3, 0, 16), latent(3, 1, 16)]))
    w = network.w_average + 0.6 * (0.75 * ends[:1] + 0.25 * ends[1:] - network.w_average)
    image = network.synthesis(w[:, None].expand(-1, network.layers, -1), network.fixed_noise)

    assert frames.shape == (5, 16, 16, 2)
    assert np.abs(frames[1] - shown(image)[0]).max() < 0.51
    assert (frames[0] != frames[4]).any()


def test_a_loop_ends_one_step_before_its_start(grown):
    """Played for ever, no image is shown twice."""
    once = interpolation(grown, 3, [0, 1], steps=3)
    loop = interpolation(grown, 3, [0, 1], steps=3, loop=True)

    assert len(loop) == 6
    assert np.abs(loop[:4] - once.astype(float)).max() <= 1
    assert np.abs(loop[4:] - once[2:0:-1].astype(float)).max() <= 1


def test_impossible_walks_are_refused(grown):
    """One line that says what is missing."""
    with pytest.raises(ConfigError, match="2 indices and 1 step or more, got 1 and 4"):
        interpolation(grown, 3, [0], steps=4)
    with pytest.raises(ConfigError, match="got 2 and 0"):
        interpolation(grown, 3, [0, 1], steps=0)
    with pytest.raises(ConfigError, match="psi must be 1"):
        interpolation(grown, 3, [0, 1], psi=0.5)


def test_a_strip_is_one_row():
    """Frames from left to right."""
    frames = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 4, 1), np.uint8)

    assert strip(frames).shape == (2, 12)
    assert strip(frames)[0, ::4].tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match="needs images"):
        strip(frames[:0])


def test_mixed_images_take_coarse_styles_of_rows_and_fine_ones_of_columns(styled):
    """Each cell is what synthesis makes of both; sources stand beside and above."""
    cells = style_mixing(styled, 3, rows=[5, 0], columns=[1, 7, 2], crossover=3)
    network = styled.network
    ws = network.mapping(torch.cat([latent(3, 5, 16), latent(3, 7, 16)]))
    mixed = torch.cat([ws[:1].expand(3, -1), ws[1:].expand(network.layers - 3, -1)])
    sources = ws[:, None].expand(-1, network.layers, -1)
    made = shown(
        network.synthesis(torch.cat([mixed[None], sources]), network.fixed_noise.expand(3, -1))
    )

    assert cells.shape == (3, 4, 16, 16, 2)
    assert np.abs(cells[1, 2] - made[0]).max() < 0.51
    assert np.abs(cells[1, 0] - made[1]).max() < 0.51
    assert np.abs(cells[0, 2] - made[2]).max() < 0.51
    assert not cells[0, 0].any()


def test_an_image_mixed_with_itself_is_itself(styled):
    """The same index in a row and in a column."""
    cells = style_mixing(styled, 3, rows=[4], columns=[4], crossover=2, psi=0.7).astype(float)

    assert np.abs(cells[1, 1] - cells[1, 0]).max() <= 1
    assert np.abs(cells[1, 1] - cells[0, 1]).max() <= 1


def test_the_grid_of_mixed_images_keeps_rows_and_columns():
    """Cell (1, 2) lies below the first row and right of two columns."""
    cells = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) * np.ones((2, 2, 1), np.uint8)

    assert style_mixing_grid(cells)[::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_impossible_mixtures_are_refused(styled, grown):
    """One line that says what may be given."""
    with pytest.raises(ConfigError, match="a PGGAN has no styles"):
        style_mixing(grown, 3, rows=[0], columns=[1], crossover=2)
    with pytest.raises(ConfigError, match="rows and columns, got 0 and 1"):
        style_mixing(styled, 3, rows=[], columns=[1], crossover=2)
    for crossover in (0, 6):
        with pytest.raises(ConfigError, match=f"crossover must be 1 to 5, got {crossover}"):
            style_mixing(styled, 3, rows=[0], columns=[1], crossover=crossover)


@pytest.mark.parametrize("label", [0, 1])
def test_a_walk_of_a_class_stops_at_its_own_images(label):
    """A diffusion model has no other noise, so the stops are the images of `generate`."""
    generator = generator_of(start(BY_NAME["diffusion-both"]), label)
    frames = interpolation(generator, 3, [0, 4], steps=3)

    assert np.abs(frames[::3] - generate(generator, 3, [0, 4]).astype(float)).max() <= 1
