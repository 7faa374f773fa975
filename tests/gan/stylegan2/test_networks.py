"""The networks of StyleGAN2: sizes, styles, truncation, groups."""

import dataclasses

import pytest
import torch

from idhray.gan.config import width_at
from idhray.gan.stylegan2.config import PRESETS, StyleGan2Settings
from idhray.gan.stylegan2.networks import StyleGan2Discriminator, StyleGan2Generator

SMALL = StyleGan2Settings(
    resolution_px=16, channels=2, latent_size=6, fmap_base=32, fmap_max=8, batch_size=4
)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    network = StyleGan2Generator(SMALL)
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.constant_(parameter, 0.3)
    return network


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("side", [8, 32])
def test_any_channels_and_power_of_two(channels, side):
    """CE-T1w and FLAIR need two, the papers' images three, H&E in gray one."""
    settings = dataclasses.replace(SMALL, channels=channels, resolution_px=side)
    images = StyleGan2Generator(settings)(torch.randn(4, 6))

    assert images.shape == (4, channels, side, side)
    assert StyleGan2Discriminator(settings)(images).shape == (4,)


def test_park2021_has_widths_and_size_of_config_f():
    """512 maps to 64 px, 256 at 128, 128 at 256; 30.0 and 28.9 million parameters."""
    settings = PRESETS["park2021"]
    with torch.device("meta"):
        generator, discriminator = StyleGan2Generator(settings), StyleGan2Discriminator(settings)
        images = generator(torch.empty(4, 512))
        scores = discriminator(images)
    millions = [sum(p.numel() for p in n.parameters()) / 1e6 for n in (generator, discriminator)]

    assert [width_at(settings, k) for k in range(7)] == [512, 512, 512, 512, 512, 256, 128]
    assert generator.layers == 14
    assert (images.shape, scores.shape) == ((4, 3, 256, 256), (4,))
    assert millions == pytest.approx([30.0, 28.9], abs=0.1)


@pytest.mark.parametrize("cutoff", range(1, 7))
def test_mixing_swaps_exactly_the_layers_from_the_cutoff_on(generator, cutoff):
    """The first layers get the w of the first latent, all others that of the second."""
    pairs = torch.randn(2, 3, 6)
    styles, first = generator.mixed_styles(pairs, torch.tensor(cutoff))
    w = generator.mapping(pairs[0]), generator.mapping(pairs[1])

    torch.testing.assert_close(first, w[0])
    for layer in range(6):
        torch.testing.assert_close(styles[:, layer], w[int(layer >= cutoff)])


def test_each_layer_listens_to_its_own_style(generator):
    """Style k moves the outputs of layer k and of none before it."""
    order = []
    synthesis = generator.synthesis
    layers = [synthesis.first]
    for up, conv in zip(synthesis.ups, synthesis.convs, strict=True):
        layers += [up, conv]
    layers.append(synthesis.images[-1])
    for layer in layers:
        layer.register_forward_hook(lambda _, __, y: order.append(y))
    styles = torch.randn(1, 6, 6)
    synthesis(styles, generator.fixed_noise)
    for k in range(6):
        other = styles.clone()
        other[:, k] += 1
        before = list(order[:6])
        order.clear()
        synthesis(other, generator.fixed_noise)
        changed = [not torch.equal(a, b) for a, b in zip(before, order, strict=True)]

        assert changed == [False] * k + [True] * (6 - k)
        order[:] = before


def test_no_truncation_changes_nothing_and_full_truncation_is_the_mean(generator):
    """Psi 1: the image of w; psi 0: that of the mean w, whatever z; in between, on the line."""
    generator.w_average.normal_()
    z = torch.randn(3, 6)
    w = generator.mapping(z)
    noise = generator.fixed_noise

    def image_of(w):
        return generator.synthesis(w[:, None].expand(-1, 6, -1), noise.expand(len(w), -1))

    center = generator.w_average[None]
    torch.testing.assert_close(generator(z, psi=1.0), image_of(w), rtol=0, atol=0)
    torch.testing.assert_close(generator(z, psi=0.0), image_of(center).expand(3, -1, -1, -1))
    torch.testing.assert_close(generator(z, psi=0.25), image_of(center + 0.25 * (w - center)))


def test_noise_is_fixed_unless_given(generator):
    """Fixed: an image depends on z alone. Every pixel of it has its place in some layer."""
    z = torch.randn(2, 6)
    noise = torch.randn(2, generator.fixed_noise.shape[1])

    assert noise.shape[1] == 4**2 + 2 * 8**2 + 2 * 16**2
    assert torch.equal(generator(z), generator(z))
    assert not torch.equal(generator(z), generator(z, noise))
    for k in (0, 16, 79, 80, 144, 400, 655):
        other = noise.clone()
        other[:, k] += 1
        assert not torch.equal(generator(z, noise), generator(z, other))


def test_size_of_the_latent_does_not_matter(generator):
    """Z is normalized before it is mapped."""
    z = torch.randn(2, 6)

    torch.testing.assert_close(generator(z), generator(3 * z))


def test_scores_do_not_depend_on_the_other_groups():
    """Real and fake images pass in one batch, with statistics of their own."""
    discriminator = StyleGan2Discriminator(SMALL)
    a, b = torch.randn(4, 2, 16, 16), torch.randn(4, 2, 16, 16)
    together = discriminator(torch.cat([a, b]))

    torch.testing.assert_close(together, torch.cat([discriminator(a), discriminator(b)]))
    assert not torch.allclose(discriminator(torch.cat([a[:2], b[:2]])), together[[0, 1, 4, 5]])


def test_both_branches_of_a_block_keep_the_mean_square():
    """Their sum is over sqrt(2). On an even image, that the filter leaves as it is."""
    torch.manual_seed(0)
    settings = dataclasses.replace(SMALL, fmap_base=4096, fmap_max=256)
    block = StyleGan2Discriminator(settings).blocks[0]
    x = torch.randn(16, 256, 1, 1).expand(-1, -1, 16, 16)

    assert block(x)[:, :, 4, 4].square().mean().item() == pytest.approx(1, abs=0.1)


def test_freezing_takes_the_blocks_nearest_the_image():
    """FreezeD: the first blocks and what leads into them; none for 0."""
    discriminator = StyleGan2Discriminator(SMALL)
    discriminator.freeze(1)
    frozen = {n for n, p in discriminator.named_parameters() if not p.requires_grad}

    assert {name.split(".")[0] for name in frozen} == {"from_image", "blocks"}
    assert all(name.startswith(("from_image", "blocks.0.")) for name in frozen)
    discriminator.freeze(0)
    assert all(p.requires_grad for p in discriminator.parameters())
