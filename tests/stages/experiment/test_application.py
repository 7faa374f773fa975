"""Models of an experiment applied to another cohort: everyone is predicted, nobody they saw."""

import pandas as pd
import pytest

from idhray.errors import ConfigError, LeakageError, SettingsChangedError
from idhray.images import image_cell
from idhray.stages.experiment.preparation import preparation_changes, refuse_other_preparation
from idhray.stages.fit_stats import FitStatsFlags, fit_stats
from idhray.stages.predict import PredictFlags, predict
from idhray.stages.runtime.folder import DONE
from idhray.stats.settings import StatsSettings
from idhray.storage import publish_json
from idhray.table_parts import publish_table, read_table
from idhray.tables import PATCHES, PREDICTIONS
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import rgb

NEW = {"X1": "mutant", "X2": "mutant", "X3": "wildtype", "X4": "wildtype", "X5": ""}


def table(folder, patients, pixels_of=None):
    """A finished PATCHES folder of three patches of each patient, under made-up names."""
    for number, (patient, idh) in enumerate(patients.items()):
        rows = [
            {
                "patient": patient, "idh": idh, "split": "test", "slide": patient,
                "x_l0": i, "y_l0": 0, "size_l0": 32.0, "mpp": 1.0, "rank": i + 1,
                "image": image_cell(
                    rgb((pixels_of or ("M" if idh == "mutant" else "W") + patient), i),
                    f"{patient}-{i}",
                ),
            }
            for i in range(3)
        ]  # fmt: skip
        publish_table(f"{folder}/part-{number:02d}.parquet", rows, PATCHES)
    publish_json(f"{folder}/{DONE}", {"digest": "external patches"})
    return str(folder)


@pytest.fixture(scope="module")
def applied(tmp_path_factory, experiment):
    """Predictions of five new patients by the six kept models."""
    root = tmp_path_factory.mktemp("applied")
    flags = PredictFlags(
        models=experiment.out, images=table(root / "patches", NEW), out=str(root / "predictions")
    )
    with without_ray():
        predict(flags)
    return flags


def test_every_patient_is_predicted_by_every_model(applied):
    """Also the one of unknown IDH status, whom nobody can judge by."""
    rows = read_table(applied.out, PREDICTIONS).to_pandas()

    assert len(rows) == 6 * len(NEW)
    assert set(rows["patient"]) == set(NEW)
    assert set(rows["split"]) == {"external"}
    assert rows["p_mutant"].between(0, 1).all()
    assert set(rows["n_images"]) == {2}  # eval_per_patient of the experiment


def test_a_second_run_predicts_nothing_again(applied):
    """The folder is finished; its identity is models and images."""
    with without_ray():
        assert predict(applied)["rows"] == 6 * len(NEW)


def test_statistics_of_the_new_cohort_describe_it(applied, tmp_path):
    """`fit-stats` used to refuse a cohort that is all test."""
    result = fit_stats(
        FitStatsFlags(
            predictions=(applied.out,), out=str(tmp_path / "stats"), settings=StatsSettings()
        )
    )
    patients = pd.read_csv(tmp_path / "stats" / "patients.csv")

    assert result["patients_unknown"] == 1
    assert set(patients["patient"]) == set(NEW)
    assert set(patients["use"]) == {"research use only"}
    assert "Research use only" in (tmp_path / "stats" / "tables.html").read_text()


def test_a_patient_whom_a_model_saw_is_refused(applied, tmp_path):
    """Under any spelling: a prediction of such a patient is no prediction."""
    images = table(tmp_path / "patches", {"m08": "mutant"})
    flags = PredictFlags(models=applied.models, images=images, out=str(tmp_path / "out"))

    with pytest.raises(LeakageError, match="m08"):
        predict(flags)


def test_an_image_that_a_model_saw_is_refused_under_another_name(applied, tmp_path):
    """A pseudonym does not make a new patient."""
    images = table(tmp_path / "patches", {"NEW": "mutant"}, pixels_of="M08")
    flags = PredictFlags(models=applied.models, images=images, out=str(tmp_path / "out"))

    with pytest.raises(LeakageError, match="pixels are equal"):
        predict(flags)


def test_models_predict_everyone_so_splits_do_not_apply(applied):
    """A split that is silently ignored would mislead."""
    with pytest.raises(ConfigError, match="--split"):
        predict(PredictFlags(models=applied.models, images="x", out="y", split=("val",)))


def test_images_of_other_settings_are_refused():
    """They would be other images, and the probabilities of another classifier."""
    models = {"stage": "cut_patches", "settings": {"patch_px": 256, "eval_per_patient": 8}}
    other = {"stage": "cut_patches", "settings": {"patch_px": 128, "eval_per_patient": 4}}

    assert len(preparation_changes(models, other)) == 1
    with pytest.raises(SettingsChangedError, match="patch_px of the models 256, now 128"):
        refuse_other_preparation("patches", models, other)


def test_tiles_of_other_settings_are_refused_as_well():
    """A patch of a tile at another magnification looks otherwise."""
    tiles = {"stage": "tile_slides", "settings": {"tile_px": 1024}}
    models = {"stage": "cut_patches", "settings": {}, "tiles": tiles}
    other = {**models, "tiles": {**tiles, "settings": {"tile_px": 512}}}

    assert preparation_changes(models, other) == ["tiles, tile_px of the models 1024, now 512"]


def test_test_patients_alone_of_one_classifier_are_an_external_cohort(tmp_path):
    """`predict --split test` of another cohort has no validation patient to choose anything by."""
    rows = [
        {
            "patient": f"Z{k}", "idh": ("mutant", "wildtype")[k % 2], "split": "test",
            "model": "net", "n_synthetic": 0, "repeat": 0, "fold": 0, "p_mutant": 0.1 * k,
            "n_images": 1,
        }
        for k in range(8)
    ]  # fmt: skip
    publish_table(f"{tmp_path}/predictions/part-0.parquet", rows, PREDICTIONS)
    publish_json(f"{tmp_path}/predictions/{DONE}", {"digest": "p"})
    flags = FitStatsFlags(
        predictions=(f"{tmp_path}/predictions",), out=f"{tmp_path}/s", settings=StatsSettings()
    )
    result = fit_stats(flags)

    assert (result["patients_mutant"], result["patients_wildtype"]) == (4, 4)
    assert "arm real: AUC 0.375" in result["sentence"]
