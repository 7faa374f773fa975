"""A classifier of one fold: its training, the guard, and its predictions."""

import pytest

from idhray.classify.checkpoint import load_card
from idhray.classify.dataset import load_images
from idhray.cohorts.folds import read_folds
from idhray.errors import ConfigError, LeakageError, SettingsChangedError
from idhray.experiment.arms import parse_arm
from idhray.experiment.images import arm_images
from idhray.stages.experiment.image_identities import listed_images
from idhray.stages.experiment.one_fold import one_fold
from idhray.stages.predict import PredictFlags, predict
from idhray.stages.train_classifier import TrainClassifierFlags, train_classifier
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS
from tests.stages.made_up_experiment import SETTINGS, folds, patches, synthetic


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A table without splits, its folds, and a pair of generators of fold 2."""
    folder = tmp_path_factory.mktemp("fold")
    file = folds(folder / "folds.csv")
    pair = tuple(synthetic(folder / idh, file, 2, idh) for idh in ("wildtype", "mutant"))
    return {"images": patches(folder / "patches"), "folds": file, "synthetic": pair}


def flags(inputs, out, **changed):
    values = {**inputs, "fold": 2, "n_synthetic": 8, "settings": SETTINGS.classifier, **changed}
    return TrainClassifierFlags(out=str(out), **values)


def test_a_classifier_of_a_fold_learns_and_is_tested_by_its_roles(ray_local, inputs, tmp_path):
    """The table has no splits; the patients of each role are those of the file."""
    model = tmp_path / "model"
    train_classifier(flags(inputs, model))
    images = {"images": inputs["images"], "folds": inputs["folds"], "fold": 2}
    predict(PredictFlags(checkpoint=str(model), out=str(tmp_path / "p"), **images))
    roles, card = read_folds(inputs["folds"]).roles(2), load_card(str(model))
    rows = read_table(str(tmp_path / "p"), PREDICTIONS).to_pandas()

    of_role = {role: sorted(p for p, r in roles.items() if r == role) for role in roles.values()}
    assert (card.train_patients, card.val_patients) == (of_role["train"], of_role["val"])
    assert sorted(rows["patient"]) == of_role["test"]
    assert set(rows["fold"]) == {2}
    with pytest.raises(SettingsChangedError, match="fold_roles"):
        train_classifier(flags(inputs, model, fold=1, synthetic=(), n_synthetic=0))
    with pytest.raises(Exception, match="the classifier's training used patients"):
        predict(
            PredictFlags(checkpoint=str(model), out=str(tmp_path / "q"), **{**images, "fold": 1})
        )


def test_generators_of_another_fold_are_refused(inputs, tmp_path):
    """They saw patients that this fold holds out."""
    with pytest.raises(LeakageError, match="holds out for validation or test"):
        train_classifier(flags(inputs, tmp_path / "model", fold=1))
    with pytest.raises(ConfigError, match=r"--fold 4: .* holds the folds 1, 2, 3"):
        train_classifier(flags(inputs, tmp_path / "model", fold=4))


def test_the_images_are_those_of_the_baseline_arm(inputs):
    """The same fold gives `train-classifier` and `sweep` the same images in the same order."""
    fold = one_fold(inputs["images"], inputs["folds"], 2)
    all_images = load_images(inputs["images"], None, SETTINGS.classifier)
    listed = listed_images(inputs["images"])
    baseline = arm_images(parse_arm("real"), listed, fold.rows, seed=0, fold_number=2, repeat=1)

    assert fold.view(all_images, "train").rows.tolist() == baseline.real.tolist()
    assert set(fold.view(all_images, "test").patients) == {
        name for name, role in fold.roles.items() if role == "test"
    }
