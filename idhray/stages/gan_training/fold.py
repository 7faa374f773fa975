"""Fold of a GAN: the roles of its cohort's patients, in place of the `split` column of a table.

A training reads the fold from a file of FOLDS. The checkpoint records the roles (`fold` in
model.json), so that whoever evaluates it or searches for copies needs no file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idhray.cohorts.folds import read_folds
from idhray.config import settings_hash
from idhray.errors import ConfigError
from idhray.generator_records import patients_hash
from idhray.stages.gan_training.image_sets import ImageSelection, images_read
from idhray.stages.runtime.folder import seal

Roles = Mapping[str, str]  # train, val or test by patient


@dataclass(frozen=True, kw_only=True)
class GanFold:
    """One fold of a cohort, as a GAN uses it."""

    number: int
    roles: Roles

    @property
    def training_patients(self) -> list[str]:
        """Patients with the role train, sorted."""
        return sorted(name for name, role in self.roles.items() if role == "train")

    @property
    def held_out_patients(self) -> list[str]:
        """Patients with the role val or test, sorted."""
        return sorted(name for name, role in self.roles.items() if role != "train")

    @property
    def trained_on(self) -> str:
        """`patients_hash` of the training patients; no other value of a fold changes weights."""
        return patients_hash(self.training_patients)

    def entry(self) -> dict[str, Any]:
        """Value of `fold` in a checkpoint's model.json."""
        roles = dict(sorted(self.roles.items()))
        return {"number": self.number, "digest": settings_hash(roles), "roles": roles}


def read_fold(path: str, number: int) -> GanFold:
    """Fold of a file of FOLDS.

    Raises:
        ConfigError: the file has no such fold.
    """
    folds = read_folds(path)
    numbers = sorted(folds.numbers())
    if number not in numbers:
        names = ", ".join(map(str, numbers))
        raise ConfigError(f"--fold {number}: {path} holds the folds {names}; choose one of them")
    return GanFold(number=number, roles=folds.roles(number))


def fold_of_model(model: Mapping[str, Any]) -> GanFold | None:
    """Fold that a checkpoint records; None if it was trained on the split of its table.

    Args:
        model: Content of the checkpoint's model.json, from `read_model`.
    """
    entry = model.get("fold")
    return None if entry is None else GanFold(number=entry["number"], roles=entry["roles"])


def selection_of_model(model: Mapping[str, Any]) -> ImageSelection:
    """Images that a checkpoint was trained on, and those that it held out.

    Args:
        model: Content of the checkpoint's model.json, from `read_model`.
    """
    fold = fold_of_model(model)
    return ImageSelection(
        roles=fold.roles if fold else None, train_per_class=model.get("train_per_class")
    )


def evaluated_images(images: str, model: Mapping[str, Any]) -> str:
    """Digest of the training and validation images of a generator; no other row of the table.

    Copies are looked for among the images of both classes if the network learned both.

    Args:
        images: Folder of the table.
        model: Content of the checkpoint's model.json.

    Raises:
        StorageError: the table is not finished.
    """
    seal(images)
    selection = selection_of_model(model)
    splits = ("train", "val")
    return "-".join(images_read(images, model["idh"], split, selection) for split in splits)
