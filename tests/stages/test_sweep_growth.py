"""A sweep that grows: classifiers join, trainings fail, workers are killed; the rest is kept."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import ray

from idhray.classify import trainer
from idhray.cohorts.folds import read_folds
from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.experiment.trials import Trial
from idhray.ledger import Fate, fates
from idhray.stages.experiment import protocol_file
from idhray.stages.experiment.data import load_data
from idhray.stages.experiment.experiment_folds import images_by_fold
from idhray.stages.experiment.image_identities import listed_images
from idhray.stages.experiment.outcome import PROTOCOL_FILE, read_outcome
from idhray.stages.experiment.plan import TrialPlan, plan_protocol
from idhray.stages.experiment.protocol_file import continued_plan, trial_hashes
from idhray.stages.experiment.trial import TrialTask, _Saves, run_trial, state_folder
from idhray.stages.runtime.folder import seal
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.sweep import SweepFlags, sweep_before_generators
from idhray.stats.settings import StatsSettings
from idhray.storage import join, publish_json, read_json
from idhray.table_parts import publish_table, read_part
from idhray.tables import PATCHES
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import SETTINGS, TINY
from tests.stages.test_sweep import finished as finished
from tests.stages.test_sweep import inputs as inputs
from tests.stages.test_sweep import predictions, run, with_protocol


def test_a_classifier_joins_and_leaves_without_another_training_of_the_first_one(
    finished, inputs, tmp_path
):
    """Networks may have taken days; the frozen encoder shares nothing with them but the images."""
    out = tmp_path / "grown"
    shutil.copytree(finished, out)
    networks, hash_before = fates(str(out)), read_outcome(str(out)).protocol.hash
    both = replace(SETTINGS, classifiers=("network", "frozen"))
    run(out, inputs, both)
    grown, outcome = fates(str(out)), read_outcome(str(out))
    frozen = {name: fate for name, fate in grown.items() if "classifier=frozen" in name}

    assert len(frozen) == len(networks) == len(grown) / 2
    assert all(grown[name] == fate for name, fate in networks.items())
    assert (outcome.protocol.hash, outcome.rule.exploratory) == (hash_before, "")
    assert outcome.protocol.added_classifiers["frozen"]["encoder"] == "efficientnet_lite0"

    run(out, inputs)  # left out again: nothing to train, and nothing is refused
    other = replace(both, classifier=replace(SETTINGS.classifier, image_px=64))
    with pytest.raises(ConfigError, match="image_px: was 32, now 64"):
        run(out, inputs, other)
    with pytest.raises(ConfigError, match=r'kinds: was \["network"\], now \["frozen"\]'):
        run(out, inputs, replace(SETTINGS, classifiers=("frozen",)))
    run(out, inputs, replace(SETTINGS, classifiers=("frozen",)), amend="only the encoder")

    assert fates(str(out)) == grown
    assert read_outcome(str(out)).model == "efficientnet_lite0"


def test_a_trial_depends_on_the_settings_of_its_classifier_only(finished, inputs, tmp_path):
    """And trials of an earlier version, whose digest held both, are not run again."""
    plan = planned(inputs, replace(SETTINGS, classifiers=("network", "frozen")))
    alone = {
        kind: planned(inputs, replace(SETTINGS, classifiers=(kind,)))
        for kind in ("network", "frozen")
    }
    faster = planned(inputs, replace(plan.settings, classifier=replace(TINY, learning_rate=1e-2)))
    trials = {kind: Trial(fold=1, repeat=1, arm="real", classifier=kind) for kind in alone}

    for kind, trial in trials.items():
        assert plan.trial_hash(trial) == alone[kind].trial_hash(trial)
    assert plan.trial_hash(trials["frozen"]) == faster.trial_hash(trials["frozen"])
    assert plan.trial_hash(trials["network"]) != faster.trial_hash(trials["network"])

    old = plan.older_trial_hashes(trials["network"])[1]
    name = trials["network"].name
    fate = Fate(input=name, status="done", settings_hash=old)
    hashes, changed = trial_hashes([trials["network"]], plan, {name: fate})
    assert not changed
    assert old != plan.trial_hash(trials["network"])
    assert hashes == {name: old}


def planned(inputs, settings):
    listed, folds_of_file = listed_images(inputs["images"]), read_folds(inputs["folds"])
    by_fold = images_by_fold(inputs["images"], listed, folds_of_file, settings)
    return TrialPlan(
        folds=folds_of_file,
        images=listed,
        fold_images=by_fold,
        protocol=plan_protocol(folds_of_file, by_fold, settings, 0),
        settings=settings,
        images_seal="seal",
        seed=0,
        generators={},
        seals={},
    )


def test_a_training_that_fails_costs_the_others_nothing(ray_local, inputs, tmp_path):
    """With --max-failures the command ends well; without, it names the flag. Both can go on."""
    settings = with_protocol(repeats=1, controls=())
    wild = replace(settings, classifier=replace(TINY, learning_rate=1e12))
    both = replace(wild, classifiers=("frozen", "network"))
    with pytest.raises(StorageError, match="6 of 12 inputs failed, --max-failures is 5"):
        run(tmp_path / "out", inputs, both, max_failures=5)
    run(tmp_path / "out", inputs, both, max_failures=6)
    states = [fate.status for fate in fates(str(tmp_path / "out")).values()]

    assert (states.count("failed"), states.count("done")) == (6, 6)
    assert read_json(join(str(tmp_path / "out"), "_done.json"))
    assert set(predictions(tmp_path / "out")["model"]) == {"efficientnet_lite0"}


def test_a_training_killed_before_its_part_is_published_is_not_trained_again(
    ray_local, inputs, tmp_path, monkeypatch
):
    """Its state is deleted only once its predictions are in the ledger."""
    plan, trial = planned(inputs, SETTINGS), Trial(fold=1, repeat=1, arm="real")
    data = ray.put(load_data(inputs["images"], plan, [trial], 0))
    task = TrialTask(
        trial=trial,
        generators=(),
        generator_names="",
        settings=TINY,
        budget="equal steps",
        seed=0,
        gpus=0,
        out=str(tmp_path),
    )
    first = run_trial(task, data)
    folder = state_folder(str(tmp_path), trial.name)
    monkeypatch.setattr(trainer, "_train_epoch", None)

    assert run_trial(task, data).rows == first.rows
    assert first.scratch == [folder]
    assert (Path(folder) / "training.pt").exists()


def test_a_state_is_saved_by_time_and_at_the_end_of_a_long_training(tmp_path, monkeypatch):
    """Epochs of seconds would write terabytes; a training of minutes starts again at no loss."""
    clock, saved = [0.0], []
    monkeypatch.setattr("idhray.stages.experiment.trial.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(
        "idhray.stages.experiment.trial.save_training",
        lambda folder, state: saved.append(len(state.history)),
    )

    def epochs_saved(seconds_an_epoch, least_s):
        saved.clear()
        saves = _Saves(str(tmp_path), least_s, epochs=7)
        for epoch in range(1, 8):
            clock[0] += seconds_an_epoch
            saves.on_epoch({}, SimpleNamespace(history=[{}] * epoch))
        return list(saved)

    assert epochs_saved(250, 600) == [3, 6, 7]
    assert epochs_saved(10, 600) == []
    assert epochs_saved(10, 0) == [1, 2, 3, 4, 5, 6, 7]


def test_results_stay_readable_while_a_sweep_is_extended(finished, inputs, tmp_path, monkeypatch):
    """A killed extension leaves the old results with their seal; the same command goes on."""
    out = tmp_path / "grown"
    shutil.copytree(finished, out)
    before, three = seal(str(out)), with_protocol(repeats=3)
    monkeypatch.setattr("idhray.stages.experiment.trial_runs.check_failures", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(out, inputs, three)
    outcome = read_outcome(str(out))
    fit_sweep(str(tmp_path / "statistics"), str(out), None, StatsSettings())
    exported = pd.read_csv(tmp_path / "statistics" / "predictions.csv")

    assert len(fates(str(out))) == 36
    assert set(exported["primary_arm"]) == {"synthetic:8"}
    assert set(exported.loc[exported["judged"] == "yes", "repeat"]) == {1, 2}
    assert seal(str(out)) == before
    assert set(outcome.predictions["repeat"]) == set(outcome.trials["repeat"]) == {1, 2}
    assert set(read_outcome(str(out), unfinished=True).predictions["repeat"]) == {1, 2, 3}

    monkeypatch.undo()
    run(out, inputs, three)
    assert seal(str(out)) != before
    assert set(read_outcome(str(out)).predictions["repeat"]) == {1, 2, 3}


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_refused_extension_changes_no_file(finished, inputs, tmp_path):
    """Neither seal nor protocol."""
    out = tmp_path / "refused"
    shutil.copytree(finished, out)
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    with pytest.raises(ConfigError, match="margin"):
        run(out, inputs, with_protocol(repeats=3, margin=0.1))

    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before


def test_changed_images_run_their_trainings_again_by_amendment_only(finished, inputs, tmp_path):
    """A repaired slide is in every fold; the new results are those of a new experiment."""
    out, images = tmp_path / "out", tmp_path / "patches"
    shutil.copytree(finished, out)
    shutil.copytree(inputs["images"], images)
    path = sorted(images.glob("part-*.parquet"))[0]
    rows = read_part(str(path)).to_pylist()
    rows[0]["image"], rows[1]["image"] = rows[1]["image"], rows[0]["image"]
    publish_table(str(path), rows, PATCHES)
    publish_json(f"{images}/_done.json", {"digest": "repaired"})
    changed = {**inputs, "images": str(images)}
    before, sealed = fates(str(out)), seal(str(out))
    with pytest.raises(SettingsChangedError, match="finished trainings were of other images"):
        run(out, changed)
    assert (fates(str(out)), seal(str(out))) == (before, sealed)

    run(out, changed, amend="a slide was repaired")
    again, fresh = fates(str(out)), tmp_path / "fresh"
    run(fresh, changed)
    columns = ["fold", "repeat", "arm", "split", "patient"]
    tables = [
        predictions(folder).sort_values(columns, ignore_index=True) for folder in (out, fresh)
    ]
    pd.testing.assert_frame_equal(*tables)
    assert all(again[name].seconds != fate.seconds for name, fate in before.items())
    assert read_outcome(str(out)).rule.exploratory


def test_an_amended_protocol_tells_anew_what_it_can_show(finished, inputs, monkeypatch):
    """The gain of a pilot of 12 patients stood in the protocol of 24."""
    monkeypatch.setattr(protocol_file, "planned_detectable", lambda plan: "of these patients")
    monkeypatch.setattr(protocol_file, "trial_hashes", lambda *_: ({}, []))
    plan = planned(inputs, with_protocol(margin=0.05))

    amended = continued_plan(plan, str(finished), amend="a wider margin")
    assert amended.protocol.detectable == "of these patients"
    assert read_outcome(str(finished)).protocol.detectable != "of these patients"


def test_arms_without_generators_are_trained_while_generators_train(finished, inputs, tmp_path):
    """GPUs that generators leave idle do most of an experiment's trainings; nothing runs twice."""
    out, folders = tmp_path / "out", inputs["synthetic"]
    for folder in folders:  # as if they did not exist yet
        shutil.move(folder, f"{folder}-later")
    try:
        with without_ray():
            sweep_before_generators(SweepFlags(out=str(out), settings=SETTINGS, **inputs))
    finally:
        for folder in folders:
            shutil.move(f"{folder}-later", folder)
    early = fates(str(out))
    protocol = read_json(join(str(out), PROTOCOL_FILE))

    assert {name.split("arm=")[1].split(":")[0] for name in early} == {
        *("real", "duplicate", "more-real")
    }
    with pytest.raises(StorageError, match="not finished"):
        seal(str(out))

    with without_ray():
        run(out, inputs)
    later = fates(str(out))

    assert {name: later[name] for name in early} == early
    assert read_json(join(str(out), PROTOCOL_FILE)) == protocol
    assert seal(str(out)) == seal(str(finished))
    order = ["fold", "repeat", "arm", "split", "patient"]
    pd.testing.assert_frame_equal(
        predictions(out).sort_values(order, ignore_index=True),
        predictions(finished).sort_values(order, ignore_index=True),
    )
