"""One network for both classes, from training to the images of each class."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from idhray.cohorts.folds import read_folds
from idhray.errors import ConfigError, LeakageError, TableError
from idhray.fidelity.features import random_features
from idhray.fingerprints import unpacked_digests
from idhray.gan import sample
from idhray.gan.checkpoint import read_model
from idhray.gan.weights import read_weights
from idhray.generator_records import read_gate, read_generator
from idhray.leakage import refuse_equal_weights, suitable_generators
from idhray.stages import evaluate_gan as evaluation
from idhray.stages.evaluate_gan import PRESETS, EvaluateGanFlags, evaluate_gan
from idhray.stages.gan_training.fidelity_meter import meters_of_classes
from idhray.stages.gan_training.image_sets import BOTH, RealImages, real_images
from idhray.stages.gan_training.task import GanTask, task_from, task_values
from idhray.stages.synthesize import SynthesizeFlags, _training_sets, synthesize
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.table_parts import read_table
from idhray.tables import SYNTHETIC
from tests.gan.made_up import BY_NAME, DIFFUSION, PGGAN, STYLEGAN2, noise_images, start
from tests.stages.gan_patches import patches_of_folds, patches_of_mutants, three_folds

GAN = dataclasses.replace(STYLEGAN2, total_kimg=0.08)
TRAINING = ("M0", "M1", "M5", "W0", "W1", "W5")
PER_CLASS = 16


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """Images of 6 patients of either class, and of one of unknown status."""
    return patches_of_folds(tmp_path_factory.mktemp("patches"))


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """Fold 2 trains on three patients of each class."""
    return three_folds(tmp_path_factory.mktemp("folds") / "folds.csv")


def flags_of(patches, folds, out, settings=GAN, **more):
    """Flags of a training of both classes in fold 2."""
    return TrainGanFlags(
        images=patches, out=str(out), settings=settings, folds=folds, fold=2, seed=4,
        allow_few=True, fidelity_images=10, train_per_class=PER_CLASS, **{"idh": "both", **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(ray_local, patches, folds, tmp_path_factory):
    """A network of both classes, the evaluation of each class, and images of each."""
    folder = tmp_path_factory.mktemp("both")
    gan = str(folder / "gan")
    train_gan(flags_of(patches, folds, gan))
    for idh in ("wildtype", "mutant"):
        evaluate_gan(
            EvaluateGanFlags(
                checkpoint=gan, idh=idh, images=patches, out=str(folder / f"evaluation-{idh}"),
                settings=PRESETS["demo"], count=24,
            )
        )  # fmt: skip
        synthesize(
            SynthesizeFlags(checkpoint=gan, idh=idh, count=10, out=str(folder / f"images-{idh}"))
        )
    return folder


def test_the_network_learns_both_classes_of_its_fold(study):
    """No patient of unknown status, none of another role, and a share of each class."""
    model = read_model(str(study / "gan"))

    assert (model["idh"], model["settings"]["conditional"]) == ("both", True)
    assert model["patients"] == list(TRAINING)
    assert model["images_by_class"] == {"mutant": PER_CLASS, "wildtype": PER_CLASS}
    assert len(unpacked_digests(model["image_digests"])) == 2 * PER_CLASS
    assert model["tables"][0]["idh"] == "both"


def test_each_class_has_sheets(study):
    """Real and generated images of one class stand beside each other."""
    sheets = {path.name for path in (study / "gan" / "samples").iterdir()}

    assert sheets == {
        f"{idh}-{name}.png" for idh in ("mutant", "wildtype") for name in ("real", "kimg-00000.080")
    }


def test_fidelity_is_the_mean_over_the_classes():
    """Each class is compared with its own real images, beside its own floor."""
    labels = ("wildtype", "mutant") * 40
    patients = tuple(f"{label}{place % 4}" for place, label in enumerate(labels))
    real = RealImages(noise_images(80), patients, patients, labels)
    meters = meters_of_classes(real, ("red", "green", "blue"), random_features(), 20)
    run = start(BY_NAME["stylegan2-both"])
    measures, kids = meters(run), [meter(run)["kid"] for meter in meters.meters.values()]

    assert measures["kid_by_class"] == dict(zip(("wildtype", "mutant"), kids, strict=True))
    assert measures["kid"] == pytest.approx(np.mean(kids))
    assert kids[0] != kids[1]
    assert set(real.of_label("mutant").labels) == {"mutant"}
    assert len(real.of_label("mutant").images) == 40


def test_each_class_has_a_verdict_of_its_own(study):
    """Both lie beside the checkpoint; the images of a class have that of their class."""
    gan = str(study / "gan")

    assert read_gate(gan) is None
    for idh in ("wildtype", "mutant"):
        gate = read_gate(gan, idh)
        assert gate.evaluation == str(study / f"evaluation-{idh}")
        assert read_gate(str(study / f"images-{idh}")) == gate
        figures = json.loads((study / f"evaluation-{idh}" / "gate.json").read_text())["figures"]
        assert figures["copies_of_other_class"] == 0


def test_copies_are_looked_for_among_the_images_of_both_classes(study):
    """The network saw both, so an image of one class may copy the other."""
    gan = str(study / "gan")
    _, (searched,) = _training_sets(read_gate(gan, "mutant"), read_model(gan), GAN)

    assert set(searched.patients) == set(TRAINING)


def test_images_that_copy_the_other_class_fail(study, patches, monkeypatch, tmp_path):
    """A network that returns wildtype images as mutant ones is no generator of mutants."""
    gan = str(study / "gan")
    model = read_model(gan)
    roles = dict.fromkeys(TRAINING, "train")
    selection = evaluation.selection_of_model(model)
    real = real_images(patches, "wildtype", "train", GAN, selection)
    assert set(real.patients) <= set(roles)
    monkeypatch.setattr(
        evaluation, "generate", lambda generator, seed, numbers, psi: real.images[:PER_CLASS]
    )
    before = read_gate(gan, "mutant")
    task = evaluation._task(
        EvaluateGanFlags(
            checkpoint=gan, idh="mutant", images=patches, out=str(tmp_path),
            settings=PRESETS["demo"], count=24,
        )
    )  # fmt: skip
    try:
        evaluation.evaluate_generator(task)
        gate = read_gate(gan, "mutant")
    finally:
        evaluation.write_gate(gan, before, "mutant")

    assert not gate.passed
    assert any("copies of training images of class wildtype" in text for text in gate.reasons)


def test_the_images_of_a_class_say_whose_network_made_them(study, folds):
    """Patients of both classes, so that a held-out one of either refuses the images."""
    folders = [str(study / f"images-{idh}") for idh in ("wildtype", "mutant")]
    records = {folder: read_generator(folder) for folder in folders}
    table = read_table(folders[1], SYNTHETIC)
    all_folds = read_folds(folds)

    assert [record.idh for record in records.values()] == ["wildtype", "mutant"]
    assert all(record.conditional for record in records.values())
    assert all(record.patients == TRAINING for record in records.values())
    assert (
        set(table.to_table()["idh"].to_pylist()) == {"mutant"}
        if hasattr(table, "to_table")
        else True
    )
    assert set(suitable_generators(all_folds.roles(2), folders).records) == set(folders)
    assert not suitable_generators(all_folds.roles(3), folders).records


def test_the_classes_of_one_network_are_no_pair_of_equal_generators(study):
    """Equal weights are refused within a class only: two tables of a class count one luck twice."""
    wildtype, mutant = (read_generator(str(study / f"images-{i}")) for i in ("wildtype", "mutant"))
    refuse_equal_weights({"a": wildtype, "b": mutant})

    assert wildtype.same_weights(mutant)
    with pytest.raises(LeakageError, match="two generators with equal weights"):
        refuse_equal_weights({"a": mutant, "b": mutant})


def test_the_card_of_a_class_counts_its_own_images(study):
    """The network saw twice as many."""
    card = json.loads((study / "images-mutant" / "_data_card.json").read_text())

    assert card["generator"]["classes"] == "one network of both classes"
    assert card["training_data"]["images"] == 2 * PER_CLASS
    assert card["training_data"]["images_of_this_class"] == PER_CLASS


def test_a_class_has_to_be_named(study, patches, tmp_path):
    """One folder for each class; images of both in one table would have no label."""
    gan, out = str(study / "gan"), str(tmp_path / "out")
    with pytest.raises(ConfigError, match="give --idh mutant or --idh wildtype"):
        synthesize(SynthesizeFlags(checkpoint=gan, count=4, out=out))
    with pytest.raises(ConfigError, match="give --idh mutant or --idh wildtype"):
        evaluate_gan(
            EvaluateGanFlags(
                checkpoint=gan, images=patches, out=out, settings=PRESETS["demo"], count=24
            )
        )
    assert not Path(out).exists()


def test_settings_that_have_no_such_network_are_refused(patches, folds, tmp_path):
    """PGGAN in one line; and a conditional network of one class."""
    with pytest.raises(ConfigError, match="one PGGAN cannot make images of both classes"):
        train_gan(flags_of(patches, folds, tmp_path / "gan", PGGAN))
    conditional = dataclasses.replace(GAN, conditional=True)
    with pytest.raises(ConfigError, match="--conditional makes images of both classes"):
        train_gan(flags_of(patches, folds, tmp_path / "gan", conditional, idh="mutant"))


def test_a_class_without_images_is_refused(ray_local, tmp_path):
    """One network needs images of each class."""
    patches = patches_of_mutants(tmp_path / "patches")
    flags = TrainGanFlags(
        images=patches, idh="both", out=str(tmp_path / "gan"), settings=GAN, allow_few=True
    )
    with pytest.raises(TableError, match="no training image of class wildtype"):
        train_gan(flags)


def test_few_images_of_either_class_are_refused(patches, folds, tmp_path):
    """A class of three patients is not saved by the other one."""
    flags = dataclasses.replace(flags_of(patches, folds, tmp_path / "gan"), allow_few=False)
    with pytest.raises(TableError, match="16 training images of 3 patients of class wildtype"):
        train_gan(flags)


def test_two_workers_train_what_one_trains(study, patches, folds, tmp_path):
    """Each worker has as many images of each class; weights differ by rounding alone."""
    out = str(tmp_path / "gan")
    train_gan(flags_of(patches, folds, out, workers=2))
    alone, two = (read_weights(folder).tensors for folder in (str(study / "gan"), out))

    assert max(float((alone[k] - two[k]).abs().max()) for k in alone) < 2e-3


def test_a_diffusion_model_makes_images_of_each_class(ray_local, patches, folds, tmp_path):
    """The same commands for the other architecture."""
    gan = str(tmp_path / "gan")
    settings = dataclasses.replace(DIFFUSION, total_kimg=0.08)
    train_gan(flags_of(patches, folds, gan, settings))
    first, second = (
        sample.generate(sample.load_generator(gan, idh=idh), 0, range(4))
        for idh in ("wildtype", "mutant")
    )

    assert (first != second).any()
    task = GanTask(images=patches, idh=BOTH, out=gan, settings=settings)
    assert task_from(task_values(task)) == task
