"""Images of one fold for the commands that train or test a single classifier."""

from dataclasses import dataclass

import numpy as np

from idhray.classify.image_set import ImageRows, ImageSet
from idhray.cohorts.folds import Folds, read_folds
from idhray.config import settings_hash
from idhray.errors import ConfigError, StorageError
from idhray.experiment.images import CohortImages, FoldImages
from idhray.stages.experiment.checks import refuse_other_patients
from idhray.stages.experiment.experiment_folds import images_by_fold
from idhray.stages.experiment.image_identities import listed_images
from idhray.stages.experiment.settings import ExperimentSettings


@dataclass(frozen=True, kw_only=True)
class OneFold:
    """One fold of a cohort, and the rows of its images in a table."""

    roles: dict[str, str]
    """Role of each patient."""
    images: CohortImages
    """All images of the table."""
    rows: FoldImages
    """Rows of the arm `real` of an experiment: the training share by rank, validation, test."""

    @property
    def digest(self) -> str:
        """Digest of the roles of all patients."""
        return settings_hash(self.roles)

    def view(self, all_images: ImageSet, role: str) -> ImageRows:
        """Images of the patients of a role.

        Args:
            all_images: All images of the table, from `load_images`.
            role: train, val or test.

        Raises:
            StorageError: the table changed since the fold was read.
        """
        if not np.array_equal(all_images.patients, self.images.patients):
            raise StorageError("the table of images changed while it was read; run again")
        rows = {"train": np.concatenate(self.rows.train), "val": self.rows.val}
        return all_images.view(rows.get(role, self.rows.test))


def one_fold(folder: str, path: str, number: int) -> OneFold:
    """Fold of a file of FOLDS, with its images.

    Args:
        folder: PATCHES or SLICES folder.
        path: File of FOLDS.
        number: Number of the fold.

    Raises:
        ConfigError: the file has no such fold.
        LeakageError: a patient has another label in the file than in the table.
        TableError: a class has too few patients with images in a role.
    """
    folds = read_folds(path)
    if number not in folds.numbers():
        names = ", ".join(map(str, folds.numbers()))
        raise ConfigError(f"--fold {number}: {path} holds the folds {names}; choose one of them")
    images = listed_images(folder)
    refuse_other_patients(images, folds, folder)
    single = Folds(folds.table[folds.table["fold"] == number], folds.by)
    by_fold = images_by_fold(folder, images, single, ExperimentSettings())
    return OneFold(roles=folds.roles(number), images=images, rows=by_fold[number])
