"""Real images in the form in which a GAN is trained on them, with the patient of each."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.cohorts.manifest import LABELS
from idhray.errors import TableError
from idhray.fidelity.arrays import ImageArray
from idhray.fidelity.channels import MRI_CHANNELS, RGB_CHANNELS, channels_of, constant_channels
from idhray.fidelity.copies.search import EmbeddedImages
from idhray.fidelity.features import Extractor
from idhray.gan.checkpoint import BOTH
from idhray.gan.config import ImageForm
from idhray.image_ranks import TIES_SEED, first_images, image_ranks
from idhray.images import decode, gray, resize
from idhray.stages.runtime.contents import image_identity, part_contents, rows_digest
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import column_names, may_hold, parts, read_part

ANY = "any"  # class of all patients, whatever their IDH status


def is_of_class(idh: str, of_images: str) -> bool:
    """True if a patient's IDH status belongs to a class of images: a label, `both` or `any`."""
    return of_images == ANY or (idh in LABELS if of_images == BOTH else idh == of_images)


@dataclass(frozen=True)
class RealImages:
    """N images of one class and split."""

    images: NDArray[np.uint8]  # (N, R, R, C), in the order of the table
    patients: tuple[str, ...]
    """Patient of each image."""
    names: tuple[str, ...]
    """PART:ROW of each image."""
    labels: tuple[str, ...] = ()
    """IDH status of the patient of each image."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Class of each image of labeled patients, 0 for wildtype and 1 for mutant."""
        return tuple(LABELS.index(label) for label in self.labels)

    def of_label(self, idh: str) -> "RealImages":
        """The images of one IDH status, in the same order."""
        places = [place for place, label in enumerate(self.labels) if label == idh]
        return RealImages(
            self.images[places],
            *(
                tuple(values[place] for place in places)
                for values in (self.patients, self.names, self.labels)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class ImageSelection:
    """Choice of a table's training and held-out images."""

    roles: Mapping[str, str] | None = None
    """Role of each patient in a fold, which replaces the `split` column; patients without a role
    are left out. None: the `split` column."""
    train_per_class: int | None = None
    """Training images of each class, shared evenly over its patients, each patient's first by rank;
    None for all."""

    def role(self, row: Mapping[str, Any]) -> str | None:
        """Role of the patient of a row."""
        split: str | None = row["split"]
        return split if self.roles is None else self.roles.get(row["patient"])


ALL = ImageSelection()


def real_images(
    folder: str, idh: str, split: str, settings: ImageForm, selection: ImageSelection = ALL
) -> RealImages:
    """Images of a class and split, in the size and channels of a GAN; possibly none.

    Args:
        folder: Folder of a PATCHES or SLICES table.
        idh: Class; `both` takes the patients of either class, `any` every patient.
        split: train, val or test.
        settings: Size and channels of its images.
        selection: Roles of the patients, and number of training images.

    Raises:
        TableError: an image is broken or not square.
    """
    side, channels = settings.resolution_px, settings.channels
    rows = selected_rows(folder, idh, split, selection)
    images: list[NDArray[np.uint8]] = []
    for path, rows_of_part in itertools.groupby(rows, lambda row: row.path):
        numbers = [row.number for row in rows_of_part]
        cells = read_part(path, ["image"])["image"].take(numbers)
        for number, cell in zip(numbers, cells, strict=True):
            image = _square(decode(cell["bytes"].as_py()), side, path, number)
            images.append(image if channels == 3 else gray(image)[..., None])
    stack = np.stack(images) if images else np.empty((0, side, side, channels), np.uint8)
    names = tuple(f"{row.path.rsplit('/', 1)[-1]}:{row.number}" for row in rows)
    patients, labels = (tuple(row.patient for row in rows), tuple(row.idh for row in rows))
    return RealImages(stack, patients, names, labels)


class SelectedRow(NamedTuple):
    """Row of a table whose image is used."""

    path: str
    """Path of its part."""
    number: int
    """Number in its part, from 0."""
    patient: str
    idh: str
    rank: int | None


def selected_rows(
    folder: str, idh: str, split: str, selection: ImageSelection
) -> list[SelectedRow]:
    """Rows of the images of a class and split, in the order of the table; no image is read."""
    limits = ({"split": split} if selection.roles is None else {}) | (
        {} if idh in (ANY, BOTH) else {"idh": idh}
    )
    rows = []
    for path in parts(folder):
        if may_hold(path, limits):
            rank = ["rank"] if "rank" in column_names(path) else []
            table = read_part(path, ["patient", "idh", "split", *rank]).to_pylist()
            rows += [
                SelectedRow(path, number, row["patient"], row["idh"], row.get("rank"))
                for number, row in enumerate(table)
                if selection.role(row) == split and is_of_class(row["idh"], idh)
            ]
    if split != "train" or selection.train_per_class is None:
        return rows
    return _first_rows(rows, selection.train_per_class)


def images_read(folder: str, idh: str, split: str, selection: ImageSelection) -> str:
    """Digest of the images of a class and split, whatever else the table holds; see `rows_digest`.

    Args:
        folder: Folder of a PATCHES or SLICES table.
        idh: Class; `both` takes the patients of either class, `any` every patient.
        split: train, val or test.
        selection: Roles of the patients, and number of training images.
    """
    contents = part_contents(folder)
    rows = selected_rows(folder, idh, split, selection)
    return rows_digest(
        image_identity(contents[row.path], row.number, row.patient, row.idh) for row in rows
    )


def _first_rows(rows: Sequence[SelectedRow], per_class: int) -> list[SelectedRow]:
    """The first rows of each class by rank, shared evenly over patients; in the same order."""
    positions: list[int] = []
    for idh in sorted({row.idh for row in rows}):
        places = [place for place, row in enumerate(rows) if row.idh == idh]
        patients = [rows[place].patient for place in places]
        ranks = image_ranks(patients, [rows[place].rank for place in places])
        positions += [places[k] for k in first_images(patients, ranks, per_class, TIES_SEED)]
    return [rows[place] for place in sorted(positions)]


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
    folder: str, idh: str, settings: ImageForm, selection: ImageSelection = ALL
) -> RealImages:
    """`real_images` of the training split, or of the training patients of a fold.

    Raises:
        TableError: there are none.
    """
    real = real_images(folder, idh, "train", settings, selection)
    if not real.names:
        if {split for _, _, split in image_counts(folder)} == {""}:
            raise TableError(
                f"{folder}: its images have no split; give --folds and --fold, or make the table "
                "from a manifest with the column split or with more patients"
            )
        raise TableError(f"{folder}: no training image of class {idh}")
    if idh == BOTH and (missing := sorted(set(LABELS) - set(real.labels))):
        raise TableError(
            f"{folder}: no training image of class {missing[0]}, and one network of both classes "
            "needs images of each"
        )
    return real


def training_share(folder: str, *, of_fold: bool) -> int | None:
    """Training images per class for which a table was cut, if it holds more than these.

    A patient of a table for folds has as many images as it needs in any of its roles, and a table
    with a reserve has more than a training takes.

    Args:
        folder: Folder of a PATCHES or SLICES table.
        of_fold: True if the roles of a fold are used instead of the split.

    Returns:
        None if all images of the training patients are training images.
    """
    path = join(folder, SETTINGS)
    recorded = read_json(path) if exists(path) else {}
    more = of_fold or recorded.get("folds") or recorded.get("reserve_per_class")
    if recorded.get("stage") != "cut_patches" or not more:
        return None
    return int(recorded["train_per_class"])


def channel_names(folder: str, settings: ImageForm) -> tuple[str, ...]:
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
    folder: str, real: RealImages, extractor: Extractor, settings: ImageForm
) -> Embedding:
    """Embedding of the images of a table; channels that are constant in it are left out."""
    names = channel_names(folder, settings)
    return Embedding(extractor, names, constant_channels(real.images, names))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
