"""Real images in the form in which a GAN is trained on them, with the patient of each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.channels import MRI_CHANNELS, RGB_CHANNELS, channels_of, constant_channels
from idhray.fidelity.copies.search import EmbeddedImages
from idhray.fidelity.features import Extractor
from idhray.gan.config import GanSettings
from idhray.images import decode, gray, resize
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import may_hold, parts, read_part

ANY = "any"  # class of all patients, whatever their IDH status


@dataclass(frozen=True)
class RealImages:
    """N images of one class and split."""

    images: NDArray[np.uint8]  # (N, R, R, C), in the order of the table
    patients: tuple[str, ...]
    """Patient of each image."""
    names: tuple[str, ...]
    """PART:ROW of each image."""


def real_images(
    folder: str, idh: str, split: str, settings: GanSettings, roles: Mapping[str, str] | None = None
) -> RealImages:
    """All images of a class and split, in the size and channels of a GAN; possibly none.

    Args:
        folder: Folder of a PATCHES or SLICES table.
        idh: Class; `any` takes every patient.
        split: train, val or test.
        settings: Settings of the GAN.
        roles: Role of each patient in a fold, which replaces the `split` column; images of patients
            without a role are left out.

    Raises:
        TableError: an image is broken or not square.
    """
    side, channels = settings.resolution_px, settings.channels
    images: list[NDArray[np.uint8]] = []
    patients: list[str] = []
    names: list[str] = []
    selection = ({"split": split} if roles is None else {}) | ({} if idh == ANY else {"idh": idh})
    for path in parts(folder):
        if not may_hold(path, selection):
            continue
        rows = read_part(path, ["patient", "idh", "split"]).to_pylist()
        numbers = [k for k, row in enumerate(rows) if _role(row, roles) == split]
        numbers = [k for k in numbers if idh in (rows[k]["idh"], ANY)]
        cells = read_part(path, ["image"])["image"].take(numbers) if numbers else []
        for number, cell in zip(numbers, cells, strict=True):
            image = _square(decode(cell["bytes"].as_py()), side, path, number)
            images.append(image if channels == 3 else gray(image)[..., None])
            patients.append(rows[number]["patient"])
            names.append(f"{path.rsplit('/', 1)[-1]}:{number}")
    stack = np.stack(images) if images else np.empty((0, side, side, channels), np.uint8)
    return RealImages(stack, tuple(patients), tuple(names))


def _role(row: Mapping[str, Any], roles: Mapping[str, str] | None) -> str | None:
    """Role of the patient of a row: its split, or its role in a fold."""
    split: str | None = row["split"]
    return split if roles is None else roles.get(row["patient"])


def image_counts(folder: str) -> Counter[tuple[str, str, str]]:
    """Number of images by patient, class and split of a table; no image is read.

    Args:
        folder: Folder of a PATCHES or SLICES table.
    """
    counts = Counter[tuple[str, str, str]]()
    for path in parts(folder):
        table = read_part(path, ["patient", "idh", "split"])
        counts.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return counts


def _square(image: NDArray[np.uint8], side: int, path: str, row: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if height != width:
        raise TableError(
            f"{path}: image {row} is {width} x {height} px; a GAN needs square images, and "
            "squeezing would distort them"
        )
    return resize(image, side)


def training_images(
    folder: str, idh: str, settings: GanSettings, roles: Mapping[str, str] | None = None
) -> RealImages:
    """`real_images` of the training split, or of the training patients of a fold.

    Raises:
        TableError: there are none.
    """
    real = real_images(folder, idh, "train", settings, roles)
    if not real.names:
        raise TableError(f"{folder}: no training image of class {idh}")
    return real


def channel_names(folder: str, settings: GanSettings) -> tuple[str, ...]:
    """Names of the channels of a table's images."""
    if settings.channels != 3:
        return ("gray",)
    path = join(folder, SETTINGS)
    of_mri = exists(path) and read_json(path).get("stage") == "prepare_mri"
    return MRI_CHANNELS if of_mri else RGB_CHANNELS


@dataclass(frozen=True)
class Embedding:
    """Features of images, always made in the same way."""

    extractor: Extractor
    channels: tuple[str, ...]
    """Names of the channels."""
    left_out: tuple[str, ...]
    """Names of constant channels, which have no features."""

    def of_real(self, real: RealImages) -> EmbeddedImages:
        """Real images with features of all their channels together."""
        return EmbeddedImages(
            real.images, self._features(real.images), real.patients, real.names, device=_device()
        )

    def of_generated(self, images: ImageArray) -> EmbeddedImages:
        """Generated images with features of all their channels together."""
        return EmbeddedImages(images, self._features(images), device=_device())

    def _features(self, images: ImageArray) -> Tensor:
        pictures = channels_of(images, self.channels, self.left_out)
        return self.extractor(list(pictures.values())[-1])


def embedding_of(
    folder: str, real: RealImages, extractor: Extractor, settings: GanSettings
) -> Embedding:
    """Embedding of the images of a table; channels that are constant in it are left out."""
    names = channel_names(folder, settings)
    return Embedding(extractor, names, constant_channels(real.images, names))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
