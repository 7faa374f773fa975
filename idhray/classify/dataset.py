"""Image tables turned into arrays for training."""

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from idhray.classify.image_set import (
    IDH_OF_LABEL,
    LABEL_OF_IDH,
    ImageRows,
    ImageSet,
    Places,
    ranks_in_order,
)
from idhray.classify.preprocessing import placed_pixels, prepared, refuse_channels
from idhray.classify.settings import ClassifierSettings
from idhray.errors import TableError
from idhray.leakage import patient_splits
from idhray.table_parts import column_names, may_hold, parts, read_part


def load_images(
    images: str, split: str | None, settings: ClassifierSettings, *, decode: bool = True
) -> ImageSet:
    """All images of one split, or of all patients, of a PATCHES or SLICES folder.

    Args:
        images: PATCHES or SLICES folder.
        split: Name of a split, or None for the images of all patients, with and without a label.
        settings: Settings of the classifier.
        decode: False for an image set without pixels, of which the places are needed.

    Raises:
        TableError: The split has no images, or an image cannot be decoded.
        LeakageError: A patient is in two splits or has two labels.
        ConfigError: The images do not have the channels of the settings.
    """
    splits = list(patient_splits(images).values())
    if not splits or (split is not None and split not in splits):
        if {*splits} == {""}:
            raise TableError(
                f"{images}: its {len(splits)} patients have no split; give --folds, or make the "
                "table from a manifest with the column split or with more patients"
            )
        numbers = ", ".join(f"{name} {splits.count(name)}" for name in sorted(set(splits)))
        raise TableError(f"{images}: no patient in split {split!r} (patients: {numbers or 'none'})")
    paths = parts(images)
    listings = [
        _listing(path, number, split, settings)
        for number, path in enumerate(paths)
        if split is None or may_hold(path, {"split": split})
    ]
    rows = pa.concat_tables(listings)
    places = Places(tuple(paths), rows["part"].to_numpy(), rows["row"].to_numpy())
    patients = np.array(rows["patient"].to_pylist(), dtype=np.str_)
    ranks = rows["rank"].to_numpy()
    return ImageSet(
        pixels=_pixels(places, settings, decode),
        labels=_labels(images, rows["idh"].to_pylist()),
        patients=patients,
        ranks=np.where(ranks > 0, ranks, ranks_in_order(patients)),
        places=places,
    )


def _listing(path: str, number: int, split: str | None, settings: ClassifierSettings) -> pa.Table:
    """Patient, idh, rank, part and row of the images of one part; rank 0 is a missing one."""
    names = column_names(path)
    refuse_channels(path, names, settings)
    ranked = ["rank"] if "rank" in names else []
    table = read_part(path, ["patient", "idh", "split", *ranked])
    ranks = pc.fill_null(table["rank"], 0) if ranked else pa.array([0] * len(table), pa.int64())
    columns = {
        "patient": table["patient"],
        "idh": pc.fill_null(table["idh"], ""),
        "rank": ranks,
        "part": pa.array([number] * len(table), pa.int64()),
        "row": pa.array(range(len(table)), pa.int64()),
    }
    rows = pa.table(columns)
    return (
        rows if split is None else rows.filter(pc.fill_null(pc.equal(table["split"], split), False))
    )


def refuse_missing_class(images: ImageRows, name: str) -> None:
    """Refuse training images of one class only.

    Args:
        images: Labeled training images.
        name: Folder that they come from, for the message.

    Raises:
        TableError: A class has no image.
    """
    for label in (0, 1):
        if not (images.labels == label).any():
            raise TableError(f"{name}: no {IDH_OF_LABEL[label]} image in split 'train'")


def _pixels(places: Places, settings: ClassifierSettings, decode: bool) -> NDArray[np.uint8]:
    if not decode:
        return np.zeros((len(places.row), 0, 0), np.uint8)
    return placed_pixels(places, settings, lambda _, image: prepared(image, settings))


def load_synthetic(
    folders: Sequence[str], per_class: int, settings: ClassifierSettings, *, decode: bool = True
) -> ImageSet:
    """First synthetic images of each class by index; wildtype and mutant alternate.

    The first `2 * k` images are the first `k` of each class, so a larger count adds images and
    replaces none.

    Args:
        folders: SYNTHETIC folders, usually one per class.
        per_class: Number of images of each class, 0 or more.
        settings: Settings of the classifier.
        decode: False for an image set without pixels, of which the places are needed.

    Raises:
        TableError: A class has too few images, or an image is listed twice.
    """
    listed = _listed_images(folders) if per_class else []
    of_class = [[row for row in listed if row[3] == idh] for idh in ("wildtype", "mutant")]
    if any(len(rows) < per_class for rows in of_class):
        counts = f"{len(of_class[0])} wildtype and {len(of_class[1])} mutant"
        raise TableError(
            f"{2 * per_class} synthetic images need {per_class} of each class, found {counts} in "
            f"{', '.join(folders) or 'no folder'}; synthesize more or lower n_synthetic"
        )
    pairs = zip(*(rows[:per_class] for rows in of_class), strict=True)
    chosen = [row for pair in pairs for row in pair]
    paths = sorted({row[4] for row in chosen})
    places = Places(
        tuple(paths),
        np.array([paths.index(row[4]) for row in chosen], dtype=np.int64),
        np.array([row[5] for row in chosen], dtype=np.int64),
    )
    return ImageSet(
        pixels=_pixels(places, settings, decode),
        labels=_labels("synthetic images", [row[3] for row in chosen]),
        patients=np.full(len(chosen), "", dtype=np.str_),
        ranks=np.arange(1, len(chosen) + 1),
        places=places,
    )


def _listed_images(folders: Sequence[str]) -> list[tuple[int, str, int, str, str, int]]:
    """Index, generator, seed, idh, part and row of all synthetic images, in order."""
    keys = ["index", "generator", "seed", "idh"]
    listed = sorted(
        (row["index"], row["generator"], row["seed"], row["idh"], path, number)
        for folder in folders
        for path in parts(folder)
        for number, row in enumerate(read_part(path, keys).to_pylist())
    )
    for before, after in itertools.pairwise(listed):
        if before[:4] == after[:4]:
            raise TableError(f"{after[4]}: image {after[0]} of {after[1]} also in {before[4]}")
    return listed


def _labels(folder: str, idh: Sequence[str]) -> NDArray[np.int8]:
    if strange := sorted(set(idh) - set(LABEL_OF_IDH)):
        raise TableError(f"{folder}: idh {strange[0]!r} is not mutant, wildtype or empty")
    return np.array([LABEL_OF_IDH[value] for value in idh], dtype=np.int8)
