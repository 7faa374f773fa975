"""The experiment on Ray: folds, arms and protocol of real trainings of a tiny network."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest

from idhray.errors import ConfigError, LeakageError, SettingsChangedError
from idhray.ledger import fates
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.sweep import SweepFlags, sweep
from idhray.storage import join, read_json
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, TRIALS
from tests.stages.made_up_experiment import (
    PATIENTS,
    PROTOCOL,
    SETTINGS,
    folds,
    generators,
    patches,
    synthetic,
)

ARMS = {"real", "synthetic:8", "duplicate:8", "more-real:8"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Patches, folds and a pair of generators for each fold."""
    root = tmp_path_factory.mktemp("experiment")
    file = folds(root / "folds.parquet")
    return {
        "images": patches(root / "patches"),
        "folds": file,
        "synthetic": generators(root, file),
    }


def run(out, inputs, settings=SETTINGS, **changed):
    return sweep(SweepFlags(out=str(out), settings=settings, **{**inputs, **changed}))


def with_protocol(**changes):
    return replace(SETTINGS, protocol=replace(PROTOCOL, **changes))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ray_local, inputs):
    """An experiment of three folds, two repeats and four arms."""
    out = tmp_path_factory.mktemp("sweep") / "out"
    run(out, inputs)
    return out


def predictions(out):
    return read_table(str(out), PREDICTIONS).to_pandas()


def test_every_patient_is_tested_once_in_each_repeat_of_each_arm(finished):
    """A patient who is tested twice, or never, would make another cohort of it."""
    rows = predictions(finished)
    test = rows[rows["split"] == "test"]

    assert set(rows["arm"]) == ARMS
    assert set(test.groupby(["arm", "repeat"])["patient"].agg(tuple).map(sorted).map(tuple)) == {
        tuple(sorted(PATIENTS))
    }
    assert (test.groupby(["arm", "repeat", "patient"]).size() == 1).all()


def test_all_arms_take_the_same_steps_and_show_as_many_added_images(finished):
    """A difference must come from the images, not from more training."""
    trials = read_table(join(str(finished), "trials"), TRIALS).to_pandas()
    added = trials[trials["arm"] != "real"]

    assert trials["steps"].nunique() == 1
    assert (added.groupby(["fold", "repeat"])["added_shown"].nunique() == 1).all()
    assert (added["added_shown"] > 0).all()


def test_a_trial_names_its_generators(finished):
    """Only arms with synthetic images have any."""
    rows = predictions(finished)
    named = rows.groupby("arm")["generator"].agg(set)

    assert named["real"] == {""}
    assert named["synthetic:8"] == {f"gan-{k}-wildtype+gan-{k}-mutant" for k in (1, 2, 3)}


def test_the_baseline_is_bit_equal_whatever_other_arms_run(finished, inputs, tmp_path):
    """Another count and no controls change no prediction of `real`."""
    settings = with_protocol(counts=(4,), controls=(), repeats=1, generators="per fold")
    run(tmp_path / "other", inputs, settings)
    keys = ["fold", "repeat", "split", "patient"]
    same = predictions(finished).merge(predictions(tmp_path / "other"), on=[*keys, "arm"])

    assert set(same["arm"]) == {"real"}
    assert len(same) == 3 * 10
    assert (same["p_mutant_x"] == same["p_mutant_y"]).all()


def test_more_repeats_are_added_and_finished_trials_are_not_run_again(finished, inputs, tmp_path):
    """The planned repeats stay those that are judged."""
    out = tmp_path / "grown"
    shutil.copytree(finished, out)
    before = fates(str(out))
    run(out, inputs, with_protocol(repeats=3))
    after = fates(str(out))

    assert len(after) == len(before) * 3 // 2
    assert all(after[name] == fate for name, fate in before.items())
    assert read_outcome(str(out)).rule.repeats == (1, 2)


def test_a_protocol_changed_after_results_is_refused_and_amended_with_a_reason(
    finished, inputs, tmp_path
):
    """An amended comparison is exploratory and never says `helps`."""
    out = tmp_path / "amended"
    shutil.copytree(finished, out)
    with pytest.raises(ConfigError, match=r"margin: was 0\.02, now 0\.1"):
        run(out, inputs, with_protocol(margin=0.1))
    run(out, inputs, with_protocol(margin=0.1), amend="a slip")

    assert read_outcome(str(out)).rule.exploratory == "a slip"


def test_other_synthetic_images_of_finished_trials_are_refused(finished, inputs, tmp_path):
    """Half of the repeats would be of one generator, half of another."""
    other = synthetic(tmp_path / "other", inputs["folds"], 1, "mutant", name="another")
    changed = tuple(other if f.endswith("1-mutant") else f for f in inputs["synthetic"])

    with pytest.raises(SettingsChangedError, match=r"2 finished trainings .*fold=1"):
        run(finished, inputs, synthetic=changed)


def test_a_generator_that_saw_a_test_patient_of_every_fold_is_refused(inputs, tmp_path):
    """It may serve no fold, and says which patients it saw."""
    leaky = synthetic(tmp_path / "all", inputs["folds"], 1, "mutant", patients=list(PATIENTS))

    with pytest.raises(LeakageError, match="no fold may use"):
        run(tmp_path / "out", inputs, synthetic=(*inputs["synthetic"], leaky))


def test_too_few_generators_for_the_protocol_are_refused(inputs, tmp_path):
    """One generator in all repeats is one draw of luck, not two."""
    settings = with_protocol(generators="per fold and repeat")

    with pytest.raises(ConfigError, match="1 wildtype generators"):
        run(tmp_path / "out", inputs, settings)


def test_an_arm_without_enough_images_is_left_out_with_the_number(inputs, tmp_path):
    """36 training images a class are all there are; 16 of them train."""
    settings = with_protocol(train_per_class=23)
    result = run(tmp_path / "out", inputs, settings, dry_run=True)

    assert "left out: more-real:8: in fold 1" in result["text"]
    assert "1 of 4 further wildtype images" in result["text"]


def test_validation_selects_the_count_that_is_trained_anew(ray_local, inputs, tmp_path):
    """The verdict is judged on trainings that did not choose the count."""
    settings = with_protocol(
        counts=(4, 8), selection="validation", repeats=1, fresh_repeats=1, budget="epochs"
    )
    result = run(tmp_path / "out", inputs, settings)
    rows, outcome = predictions(tmp_path / "out"), read_outcome(str(tmp_path / "out"))
    count = result["primary"].removeprefix("synthetic:")

    assert set(rows.loc[rows["repeat"] == 1, "arm"]) == {"real", "synthetic:4", "synthetic:8"}
    assert set(rows.loc[rows["repeat"] == 2, "arm"]) == {
        *("real", result["primary"], f"duplicate:{count}", f"more-real:{count}")
    }
    assert outcome.rule.repeats == (2,)
    assert read_json(join(str(tmp_path / "out"), "selection.json"))["arm"] == result["primary"]
    assert isinstance(outcome.predictions, pd.DataFrame)


def test_a_request_that_this_machine_cannot_meet_is_refused_at_once(ray_local, inputs, tmp_path):
    """It would wait for ever otherwise; a cluster may grow, this machine does not."""
    with pytest.raises(ConfigError, match="one training needs 10000 CPUs on one machine"):
        run(tmp_path / "out", inputs, cpus_per_trial=10_000)


def test_a_sweep_of_the_first_version_is_not_continued(finished, inputs, tmp_path):
    """Its trials have neither folds nor controls; `report` still reads it."""
    out = tmp_path / "old"
    out.mkdir()
    (out / "_settings.json").write_text('{"stage": "sweep", "counts": [0, 8], "repeats": 2}')

    with pytest.raises(SettingsChangedError, match="earlier version"):
        run(out, inputs)


def test_both_classifiers_run_on_every_arm_and_the_first_one_judges(ray_local, inputs, tmp_path):
    """The frozen encoder has no arm with online augmentation, and classic images of its own."""
    settings = replace(
        with_protocol(
            repeats=1, fold_count=3, controls=("duplicate", "classic", "shuffled"), online_arms=True
        ),
        classifiers=("network", "frozen"),
    )
    run(tmp_path / "out", inputs, settings)
    rows, outcome = predictions(tmp_path / "out"), read_outcome(str(tmp_path / "out"))
    arms = rows.groupby("model")["arm"].agg(set)
    plain = {"real", "synthetic:8", "duplicate:8", "classic:8", "shuffled:8"}

    assert outcome.model == "resnet10t"
    assert outcome.other_models == ["efficientnet_lite0"]
    assert arms["efficientnet_lite0"] == plain
    assert arms["resnet10t"] == plain | {"real+online", "synthetic:8+online"}
    assert rows.groupby(["model", "arm", "split"]).size().nunique() == 2
