"""The order in which folders of synthetic images are named is no setting."""

import itertools
from dataclasses import replace

import pandas as pd
import pytest

from idhray.cohorts.manifest import read_manifest, write_manifest
from idhray.cohorts.modality import COHORT
from idhray.errors import SettingsChangedError, StorageError
from idhray.generator_records import read_generator, write_generator
from idhray.images import image_cell
from idhray.stages import train_classifier as classifier_stage
from idhray.stages.readers import ReadersFlags, readers
from idhray.stages.runtime.folder import DONE
from idhray.stages.train_classifier import TrainClassifierFlags, train_classifier
from idhray.storage import SETTINGS, publish_json, read_json
from idhray.table_parts import publish_table
from idhray.tables import SLICES
from tests.stages import made_up_experiment as made_up
from tests.stages.in_process import in_process as in_process


@pytest.fixture
def inputs(tmp_path):
    """Patches of one fold, and a SYNTHETIC folder of each class."""
    images = made_up.patches(tmp_path / "patches", split="train")
    folds = made_up.folds(tmp_path / "folds.parquet")
    pair = tuple(str(tmp_path / idh) for idh in ("wildtype", "mutant"))
    for folder in pair:
        table(folder, folds, folder.rsplit("/", 1)[1], count=8)
    return images, folds, pair


def test_a_training_is_the_same_training_and_more_images_are_no_change(
    in_process, inputs, tmp_path, monkeypatch
):
    """It reads the first images of each folder, which stay when a table grows."""
    images, folds, pair = inputs

    def reached(*args, **options):
        """Stop where a training would start."""
        raise StorageError("reached the training")

    monkeypatch.setattr(classifier_stage, "fit", reached)

    def train(synthetic, n_synthetic=8):
        """The training as far as its folder is checked."""
        train_classifier(
            TrainClassifierFlags(
                images=images,
                out=str(tmp_path / "classifier"),
                settings=made_up.TINY,
                folds=folds,
                synthetic=synthetic,
                n_synthetic=n_synthetic,
            )
        )

    for order in itertools.permutations(pair):
        with pytest.raises(StorageError, match="reached the training"):
            train(order)
    for folder, idh in zip(pair, ("wildtype", "mutant"), strict=True):
        table(folder, folds, idh, count=14)
        with pytest.raises(StorageError, match="reached the training"):
            train(pair)
    with pytest.raises(SettingsChangedError, match="n_synthetic: was 8, now 10"):
        train(pair, n_synthetic=10)


def test_a_form_of_readers_is_the_same_form(inputs, tmp_path):
    """Its cases keep their numbers, also in a form of an earlier version, which had an order."""
    _, _, pair = inputs
    slices, out = str(tmp_path / "slices"), tmp_path / "form"
    rows = [
        {
            "patient": patient, "idh": made_up.label_of(patient), "split": "train",
            "study": patient, "z_mm": 0.0, "brain_fraction": 0.5, "tumor_fraction": 0.1,
            "image": image_cell(made_up.rgb(patient, 0), patient),
        }
        for patient in made_up.PATIENTS
    ]  # fmt: skip
    publish_table(f"{slices}/part-0.parquet", rows, SLICES)
    publish_json(f"{slices}/{DONE}", {"digest": "slices"})
    cohort = {"patient": made_up.PATIENTS, "idh": [*map(made_up.label_of, made_up.PATIENTS)]}
    write_manifest(f"{slices}/{COHORT}", read_frame(tmp_path, cohort))

    def key(synthetic):
        """Key of the form."""
        readers(
            ReadersFlags(kind="form", slices=slices, out=str(out), synthetic=synthetic, count=3)
        )
        return (out / "key" / "key.csv").read_bytes()

    first = key(pair)
    assert key(pair[::-1]) == first
    recorded = read_json(f"{out}/{SETTINGS}")
    publish_json(f"{out}/{SETTINGS}", {**recorded, "synthetic": recorded["synthetic"][::-1]})
    of_earlier_version = key(pair)
    assert of_earlier_version != first
    assert key(pair[::-1]) == of_earlier_version


def read_frame(folder, columns):
    """Manifest of these columns, as it is read."""
    path = str(folder / "cohort.csv")
    pd.DataFrame(columns).to_csv(path, index=False)
    return read_manifest(path)


def table(folder, folds, idh, *, count):
    """A SYNTHETIC folder as `synthesize` leaves it, with a record of the generator's weights."""
    made_up.synthetic(folder, folds, 1, idh, count=count)
    write_generator(folder, replace(read_generator(folder), weights=f"weights of {idh}"))
    publish_json(f"{folder}/{SETTINGS}", {"stage": "synthesize"})
    publish_json(f"{folder}/{DONE}", {"digest": f"{idh} {count}"})
