"""Check that no generator was trained on the images that the arm `more-real` adds."""

import logging

import numpy as np

from idhray.errors import LeakageError
from idhray.experiment.arms import parse_arm
from idhray.experiment.images import CohortImages, ImageNumbers
from idhray.generator_records import GeneratorRecord, read_generator
from idhray.stages.experiment.plan import TrialPlan

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
        record = read_generator(folder)
        reserve = np.concatenate(plan.fold_images[fold].reserve)
        if count := reserve_images_of(record, plan.images_seal, plan.images, reserve):
            raise LeakageError(
                f"{folder}: its generator was trained on {count} images of the reserve of fold "
                f"{fold}, which the arm more-real adds; train it on the training share "
                "(--train-per-class), or leave more-real out of --controls"
            )
        if reason := unknown_images(record, plan.images_seal, plan.images, reserve):
            logger.warning(
                "%s: its generator may have seen images of the reserve of fold %d, which the arm "
                "more-real adds: %s",
                *(folder, fold, reason),
            )


def reserve_images_of(
    record: GeneratorRecord, images_seal: str, images: CohortImages, reserve: ImageNumbers
) -> int:
    """Number of reserve images that a generator was trained on, as far as its record tells.

    Args:
        record: Record of the generator.
        images_seal: Seal of the cohort's table.
        images: Images of that table.
        reserve: Rows of the reserve.
    """
    shown = np.zeros(len(reserve), dtype=np.bool_)
    for table in record.tables or ():
        if table.digest == images_seal and table.last_ranks is not None:
            last = np.array([table.last_ranks.get(str(p), 0) for p in images.patients[reserve]])
            shown |= images.ranks[reserve] <= last
    return int(shown.sum())


def unknown_images(
    record: GeneratorRecord, images_seal: str, images: CohortImages, reserve: ImageNumbers
) -> str:
    """Reason why a generator may have seen reserve images without its record telling; or empty.

    Args:
        record: Record of the generator.
        images_seal: Seal of the cohort's table.
        images: Images of that table.
        reserve: Rows of the reserve.
    """
    if not record.tables or any(table.last_ranks is None for table in record.tables):
        return "its record does not tell its training images"
    patients = {str(name) for name in images.patients[reserve]}
    for table in record.tables:
        if table.digest != images_seal and patients & set(table.last_ranks or ()):
            return "it was trained on another table of the same patients"
    return ""
