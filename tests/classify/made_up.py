"""Made-up tables for the tests of this folder: gray patches with few or many dark dots."""

import dataclasses

import numpy as np

from idhray.chance import generator
from idhray.classify.image_set import ImageSet, ranks_in_order
from idhray.classify.settings import ClassifierSettings
from idhray.generator_records import GeneratorRecord, write_generator
from idhray.images import image_cell
from idhray.table_parts import part_path, publish_table
from idhray.tables import PATCHES, SYNTHETIC

TINY = ClassifierSettings(
    backbone="resnet10t",
    width=0.125,
    weights="random",
    image_px=32,
    clahe_tiles=2,
    dropout=0.1,
    batch_size=16,
    epochs=2,
    learning_rate=3e-3,
)
IDH = ("wildtype", "mutant")


def tiny(**changes):
    """TINY with some settings changed."""
    return dataclasses.replace(TINY, **changes)


def dots(label, *ids, px=32):
    """A noisy bright (px, px) image; the mutant has three times as many dark dots."""
    rng = generator(0, "dots", label, *ids)
    image = rng.normal(190, 10, (px, px))
    for x, y in rng.integers(1, px - 2, (10 + 20 * label, 2)):
        image[y : y + 2, x : x + 2] -= 90
    return image.clip(0, 255).astype(np.uint8)


def image_set(n_patients, per_patient, first=0):
    """Patients of both classes by turns, their images as they are."""
    labels = np.repeat(np.arange(n_patients) % 2, per_patient)
    patients = np.repeat([f"P{first + n:03d}" for n in range(n_patients)], per_patient)
    pixels = np.stack(
        [dots(y, p, i) for i, (y, p) in enumerate(zip(labels, patients, strict=True))]
    )
    return view_of(pixels, labels.astype(np.int8), patients)


def view_of(pixels, labels, patients):
    """All images of a set that is in no table."""
    return ImageSet(pixels, labels, patients, ranks_in_order(patients)).view()


def patch_row(patient, idh, split, image):
    """A PATCHES row of a gray or RGB image."""
    place = {"slide": "s", "x_l0": 0, "y_l0": 0, "size_l0": 1.0, "mpp": 1.0}
    return {
        "patient": patient,
        "idh": idh,
        "split": split,
        **place,
        "image": image_cell(image, "i"),
    }


def write_patches(folder, rows, key="part"):
    """A PATCHES folder of one part."""
    publish_table(part_path(str(folder), key), rows, PATCHES)
    return str(folder)


def cohort(folder, per_patient=2):
    """A PATCHES folder: T0..T3 in train, V0 V1 in val, E0 E1 in test; odd ones are mutant."""
    who = [(f"T{n}", n, "train") for n in range(4)]
    who += [(f"V{n}", n, "val") for n in range(2)] + [(f"E{n}", n, "test") for n in range(2)]
    rows = [
        patch_row(patient, IDH[n % 2], split, dots(n % 2, patient, i))
        for patient, n, split in who
        for i in range(per_patient)
    ]
    return write_patches(folder, rows)


def synthetic(folder, idh, count, patients=("T0", "T1"), **changes):
    """A SYNTHETIC folder whose image `index` is of the constant value `index`."""
    record = GeneratorRecord.of(f"gan-{idh}", idh, patients)
    rows = [
        {
            "generator": record.generator,
            "seed": 0,
            "index": index,
            "psi": 1.0,
            "idh": idh,
            "trained_on": record.trained_on,
            "image": image_cell(np.full((32, 32), index, np.uint8), "i"),
            **changes,
        }
        for index in range(count)
    ]
    # Two parts, the later indices in the one whose name sorts first, whichever that is.
    for key, half in zip(
        _keys_by_part(folder), (rows[count // 2 :], rows[: count // 2]), strict=True
    ):
        publish_table(part_path(str(folder), key), half, SYNTHETIC)
    write_generator(str(folder), record)
    return str(folder)


def _keys_by_part(folder):
    return sorted(("a", "b"), key=lambda key: part_path(str(folder), key))
