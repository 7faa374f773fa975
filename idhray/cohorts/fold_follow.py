"""Folds of a study whose manifest has changed: patients leave, join or get another label."""

from collections import Counter

import pandas as pd

from idhray.cohorts.fold_draw import MIN_TESTED
from idhray.cohorts.fold_extend import extended_folds
from idhray.cohorts.folds import Folds, folds_of_roles
from idhray.cohorts.manifest import LABELS
from idhray.errors import ManifestError


def followed_folds(folds: Folds, cohort: pd.DataFrame, seed: int) -> Folds:
    """Folds of the present cohort. No patient who stays gets another role.

    Patients without a row or a label leave, a changed label is taken over, and newcomers join as in
    `extended_folds`.

    Args:
        folds: Written folds.
        cohort: Patients, as `patients_of` returns them.
        seed: Seed of the places of newcomers.

    Raises:
        ManifestError: A fold would lack patients of a class. By site: see `extended_folds`.
    """
    labeled = cohort[cohort["idh"].isin(LABELS)]
    labels = {
        str(name): str(idh) for name, idh in zip(labeled["patient"], labeled["idh"], strict=True)
    }
    roles = {
        fold: {name: role for name, role in folds.roles(fold).items() if name in labels}
        for fold in folds.numbers()
    }
    staying = {name: labels[name] for name in folds.labels() if name in labels}
    if not staying:
        raise ManifestError(
            "no patient of the folds is in the manifest; give the manifest of this study, or "
            "choose another --out"
        )
    followed = extended_folds(folds_of_roles(staying, roles, folds.by), cohort, seed)
    refuse_impossible_folds(followed)
    return followed


def refuse_impossible_folds(folds: Folds) -> None:
    """Refuse folds on which nothing can be trained or compared.

    Raises:
        ManifestError: A fold has fewer than two test patients of a class, or no training patient.
    """
    labels = folds.labels()
    for fold in folds.numbers():
        counts = Counter((role, labels[name]) for name, role in folds.roles(fold).items())
        for role, least in (("test", MIN_TESTED), ("train", 1)):
            for idh in LABELS:
                if (count := counts[role, idh]) < least:
                    raise ManifestError(
                        f"fold {fold} would have {count} {idh} patients in {role}, {least} are "
                        "needed; add patients, or draw folds anew in another --out"
                    )
