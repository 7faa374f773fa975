"""Start a GAN from another one's weights, trained on other images: transfer.

Where the numbers of image channels differ, first and last layers are adapted on request. C is the
number of channels, O that of the feature maps next to the image.

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
from idhray.gan.checkpoint import Weights, networks, read_model, read_settings, read_weights
from idhray.gan.data import Images
from idhray.gan.run import Run
from idhray.gan.stylegan2.config import NETWORK, StyleGan2Settings
from idhray.gan.stylegan2.run import StyleGan2Run

_FROM_IMAGE = "discriminator.from_image.weight"
_FROM_IMAGE_BIAS = "discriminator.from_image.bias"
_TO_IMAGE = re.compile(r"generator(_ema)?\.synthesis\.images\.(\d+)\.(weight|bias)")
BLACK = -1.0  # of images of -1..1


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
            Null channels are those of the run's images, and those that the checkpoint names.

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
    weights = adapted(
        read_weights(folder),
        source.channels,
        run.settings.channels,
        model.get("null_channels", source.augment.null_channels),
        null_channels(run.images),
    )
    for name, network in networks(run).items():
        weights.fill(network, name)
    run.patients = tuple(sorted({*run.patients, *model["patients"]}))
    run.initialized_from = weights.hash
    run.freeze_layers = freeze_layers
    run.discriminator.freeze(freeze_layers)
    run.start_optimizers()


def null_channels(images: Images) -> tuple[int, ...]:
    """The channels, from 0, that are black throughout all images, as Park's third; never all."""
    found = tuple(c for c in range(images.shape[-1]) if not images[..., c].any())
    return found if len(found) < images.shape[-1] else ()


def adapted(
    weights: Weights,
    old: int,
    new: int,
    old_null: Sequence[int] = (),
    new_null: Sequence[int] = (),
) -> Weights:
    """A StyleGAN2's weights for images of `new` channels instead of `old`; all others as they were.

    What follows is of channels with a picture; null channels have none, and are black (-1).

    Generator, each step to an image, weights and bias. The new image's channels are
      to 1 channel      the mean of the old image's;
      to fewer          the first of them, unchanged;
      to more           the old ones, unchanged, and for each further one their mean.
    New null channels are made black, and by the last step alone.

    Discriminator, first layer, the weights that the images meet (those that are stored, times the
    scale of equalized learning rates, gain / sqrt(C)). It scores
      to 1 channel      a gray image as it did that image in all old channels: the weights are
                        summed over them, which is their mean times `old`;
      to fewer          an image as it did with 0, middle gray, in those left out: theirs go;
      to more           a gray image, the same in all channels, as it did in all old ones: old
                        weights, and for each further channel their mean, times old / new.
    What old null channels, being black, always added goes into the bias; new ones add nothing.

    Scores and images are the same but for rounding.

    Args:
        weights: Of a checkpoint.
        old: Its channels.
        new: Those wanted.
        old_null: Which of the old ones are null.
        new_null: Which of the new ones will be.
    """
    if old == new:
        return weights
    before = [c for c in range(old) if c not in old_null]
    after = [c for c in range(new) if c not in new_null]
    tensors = dict(weights.tensors)
    steps = {name: found for name in tensors if (found := _TO_IMAGE.fullmatch(name))}
    last = max((int(found[2]) for found in steps.values()), default=0)
    for name, found in steps.items():
        tensors[name] = _placed(_channels(tensors[name][before], len(after)), after, new)
        if found[3] == "bias" and int(found[2]) == last:
            tensors[name][list(new_null)] = BLACK
    if _FROM_IMAGE in tensors:
        # As the images meet them: stored ones are over the scale, gain / sqrt(C).
        met = tensors[_FROM_IMAGE].transpose(0, 1) / math.sqrt(old)
        kept = 1.0 if 1 < len(after) < len(before) else len(before) / len(after)
        met_now = _placed(_channels(met[before], len(after)) * kept, after, new)
        tensors[_FROM_IMAGE] = met_now.transpose(0, 1) * math.sqrt(new)
        if old_null:
            always = BLACK * met[list(old_null)].sum(dim=0).flatten()  # (O,)
            tensors[_FROM_IMAGE_BIAS] = tensors[_FROM_IMAGE_BIAS] + always
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
    advice = "give --adapt-channels to change its first and last layers" if only_channels else ""
    raise ConfigError(
        f"{folder}: its networks are not those of this run ({'; '.join(changed)}); "
        f"{advice or 'give its settings'}, or train without it"
    )
