"""Encoded images turned into the input of a network, and the tables that fit its channels."""

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from idhray.classify.image_set import Places
from idhray.classify.settings import CHANNELS, ClassifierSettings
from idhray.errors import ConfigError, TableError
from idhray.images import RGB, clahe, decode, gamma, gray, resize
from idhray.table_parts import read_part

SLICES_COLUMNS = {"study", "brain_fraction"}  # no other table of images has them


def preprocess(data: bytes, settings: ClassifierSettings) -> NDArray[np.uint8]:
    """Encoded image turned into network input, see `prepared`."""
    return prepared(decode(data), settings)


def prepared(image: RGB, settings: ClassifierSettings) -> NDArray[np.uint8]:
    """Network input: (image_px, image_px) uint8 if gray, else (image_px, image_px, C) uint8.

    Source: Liu et al. 2020, Methods, "Image pre-processing": gray, adaptive histogram
    equalization, gamma; the same for real and synthetic images. Images that are not turned to
    gray are not equalized: this would change their stain, or the ratio of their sequences.
    """
    if settings.channels == "gray":
        image = resize(gray(image), settings.image_px)
        image = clahe(image, clip_limit=settings.clahe_clip_limit, tiles=settings.clahe_tiles)
    else:
        image = resize(image, settings.image_px)[..., : CHANNELS[settings.channels]]
    return image if settings.gamma == 1 else gamma(image, settings.gamma)


def placed_pixels(
    places: Places,
    settings: ClassifierSettings,
    prepare: Callable[[int, RGB], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Network input of the images at some places of their tables; every part is read once.

    Args:
        places: Places of N images.
        settings: Settings of the classifier.
        prepare: Network input of an image, from its number 0..N-1 and its RGB pixels.

    Returns:
        (N, image_px, image_px) uint8 if gray, else (N, image_px, image_px, C) uint8.

    Raises:
        TableError: An image cannot be decoded.
    """
    pixels = np.empty((len(places.row), *pixel_shape(settings)), np.uint8)
    for number in np.unique(places.part):
        path = places.parts[number]
        encoded = read_part(path, ["image"])["image"]
        for i in np.flatnonzero(places.part == number):
            row = int(places.row[i])
            try:
                image = decode(encoded[row]["bytes"].as_py() or b"")
            except TableError as error:
                raise TableError(f"{path}: row {row}: {error}; recreate this part") from None
            pixels[i] = prepare(int(i), image)
    return pixels


def pixel_shape(settings: ClassifierSettings) -> tuple[int, ...]:
    """Shape of one prepared image: (H, W) in gray, else (H, W, C)."""
    plane = (settings.image_px, settings.image_px)
    return plane if settings.channels == "gray" else (*plane, CHANNELS[settings.channels])


def refuse_channels(path: str, columns: Collection[str], settings: ClassifierSettings) -> None:
    """Refuse a table whose images do not have the channels of the settings.

    A SYNTHETIC table does not say what its images show; its channels are those of the settings.

    Args:
        path: Part of a PATCHES, SLICES or SYNTHETIC table.
        columns: Names of its columns.
        settings: Settings of the classifier.

    Raises:
        ConfigError: SLICES are to be read as gray or RGB, or PATCHES as two channels.
    """
    if "trained_on" in columns:  # of SYNTHETIC alone
        return
    slices = set(columns) >= SLICES_COLUMNS
    if slices and settings.channels != "two-channel":
        raise ConfigError(
            f"{path}: channels {settings.channels!r} would mix the CE-T1w and the FLAIR of SLICES "
            "as if they were colors; give --channels two-channel"
        )
    if not slices and settings.channels == "two-channel":
        raise ConfigError(
            f"{path}: channels 'two-channel' reads the CE-T1w and the FLAIR of SLICES, and this is "
            "no SLICES table; give --channels gray or rgb"
        )
