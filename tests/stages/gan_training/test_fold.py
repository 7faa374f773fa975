"""A GAN of a fold learns from the training patients of that fold, whatever a table's split says."""

import dataclasses
import os
from collections import Counter

import pytest

from idhray.cohorts.folds import read_folds
from idhray.errors import ConfigError, LeakageError, StorageError, TableError
from idhray.fingerprints import unpacked_digests
from idhray.gan.checkpoint import read_model, save
from idhray.generator_records import (
    GeneratorRecord,
    GeneratorTable,
    patients_hash,
    read_gate,
    read_generator,
)
from idhray.leakage import suitable_generators
from idhray.stages import evaluate_gan as evaluation
from idhray.stages.evaluate_gan import PRESETS, EvaluateGanTask
from idhray.stages.gan_training import image_sets
from idhray.stages.gan_training.fold import fold_of_model, selection_of_model
from idhray.stages.gan_training.fold_check import (
    check_fold,
    refuse_few,
    refuse_seen,
    training_count,
)
from idhray.stages.gan_training.image_sets import image_counts, images_read, training_share
from idhray.stages.gan_training.loop import images_to_learn
from idhray.stages.gan_training.pretraining import earlier_sets, pretraining_tables
from idhray.stages.gan_training.task import GanTask
from idhray.stages.runtime.folder import DONE, seal
from idhray.stages.synthesize import SynthesizeFlags, _training_sets, synthesize
from idhray.stages.train_gan import TrainGanFlags, _longest_first, train_gan, train_gans
from idhray.storage import publish_json
from idhray.table_fingerprints import table_fingerprints
from idhray.table_parts import parts, read_part, replace_values
from tests.gan.made_up import STYLEGAN2, start
from tests.stages.gan_patches import FOLD_PATIENTS, patches_of_folds, three_folds

GAN = dataclasses.replace(STYLEGAN2, total_kimg=0.08)
TRAINING = ("M0", "M1", "M5")  # mutants with the role train in fold 2
HELD_OUT = {"M2": "test", "M3": "test", "M4": "val"}


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """A PATCHES folder without splits."""
    return patches_of_folds(tmp_path_factory.mktemp("patches"))


@pytest.fixture
def task(patches, tmp_path):
    """Task of the mutants of fold 2."""
    return GanTask(
        allow_few=True,
        images=patches,
        idh="mutant",
        out=str(tmp_path / "gan"),
        settings=GAN,
        folds=three_folds(tmp_path / "folds.csv"),
        fold=2,
    )


def check(task):
    """Check of the fold of a task."""
    check_fold(task, task.gan_fold(), image_counts(task.images))
    refuse_seen(task, task.gan_fold(), table_fingerprints(task.images), {})


def test_no_image_of_a_held_out_patient_is_read(task, monkeypatch):
    """A part with images of held-out patients only stays closed but for its labels."""
    read, real_read = [], image_sets.read_part

    def read_part(path, columns):
        if "image" in columns:
            read.extend(set(real_read(path, ["patient"])["patient"].to_pylist()))
        return real_read(path, columns)

    monkeypatch.setattr(image_sets, "read_part", read_part)
    real = images_to_learn(task.images, "mutant", GAN, task.selection())

    assert tuple(read) == TRAINING
    assert real.patients == tuple(name for name in TRAINING for _ in range(6))
    assert real.names[0].startswith("part-00")


def test_the_identity_holds_the_training_images_and_no_path(task, tmp_path):
    """A moved file and patients of other roles continue; other training patients start anew."""
    moved = dataclasses.replace(task, folds=three_folds(tmp_path / "moved.parquet"))
    other = dataclasses.replace(task, fold=3)

    assert task.identity() == moved.identity()
    assert other.identity().changes(task.identity().values)
    images = patches_of_folds(tmp_path / "patches")
    before = dataclasses.replace(task, images=images).identity()
    by_patient = {
        read_part(path, ["patient"])["patient"][0].as_py(): path for path in parts(images)
    }
    replace_values(by_patient["M2"], {"M9": {"idh": "mutant", "split": "test"}})
    publish_json(f"{images}/{DONE}", {"digest": "another table"})
    after = dataclasses.replace(task, images=images).identity()
    assert after.changes(before.values) == []
    replace_values(by_patient["M0"], {"M0": {"idh": "wildtype", "split": ""}})
    corrected = dataclasses.replace(task, images=images).identity()
    assert corrected.changes(before.values)


def test_a_checkpoint_of_an_earlier_version_is_continued(task):
    """It records the seal of the whole table, the patients of the fold and the share."""
    training = [name for name, role in task.gan_fold().roles.items() if role == "train"]
    values = {k: v for k, v in task.identity().values.items() if k != "training_images"}
    old = {**values, "images": seal(task.images), "fold_trained_on": patients_hash(training)}

    assert task.identity().changes(old) == []
    assert task.identity().changes({**old, "images": "another table"})
    assert dataclasses.replace(task, fold=3).identity().changes(old)


@pytest.mark.parametrize(
    ("recorded", "of_fold", "share"),
    [
        ({"stage": "cut_patches", "train_per_class": 7}, True, 7),
        ({"stage": "cut_patches", "train_per_class": 7, "reserve_per_class": 2}, False, 7),
        ({"stage": "cut_patches", "train_per_class": 7, "reserve_per_class": 0}, False, None),
        ({"stage": "prepare_mri"}, True, None),
    ],
)
def test_the_share_of_a_table_is_what_it_was_cut_for(tmp_path, recorded, of_fold, share):
    """All of its images, as ever, if it holds no others."""
    publish_json(str(tmp_path / "_settings.json"), recorded)

    assert training_share(str(tmp_path), of_fold=of_fold) == share


def test_images_beyond_the_share_are_not_learned(task, tmp_path):
    """A reserve is for the arm of further real images; 7 of 18 are 3, 2 and 2, the first by rank.

    The last row of a patient has rank 1. The earlier images of a later GAN are the same.
    """
    images = patches_of_folds(tmp_path / "patches")
    publish_json(f"{images}/_settings.json", {"stage": "cut_patches", "train_per_class": 7})
    limited = dataclasses.replace(task, images=images)
    explicit = dataclasses.replace(task, train_per_class=7)
    real = images_to_learn(images, "mutant", GAN, limited.selection())
    rows: dict[str, list[int]] = {}
    for patient, name in zip(real.patients, real.names, strict=True):
        rows.setdefault(patient, []).append(int(name.split(":")[1]))

    assert sorted(rows.values()) == [[3, 4, 5], [4, 5], [4, 5]]
    assert set(rows) == set(TRAINING)
    assert explicit.selection() == limited.selection()
    assert limited.identity() != task.identity()
    assert limited.tables()[0]["train_per_class"] == 7
    assert training_count(limited, image_counts(images)) == 7
    assert training_count(task, image_counts(images)) == 18
    held_out = image_sets.real_images(images, "mutant", "val", GAN, limited.selection())
    assert held_out.patients == ("M4",) * 6
    model = {"fold": task.gan_fold().entry(), "train_per_class": 7}
    assert selection_of_model(model) == limited.selection()
    assert selection_of_model({}) == image_sets.ALL


def test_a_fold_that_the_file_lacks_is_refused(task):
    """The message names those that it holds."""
    with pytest.raises(ConfigError, match=r"--fold 4: .* holds the folds 1, 2, 3"):
        dataclasses.replace(task, fold=4).identity()
    with pytest.raises(ConfigError, match="--fold 2 needs --folds"):
        dataclasses.replace(task, folds=None)


def test_a_class_without_training_patients_is_refused_before_ray_starts(task, tmp_path):
    """A table of the held-out patients only, as an interrupted cut would leave it."""
    images = tmp_path / "patches"
    patches_of_folds(images)
    for number, name in enumerate(FOLD_PATIENTS):
        if name in TRAINING:
            (images / f"part-{number:02d}.parquet").unlink()
    lacking = dataclasses.replace(task, images=str(images))

    with pytest.raises(TableError, match="no image of a training patient of class mutant in fold"):
        train_gans({"mutant": lacking})
    assert not os.path.exists(task.out)


def test_patients_outside_the_file_are_counted_and_not_used(task, caplog):
    """Normal brains and patients of unknown status have no role."""
    every = dataclasses.replace(task, idh="any")
    check(task)
    assert caplog.text == ""
    check(every)
    real = images_to_learn(task.images, "any", GAN, task.selection())

    assert "1 of 13 patients of class any are not in" in caplog.text
    assert "are not used (U0)" in caplog.text
    assert set(real.patients) == {*TRAINING, "W0", "W1", "W5"}


def test_labels_that_differ_between_file_and_images_are_refused(task, tmp_path):
    """One of them is wrong, and the GAN would learn the wrong class."""
    table = read_folds(task.folds).table.replace({"idh": {"mutant": "wildtype"}})
    path = tmp_path / "other.csv"
    table.to_csv(path, index=False)

    with pytest.raises(LeakageError, match=r"another label .*, 6 in all: .*\(M0: mutant, there"):
        check(dataclasses.replace(task, folds=str(path)))


def test_weights_of_a_gan_that_saw_held_out_patients_are_refused(task, tmp_path):
    """They would reach the fold through --init-from."""
    source = str(tmp_path / "source")
    save(start(GAN, patients=("N1", "M4")), source)
    publish_json(f"{source}/{DONE}", {"digest": "source"})

    with pytest.raises(LeakageError, match=r"--init-from .* in all: M4 .M4: .*; start from"):
        check(dataclasses.replace(task, init_from=source))


def test_what_is_unknown_of_the_source_of_weights_is_recorded(task, tmp_path, caplog):
    """A GAN of an earlier version names patients and no images; it may have looked at any."""
    source = str(tmp_path / "source")
    save(start(GAN, patients=("N1",)), source, {"ancestry": ["Pretrained on TCGA."]})
    publish_json(f"{source}/{DONE}", {"digest": "source"})
    later = dataclasses.replace(task, init_from=source)
    check(later)
    recorded = later.ancestry()

    assert "Pretrained on TCGA." in caplog.text
    assert recorded["ancestry"][0] == "Pretrained on TCGA."
    assert "the pixels of their images are not" in recorded["ancestry"][1]
    assert len(unpacked_digests(recorded["image_digests"])) == 18


def test_a_gan_of_few_images_or_patients_needs_a_flag(task):
    """It would repeat them, and no test for copies could tell."""
    counts = image_counts(task.images)
    refuse_few(task, counts)
    enough = Counter({(f"T{k}", "mutant", "train"): 20 for k in range(5)})

    with pytest.raises(TableError, match=r"18 training images of .* a GAN needs 100 images of 5 "):
        refuse_few(dataclasses.replace(task, allow_few=False), counts)
    split = dataclasses.replace(task, allow_few=False, folds=None, fold=1)
    refuse_few(split, enough)


def test_the_longest_trainings_start_first(task, tmp_path):
    """By kimg, then by images; equal ones keep their order."""
    longer = dataclasses.replace(GAN, total_kimg=0.2)
    tasks = {
        "short": task,
        "more images": dataclasses.replace(task, idh="any"),
        "long": dataclasses.replace(task, settings=longer),
        "short too": dataclasses.replace(task, seed=1),
    }

    assert _longest_first(tasks) == ["long", "more images", "short", "short too"]


def test_earlier_images_are_those_of_the_earlier_fold(task, tmp_path):
    """A GAN that started from one of a fold may copy what that one saw, and no other image."""
    source = str(tmp_path / "source")
    save(start(GAN, patients=TRAINING), source, {"tables": task.tables()})
    publish_json(f"{source}/{DONE}", {"digest": "source"})
    later = dataclasses.replace(task, init_from=source)
    (table,) = pretraining_tables({"tables": later.tables()}, [task.images])

    class Plain:
        """Images without features."""

        def of_real(self, real):
            """The images themselves."""
            return real

    (real,) = earlier_sets([table], GAN, Plain())
    assert set(real.patients) == set(TRAINING)


@pytest.fixture(scope="module")
def trained(ray_local, patches, tmp_path_factory):
    """A GAN of the mutants of fold 2, whose file of folds is gone."""
    folder = tmp_path_factory.mktemp("fold")
    folds = three_folds(folder / "folds.csv")
    train_gan(
        TrainGanFlags(
            allow_few=True,
            images=patches,
            idh="mutant",
            out=str(folder / "gan"),
            settings=GAN,
            folds=folds,
            fold=2,
            seed=4,
            fidelity_images=10,
            train_per_class=16,
        )
    )
    os.remove(folds)
    return folder


def test_a_checkpoint_records_its_fold(trained):
    """Roles of all patients, so that nobody needs the file again."""
    model = read_model(str(trained / "gan"))
    fold = fold_of_model(model)

    assert (model["patients"], model["images"]) == (list(TRAINING), 16)
    assert model["train_per_class"] == model["tables"][0]["train_per_class"] == 16
    assert fold.number == 2
    assert {name: fold.roles[name] for name in HELD_OUT} == HELD_OUT
    assert model["tables"][0]["patients"] == fold.training_patients


def test_changed_roles_of_a_checkpoint_are_noticed(tmp_path, task):
    """By their digest, like a changed list of patients."""
    entry = task.gan_fold().entry()
    save(start(GAN), str(tmp_path), {"fold": {**entry, "roles": {**entry["roles"], "M4": "train"}}})

    with pytest.raises(StorageError, match="roles of its fold do not match"):
        read_model(str(tmp_path))


def test_a_fold_gan_is_evaluated_and_sampled_by_its_fold(trained, patches, monkeypatch):
    """Copies are searched among its own training patients; the control is its validation patient.

    The record of its images names fold, seed and weights, and only fold 2 may use them.
    """
    gates, copies_gate = [], evaluation.copies_gate

    def gate_of(generated, train, held_out, settings, symmetry):
        gates.append((train, held_out))
        return copies_gate(generated, train, held_out, settings, symmetry)

    monkeypatch.setattr(evaluation, "copies_gate", gate_of)
    checkpoint, out = str(trained / "gan"), trained / "evaluation"
    out.mkdir()
    evaluation.evaluate_generator(
        EvaluateGanTask(
            checkpoint=checkpoint,
            generator=seal(checkpoint),
            images=patches,
            images_digest=seal(patches),
            out=str(out),
            settings=PRESETS["demo"],
            count=20,
            features="random",
            pretraining=(),
            psi=1.0,
            seed=0,
        )
    )
    ((train, held_out),) = gates
    gate = read_gate(checkpoint)
    _, (searched,) = _training_sets(gate, read_model(checkpoint), GAN)
    synthetic = str(trained / "synthetic")
    synthesize(SynthesizeFlags(checkpoint=checkpoint, count=4, out=synthetic))
    record = read_generator(synthetic)

    assert set(train.patients) == set(searched.patients) == set(TRAINING)
    assert len(train.patients) == len(searched.patients) == 16
    assert set(held_out.patients) == {"M4"}
    assert (record.fold, record.seed, record.patients) == (2, 4, TRAINING)
    assert len(record.weights) == 16
    assert len(unpacked_digests(record.image_digests)) == 16
    assert record == GeneratorRecord.of(
        seal(checkpoint),
        "mutant",
        TRAINING,
        image_digests=record.image_digests,
        fold=2,
        seed=4,
        weights=record.weights,
        tables=(
            GeneratorTable(
                digest=seal(patches),
                rows=images_read(
                    patches, "mutant", "train", selection_of_model(read_model(checkpoint))
                ),
                last_ranks=dict(Counter(train.patients)),
            ),
        ),
    )
    folds = read_folds(three_folds(trained / "again.csv"))
    suitable = [suitable_generators(folds.roles(fold), [synthetic]) for fold in folds.numbers()]
    assert [list(each.records) for each in suitable] == [[], [synthetic], []]
    assert "validation or test, 2 in all: M0, M1 (M0: test)" in suitable[0].refusals[synthetic]
