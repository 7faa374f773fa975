"""Made-up cohorts: patients with label, grade and site."""

import numpy as np
import pandas as pd

from idhray.cohorts.manifest import manifest_frame, patients_of


def made_patients(mutants, wildtypes, *, sites=9, seed=0, unlabeled=0, prefix="P"):
    """Patients as `patients_of` returns them; sites differ in size and share of mutants."""
    random = np.random.default_rng(seed)
    labels = ["mutant"] * mutants + ["wildtype"] * wildtypes + [""] * unlabeled
    shape = np.where(np.array(labels) == "mutant", 1.5, 2.5)
    rows = [
        {
            "patient": f"{prefix}{i:03d}",
            "idh": label,
            "grade": str(random.integers(2, 5)),
            "site": f"S{int(sites * random.beta(1, shape[i])):02d}",
        }
        for i, label in enumerate(labels)
    ]
    return patients_of(manifest_frame(rows))


def sizes_of(folds, role):
    """Fold x label: number of patients in a role."""
    table = folds.table[folds.table["role"] == role]
    return table.groupby(["fold", "idh"]).size().unstack(fill_value=0)


def roles_of(folds):
    """Patient x fold: role."""
    return folds.table.pivot(index="patient", columns="fold", values="role")


def with_newcomers(cohort, newcomers):
    """Both cohorts as one table, sorted by patient."""
    return pd.concat([cohort, newcomers]).sort_values("patient", ignore_index=True)
