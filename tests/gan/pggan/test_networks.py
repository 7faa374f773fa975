"""The growing networks: continuity, widths, sizes."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from idhray.gan.config import width_at
from idhray.gan.losses import gradient_penalty
from idhray.gan.pggan.config import PRESETS, PgganSettings
from idhray.gan.pggan.networks import (
    PgganDiscriminator,
    PgganGenerator,
    active_parameters,
    enlarged,
    halved_by_mean,
)
from idhray.gan.pggan.run import slope_scale

SMALL = PgganSettings(
    resolution_px=16, channels=2, latent_size=6, fmap_base=16, fmap_max=8, batch_sizes=(4, 4, 4)
)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return PgganGenerator(SMALL)


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return PgganDiscriminator(SMALL)


@pytest.mark.parametrize("level", [1, 2])
def test_generator_starts_a_level_with_what_it_showed_before(generator, level):
    """At alpha 0 the new level is the old one enlarged, so growing changes nothing at first."""
    z = torch.randn(3, 6)

    torch.testing.assert_close(
        generator(z, level, torch.tensor(0.0)), enlarged(generator(z, level - 1))
    )


@pytest.mark.parametrize("level", [1, 2])
def test_discriminator_starts_a_level_with_its_old_verdict(discriminator, level):
    """At alpha 0 the new level sees its images averaged 2 x 2."""
    images = torch.randn(4, 2, 4 << level, 4 << level)

    torch.testing.assert_close(
        discriminator(images, level, torch.tensor(0.0)),
        discriminator(halved_by_mean(images), level - 1),
    )


def test_half_faded_output_is_the_mean_of_both_levels(generator):
    """Alpha interpolates linearly between images (figure 2b)."""
    z = torch.randn(2, 6)
    both = enlarged(generator(z, 1)) + generator(z, 2)

    torch.testing.assert_close(generator(z, 2, torch.tensor(0.5)), both / 2)


def test_sizes_of_all_levels(generator, discriminator):
    """Level l works at 4 * 2^l px, with any number of channels; scores are one per image."""
    for level in range(3):
        images = generator(torch.randn(4, 6), level, torch.tensor(0.3))

        assert images.shape == (4, 2, 4 << level, 4 << level)
        assert discriminator(images, level, torch.tensor(0.3)).shape == (4,)


def test_scores_do_not_depend_on_the_other_groups(discriminator):
    """Real and fake images may pass in one batch."""
    a, b = torch.randn(4, 2, 16, 16), torch.randn(4, 2, 16, 16)
    together = discriminator(torch.cat([a, b]), 2)

    torch.testing.assert_close(together, torch.cat([discriminator(a, 2), discriminator(b, 2)]))


def test_active_parameters_are_those_that_get_gradients(generator, discriminator):
    """Adam and the workers' average must see all of these and no others."""
    half = torch.tensor(0.5)
    for level, alpha in [(0, None), (1, half), (1, None), (2, half), (2, None)]:
        for network in (generator, discriminator):
            network.zero_grad(set_to_none=True)
        discriminator(generator(torch.randn(4, 6), level, alpha), level, alpha).sum().backward()

        for network in (generator, discriminator):
            touched = {id(p) for p in network.parameters() if p.grad is not None}
            active = {id(p) for p in active_parameters(network, level, alpha is not None)}
            assert touched == active


def test_liu2020_has_widths_and_size_of_the_authors_networks():
    """4 to 32 px: 512, 64: 256, 128: 128, 256: 64; 23.0 million parameters each."""
    settings = PRESETS["liu2020"]
    with torch.device("meta"):
        networks = PgganGenerator(settings), PgganDiscriminator(settings)

    assert [width_at(settings, k) for k in range(7)] == [512, 512, 512, 512, 256, 128, 64]
    for network in networks:
        assert sum(p.numel() for p in network.parameters()) == pytest.approx(23.0e6, abs=0.1e6)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_the_slope_of_the_penalty_is_that_by_full_size_images(discriminator, level, alpha):
    """The original enlarges real and generated images to full size; its critic shrinks them."""
    factor, weight = 4 >> level, torch.tensor(alpha)
    side = 4 << level
    reals, fakes, mix = (torch.randn(4, 2, side, side), torch.randn(4, 2, side, side),
                         torch.rand(4, 1, 1, 1))  # fmt: skip

    def full_size(images):
        return images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)

    def full_size_score(images):
        return discriminator(F.avg_pool2d(images, factor), level, weight)

    settings = dataclasses.replace(SMALL, penalty_slope="full")
    ours = gradient_penalty(
        lambda x: discriminator(x, level, weight),
        reals, fakes, mix, scale=slope_scale(settings, level),
    )  # fmt: skip
    original = gradient_penalty(full_size_score, full_size(reals), full_size(fakes), mix)

    torch.testing.assert_close(ours, original, atol=1e-6, rtol=1e-5)
    assert slope_scale(SMALL, level) == 1


def test_the_first_bias_is_one_number_for_each_channel():
    """Added after the reshape; equal biases at all positions give the same images."""
    torch.manual_seed(0)
    shared = PgganGenerator(dataclasses.replace(SMALL, latent_bias="channel"))
    torch.manual_seed(0)
    separate = PgganGenerator(SMALL)
    bias, z = torch.randn(8), torch.randn(3, 6)
    shared.blocks[0].bias.data.copy_(bias)
    separate.blocks[0].linear.bias.data.copy_(bias.repeat_interleave(16))

    torch.testing.assert_close(shared(z, 2), separate(z, 2))
    assert shared.blocks[0].linear.bias is None
