"""Models that an experiment keeps: they predict as their trainings did, and say whom they saw."""

import shutil

import numpy as np
import pytest

from idhray.classify.dataset import load_images
from idhray.classify.trial_models import load_scorer, load_trial_card, model_folders
from idhray.cohorts.folds import read_folds
from idhray.errors import StorageError
from idhray.experiment.trials import Trial
from idhray.fingerprints import unpacked_digests
from idhray.stages.experiment.kept_models import is_kept
from idhray.storage import publish_json
from idhray.table_fingerprints import table_fingerprints
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS
from tests.stages.made_up_experiment import TINY

ARMS = {"real", "synthetic:8", "duplicate:8"}


def test_models_of_the_baseline_and_of_the_primary_arm_are_kept(experiment):
    """A control is compared with, and applied to nobody."""
    cards = [load_trial_card(folder) for folder in model_folders(experiment.out)]

    assert {(card.fold, card.arm) for card in cards} == {
        (fold, arm) for fold in (1, 2, 3) for arm in ("real", "synthetic:8")
    }


def test_a_kept_model_predicts_what_its_training_predicted(experiment):
    """Other weights, or images prepared otherwise, would make another classifier of it."""
    images = load_images(experiment.images, None, TINY)
    rows = read_table(experiment.out, PREDICTIONS).to_pandas()
    for folder in model_folders(experiment.out)[:2]:
        card = load_trial_card(folder)
        block = rows[
            (rows["fold"] == card.fold) & (rows["arm"] == card.arm) & (rows["split"] == "test")
        ].set_index("patient")["p_mutant"]
        tested = images.view(
            np.flatnonzero(
                np.isin(images.patients, block.index)
                & (images.ranks <= card.origin.eval_per_patient)
            )
        )
        p = load_scorer(folder)(tested, lambda: np.zeros((0, 1)), "cpu")
        for name, value in block.items():
            assert p[tested.patients == name].mean() == pytest.approx(value, abs=1e-6)


def test_a_card_names_the_patients_and_images_that_shaped_the_model(experiment):
    """The door of leakage compares these with the patients that the model is applied to."""
    folder = next(f for f in model_folders(experiment.out) if "synthetic" in f)
    card = load_trial_card(folder)
    roles = read_folds(experiment.folds).roles(card.fold)
    seen = table_fingerprints(experiment.images).of_patients(
        [*card.origin.train_patients, *card.origin.val_patients]
    )

    assert set(card.origin.train_patients) == {n for n, role in roles.items() if role == "train"}
    assert set(card.origin.val_patients) == {n for n, role in roles.items() if role == "val"}
    assert set(card.origin.generator_patients) == set(card.origin.train_patients)
    assert set(unpacked_digests(card.origin.image_digests)) >= set(seen.pixels)


def test_weights_that_are_not_those_of_the_card_are_refused(experiment, tmp_path):
    """A file that was exchanged would predict as if it were the judged model."""
    first, second = model_folders(experiment.out)[:2]
    for source, name in ((first, "model.json"), (second, "weights.safetensors")):
        shutil.copy(f"{source}/{name}", tmp_path / name)

    with pytest.raises(StorageError, match="not the weights"):
        load_scorer(str(tmp_path))


@pytest.mark.parametrize(
    ("keep", "arms"), [("real,primary", {"real", "synthetic:8"}), ("all", ARMS), ("none", set())]
)
def test_the_choice_names_the_arms_whose_models_are_kept(keep, arms):
    """The weights of a hundred networks fill a disk."""
    kept = {arm for arm in ARMS if is_kept(Trial(fold=1, repeat=1, arm=arm), keep, "synthetic:8")}

    assert kept == arms


@pytest.mark.parametrize(
    ("arm", "repeat", "expected"),
    [("real", 3, True), ("synthetic:8", 3, True), ("duplicate:8", 3, False), ("real", 2, False)],
)
def test_a_selected_count_keeps_its_fresh_trainings_alone(tmp_path, arm, repeat, expected):
    """Trainings that chose the count do not judge it, so they are not what is applied."""
    publish_json(
        str(tmp_path / "selection.json"),
        {"arm": "synthetic:8", "first_fresh_repeat": 3, "val_auc": {}},
    )

    trial = Trial(fold=1, repeat=repeat, arm=arm)
    assert is_kept(trial, "real,primary", None, str(tmp_path)) == expected
