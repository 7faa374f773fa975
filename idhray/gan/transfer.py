"""Start a GAN from another one's weights, trained on other images: transfer.

Where the numbers of image channels differ, first and last layers are adapted on request. C is the
number of channels, O that of the feature maps next to the image.

Source: Park et al. 2021, Methods: 500 normal brains first, then IDH-mutant tumours.
"""

import dataclasses
import math
import re

import torch
from torch import Tensor

from idhray.config import differences, settings_dict
from idhray.errors import ConfigError
from idhray.gan.checkpoint import Weights, networks, read_model, read_settings, read_weights
from idhray.gan.run import Run
from idhray.gan.stylegan2_config import NETWORK, StyleGan2Settings
from idhray.gan.stylegan2_run import StyleGan2Run

_FROM_IMAGE = "discriminator.from_image.weight"
_TO_IMAGE = re.compile(r"generator(_ema)?\.synthesis\.images\.\d+\.(weight|bias)")


def init_from(
    run: Run, folder: str, freeze_layers: int = 0, *, adapt_channels: bool = False
) -> None:
    """Give a new run the networks of a checkpoint; all else (Adam, kimg, means) starts anew.

    The run's patients become those of both: a classifier must not be tested on either. To continue
    a run that began like this, do the same again and then `checkpoint.restore`.

    Args:
        run: Of StyleGAN2, before its first step.
        folder: The checkpoint; its class and images may be others, its networks must be the same.
        freeze_layers: How many residual blocks of the discriminator, those nearest the image, keep
            their weights. Source: FreezeD, Mo et al. 2020 (arXiv:2002.10964).
        adapt_channels: Take a checkpoint of another number of channels, as `adapted` changes it.

    Raises:
        ConfigError: either GAN is no StyleGAN2, their networks differ, or there are not so many
            blocks.
        StorageError: a file is missing or corrupt.
    """
    assert run.images_shown == 0, run.images_shown
    if not isinstance(run, StyleGan2Run):
        raise ConfigError("a PGGAN grows from 4 px and cannot start from another's weights")
    blocks = len(run.discriminator.blocks)
    if not 0 <= freeze_layers <= blocks:
        raise ConfigError(f"freeze_layers must be 0 to {blocks}, got {freeze_layers}")
    model = read_model(folder)
    source = read_settings(model)
    _refuse_other_networks(source, run.settings, folder, adapt_channels=adapt_channels)
    weights = adapted(read_weights(folder), source.channels, run.settings.channels)
    for name, network in networks(run).items():
        weights.fill(network, name)
    run.patients = tuple(sorted({*run.patients, *model["patients"]}))
    run.initialised_from = weights.hash
    run.freeze_layers = freeze_layers
    run.discriminator.freeze(freeze_layers)
    run.start_optimizers()


def adapted(weights: Weights, old: int, new: int) -> Weights:
    """A StyleGAN2's weights for images of `new` channels instead of `old`; all others as they were.

    Generator, each step to an image, weights and bias. The new image's channels are
      to 1 channel      the mean of the old image's;
      to fewer          the first of them, unchanged;
      to more           the old ones, unchanged, and for each further one their mean.

    Discriminator, first layer, the weights that the images meet (those that are stored, times the
    scale of equalized learning rates, gain / sqrt(C)). It scores
      to 1 channel      a gray image as it did that image in all old channels: the weights are
                        summed over them, which is their mean times `old`;
      to fewer          an image as it did with 0, middle gray, in those left out: theirs go;
      to more           a gray image, the same in all channels, as it did in all old ones: old
                        weights, and for each further channel their mean, times old / new.

    Scores and images are the same but for rounding. A null channel is black, -1, and not 0: without
    it scores are shifted at first, and training has to find the bias anew.
    """
    if old == new:
        return weights
    tensors = dict(weights.tensors)
    for name, value in weights.tensors.items():
        if _TO_IMAGE.fullmatch(name):
            tensors[name] = _channels(value, new)
        elif name == _FROM_IMAGE:
            kept = 1.0 if 1 < new < old else old / new
            # Stored over the scale, which was gain / sqrt(old) and is now gain / sqrt(new).
            per_map = _channels(value.transpose(0, 1), new).transpose(0, 1)
            tensors[name] = per_map * (kept * math.sqrt(new / old))
    return dataclasses.replace(weights, tensors=tensors)


def _channels(values: Tensor, count: int) -> Tensor:
    """(C, ...) -> (count, ...): the mean for 1, else the first ones, then their mean repeated."""
    mean = values.mean(dim=0, keepdim=True)
    if count == 1:
        return mean
    missing = max(0, count - len(values))
    return torch.cat([values[:count], *[mean] * missing])


def _refuse_other_networks(
    source: object, settings: StyleGan2Settings, folder: str, *, adapt_channels: bool
) -> None:
    if not isinstance(source, StyleGan2Settings):
        raise ConfigError(f"{folder}: holds no StyleGAN2; only one of these can be started from")
    same = [key for key in NETWORK if key != "channels" or not adapt_channels]
    old, new = settings_dict(source), settings_dict(settings)
    changed = differences({k: old[k] for k in same}, {k: new[k] for k in same})
    if not changed:
        return
    only_channels = len(changed) == 1 and source.channels != settings.channels
    advice = "set adapt_channels to change its first and last layers" if only_channels else ""
    raise ConfigError(
        f"{folder}: its networks are not those of this run ({'; '.join(changed)}); "
        f"{advice or 'give its settings'}, or train without it"
    )
