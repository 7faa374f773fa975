"""Check that no generator was trained on the images that the arm `more-real` adds."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from idhray.errors import LeakageError
from idhray.experiment.arms import parse_arm
from idhray.experiment.images import CohortImages, ImageNumbers
from idhray.generator_records import GeneratorRecord, GeneratorTable, read_generator
from idhray.stages.experiment.fold_generators import CLASSES
from idhray.stages.experiment.plan import TrialPlan
from idhray.stages.runtime.contents import rows_digest
from idhray.withdrawals import ranks_with_names

logger = logging.getLogger(__name__)


def refuse_reserve_images(plan: TrialPlan) -> None:
    """Refuse generators that saw the reserve; warn of those whose training images are unknown.

    Such a generator knows more real images than the arm `real`. Its gain is then one of further
    real images, which `more-real` shows as well.

    Args:
        plan: Plan of the experiment. Nothing is checked without the arm `more-real`.

    Raises:
        LeakageError: a generator was trained on images of the reserve of a fold that it serves.
    """
    if not any(parse_arm(name).kind == "more-real" for name in plan.protocol.arms):
        return
    pairs = {(fold, folder) for (fold, _), pair in plan.generators.items() for folder in pair}
    for fold, folder in sorted(pairs):
        record = _with_names(folder, read_generator(folder), plan)
        reserve = np.concatenate(plan.fold_images[fold].reserve)
        if count := reserve_images_of(record, plan, reserve):
            raise LeakageError(
                f"{folder}: its generator was trained on {count} images of the reserve of fold "
                f"{fold}, which the arm more-real adds; train it on the training share "
                "(--train-per-class), or leave more-real out of --controls"
            )
        if reason := unknown_images(record, plan, reserve):
            logger.warning(
                "%s: its generator may have seen images of the reserve of fold %d, which the arm "
                "more-real adds: %s",
                *(folder, fold, reason),
            )


def _with_names(folder: str, record: GeneratorRecord, plan: TrialPlan) -> GeneratorRecord:
    """The record, where patients of the cohort who withdrew and came back have their names."""
    if record.tables is None:
        return record
    names = {str(name) for name in plan.images.patients}
    tables = tuple(
        replace(table, last_ranks=ranks_with_names(folder, table.last_ranks, names))
        if table.last_ranks
        else table
        for table in record.tables
    )
    return replace(record, tables=tables)


def reserve_images_of(record: GeneratorRecord, plan: TrialPlan, reserve: ImageNumbers) -> int:
    """Number of reserve images that a generator was trained on, as far as its record tells.

    Args:
        record: Record of the generator.
        plan: Plan of the experiment.
        reserve: Rows of the reserve.
    """
    shown = np.zeros(len(reserve), dtype=np.bool_)
    for table in record.tables or ():
        if table.last_ranks is not None and _is_cohort_table(table, record, plan):
            shown |= plan.images.ranks[reserve] <= _last_ranks(table, plan.images, reserve)
    return int(shown.sum())


def unknown_images(record: GeneratorRecord, plan: TrialPlan, reserve: ImageNumbers) -> str:
    """Reason why a generator may have seen reserve images without its record telling; or empty.

    Args:
        record: Record of the generator.
        plan: Plan of the experiment.
        reserve: Rows of the reserve.
    """
    if not record.tables or any(table.last_ranks is None for table in record.tables):
        return "its record does not tell its training images"
    patients = {str(name) for name in plan.images.patients[reserve]}
    for table in record.tables:
        same_patients = patients & set(table.last_ranks or ())
        if same_patients and not _is_cohort_table(table, record, plan):
            return "it was trained on another table of the same patients"
    return ""


def _last_ranks(
    table: GeneratorTable, images: CohortImages, rows: ImageNumbers
) -> NDArray[np.int64]:
    """Largest rank of a training image of the patient of each row."""
    ranks = table.last_ranks or {}
    return np.array([ranks.get(str(name), 0) for name in images.patients[rows]], dtype=np.int64)


def _is_cohort_table(table: GeneratorTable, record: GeneratorRecord, plan: TrialPlan) -> bool:
    """True if a generator's images are images of the cohort's table, whatever was added to it."""
    if table.digest == plan.images_seal:
        return True
    images = plan.images
    every = np.arange(len(images.patients))
    of_network = (
        images.labels >= 0 if record.conditional else images.labels == CLASSES.index(record.idh)
    )
    used = (images.ranks <= _last_ranks(table, images, every)) & of_network
    return table.rows == rows_digest(images.identities[used])
