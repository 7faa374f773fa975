"""Check of a fold against the images and the weights that a training would use."""

import logging
from collections import Counter
from collections.abc import Mapping

from idhray.cohorts.folds import listed, read_folds
from idhray.cohorts.manifest import LABELS
from idhray.errors import LeakageError, TableError
from idhray.fidelity.copies.near_duplicates import near_duplicates, refuse_near_duplicates
from idhray.gan.checkpoint import BOTH
from idhray.leakage import HeldOut, assert_untouched, training_set
from idhray.patients import refuse_twins_across
from idhray.stages.gan_training.fold import GanFold
from idhray.stages.gan_training.image_sets import is_of_class
from idhray.stages.gan_training.task import GanTask
from idhray.table_fingerprints import TableFingerprints

logger = logging.getLogger(__name__)

MIN_IMAGES, MIN_PATIENTS = 100, 5
"""Least training images and patients of a GAN. Ours."""
ImageCounts = Counter[tuple[str, str, str]]  # images by patient, class and split


def training_count(task: GanTask, counts: ImageCounts) -> int:
    """Number of training images of a task.

    Args:
        task: Task of one GAN.
        counts: Result of `image_counts` for its images.
    """
    selection, of_class = task.selection(), Counter[str]()
    for (patient, idh, split), number in counts.items():
        role = selection.role({"patient": patient, "split": split})
        if is_of_class(idh, task.idh) and role == "train":
            of_class[idh] += number
    limit = selection.train_per_class
    return sum(count if limit is None else min(count, limit) for count in of_class.values())


def refuse_few(task: GanTask, counts: ImageCounts) -> None:
    """Refuse a training on so little that a GAN can only repeat it; of both classes, on either.

    Args:
        task: Task of one GAN.
        counts: Result of `image_counts` for its images.

    Raises:
        TableError: there are too few images or patients, and the task does not allow it.
    """
    if task.idh == BOTH:
        for label in LABELS:
            of_class = Counter({key: n for key, n in counts.items() if key[1] == label})
            _refuse_few_of(task, label, of_class)
        return
    _refuse_few_of(task, task.idh, counts)


def _refuse_few_of(task: GanTask, name: str, counts: ImageCounts) -> None:
    """Refuse the images of one class, named in the message."""
    selection = task.selection()
    patients = {
        patient
        for patient, idh, split in counts
        if is_of_class(idh, task.idh)
        and selection.role({"patient": patient, "split": split}) == "train"
    }
    images = training_count(task, counts)
    if task.allow_few or (images >= MIN_IMAGES and len(patients) >= MIN_PATIENTS):
        return
    raise TableError(
        f"{task.images}: {images} training images of {len(patients)} patients of class {name}; "
        f"a GAN needs {MIN_IMAGES} images of {MIN_PATIENTS} patients: add images, or give "
        "--allow-few, and it will repeat them"
    )


def check_fold(task: GanTask, fold: GanFold, counts: ImageCounts) -> None:
    """Refuse a fold on which a task cannot be trained; warn if it leaves patients out.

    Args:
        task: Task with a file of FOLDS.
        fold: Its fold.
        counts: Result of `image_counts` for its images.

    Raises:
        LeakageError: file and images differ in the label of a patient.
        TableError: the images hold no training patient of the class.
    """
    labels = {patient: idh for patient, idh, _ in counts if is_of_class(idh, task.idh)}
    _refuse_other_labels(task, labels)
    refuse_twins_across(labels, fold.roles, task.images, str(task.folds))
    if not training_count(task, counts):
        raise TableError(
            f"{task.images}: no image of a training patient of class {task.idh} in fold "
            f"{fold.number} of {task.folds}; cut images of these patients, or draw other folds"
        )
    if unnamed := sorted(set(labels) - set(fold.roles)):
        logger.warning(
            "%s: %d of %d patients of class %s are not in %s and are not used (%s)",
            task.images,
            len(unnamed),
            len(labels),
            task.idh,
            task.folds,
            listed(unnamed),
        )


def _refuse_other_labels(task: GanTask, labels: dict[str, str]) -> None:
    """Refuse images whose labels are not those of the file of FOLDS."""
    assert task.folds is not None
    of_file = read_folds(task.folds).labels()
    differing = sorted(
        patient for patient, idh in labels.items() if idh and of_file.get(patient, idh) != idh
    )
    if differing:
        first = differing[0]
        raise LeakageError(
            f"{task.images}: patients have another label in {task.folds}, {len(differing)} in "
            f"all: {listed(differing)} ({first}: {labels[first]}, there {of_file[first]}); make "
            "both from one manifest"
        )


def refuse_seen(
    task: GanTask, fold: GanFold | None, images: TableFingerprints, splits: Mapping[str, str]
) -> None:
    """Refuse a training by which held-out patients or images would shape the weights.

    Args:
        task: Task of one GAN.
        fold: Its fold; None for the split of the table.
        images: Fingerprints of its images.
        splits: Split of each patient of the table.

    Raises:
        LeakageError: its images, or the generator that it starts from, are of held-out patients.
    """
    cohort = f"fold {fold.number} of {task.folds}" if fold else task.images
    roles = fold.roles if fold else splits
    held_out = HeldOut.of_roles(roles, images, cohort)
    for remark in assert_untouched(
        held_out, [training_set(roles, images, cohort), *task.ancestors()]
    ):
        logger.warning("%s: %s", task.out, remark)
    refuse_near_duplicates(task.images, near_duplicates(task.images, images), roles, cohort)
