"""What a checkpoint folder says, and what is said of a bad one."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from idhray.config import settings_dict
from idhray.errors import SettingsChangedError, StorageError
from idhray.gan.checkpoint import read_model, restore, save
from idhray.gan.config import GanSettings
from idhray.gan.sample import load_generator
from idhray.gan.trainer import new_run, step
from idhray.leakage import patients_hash

TINY = GanSettings(
    resolution_px=8, latent_size=8, fmap_base=16, fmap_max=8, total_kimg=0.2, batch_sizes=(8, 8)
)


def start(settings=TINY, seed=5, patients=("b", "a", "b")):
    images = np.zeros((9, 8, 8, 3), np.uint8)
    return new_run(images, settings, seed=seed, idh="mutant", patients=patients)


@pytest.fixture
def folder(tmp_path):
    run = start()
    step(run)
    save(run, str(tmp_path))
    return tmp_path


def test_model_says_what_the_gan_is_and_whom_it_saw(folder):
    """A classifier refuses synthetic images whose generator saw its test patients."""
    model = read_model(str(folder))

    assert model["architecture"] == "pggan"
    assert model["settings"] == settings_dict(TINY)
    assert (model["idh"], model["channels"], model["seed"]) == ("mutant", 3, 5)
    assert model["images_shown"] == 8
    assert model["patients"] == ["a", "b"]
    assert model["trained_on"] == patients_hash(("a", "b")) != patients_hash(("a", "c"))


def test_a_run_saved_before_its_first_step_is_restored(tmp_path):
    """Nothing was shown and no optimizer made."""
    save(start(), str(tmp_path))
    run = start()
    restore(run, str(tmp_path))
    step(run)

    assert run.images_shown == 8


@pytest.mark.parametrize("name", ["weights.safetensors", "training.pt", "model.json"])
@pytest.mark.parametrize("harm", ["remove", "truncate", "garble"])
def test_a_damaged_file_is_named(folder, name, harm):
    """Missing, cut short or overwritten: a StorageError with the file's name."""
    path = Path(folder, name)
    data = path.read_bytes()
    path.unlink()
    if harm != "remove":
        path.write_bytes(data[: len(data) // 2] if harm == "truncate" else b"garbage" * 20)

    with pytest.raises(StorageError, match=name):
        restore(start(), str(folder))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: start(seed=6), "seed: was 5, now 6"),
        (lambda: start(dataclasses.replace(TINY, beta2=0.9)), r"beta2: was 0\.99, now 0\.9"),
        (lambda: start(patients=("c",)), "trained_on: was"),
    ],
)
def test_another_run_is_not_continued(folder, run, message):
    """Mixed settings would be neither run."""
    with pytest.raises(SettingsChangedError, match=message):
        restore(run(), str(folder))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("patients", ["a"], "does not match its hash"),
        ("architecture", "stylegan2", "holds a stylegan2"),
        ("idh", None, "lacks idh"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(folder, key, value, message):
    """Edited by hand, or of another program."""
    model = json.loads(Path(folder, "model.json").read_text())
    model[key] = value
    if value is None:
        del model[key]
    Path(folder, "model.json").write_text(json.dumps(model))

    with pytest.raises(StorageError, match=message):
        load_generator(str(folder))


def test_weights_of_another_size_are_refused(folder):
    """model.json and weights of two checkpoints do not mix."""
    model = json.loads(Path(folder, "model.json").read_text())
    model["settings"]["fmap_max"] = 4
    Path(folder, "model.json").write_text(json.dumps(model))

    with pytest.raises(StorageError, match="generator_ema does not fit"):
        load_generator(str(folder))
