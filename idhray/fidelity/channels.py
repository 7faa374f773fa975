"""Which pictures a network for RGB images is shown of images whose channels are no colors.

Shapes: N images, C channels.
"""

from collections.abc import Sequence

import numpy as np

from idhray.errors import ConfigError, TableError
from idhray.fidelity.arrays import ImageArray

RGB_CHANNELS = ("RGB",)  # the name of three channels that belong together
MRI_CHANNELS = ("CE-T1w", "FLAIR", "null")


def constant_channels(images: ImageArray, names: Sequence[str]) -> tuple[str, ...]:
    """The channels in which all images have one and the same value throughout, as Park's null.

    Raises:
        TableError: no channel is left, or the images do not fit the names.
    """
    parts = _parts(images, names)
    found = tuple(name for name, part in parts.items() if part.min() == part.max())
    if len(found) == len(parts):
        raise TableError(f"every channel ({', '.join(found)}) of the images has one value only")
    return found


def channels_of(
    images: ImageArray, names: Sequence[str], left_out: Sequence[str] = ()
) -> dict[str, ImageArray]:
    """The images that a network is shown, by what is seen in them.

    Colors stay together. Of other images each channel is an image of its own, in gray; two or
    three channels are shown together as well, the first one twice if they are two, because channels
    that are perfect apart need not fit each other.

    Args:
        images: (N, height, width, C) uint8.
        names: One a channel, or `("RGB",)`.
        left_out: Of `names`: those to leave out, e.g. `constant_channels`.

    Returns:
        Name -> (N, height, width, 1 or 3) uint8.

    Raises:
        TableError: the images do not fit the names.
    """
    parts = {name: part for name, part in _parts(images, names).items() if name not in left_out}
    if len(parts) in (2, 3):
        together = [part[..., 0] for part in parts.values()]
        parts[" + ".join(parts)] = np.stack([*together, *together][:3], axis=-1)
    return parts


def _parts(images: ImageArray, names: Sequence[str]) -> dict[str, ImageArray]:
    if len(set(names)) != len(names) or not names:
        raise ConfigError(
            f"channels need names, each another one, got {', '.join(names) or 'none'}"
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
