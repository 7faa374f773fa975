"""A made-up cohort of images for the tests of the experiment."""

import numpy as np

from idhray.experiment.images import CohortImages, fold_images

PER_PATIENT = 6


def cohort(patients: int = 14, per_patient: int = PER_PATIENT) -> CohortImages:
    """Patients P00, P01, ...; odd ones are mutant; the images of each one after the other."""
    names = np.repeat([f"P{i:02d}" for i in range(patients)], per_patient)
    labels = np.repeat(np.arange(patients) % 2, per_patient).astype(np.int8)
    ranks = np.tile(np.arange(1, per_patient + 1), patients)
    identities = np.array([f"image {number}" for number in range(len(names))])
    return CohortImages(patients=names, labels=labels, ranks=ranks, identities=identities)


def roles(patients: int = 14) -> dict[str, str]:
    """The first four patients are tested, the next two validate, the others train."""
    return {f"P{i:02d}": "test" if i < 4 else "val" if i < 6 else "train" for i in range(patients)}


def fold(train_per_class=8, eval_per_patient=None):
    return fold_images(
        cohort(),
        roles(),
        train_per_class=train_per_class,
        eval_per_patient=eval_per_patient,
    )
