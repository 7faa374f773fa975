"""The experiment on Ray: folds, arms and protocol of real trainings of a tiny network."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from idhray.classify.backbones import build_network
from idhray.cohorts.folds import read_folds
from idhray.errors import (
    ConfigError,
    LeakageError,
    SettingsChangedError,
    StorageError,
    TableError,
)
from idhray.ledger import fates, record
from idhray.stages.experiment.experiment_folds import images_by_fold
from idhray.stages.experiment.image_identities import listed_images
from idhray.stages.experiment.outcome import read_outcome
from idhray.stages.experiment.plan import plan_protocol
from idhray.stages.experiment.selection import validation_areas
from idhray.stages.fit_stats import FitStatsFlags, fit_stats
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stats.settings import StatsSettings
from idhray.storage import join, read_json
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, TRIALS
from tests.stages.made_up_experiment import (
    PATIENTS,
    PROTOCOL,
    SETTINGS,
    folds,
    generators,
    label_of,
    patches,
    synthetic,
)

ARMS_OF_COUNTS = ("synthetic:4", "synthetic:8")
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

    before = (finished / "generators.json").read_bytes()
    with pytest.raises(SettingsChangedError, match=r"2 finished trainings .*fold=1"):
        run(finished, inputs, synthetic=changed)

    assert (finished / "generators.json").read_bytes() == before
    assert (finished / "_done.json").exists()


def test_an_amendment_that_would_orphan_finished_trials_changes_nothing(finished, inputs):
    """Else the protocol would name settings that no training had."""
    before = (finished / "protocol.json").read_bytes()
    other = replace(SETTINGS, classifier=replace(SETTINGS.classifier, learning_rate=1e-2))
    with pytest.raises(SettingsChangedError, match="24 finished trainings"):
        run(finished, inputs, other, amend="faster")

    assert (finished / "protocol.json").read_bytes() == before
    assert (finished / "_done.json").exists()


def test_results_without_their_protocol_are_refused(finished, inputs, tmp_path):
    """Deleting the file would allow any protocol to be written after the results."""
    out = tmp_path / "bare"
    shutil.copytree(finished, out)
    (out / "protocol.json").unlink()

    with pytest.raises(StorageError, match=r"no protocol\.json; restore it"):
        run(out, inputs, with_protocol(margin=0.1))


def test_flags_that_contradict_the_protocol_are_refused(finished, tmp_path):
    """A margin that is read and not used would be believed."""
    flags = {"out": str(tmp_path / "statistics"), "settings": StatsSettings()}
    with pytest.raises(ConfigError, match=r"protocol has margin 0\.02, but --margin is 0\.1"):
        fit_stats(FitStatsFlags(predictions=(str(finished),), margin=0.1, **flags))


def test_another_file_of_weights_is_another_experiment(inputs, tmp_path):
    """Some trainings would start from one network, and some from another."""
    hashes = []
    for number in (1, 2):
        network = build_network(SETTINGS.classifier, number)
        torch.save(network.state_dict(), tmp_path / "w.pth")
        classifier = replace(SETTINGS.classifier, weights=str(tmp_path / "w.pth"))
        settings = replace(SETTINGS, classifier=classifier)
        listed = listed_images(inputs["images"])
        folds_of_file = read_folds(inputs["folds"])
        by_fold = images_by_fold(inputs["images"], listed, folds_of_file, settings)
        hashes.append(plan_protocol(folds_of_file, by_fold, settings, 0).hash)

    assert hashes[0] != hashes[1]


def external(inputs, parent):
    """A pair of generators of another cohort, which may serve all folds."""
    return tuple(
        synthetic(parent / idh, inputs["folds"], 1, idh, patients=["X1", "X2"])
        for idh in ("wildtype", "mutant")
    )


def test_generators_that_serve_several_folds_are_not_one_for_each_fold(inputs, tmp_path):
    """One luck would be counted as three, and a claim about the recipe be made of it."""
    shared = external(inputs, tmp_path)

    with pytest.raises(ConfigError, match="folds 1 and 2 would share a generator"):
        run(tmp_path / "out", inputs, synthetic=shared)
    with pytest.raises(ConfigError, match=r"lists .* twice"):
        run(tmp_path / "out", inputs, synthetic=(*inputs["synthetic"], inputs["synthetic"][0]))
    run(tmp_path / "out", inputs, with_protocol(generators="one"), synthetic=shared, dry_run=True)


def changed_folds(inputs, path, **labels):
    """The file of folds with other labels of some patients."""
    table = read_folds(inputs["folds"]).table
    table["idh"] = [labels.get(name, idh) for name, idh in table[["patient", "idh"]].to_numpy()]
    table[["patient", "idh", "fold", "role"]].to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        pytest.param(
            replace(SETTINGS, classifier=replace(SETTINGS.classifier, batch_size=64)),
            ConfigError, "fold 1: 32 training images do not fill one batch of 64",
            id="a batch that no fold fills",
        ),
        pytest.param(
            replace(SETTINGS, classifier=replace(SETTINGS.classifier, channels="two-channel")),
            ConfigError, "no SLICES table", id="channels of other images",
        ),
        pytest.param(
            replace(SETTINGS, classifiers=("frozen",), encoder="none"),
            ConfigError, "encoder 'none' does not exist", id="an unknown encoder",
        ),
        pytest.param(
            replace(SETTINGS, classifier=replace(SETTINGS.classifier, weights="no.pth")),
            StorageError, "no.pth", id="a missing file of weights",
        ),
        pytest.param(
            replace(SETTINGS, classifier=replace(SETTINGS.classifier, weights="imagenet")),
            ConfigError, "width 0.125 has no ImageNet weights", id="ImageNet weights that are none",
        ),
        pytest.param(
            with_protocol(counts=(18,)), TableError, "8 images, but the largest arm adds 9",
            id="a count beyond the table",
        ),
        pytest.param(
            with_protocol(fold_by="site"), ConfigError, "folds by patient, but --fold-by site",
            id="folds by another unit",
        ),
    ],
)  # fmt: skip
def test_what_could_only_fail_is_refused_before_anything_is_written(
    inputs, tmp_path, settings, error, message
):
    """Every training would fail after the images were read, one by one."""
    with pytest.raises(error, match=message):
        run(tmp_path / "out", inputs, settings)

    assert not (tmp_path / "out").exists()


def test_folds_with_another_label_than_the_images_are_refused(inputs, tmp_path):
    """The classifier would learn one label, and the folds be balanced by the other."""
    file = changed_folds(inputs, tmp_path / "folds.csv", M03="wildtype")

    with pytest.raises(LeakageError, match=r"M03: mutant in the table, wildtype in the folds"):
        run(tmp_path / "out", inputs, folds=file)


def test_an_overwritten_experiment_draws_its_folds_anew(inputs, tmp_path):
    """The folds of the experiment that is deleted have no say in the next one."""
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(inputs["folds"], out / "folds.parquet")
    shared = external(inputs, tmp_path)
    settings = with_protocol(fold_count=4, generators="one")
    with pytest.raises(ConfigError, match="3 folds, but --fold-count 4"):
        run(out, inputs, settings, folds=None, synthetic=shared)
    anew = {"folds": None, "synthetic": shared, "overwrite": True, "dry_run": True}

    assert "4 folds x 2 repeats" in run(out, inputs, settings, **anew)["text"]


def test_the_frozen_classifier_has_the_preparation_of_images_in_its_identity():
    """Features of images of another size are features of other images."""
    frozen = replace(SETTINGS, classifiers=("frozen",))
    larger = replace(frozen, classifier=replace(SETTINGS.classifier, image_px=64))

    assert frozen.decisive() != larger.decisive()


def test_a_generator_that_saw_a_test_patient_of_every_fold_is_refused(inputs, tmp_path):
    """It may serve no fold, and says which patients it saw."""
    leaky = synthetic(tmp_path / "all", inputs["folds"], 1, "mutant", patients=list(PATIENTS))

    with pytest.raises(LeakageError, match="no fold may use"):
        run(tmp_path / "out", inputs, synthetic=(*inputs["synthetic"], leaky))


def test_a_generator_of_copies_is_refused_by_the_reason_of_its_fold(inputs, tmp_path):
    """The other folds refuse it for its patients, which tells its user nothing."""
    roles = read_folds(inputs["folds"]).roles(1)
    copied = next(p for p in PATIENTS if roles[p] == "train" and label_of(p) == "mutant")
    folder = synthetic(
        tmp_path / "copies", inputs["folds"], 1, "mutant", name="copier", count=4, copied=copied
    )

    with pytest.raises(LeakageError, match="the pixels are equal"):
        run(tmp_path / "out", inputs, synthetic=(*inputs["synthetic"], folder))


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

    before = fates(str(tmp_path / "out"))
    name = f"fold=2 repeat=2 arm=duplicate:{count}"
    (fate,) = [fate for fate in before.values() if fate.input == name]
    record(str(tmp_path / "out"), replace(fate, status="failed"))
    run(tmp_path / "out", inputs, settings)  # as after a kill among the fresh trainings

    assert set(fates(str(tmp_path / "out"))) == set(before)
    assert read_json(join(str(tmp_path / "out"), "_done.json"))
    with pytest.raises(ConfigError, match="selected the count on 1 repeats"):
        run(tmp_path / "out", inputs, with_protocol(**{**vars(settings.protocol), "repeats": 2}))
    (tmp_path / "out" / "selection.json").unlink()
    with pytest.raises(StorageError, match=r"no selection\.json; restore it"):
        run(tmp_path / "out", inputs, settings)


def test_a_request_that_this_machine_cannot_meet_is_refused_at_once(ray_local, inputs, tmp_path):
    """It would wait for ever otherwise; a cluster may grow, this machine does not."""
    with pytest.raises(ConfigError, match="one task needs 10000 CPUs on one machine"):
        run(tmp_path / "out", inputs, cpus_per_trial=10_000)


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
    assert rows.groupby(["model", "arm", "split"]).size().nunique() == 3
    inner = rows[rows["split"] == "inner"].groupby(["model", "arm"]).size()
    assert dict(inner) == {
        ("efficientnet_lite0", arm): 3 * 8 for arm in ("real", "duplicate:8", "classic:8")
    }

    second = StatsSettings(model="efficientnet_lite0")
    _, tables = fit_sweep(str(tmp_path / "stats"), str(tmp_path / "out"), None, second)
    assert "resnet10t, which the protocol names" in tables.rule.exploratory


def test_validation_scores_are_those_of_one_classifier():
    """Probabilities of two classifiers are on two scales; ranked together they mean nothing."""
    row = {"split": "val", "arm": "synthetic:8", "fold": 1, "repeat": 1}
    values = [("mutant", 0.9), ("wildtype", 0.8), ("mutant", 0.7), ("wildtype", 0.6)]
    rows = pd.DataFrame([{**row, "idh": idh, "p_mutant": p} for idh, p in values])

    assert validation_areas(rows) == {"synthetic:8": 0.75}
    assert validation_areas(rows[:2]) == {"synthetic:8": 1.0}


def test_validation_compares_counts_on_the_folds_and_repeats_that_all_of_them_have():
    """A count whose training failed in the hardest fold would look better for it."""
    row = {"split": "val", "fold": 1, "repeat": 1}
    values = [("mutant", 0.9), ("wildtype", 0.8)]
    easy = [{**row, "arm": a, "idh": i, "p_mutant": p} for a in ARMS_OF_COUNTS for i, p in values]
    hard = [{**each, "fold": 2, "p_mutant": 1 - each["p_mutant"]} for each in easy[:2]]

    assert validation_areas(pd.DataFrame(easy + hard)) == dict.fromkeys(ARMS_OF_COUNTS, 1.0)
    with pytest.raises(StorageError, match="no fold and repeat has a training of every count"):
        validation_areas(pd.DataFrame([*hard, *easy[2:]]))


def test_settings_may_change_after_trials_that_all_failed(ray_local, inputs, tmp_path):
    """No result was seen; and what an unfinished training left is not continued."""
    settings = replace(with_protocol(repeats=1, controls=()), classifiers=("network",))
    wild = replace(settings, classifier=replace(settings.classifier, learning_rate=1e12))
    with pytest.raises(StorageError, match="lower --learning-rate"):
        run(tmp_path / "out", inputs, wild)
    run(tmp_path / "out", inputs, settings)

    assert {fate.status for fate in fates(str(tmp_path / "out")).values()} == {"done"}
