"""A table of made-up patches, as input of trainings."""

from idhray.cohorts.folds import folds_of_roles, write_folds
from idhray.images import encode
from idhray.stages.runtime.folder import DONE
from idhray.storage import publish_json
from idhray.table_parts import publish_table
from idhray.tables import PATCHES
from tests.gan.made_up import noise_images

PATIENTS = tuple(f"P{i % 8}" for i in range(48))


def patches_of_mutants(folder):
    """A finished PATCHES folder of 48 images of 8 px, of 8 patients."""
    rows = [
        {
            "patient": patient, "idh": "mutant", "split": "train", "slide": "s", "x_l0": i,
            "y_l0": 0, "size_l0": 8.0, "mpp": 1.0, "image": {"bytes": encode(image), "path": None},
        }
        for i, (patient, image) in enumerate(zip(PATIENTS, noise_images(48), strict=True))
    ]  # fmt: skip
    publish_table(f"{folder}/part-0.parquet", rows, PATCHES)
    publish_json(f"{folder}/{DONE}", {"digest": "made up"})
    return str(folder)


FOLD_PATIENTS = tuple(f"{letter}{n}" for letter in "MW" for n in range(6))
IMAGES_PER_PATIENT = 6


def patches_of_folds(folder):
    """A finished PATCHES folder without splits: M0..M5 are mutant, W0..W5 wildtype, U0 unknown.

    Each patient has a part of its own, with 6 images of 8 px; the last row has rank 1.
    """
    classes = {"M": "mutant", "W": "wildtype", "U": ""}
    for number, patient in enumerate((*FOLD_PATIENTS, "U0")):
        first = number * IMAGES_PER_PATIENT
        images = noise_images(13 * IMAGES_PER_PATIENT)[first : first + IMAGES_PER_PATIENT]
        rows = [
            {
                "patient": patient, "idh": classes[patient[0]], "split": "", "slide": patient,
                "x_l0": i, "y_l0": 0, "size_l0": 8.0, "mpp": 1.0, "rank": IMAGES_PER_PATIENT - i,
                "image": {"bytes": encode(image), "path": None},
            }
            for i, image in enumerate(images)
        ]  # fmt: skip
        publish_table(f"{folder}/part-{number:02d}.parquet", rows, PATCHES)
    publish_json(f"{folder}/{DONE}", {"digest": "of folds"})
    return str(folder)


def three_folds(path):
    """A file of three folds of `FOLD_PATIENTS`: fold k tests two of each class, the next is val."""
    labels = {name: "mutant" if name[0] == "M" else "wildtype" for name in FOLD_PATIENTS}
    roles = {
        fold: {name: _role((int(name[1]) - 2 * (fold - 1)) % 6) for name in FOLD_PATIENTS}
        for fold in (1, 2, 3)
    }
    write_folds(str(path), folds_of_roles(labels, roles))
    return str(path)


def _role(place):
    return "test" if place < 2 else "val" if place == 2 else "train"
