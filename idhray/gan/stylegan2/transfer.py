"""Start a StyleGAN2 from the weights of another one, trained on other images.

If the numbers of image channels differ, first and last layers are adapted on request. C is the
number of channels, O the number of feature maps next to the image.

Source: Park et al. 2021, Methods: 500 normal brains first, then IDH-mutant tumors.
"""

import dataclasses
import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from idhray.config import differences, settings_dict
from idhray.errors import ConfigError
from idhray.gan.data import null_channels
from idhray.gan.stylegan2.config import NETWORK, StyleGan2Settings
from idhray.gan.stylegan2.run import StyleGan2Run
from idhray.gan.weights import CheckpointWeights, TransferSource

_FROM_IMAGE = "discriminator.from_image.weight"
_FROM_IMAGE_BIAS = "discriminator.from_image.bias"
_TO_IMAGE = re.compile(r"generator(_ema)?\.synthesis\.images\.(\d+)\.(weight|bias)")
BLACK = -1.0  # value of a black pixel in images of -1..1


def transfer_weights(
    run: StyleGan2Run, source: TransferSource, freeze_layers: int, *, adapt_channels: bool
) -> None:
    """Give a new run the networks of a checkpoint, and new optimizers.

    Args:
        run: Run before its first step.
        source: Checkpoint of a StyleGAN2 with the same networks.
        freeze_layers: Residual blocks of the discriminator, those nearest the image, that keep
            their weights. Source: FreezeD, Mo et al. 2020 (arXiv:2002.10964).
        adapt_channels: Take a checkpoint of another number of channels, as `adapted` changes it.
            Null channels are those of the run's images, and those that the checkpoint names.

    Raises:
        ConfigError: the networks differ, or there are fewer blocks.
    """
    blocks = len(run.discriminator.blocks)
    if not 0 <= freeze_layers <= blocks:
        raise ConfigError(f"freeze_layers must be 0 to {blocks}, got {freeze_layers}")
    settings: StyleGan2Settings = source.settings
    _refuse_other_networks(settings, run.settings, source.folder, adapt_channels=adapt_channels)
    weights = adapted(
        source.weights,
        settings.channels,
        run.settings.channels,
        source.model.get("null_channels", settings.augment.null_channels),
        null_channels(run.images),
    )
    for name, network in run.networks.items():
        weights.fill(network, name)
    run.discriminator.freeze(freeze_layers)
    run.start_optimizers()


def adapted(
    weights: CheckpointWeights,
    old: int,
    new: int,
    old_null: Sequence[int] = (),
    new_null: Sequence[int] = (),
) -> CheckpointWeights:
    """Weights of a StyleGAN2 for images of `new` channels instead of `old`; others are unchanged.

    The rules below are for channels with a picture. Null channels have none; they are black (-1).

    Generator, each step to an image, weights and bias. The channels of the new image are
      to 1 channel      the mean of the old image's channels;
      to fewer          the first of them, unchanged;
      to more           the old ones, unchanged, and their mean for each further one.
    New null channels are made black, by the last step alone.

    Discriminator, first layer, the effective weights (the stored ones times the scale of equalized
    learning rates, gain / sqrt(C)). It scores
      to 1 channel      a gray image as it scored that image in all old channels: the weights are
                        summed over them, which is their mean times `old`;
      to fewer          an image as it scored it with 0, middle gray, in the channels left out:
                        their weights go;
      to more           a gray image, the same in all channels, as it scored it in all old ones:
                        old weights, and their mean for each further channel, times old / new.
    Old null channels, being black, added a constant, which goes into the bias; new ones add
    nothing.

    Scores and images are the same but for rounding.

    Args:
        weights: Weights of a checkpoint.
        old: Channels of that checkpoint.
        new: Channels of the new images.
        old_null: Null channels among the old ones.
        new_null: Null channels among the new ones.
    """
    if old == new:
        return weights
    old_pictures = [c for c in range(old) if c not in old_null]
    new_pictures = [c for c in range(new) if c not in new_null]
    tensors = dict(weights.tensors)
    steps = {name: match for name in tensors if (match := _TO_IMAGE.fullmatch(name))}
    last = max((int(match[2]) for match in steps.values()), default=0)
    for name, match in steps.items():
        pictures = _channels(tensors[name][old_pictures], len(new_pictures))
        tensors[name] = _placed(pictures, new_pictures, new)
        if match[3] == "bias" and int(match[2]) == last:
            tensors[name][list(new_null)] = BLACK
    if _FROM_IMAGE in tensors:
        # Stored weights are divided by the scale, gain / sqrt(C).
        effective = tensors[_FROM_IMAGE].transpose(0, 1) / math.sqrt(old)
        fewer = 1 < len(new_pictures) < len(old_pictures)
        factor = 1.0 if fewer else len(old_pictures) / len(new_pictures)
        pictures = _channels(effective[old_pictures], len(new_pictures)) * factor
        new_weights = _placed(pictures, new_pictures, new)
        tensors[_FROM_IMAGE] = new_weights.transpose(0, 1) * math.sqrt(new)
        if old_null:
            constant = BLACK * effective[list(old_null)].sum(dim=0).flatten()  # (O,)
            tensors[_FROM_IMAGE_BIAS] = tensors[_FROM_IMAGE_BIAS] + constant
    return dataclasses.replace(weights, tensors=tensors)


def _channels(values: Tensor, count: int) -> Tensor:
    """(C, ...) -> (count, ...): the mean for 1, else the first ones, then their mean repeated."""
    mean = values.mean(dim=0, keepdim=True)
    if count == 1:
        return mean
    missing = max(0, count - len(values))
    return torch.cat([values[:count], *[mean] * missing])


def _placed(values: Tensor, places: Sequence[int], count: int) -> Tensor:
    """(k, ...) -> (count, ...): each value in its place, 0 elsewhere."""
    placed = values.new_zeros(count, *values.shape[1:])
    placed[list(places)] = values
    return placed


def _refuse_other_networks(
    source: StyleGan2Settings, settings: StyleGan2Settings, folder: str, *, adapt_channels: bool
) -> None:
    keys = [key for key in NETWORK if key != "channels" or not adapt_channels]
    old, new = settings_dict(source), settings_dict(settings)
    changed = differences({k: old[k] for k in keys}, {k: new[k] for k in keys}, {})
    if not changed:
        return
    only_channels = len(changed) == 1 and source.channels != settings.channels
    advice = "give --adapt-channels to change its first and last layers" if only_channels else ""
    raise ConfigError(
        f"{folder}: its networks are not those of this run ({'; '.join(changed)}); "
        f"{advice or 'give its settings'}, or train without it"
    )
