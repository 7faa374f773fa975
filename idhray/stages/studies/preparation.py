"""Checks and messages before a study starts, shared by slides and MRI."""

import logging
from collections.abc import Sequence

import pandas as pd

from idhray.cohorts.manifest import LABELS, SPLITS, patients_of
from idhray.errors import ManifestError
from idhray.planning.printing import plan_summary

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


def log_detectable_gain(cohort: pd.DataFrame) -> None:
    """Log the gains that the test patients could show, before hours are spent on the study."""
    test = patients_of(cohort)
    test = test[test["split"] == "test"]
    mutant, wildtype = (int((test["idh"] == label).sum()) for label in ("mutant", "wildtype"))
    if min(mutant, wildtype) > 1:
        logger.info("%s", plan_summary(mutant, wildtype))
