"""Training images of one fold for a search, divided into inner folds; nothing else is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from idhray.ancestry import Ancestor
from idhray.chance import seed_for
from idhray.classify.dataset import load_images
from idhray.classify.image_set import ImageSet
from idhray.classify.preprocessing import placed_pixels, prepared
from idhray.classify.settings import ClassifierSettings
from idhray.errors import TableError
from idhray.experiment.images import FoldImages
from idhray.leakage import HeldOut, assert_untouched
from idhray.stages.experiment.feature_tables import FeatureTables, joined_features
from idhray.table_fingerprints import TableFingerprints

InnerPatients = NDArray[np.str_]  # held out by one inner fold


@dataclass(frozen=True, kw_only=True)
class InnerData:
    """Training images of one fold, and the patients that each inner fold holds out."""

    fold: int
    images: ImageSet
    features: NDArray[np.float32] | None
    """(N, D); None for a network."""
    inner: Sequence[InnerPatients]
    seed: int

    def rows(self, number: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of the training and of the validation images of an inner fold.

        Raises:
            LeakageError: a patient is in both.
        """
        held_out = np.isin(self.images.patients, self.inner[number])
        train, val = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        self.assert_apart(train, val, number)
        return train, val

    def assert_apart(self, train: NDArray[np.intp], val: NDArray[np.intp], number: int) -> None:
        """Refuse an inner training that holds a patient of its validation.

        Raises:
            LeakageError: naming the patient.
        """
        patients = self.images.patients
        held_out = HeldOut(
            cohort=f"inner fold {number + 1} of fold {self.fold}",
            roles=dict.fromkeys(map(str, patients[val]), "val"),
        )
        trained_on = tuple(sorted(set(map(str, patients[train]))))
        assert_untouched(held_out, [Ancestor(name="the inner training", patients=trained_on)])


def inner_patients(
    labels: NDArray[np.int8], patients: NDArray[np.str_], *, count: int, seed: int
) -> list[InnerPatients]:
    """Patients that each inner fold holds out, stratified by class.

    Args:
        labels: Label of each image, (N,).
        patients: Patient of each image, (N,).
        count: Number of inner folds.
        seed: Seed of the draw.

    Raises:
        TableError: a class has fewer patients than inner folds.
    """
    names, first = np.unique(patients, return_index=True)
    fewest = int(np.bincount(labels[first], minlength=2).min())
    if fewest < count:
        raise TableError(
            f"{count} inner folds need {count} or more training patients of each class, got "
            f"{fewest}; lower --inner-folds"
        )
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed % 2**32)
    return [names[held_out] for _, held_out in splitter.split(names, labels[first])]


def inner_data(
    images: str,
    fold: int,
    rows: FoldImages,
    roles: Mapping[str, str],
    settings: ClassifierSettings,
    *,
    tables: FeatureTables | None,
    decode: bool,
    inner_folds: int,
    seed: int,
    fingerprints: TableFingerprints,
) -> InnerData:
    """Load the training images of a fold, and draw its inner folds.

    Args:
        images: PATCHES or SLICES folder.
        fold: Number of the fold.
        rows: Rows of the fold's images.
        roles: Role of each patient in the fold.
        settings: Preparation of the images.
        tables: FEATURES tables of a classifier on features.
        decode: True if pixels are needed.
        inner_folds: Number of inner folds.
        seed: Seed of the search.
        fingerprints: Fingerprints of all images of the table.

    Raises:
        LeakageError: an image of a held-out patient is among the training images.
        TableError: there are too few patients, or images without features.
    """
    listed = load_images(images, None, settings, decode=False)
    chosen = np.concatenate(rows.train)
    subset = replace(
        listed,
        pixels=np.zeros((len(chosen), 0, 0), np.uint8),
        labels=listed.labels[chosen],
        patients=listed.patients[chosen],
        ranks=listed.ranks[chosen],
        places=None if listed.places is None else listed.places.take(chosen),
    )
    trained_on = sorted(set(map(str, subset.patients)))
    digests = np.sort(fingerprints.of_patients(trained_on).pixels)
    training = Ancestor(name="the search", patients=tuple(trained_on), digests=digests)
    assert_untouched(HeldOut.of_roles(roles, fingerprints, f"fold {fold}"), [training])
    if decode:
        assert subset.places is not None
        pixels = placed_pixels(subset.places, settings, lambda _, image: prepared(image, settings))
        subset = replace(subset, pixels=pixels)
    return InnerData(
        fold=fold,
        images=subset,
        features=joined_features(tables, {"the images": subset})["the images"] if tables else None,
        inner=inner_patients(
            subset.labels,
            subset.patients,
            count=inner_folds,
            seed=seed_for(seed, "tune", "inner", fold),
        ),
        seed=seed_for(seed, "tune", "training", fold),
    )
