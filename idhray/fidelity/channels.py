"""Images prepared for a network of RGB images, also where the channels are not colors.

Shapes: N images, C channels.
"""

from collections.abc import Sequence

import numpy as np

from idhray.errors import ConfigError, TableError
from idhray.fidelity.arrays import ImageArray

RGB_CHANNELS = ("RGB",)  # one name for three channels that stay together
MRI_CHANNELS = ("CE-T1w", "FLAIR", "null")


def constant_channels(images: ImageArray, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the channels that hold one single value in all images, such as Park's null.

    Raises:
        TableError: Every channel is constant, or the images do not fit the names.
    """
    pictures = _by_channel(images, names)
    constant = tuple(name for name, picture in pictures.items() if picture.min() == picture.max())
    if len(constant) == len(pictures):
        raise TableError(f"every channel ({', '.join(constant)}) of the images has one value only")
    return constant


def channels_of(
    images: ImageArray, names: Sequence[str], left_out: Sequence[str] = ()
) -> dict[str, ImageArray]:
    """Images for a feature network, by the name of the channels that they show.

    Colors stay together. Otherwise each channel becomes a gray image. Two or three channels are
    also shown as one RGB image, because channels that are realistic one by one may not fit each
    other; of two channels, the first fills two of the three colors.

    Args:
        images: (N, height, width, C) uint8.
        names: One name per channel, or `("RGB",)`.
        left_out: Names of channels to leave out, such as `constant_channels`.

    Returns:
        Name -> (N, height, width, 1 or 3) uint8.

    Raises:
        TableError: The images do not fit the names.
    """
    pictures = {
        name: picture
        for name, picture in _by_channel(images, names).items()
        if name not in left_out
    }
    if len(pictures) in (2, 3):
        shades = [picture[..., 0] for picture in pictures.values()]
        pictures[" + ".join(pictures)] = np.stack([*shades, *shades][:3], axis=-1)
    return pictures


def _by_channel(images: ImageArray, names: Sequence[str]) -> dict[str, ImageArray]:
    if len(set(names)) != len(names) or not names:
        raise ConfigError(
            f"channels need names, each a different one, got {', '.join(names) or 'none'}"
        )
    if images.ndim != 4 or images.dtype != np.uint8 or 0 in images.shape:
        raise TableError(
            f"fidelity needs (n, height, width, channels) uint8 images, got {images.shape} "
            f"{images.dtype}"
        )
    if tuple(names) == RGB_CHANNELS and images.shape[-1] == 3:
        return {"RGB": images}
    if images.shape[-1] != len(names):
        raise TableError(
            f"images have {images.shape[-1]} channels, but {len(names)} are named: "
            f"{', '.join(names)}"
        )
    return {name: images[..., c : c + 1] for c, name in enumerate(names)}
