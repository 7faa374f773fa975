"""A table of made-up patches, as input of trainings."""

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
