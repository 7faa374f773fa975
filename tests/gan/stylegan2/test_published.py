"""Weights in the layout of stylegan2-ada-pytorch: each tensor has one place, and images are equal.

The reference is written from the equations of Karras et al. 2020, with true convolutions where that
program has them; no published weights are needed.
"""

import math

import pytest
import torch
import torch.nn.functional as F

from idhray.errors import ConfigError
from idhray.gan.config import width_at
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.networks import StyleGan2Discriminator, StyleGan2Generator
from idhray.gan.stylegan2.published import published_settings, published_weights
from idhray.gan.weights import CheckpointWeights

SETTINGS = StyleGan2Settings(
    resolution_px=16, channels=2, latent_size=6, mapping_layers=3, fmap_base=32, fmap_max=7
)
FILTER = torch.outer(t := torch.tensor([1.0, 3.0, 3.0, 1.0]), t) / 64
GAIN = math.sqrt(2)


def published_state(settings=SETTINGS, prefixes=("G", "G_ema")):
    """A state dict as that program names it, with random values."""
    chance = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, generator=chance)

    z, c = settings.latent_size, settings.channels
    state = {}

    def layer(name, inputs, outputs, side):
        state.update({
            f"{name}.weight": random(outputs, inputs, 3, 3), f"{name}.bias": random(outputs),
            f"{name}.noise_strength": random(), f"{name}.noise_const": random(side, side),
            f"{name}.affine.weight": random(inputs, z), f"{name}.affine.bias": 1 + random(inputs),
            f"{name}.resample_filter": FILTER.clone(),
        })  # fmt: skip

    for prefix in prefixes:
        state[f"{prefix}.mapping.w_avg"] = random(z)
        for k in range(settings.mapping_layers):
            state[f"{prefix}.mapping.fc{k}.weight"] = 100 * random(z, z)
            state[f"{prefix}.mapping.fc{k}.bias"] = 100 * random(z)
        for level in range(settings.levels):
            block, width = f"{prefix}.synthesis.b{4 << level}", width_at(settings, level)
            if level:
                layer(f"{block}.conv0", width_at(settings, level - 1), width, 4 << level)
            else:
                state[f"{block}.const"] = random(width, 4, 4)
            layer(f"{block}.conv1", width, width, 4 << level)
            state[f"{block}.resample_filter"] = FILTER.clone()
            state[f"{block}.torgb.weight"] = random(c, width, 1, 1)
            state[f"{block}.torgb.bias"] = random(c)
            state[f"{block}.torgb.affine.weight"] = random(width, z)
            state[f"{block}.torgb.affine.bias"] = random(width)
    for level in range(settings.levels - 1, 0, -1):
        block, width = f"D.b{4 << level}", width_at(settings, level)
        below = width_at(settings, level - 1)
        if level == settings.levels - 1:
            state[f"{block}.fromrgb.weight"] = random(width, c, 1, 1)
            state[f"{block}.fromrgb.bias"] = random(width)
        state[f"{block}.conv0.weight"] = random(width, width, 3, 3)
        state[f"{block}.conv0.bias"] = random(width)
        state[f"{block}.conv1.weight"] = random(below, width, 3, 3)
        state[f"{block}.conv1.bias"] = random(below)
        state[f"{block}.skip.weight"] = random(below, width, 1, 1)
        state[f"{block}.skip.resample_filter"] = FILTER.clone()
    width = width_at(settings, 0)
    state |= {
        "D.b4.conv.weight": random(width, width + 1, 3, 3), "D.b4.conv.bias": random(width),
        "D.b4.fc.weight": random(width, 16 * width), "D.b4.fc.bias": random(width),
        "D.b4.out.weight": random(1, width), "D.b4.out.bias": random(1),
    }  # fmt: skip
    return state


def smoothed(x, up=False, pad=(1, 1)):
    """Filtered, after zeros between the pixels if it is enlarged."""
    n, c, h, w = x.shape
    if up:
        wide = x.new_zeros(n, c, h, 2, w, 2)
        wide[:, :, :, 0, :, 0] = 4 * x
        x, pad = wide.view(n, c, 2 * h, 2 * w), (2, 1)
    x = F.pad(x, (*pad, *pad))
    return F.conv2d(x, FILTER.expand(c, 1, 4, 4).to(x.dtype), groups=c)


def dense(state, name, x, lr=1.0):
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return x @ (weight * lr / math.sqrt(weight.shape[1])).T + bias * lr


def active(x, gain=GAIN):
    return gain * F.leaky_relu(x, 0.2)


def reference_images(state, z, settings=SETTINGS):
    """One image at a time, by weights of its own (equations 1 and 3)."""
    w = z / z.square().mean(1, keepdim=True).add(1e-8).sqrt()
    for k in range(settings.mapping_layers):
        w = active(dense(state, f"G_ema.mapping.fc{k}", w, 0.01))
    return torch.cat([_one_image(state, row[None], settings) for row in w])


def _one_image(state, w, settings):
    def layer(name, x, up):
        weight = state[f"{name}.weight"] * dense(state, f"{name}.affine", w)[0][:, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:  # a true convolution between zeros, then the filter
            wide = x.new_zeros(1, x.shape[1], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1)
            wide[:, :, ::2, ::2] = x
            x = 4 * smoothed(F.conv2d(wide, weight.flip(2, 3), padding=2))
        else:
            x = F.conv2d(x, weight, padding=1)
        x = x + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
        return active(x + state[f"{name}.bias"][:, None, None])

    image, x = None, state["G_ema.synthesis.b4.const"][None]
    for level in range(settings.levels):
        block = f"G_ema.synthesis.b{4 << level}"
        if level:
            x = layer(f"{block}.conv0", x, up=True)
        x = layer(f"{block}.conv1", x, up=False)
        style = dense(state, f"{block}.torgb.affine", w)[0] / math.sqrt(x.shape[1])
        rgb = F.conv2d(x, state[f"{block}.torgb.weight"] * style[:, None, None])
        rgb = rgb + state[f"{block}.torgb.bias"][:, None, None]
        image = rgb if image is None else smoothed(image, up=True) + rgb
    return image


def reference_scores(state, images, settings=SETTINGS):
    """Scores of one group of images."""

    def conv(name, x, *, down=False, bias=True, gain=1.0):
        weight = state[f"{name}.weight"]
        weight = weight / math.sqrt(weight[0].numel())
        pad = weight.shape[-1] // 2
        if down:
            x = smoothed(x, pad=(2, 2) if pad else (1, 1))
            x = F.conv2d(x, weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=pad)
        return active(x + state[f"{name}.bias"][:, None, None], GAIN * gain) if bias else x * gain

    x = conv(f"D.b{settings.resolution_px}.fromrgb", images)
    half = math.sqrt(0.5)
    for level in range(settings.levels - 1, 0, -1):
        block = f"D.b{4 << level}"
        skip = conv(f"{block}.skip", x, down=True, bias=False, gain=half)
        x = skip + conv(f"{block}.conv1", conv(f"{block}.conv0", x), down=True, gain=half)
    spread = (x.var(dim=0, correction=0) + 1e-8).sqrt().mean()
    x = conv("D.b4.conv", torch.cat([x, spread.expand(len(x), 1, 4, 4)], dim=1))
    return dense(state, "D.b4.out", active(dense(state, "D.b4.fc", x.flatten(1))))[:, 0]


def filled(network, name, state):
    CheckpointWeights("x", published_weights(state), "0").fill(network, name)
    return network.double()


def test_images_and_scores_are_those_of_the_published_networks():
    """One to one; convolutions that enlarge are turned."""
    state = published_state()
    exact = {name: tensor.double() for name, tensor in state.items()}
    z = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    images = torch.randn(4, 2, 16, 16, dtype=torch.float64)

    assert published_settings(state) == SETTINGS
    generator = filled(StyleGan2Generator(SETTINGS), "generator_ema", state)
    torch.testing.assert_close(generator(z), reference_images(exact, z), atol=1e-6, rtol=1e-6)
    discriminator = filled(StyleGan2Discriminator(SETTINGS), "discriminator", state)
    torch.testing.assert_close(
        discriminator(images), reference_scores(exact, images), atol=1e-6, rtol=1e-6
    )


def test_every_tensor_of_every_network_gets_a_value():
    """Names and shapes at config F, without its numbers."""
    settings = StyleGan2Settings()
    with torch.device("meta"):
        generator, discriminator = StyleGan2Generator(settings), StyleGan2Discriminator(settings)
    networks = {"generator": generator, "generator_ema": generator, "discriminator": discriminator}
    narrow = StyleGan2Settings(fmap_base=1024, fmap_max=32, latent_size=8)
    weights = published_weights(published_state(narrow, prefixes=("G_ema",)))

    assert published_settings(published_state(narrow)) == narrow
    assert weights.keys() == {
        f"{name}.{key}" for name, network in networks.items() for key in network.state_dict()
    }
    assert torch.equal(weights["generator.w_average"], weights["generator_ema.w_average"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"G_ema.synthesis.b8.conv0.bias": None}, r"b8\.conv0\.bias is missing"),
        ({"G_ema.mapping.embed.weight": torch.zeros(1)}, "a conditional network"),
        ({"D.b32.conv0.weight": torch.zeros(1)}, r"D\.b32\.conv0\.weight: no such tensor"),
        ({"D.b4.fc.weight": torch.zeros(3, 3)}, r"D\.b4\.fc\.weight: shape \(3, 3\)"),
        ({"D.b8.skip.resample_filter": torch.ones(4, 4)}, "another filter"),
    ],
)
def test_other_networks_are_refused(change, message):
    """With the name of the first tensor that does not fit."""
    state = {k: v for k, v in (published_state() | change).items() if v is not None}

    with pytest.raises(ConfigError, match=message):
        published_weights(state)


def test_what_is_no_state_dict_is_refused():
    """Such as weights of another program."""
    with pytest.raises(ConfigError, match="not a StyleGAN2 state dict"):
        published_settings({"conv.weight": torch.zeros(1)})
