"""Real images as a GAN was shown them, with the patient of each."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.channels import MRI_CHANNELS, RGB_CHANNELS, channels_of
from idhray.fidelity.copies.search import EmbeddedImages
from idhray.fidelity.features import Extractor
from idhray.gan.config import GanSettings
from idhray.images import decode, gray, resize
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import may_hold, parts, read_part

ANY = "any"  # a class: whatever the patient's IDH status


@dataclass(frozen=True)
class RealImages:
    """N images of one class and split."""

    images: NDArray[np.uint8]  # (N, R, R, C), in the order of the table
    patients: tuple[str, ...]
    """Whose each image is."""
    names: tuple[str, ...]
    """PART:ROW of each."""


def real_images(folder: str, idh: str, split: str, settings: GanSettings) -> RealImages:
    """All images of a class and split, in the size and channels of a GAN; maybe none.

    Args:
        folder: Of a PATCHES or SLICES table.
        idh: The class; `any` takes every patient.
        split: train, val or test.
        settings: Of the GAN.

    Raises:
        TableError: an image is broken or not square.
    """
    side, channels = settings.resolution_px, settings.channels
    images: list[NDArray[np.uint8]] = []
    patients: list[str] = []
    names: list[str] = []
    wanted = {"split": split} | ({} if idh == ANY else {"idh": idh})
    for path in parts(folder):
        if not may_hold(path, wanted):
            continue
        rows = read_part(path, ["patient", "idh", "split", "image"]).to_pylist()
        for number, row in enumerate(rows):
            if row["split"] == split and idh in (row["idh"], ANY):
                image = _square(decode(row["image"]["bytes"]), side, path, number)
                images.append(image if channels == 3 else gray(image)[..., None])
                patients.append(row["patient"])
                names.append(f"{path.rsplit('/', 1)[-1]}:{number}")
    stack = np.stack(images) if images else np.empty((0, side, side, channels), np.uint8)
    return RealImages(stack, tuple(patients), tuple(names))


def _square(image: NDArray[np.uint8], side: int, path: str, row: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if height != width:
        raise TableError(
            f"{path}: image {row} is {width} x {height} px; a GAN learns square images, and "
            "squeezed ones would be wrong"
        )
    return resize(image, side)


def training_images(folder: str, idh: str, settings: GanSettings) -> RealImages:
    """`real_images` of the training split.

    Raises:
        TableError: there is none.
    """
    found = real_images(folder, idh, "train", settings)
    if not found.names:
        raise TableError(f"{folder}: no training image of class {idh}")
    return found


def channel_names(folder: str, settings: GanSettings) -> tuple[str, ...]:
    """What the channels of a table's images show."""
    if settings.channels != 3:
        return ("gray",)
    path = join(folder, SETTINGS)
    of_mri = exists(path) and read_json(path).get("stage") == "prepare_mri"
    return MRI_CHANNELS if of_mri else RGB_CHANNELS


def image_set(
    found: RealImages | None,
    pixels: ImageArray,
    extractor: Extractor,
    names: tuple[str, ...],
    left_out: tuple[str, ...],
) -> EmbeddedImages:
    """Images with features of all their channels together; `found` says whose they are."""
    pictures = channels_of(pixels, names, left_out)
    together = extractor(list(pictures.values())[-1])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if found is None:
        return EmbeddedImages(pixels, together, device=device)
    return EmbeddedImages(pixels, together, found.patients, found.names, device=device)
