"""Weights in the layout of NVlabs/stylegan2-ada-pytorch, as weights of a StyleGAN2 of this package.

That program names its tensors `G_ema.synthesis.b8.conv0.weight`, and so on. The mapping is one to
one. Convolutions that enlarge are turned by 180 degrees (there they are true convolutions, here
correlations, as all others are in both). Noise of all layers is one row here.

Shapes: O, I channels, Z latent size, C image channels, S side of a block, L levels.
Source: names and shapes of the state dicts that this program publishes; the layers are those of
Karras et al. 2020 (arXiv:1912.04958), figures 2 and 7.
"""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from idhray.errors import ConfigError
from idhray.gan.config import width_at
from idhray.gan.stylegan2.config import StyleGan2Settings

AVERAGE, GENERATOR, DISCRIMINATOR = "G_ema", "G", "D"
TURNED = ".conv0.weight"
"""End of the names of the generator's convolutions that enlarge."""


def published_settings(state: Mapping[str, Tensor]) -> StyleGan2Settings:
    """Settings of the networks of a state dict; the training schedule is that of the defaults.

    Args:
        state: Tensors by name, with the prefixes `G_ema.` and `D.`, and perhaps `G.`.

    Raises:
        ConfigError: the networks are of another kind; the message names the first difference.
    """
    prefix = f"{AVERAGE}.synthesis."
    sides = sorted(
        int(name.removeprefix(f"{prefix}b").split(".")[0])
        for name in state
        if name.startswith(f"{prefix}b") and name.endswith(".torgb.weight")
    )
    if not sides or sides != [4 << level for level in range(len(sides))]:
        raise ConfigError(f"{prefix}b4 to bS with torgb are missing; not a StyleGAN2 state dict")
    for name in state:
        if ".embed." in name or name.startswith(f"{DISCRIMINATOR}.mapping."):
            raise ConfigError(f"{name}: a conditional network; give one without classes")
    first = _tensor(state, f"{AVERAGE}.mapping.fc0.weight")
    widths = [len(_tensor(state, f"{prefix}b{side}.conv1.bias")) for side in sides]
    narrow = [(width, side) for width, side in zip(widths, sides, strict=True) if width < widths[0]]
    settings = StyleGan2Settings(
        resolution_px=sides[-1],
        channels=len(_tensor(state, f"{prefix}b4.torgb.bias")),
        latent_size=first.shape[1],
        mapping_layers=sum(f"{AVERAGE}.mapping.fc{k}.weight" in state for k in range(64)),
        fmap_max=widths[0],
        fmap_base=narrow[0][0] * narrow[0][1] // 2 if narrow else widths[0] * sides[-1] // 2,
    )
    fitting = [width_at(settings, level) for level in range(settings.levels)]
    if fitting != widths:
        raise ConfigError(f"channels at 4, 8, ... px are {widths}, must be {fitting}")
    return settings


def published_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a checkpoint of this package, by name.

    Without the trained generator (`G.`), training goes on from the averaged one.

    Args:
        state: As for `published_settings`.

    Raises:
        ConfigError: a tensor is missing, has another shape, or is left over.
    """
    settings = published_settings(state)
    has_generator = any(name.startswith(f"{GENERATOR}.") for name in state)
    sources = {
        "generator_ema": AVERAGE,
        "generator": GENERATOR if has_generator else AVERAGE,
        "discriminator": DISCRIMINATOR,
    }
    tensors: dict[str, Tensor] = {}
    used: set[str] = set()
    for ours, theirs in sources.items():
        rule = _discriminator if theirs == DISCRIMINATOR else _generator
        for name, published, shape in rule(settings):
            full_name = f"{theirs}.{published}"
            tensor = _tensor(state, full_name).float()
            tensor = tensor.flip(2, 3) if _turned(full_name) else tensor
            if tensor.numel() != math.prod(shape):
                raise ConfigError(f"{full_name}: shape {tuple(tensor.shape)}, must hold {shape}")
            tensors[f"{ours}.{name}"] = tensor.reshape(shape).contiguous()
            used.add(full_name)
        if theirs != DISCRIMINATOR:
            tensors[f"{ours}.fixed_noise"] = _noise(state, theirs, settings, used)
    _refuse_left_over(state, used)
    return tensors


def _turned(name: str) -> bool:
    return ".synthesis." in name and name.endswith(TURNED)


_Rule = Iterator[tuple[str, str, tuple[int, ...]]]  # our name, their name, our shape


def _layer(ours: str, theirs: str, inputs: int, outputs: int, latent: int) -> _Rule:
    yield f"{ours}.weight", f"{theirs}.weight", (outputs, inputs, 3, 3)
    yield f"{ours}.bias", f"{theirs}.bias", (outputs,)
    yield f"{ours}.noise_strength", f"{theirs}.noise_strength", ()
    yield f"{ours}.affine.weight", f"{theirs}.affine.weight", (inputs, latent)
    yield f"{ours}.affine.bias", f"{theirs}.affine.bias", (inputs,)


def _generator(settings: StyleGan2Settings) -> _Rule:
    latent, channels = settings.latent_size, settings.channels
    yield "w_average", "mapping.w_avg", (latent,)
    for k in range(settings.mapping_layers):
        yield f"mapping.layers.{k}.weight", f"mapping.fc{k}.weight", (latent, latent)
        yield f"mapping.layers.{k}.bias", f"mapping.fc{k}.bias", (latent,)
    for level in range(settings.levels):
        block, width = f"synthesis.b{4 << level}", width_at(settings, level)
        if level == 0:
            yield "synthesis.constant", f"{block}.const", (1, width, 4, 4)
            yield from _layer("synthesis.first", f"{block}.conv1", width, width, latent)
        else:
            below = width_at(settings, level - 1)
            k = level - 1
            yield from _layer(f"synthesis.ups.{k}", f"{block}.conv0", below, width, latent)
            yield from _layer(f"synthesis.convs.{k}", f"{block}.conv1", width, width, latent)
        ours = f"synthesis.images.{level}"
        yield f"{ours}.weight", f"{block}.torgb.weight", (channels, width)
        yield f"{ours}.bias", f"{block}.torgb.bias", (channels,)
        yield f"{ours}.affine.weight", f"{block}.torgb.affine.weight", (width, latent)
        yield f"{ours}.affine.bias", f"{block}.torgb.affine.bias", (width,)


def _discriminator(settings: StyleGan2Settings) -> _Rule:
    last = settings.levels - 1
    for place, level in enumerate(range(last, 0, -1)):
        block, width = f"b{4 << level}", width_at(settings, level)
        below = width_at(settings, level - 1)
        if place == 0:
            yield "from_image.weight", f"{block}.fromrgb.weight", (width, settings.channels, 1, 1)
            yield "from_image.bias", f"{block}.fromrgb.bias", (width,)
        ours = f"blocks.{place}"
        yield f"{ours}.conv.weight", f"{block}.conv0.weight", (width, width, 3, 3)
        yield f"{ours}.conv.bias", f"{block}.conv0.bias", (width,)
        yield f"{ours}.down.weight", f"{block}.conv1.weight", (below, width, 3, 3)
        yield f"{ours}.down.bias", f"{block}.conv1.bias", (below,)
        yield f"{ours}.skip.weight", f"{block}.skip.weight", (below, width, 1, 1)
    width = width_at(settings, 0)
    yield "verdict.conv.weight", "b4.conv.weight", (width, width + 1, 3, 3)
    yield "verdict.conv.bias", "b4.conv.bias", (width,)
    yield "verdict.linear.weight", "b4.fc.weight", (width, width * 16)
    yield "verdict.linear.bias", "b4.fc.bias", (width,)
    yield "verdict.score.weight", "b4.out.weight", (1, width)
    yield "verdict.score.bias", "b4.out.bias", (1,)


def _noise(
    state: Mapping[str, Tensor], theirs: str, settings: StyleGan2Settings, used: set[str]
) -> Tensor:
    """(1, P): fixed noise of all layers, one after the other."""
    names = [
        f"{theirs}.synthesis.b{4 << level}.conv{k}.noise_const"
        for level in range(settings.levels)
        for k in ((1,) if level == 0 else (0, 1))
    ]
    used.update(names)
    return torch.cat([_tensor(state, name).float().flatten() for name in names])[None]


def _tensor(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise ConfigError(f"{name} is missing; not a StyleGAN2 state dict, or not all of it")
    return state[name]


def _refuse_left_over(state: Mapping[str, Tensor], used: set[str]) -> None:
    """Refuse tensors that no rule reads, but for the filter, which must be [1, 3, 3, 1]."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    expected = torch.outer(taps, taps) / 64
    for name, tensor in state.items():
        if name.endswith("resample_filter"):
            if tensor.shape != expected.shape or not torch.allclose(tensor.float(), expected):
                raise ConfigError(f"{name}: another filter than [1, 3, 3, 1]")
        elif name not in used:
            raise ConfigError(f"{name}: no such tensor in a StyleGAN2 of this package")
