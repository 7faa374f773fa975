"""Image tables turned into arrays for training."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from idhray.classify.settings import ClassifierSettings
from idhray.errors import ConfigError, TableError
from idhray.images import Gray, clahe, decode, gamma, gray, resize
from idhray.leakage import patient_splits, refuse_leaks
from idhray.table_parts import may_hold, parts, read_part

logger = logging.getLogger(__name__)

UNLABELED = -1
LABEL_OF_IDH = {"wildtype": 0, "mutant": 1, "": UNLABELED}
IDH_OF_LABEL = {label: idh for idh, label in LABEL_OF_IDH.items()}


@dataclass(frozen=True)
class ImageSet:
    """Preprocessed images of one size, in the order of their table."""

    pixels: NDArray[np.uint8]  # (N, H, W)
    labels: NDArray[np.int8]  # (N,), wildtype 0, mutant 1, unknown -1
    patients: NDArray[np.str_]  # (N,), empty for a synthetic image

    def __len__(self) -> int:
        return len(self.labels)

    def labeled(self) -> "ImageSet":
        """Images with a known label."""
        labeled = self.labels != UNLABELED
        return ImageSet(self.pixels[labeled], self.labels[labeled], self.patients[labeled])


def preprocess(data: bytes, settings: ClassifierSettings) -> Gray:
    """Encoded image turned into network input, (image_px, image_px) uint8.

    Source: Liu et al. 2020, Methods, "Image pre-processing": gray, adaptive histogram
    equalization, gamma; the same for real and synthetic images.
    """
    image = resize(gray(decode(data)), settings.image_px)
    image = clahe(image, clip_limit=settings.clahe_clip_limit, tiles=settings.clahe_tiles)
    return image if settings.gamma == 1 else gamma(image, settings.gamma)


def load_images(images: str, split: str, settings: ClassifierSettings) -> ImageSet:
    """All images of one split of a PATCHES or SLICES folder.

    Raises:
        TableError: The split has no images, or an image cannot be decoded.
        LeakageError: A patient is in two splits or has two labels.
    """
    splits = list(patient_splits(images).values())
    if split not in splits:
        numbers = ", ".join(f"{name} {splits.count(name)}" for name in sorted(set(splits)))
        raise TableError(f"{images}: no patient in split {split!r} (patients: {numbers or 'none'})")
    part_sets = []
    for path in parts(images):
        if not may_hold(path, {"split": split}):
            continue
        table = read_part(path, ["patient", "idh", "split", "image"])
        rows = np.flatnonzero(np.asarray(pc.equal(table["split"], split).fill_null(False)))
        if len(rows):
            part_sets.append(_image_set(path, table, rows, settings))
    return _joined(part_sets)


def training_set(
    images: str,
    settings: ClassifierSettings,
    *,
    synthetic: Sequence[str] = (),
    n_synthetic: int = 0,
) -> ImageSet:
    """Labeled images of the training split, followed by the first synthetic images.

    Args:
        images: PATCHES or SLICES folder.
        settings: Settings of the classifier.
        synthetic: SYNTHETIC folders, usually one per class.
        n_synthetic: Number of synthetic images. Half of them come from each class, the first ones
            by index, so a larger number adds images and replaces none.

    Raises:
        ConfigError: `n_synthetic` is odd or negative.
        TableError: A class has no real images, or too few synthetic ones.
        LeakageError: `refuse_leaks` refuses the folders, for any `n_synthetic`.
    """
    if n_synthetic < 0 or n_synthetic % 2:
        raise ConfigError(
            f"n_synthetic is divided evenly between two classes and must be even, got {n_synthetic}"
        )
    refuse_leaks(images, synthetic)
    real = load_images(images, "train", settings).labeled()
    for label, count in enumerate(np.bincount(real.labels, minlength=2)):
        if not count:
            raise TableError(f"{images}: no {IDH_OF_LABEL[label]} image in split 'train'")
    added = list(_synthetic_sets(synthetic, n_synthetic // 2, settings))
    logger.info("training set: %d real and %d synthetic images", len(real), n_synthetic)
    return _joined([real, *added])


def _synthetic_sets(
    folders: Sequence[str], per_class: int, settings: ClassifierSettings
) -> Iterator[ImageSet]:
    """First `per_class` images of wildtype, then of mutant."""
    if not per_class:
        return
    keys = ["index", "generator", "seed", "idh"]
    listed = [
        (row["index"], row["generator"], row["seed"], row["idh"], path, number)
        for folder in folders
        for path in parts(folder)
        for number, row in enumerate(read_part(path, keys).to_pylist())
    ]
    listed.sort()
    for before, after in itertools.pairwise(listed):
        if before[:4] == after[:4]:
            raise TableError(f"{after[4]}: image {after[0]} of {after[1]} also in {before[4]}")
    chosen = {idh: [r for r in listed if r[3] == idh] for idh in ("wildtype", "mutant")}
    if any(len(rows) < per_class for rows in chosen.values()):
        counts = " and ".join(f"{len(rows)} {idh}" for idh, rows in chosen.items())
        raise TableError(
            f"{2 * per_class} synthetic images need {per_class} of each class, found {counts} in "
            f"{', '.join(folders) or 'no folder'}; synthesize more or lower n_synthetic"
        )
    for rows in chosen.values():
        yield _picked([(row[4], row[5]) for row in rows[:per_class]], settings)


def _picked(places: Sequence[tuple[str, int]], settings: ClassifierSettings) -> ImageSet:
    """Images at (part, row), in the order of `places`; every part is read once."""
    sets, positions = [], []
    for path in sorted({path for path, _ in places}):
        in_part = [i for i, (part, _) in enumerate(places) if part == path]
        table = read_part(path, ["idh", "image"])
        sets.append(_image_set(path, table, np.array([places[i][1] for i in in_part]), settings))
        positions += in_part
    images, order = _joined(sets), np.argsort(positions)
    return ImageSet(images.pixels[order], images.labels[order], images.patients[order])


def _image_set(
    path: str, table: pa.Table, rows: NDArray[np.intp], settings: ClassifierSettings
) -> ImageSet:
    """Some rows of one part, preprocessed."""
    pixels = np.empty((len(rows), settings.image_px, settings.image_px), np.uint8)
    for place, row in enumerate(rows):
        try:
            pixels[place] = preprocess(table["image"][int(row)]["bytes"].as_py() or b"", settings)
        except TableError as error:
            raise TableError(f"{path}: row {row}: {error}; recreate this part") from None
    taken = table.take(pa.array(rows))
    names = taken["patient"].to_pylist() if "patient" in table.column_names else [""] * len(rows)
    return ImageSet(pixels, _labels(path, taken["idh"].to_pylist()), np.array(names, dtype=np.str_))


def _labels(path: str, idh: Sequence[str | None]) -> NDArray[np.int8]:
    if strange := sorted({value or "" for value in idh} - set(LABEL_OF_IDH)):
        raise TableError(f"{path}: idh {strange[0]!r} is not mutant, wildtype or empty")
    return np.array([LABEL_OF_IDH[value or ""] for value in idh], dtype=np.int8)


def _joined(sets: Sequence[ImageSet]) -> ImageSet:
    return ImageSet(
        np.concatenate([s.pixels for s in sets]),
        np.concatenate([s.labels for s in sets]),
        np.concatenate([s.patients for s in sets]),
    )


def with_synthetic(largest: ImageSet, n_synthetic: int) -> ImageSet:
    """Training set with `n_synthetic` synthetic images, taken from a set with more of them.

    The result equals that of `training_set`.

    Raises:
        ConfigError: `n_synthetic` is odd, negative, or larger than their number in `largest`.
    """
    synthetic = largest.patients == ""
    if n_synthetic < 0 or n_synthetic % 2 or n_synthetic > synthetic.sum():
        raise ConfigError(f"n_synthetic must be even, 0 to {synthetic.sum()}, got {n_synthetic}")
    keep = ~synthetic
    for label in (0, 1):
        keep[np.flatnonzero(synthetic & (largest.labels == label))[: n_synthetic // 2]] = True
    return ImageSet(largest.pixels[keep], largest.labels[keep], largest.patients[keep])
