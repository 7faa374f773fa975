"""Checks and messages before a study starts, shared by slides and MRI."""

import logging
from collections.abc import Sequence

import pandas as pd

from idhray.cohorts.manifest import LABELS, SPLITS, patients_of
from idhray.errors import ManifestError
from idhray.planning.experiment.printing import experiment_summary
from idhray.planning.printing import plan_summary
from idhray.stats.arms.rule import needed_repeats

logger = logging.getLogger(__name__)


def check_classes(cohort: pd.DataFrame, splits: Sequence[str] = SPLITS) -> None:
    """Refuse a cohort without both classes in each of these splits, before hours are spent on it.

    Raises:
        ManifestError: naming the missing classes.
    """
    existing = set(zip(cohort["split"], cohort["idh"], strict=True))
    missing = [
        f"{idh} in {split}" for split in splits for idh in LABELS if (split, idh) not in existing
    ]
    if missing:
        raise ManifestError(f"no patient who is {', '.join(missing)}; a study needs each")


def log_detectable_gain(
    cohort: pd.DataFrame, *, folds: int | None = None, repeats: int | None = None
) -> None:
    """Log the gains that the patients could show, before hours are spent on the study.

    Args:
        cohort: Rows with `patient`, `idh` and `split`.
        folds: Folds of an experiment, in which every patient is tested; None takes the patients of
            the test split and one training of each model.
        repeats: Repeats of an experiment; needed with `folds`.
    """
    patients = patients_of(cohort)
    if folds is None or repeats is None:
        patients = patients[patients["split"] == "test"]
    mutant, wildtype = (int((patients["idh"] == label).sum()) for label in ("mutant", "wildtype"))
    if folds is None or repeats is None:
        if min(mutant, wildtype) > 1:
            logger.info("%s", plan_summary(mutant, wildtype))
    elif min(mutant, wildtype) >= 2 * folds and repeats >= needed_repeats(folds):
        logger.info("%s", experiment_summary(mutant, wildtype, folds=folds, repeats=repeats))
