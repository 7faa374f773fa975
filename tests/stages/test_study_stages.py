"""From patches to report: GAN, synthesis, classifier, sweep, statistics, on one small study."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from idhray.classify.checkpoint import load_card
from idhray.errors import ConfigError, LeakageError, SettingsChangedError, StorageError
from idhray.gan.sample import generate, load_generator
from idhray.generator_records import GeneratorRecord, write_generator
from idhray.images import decode
from idhray.leakage import patient_splits
from idhray.ledger import fates
from idhray.stages.predict import PredictFlags, predict
from idhray.stages.studies.generators import StudyGenerator
from idhray.stages.studies.settings import StudyFlags
from idhray.stages.study import study
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.train_classifier import TrainClassifierFlags, train_classifier
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.storage import read_json
from idhray.table_parts import part_path, read_table
from idhray.tables import PREDICTIONS, SYNTHETIC
from tests.stages.conftest import EXPERIMENT, GAN, STUDY


def predictions(folder):
    frame = read_table(str(folder), PREDICTIONS).to_pandas()
    return frame.sort_values(["arm", "repeat", "split", "patient"], ignore_index=True)


def test_the_study_ends_with_a_self_contained_report(small_study):
    """Somebody will mail this one file. It loads nothing, and links to its appendix alone."""
    page = (small_study / "report.html").read_text()

    assert "Demonstration on made-up data" in page
    assert not re.search(r"""(src|href)=["'](?!data:|#|appendix\.html["'])""", page)
    statistics = json.loads((small_study / "statistics" / "statistics.json").read_text())
    assert statistics["verdict"]["sentence"].split(".")[0] in page


def test_generators_saw_training_patients_only(small_study):
    """The one leak that would make every figure of the study worthless."""
    splits = patient_splits(str(small_study / "patches"))
    for label in ("wildtype", "mutant"):
        model = read_json(str(small_study / f"gan-{label}" / "model.json"))

        assert model["patients"]
        assert {splits[patient] for patient in model["patients"]} == {"train"}


def test_every_arm_and_repeat_predicts_the_same_patients(small_study):
    """Two splits, four arms, two repeats; probabilities that differ between trainings."""
    rows = predictions(small_study / "sweep")

    assert len(rows) == rows["patient"].nunique() * 8
    assert rows.groupby(["arm", "repeat"])["patient"].nunique().nunique() == 1
    assert rows.groupby("patient")["p_mutant"].nunique().min() > 1
    assert rows["p_mutant"].between(0, 1).all()


def seed_of(small_study):
    """Seed of the generator of mutants, of the study of seed 1."""
    return StudyGenerator(fold=0, repeat=0, idh="mutant").seed(1, str(small_study))


def test_synthetic_images_are_those_of_the_checkpoint(small_study):
    """Image i depends on seed and i: drawn again, alone, it is the same picture."""
    rows = read_table(str(small_study / "synthetic-mutant"), SYNTHETIC).to_pandas()
    generator = load_generator(str(small_study / "gan-mutant"))
    again = generate(generator, seed_of(small_study), [3])[0]

    image = rows.set_index("index").loc[3, "image"]["bytes"]
    np.testing.assert_array_equal(decode(image), again)
    assert rows["idh"].unique().tolist() == ["mutant"]


def test_a_finished_study_is_done_at_once_and_other_settings_are_refused(small_study, phantom):
    """The same command continues: here there is nothing left to do."""
    before = (small_study / "sweep" / "_ledger").stat().st_mtime
    result = study(StudyFlags(manifest=str(phantom), out=str(small_study), settings=STUDY, seed=1))

    assert (result["patients"], result["folds"]) == (24, 1)
    assert (small_study / "sweep" / "_ledger").stat().st_mtime == before
    with pytest.raises(SettingsChangedError, match="seed: was 1, now 2"):
        study(StudyFlags(manifest=str(phantom), out=str(small_study), settings=STUDY, seed=2))


def test_a_training_missing_from_a_sweep_is_made_again_and_alike(small_study, tmp_path):
    """What a killed sweep lacks is trained anew; the table ends as if nothing had happened."""
    whole = predictions(small_study / "sweep")
    broken = tmp_path / "sweep"
    shutil.copytree(small_study / "sweep", broken)
    lost = "fold=1 repeat=1 arm=synthetic:8"
    (broken / part_path(str(broken), lost)).unlink()  # its ledger row alone must not count
    images = str(small_study / "patches")
    synthetic = tuple(str(small_study / f"synthetic-{label}") for label in ("wildtype", "mutant"))
    sweep(
        SweepFlags(
            images=images,
            synthetic=synthetic,
            out=str(broken),
            settings=EXPERIMENT,
            allow_failed_gan=True,
            seed=1,
        )
    )

    pd.testing.assert_frame_equal(predictions(broken), whole)
    assert set(fates(str(broken))) == set(fates(str(small_study / "sweep")))


def test_two_gan_workers_train_on_the_batches_of_one(small_study, tmp_path):
    """Weights differ in the last digits only, which Adam spreads; a lost batch would show."""
    out = str(tmp_path / "gan")
    done = train_gan(
        TrainGanFlags(
            allow_few=True,
            images=str(small_study / "patches"),
            idh="mutant",
            out=out,
            settings=GAN,
            seed=seed_of(small_study),
            workers=2,
        )
    )
    one, two = (
        load_file(f"{folder}/weights.safetensors") for folder in (small_study / "gan-mutant", out)
    )

    assert done["kimg"] == 0.8
    name = "generator_ema." + next(k for k in one if k.startswith("generator_ema."))[14:]
    assert np.abs(one[name] - two[name]).max() < 0.1 * np.abs(one[name]).max()


def test_a_classifier_trains_predicts_and_refuses_patients_it_knows(small_study, tmp_path):
    """`predict` on test works; on a table whose test patients it trained on, it must not."""
    images, model = str(small_study / "patches"), str(tmp_path / "model")
    synthetic = tuple(str(small_study / f"synthetic-{label}") for label in ("wildtype", "mutant"))
    done = train_classifier(
        TrainClassifierFlags(
            images=images,
            out=model,
            settings=STUDY.classifier,
            synthetic=synthetic,
            n_synthetic=8,
            allow_failed_gan=True,
            seed=3,
        )
    )
    predict(
        PredictFlags(
            checkpoint=model, images=images, out=str(tmp_path / "said"), split=("val", "test")
        )
    )
    rows = predictions(tmp_path / "said")

    assert done["best_epoch"] in (1, 2)
    assert rows["split"].value_counts().to_dict() == {"test": 4, "val": 4}
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    card["train_patients"].append(rows.loc[rows["split"] == "test", "patient"].iloc[0])
    (tmp_path / "model" / "model.json").write_text(json.dumps(card))
    assert load_card(model).n_synthetic == 8
    with pytest.raises(Exception, match=r"the classifier's training used patients .* 1 in all"):
        predict(PredictFlags(checkpoint=model, images=images, out=str(tmp_path / "leak")))


def test_images_of_a_generator_that_saw_a_test_patient_are_refused(small_study, tmp_path):
    """Before Ray starts, and whatever the count."""
    images = str(small_study / "patches")
    seen = next(name for name, split in patient_splits(images).items() if split == "test")
    leaked = tmp_path / "leaked"
    shutil.copytree(small_study / "synthetic-mutant", leaked)
    write_generator(str(leaked), GeneratorRecord.of("g", "mutant", ["PH-0001", seen]))

    with pytest.raises(LeakageError, match=seen):
        train_classifier(
            TrainClassifierFlags(
                images=images,
                out=str(tmp_path / "model"),
                settings=STUDY.classifier,
                synthetic=(str(leaked),),
            )
        )
    with pytest.raises(LeakageError, match=seen):
        sweep(
            SweepFlags(
                images=images,
                synthetic=(str(leaked),),
                out=str(tmp_path / "sweep"),
                settings=EXPERIMENT,
            )
        )


def test_impossible_requests_are_refused_before_any_work(small_study, tmp_path):
    """Nothing is written either."""
    with pytest.raises(ConfigError, match="--count must be 1 or more"):
        synthesize(
            SynthesizeFlags(
                checkpoint=str(small_study / "gan-mutant"), count=0, out=str(tmp_path / "none")
            )
        )
    assert not (tmp_path / "none").exists()


def test_wrong_weights_are_refused_before_any_work(phantom, tmp_path):
    """The classifier comes last, after days of generators."""
    absent = replace(STUDY, classifier=replace(STUDY.classifier, weights="none.pth"))
    with pytest.raises(StorageError, match=r"none\.pth: no such file"):
        study(StudyFlags(manifest=str(phantom), out=str(tmp_path / "none"), settings=absent))

    assert not (tmp_path / "none").exists()


def test_one_pair_of_generators_of_many_folds_is_refused_before_any_work(phantom, tmp_path):
    """It would be trained for days, and serve one fold."""
    folds = replace(STUDY, protocol=replace(STUDY.protocol, fold_count=2, generators="one"))
    with pytest.raises(ConfigError, match="generators: one, but 2 folds"):
        study(StudyFlags(manifest=str(phantom), out=str(tmp_path / "none"), settings=folds))

    assert not (tmp_path / "none").exists()
