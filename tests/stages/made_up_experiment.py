"""Inputs of a small experiment: patches of 12 patients, three folds, synthetic images of each."""

import numpy as np

from idhray.classify.settings import ClassifierSettings
from idhray.cohorts.folds import folds_of_roles, read_folds, write_folds
from idhray.experiment.settings import ProtocolSettings
from idhray.generator_records import GeneratorRecord, write_generator
from idhray.images import image_cell
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.runtime.folder import DONE
from idhray.storage import publish_json
from idhray.table_parts import publish_table
from idhray.tables import PATCHES, SYNTHETIC
from tests.classify.made_up import dots

PATIENTS = tuple(f"{letter}{n:02d}" for letter in "MW" for n in range(9))
PER_PATIENT = 6
TINY = ClassifierSettings(
    backbone="resnet10t",
    width=0.125,
    weights="random",
    image_px=32,
    clahe_tiles=2,
    dropout=0.1,
    batch_size=8,
    epochs=2,
    learning_rate=3e-3,
)
PROTOCOL = ProtocolSettings(
    fold_count=3,
    repeats=2,
    counts=(8,),
    controls=("duplicate", "more-real"),
    online_arms=False,
    train_per_class=16,
    eval_per_patient=2,
    generators="per fold",
)
SETTINGS = ExperimentSettings(protocol=PROTOCOL, classifier=TINY)


def label_of(patient):
    return "mutant" if patient[0] == "M" else "wildtype"


def patches(folder, split=""):
    """A finished PATCHES folder of 6 patches of each of 18 patients."""
    for number, patient in enumerate(PATIENTS):
        rows = [
            {
                "patient": patient, "idh": label_of(patient), "split": split, "slide": patient,
                "x_l0": i, "y_l0": 0, "size_l0": 32.0, "mpp": 1.0, "rank": i + 1,
                "image": image_cell(rgb(patient, i), f"{patient}-{i}"),
            }
            for i in range(PER_PATIENT)
        ]  # fmt: skip
        publish_table(f"{folder}/part-{number:02d}.parquet", rows, PATCHES)
    publish_json(f"{folder}/{DONE}", {"digest": "patches"})
    return str(folder)


def rgb(*ids):
    return np.repeat(dots(int(str(ids[0])[0] == "M"), *ids)[..., None], 3, axis=-1)


def folds(path):
    """Three folds: fold k tests three patients of each class, and two others validate."""
    roles = {
        fold: {name: _role((int(name[1:]) - 3 * (fold - 1)) % 9) for name in PATIENTS}
        for fold in (1, 2, 3)
    }
    write_folds(str(path), folds_of_roles({name: label_of(name) for name in PATIENTS}, roles))
    return str(path)


def _role(place):
    return "test" if place < 3 else "val" if place < 5 else "train"


def synthetic(folder, folds_file, fold, idh, *, count=8, name=None, patients=None, copied=None):
    """A finished SYNTHETIC folder of a generator of one fold and class.

    Args:
        copied: Patient whose images the generator copies, at most PER_PATIENT of them.
    """
    roles = read_folds(folds_file).roles(fold)
    seen = patients or [p for p, r in roles.items() if r == "train" and label_of(p) == idh]
    record = GeneratorRecord.of(name or f"gan-{fold}-{idh}", idh, seen)
    source = (copied,) if copied else ("M" if idh == "mutant" else "W", record.generator)
    rows = [
        {
            "generator": record.generator, "seed": 0, "index": i, "psi": 1.0, "idh": idh,
            "trained_on": record.trained_on,
            "image": image_cell(rgb(*source, i), f"{i}"),
        }
        for i in range(count)
    ]  # fmt: skip
    publish_table(f"{folder}/part-0.parquet", rows, SYNTHETIC)
    write_generator(str(folder), record)
    publish_json(f"{folder}/{DONE}", {"digest": f"{folder} {record.generator}"})
    return str(folder)


def generators(parent, folds_file, count=8):
    """Folders of a pair of generators for each fold."""
    return tuple(
        synthetic(parent / f"{fold}-{idh}", folds_file, fold, idh, count=count)
        for fold in (1, 2, 3)
        for idh in ("wildtype", "mutant")
    )
