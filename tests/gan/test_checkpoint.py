"""What a checkpoint folder says, and what is said of a bad one."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from idhray.config import settings_dict
from idhray.errors import SettingsChangedError, StorageError
from idhray.gan.checkpoint import checkpoint_files, computed, read_model, restore, save
from idhray.gan.engine import Engine
from idhray.gan.sample import load_generator
from idhray.gan.snapshots import newest_snapshot, publish_snapshot
from idhray.gan.weights import read_weights
from idhray.generator_records import patients_hash
from tests.gan.made_up import PGGAN, STYLEGAN2, start

BOTH = {"pggan": PGGAN, "stylegan2": STYLEGAN2}


@pytest.fixture(params=list(BOTH))
def settings(request):
    return BOTH[request.param]


@pytest.fixture
def folder(tmp_path, settings):
    run = start(settings, patients=("b", "a", "b"))
    run.step()
    save(run, str(tmp_path))
    return tmp_path


def change_model(folder, **values):
    """Edit model.json; None takes a key away."""
    model = json.loads(Path(folder, "model.json").read_text()) | values
    kept = {key: value for key, value in model.items() if value is not None}
    Path(folder, "model.json").write_text(json.dumps(kept))


def test_model_says_what_the_gan_is_and_whom_it_saw(folder, settings):
    """A classifier refuses synthetic images whose generator saw its test patients."""
    model = read_model(str(folder))

    assert BOTH[model["architecture"]] is settings
    assert model["settings"] == settings_dict(settings)
    assert (model["idh"], model["channels"], model["seed"]) == ("mutant", 3, 5)
    assert model["images_shown"] == 8
    assert model["patients"] == ["a", "b"]
    assert model["trained_on"] == patients_hash(("a", "b")) != patients_hash(("a", "c"))
    assert model["initialised_from"] is None


def test_how_it_was_computed_is_information_and_no_identity(folder, settings):
    """A training begun on one machine may go on, in other parts of a batch, on another."""
    run = start(settings, engine=Engine(micro_batch=4))
    restore(run, str(folder))

    assert read_model(str(folder))["computed"] == {
        "precision": "float32",
        "compile": False,
        "compiled": [],
        "cuda_graphs": False,
        "micro_batch": None,
        "workers": 1,
        "device": "cpu",
        "torch": torch.__version__,
    }
    assert computed(run)["micro_batch"] == 4


def test_the_newest_whole_snapshot_counts(tmp_path, settings):
    """One whose model.json is not there yet was being written when the training was killed."""
    run = start(settings)
    assert newest_snapshot(str(tmp_path)) is None
    for _ in range(2):
        run.step()
        publish_snapshot(checkpoint_files(run), str(tmp_path), run.images_shown)
    (tmp_path / "000000024").mkdir()
    (tmp_path / "000000024" / "weights.safetensors").write_bytes(b"cut short")

    assert newest_snapshot(str(tmp_path)) == f"{tmp_path}/000000016"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000000016", "000000024"]
    run.step()
    publish_snapshot(checkpoint_files(run), str(tmp_path), run.images_shown)
    assert [p.name for p in tmp_path.iterdir()] == ["000000024"]
    load_generator(newest_snapshot(str(tmp_path)))


def test_a_run_saved_before_its_first_step_is_restored(tmp_path, settings):
    """Nothing was shown and no optimizer has moments."""
    save(start(settings), str(tmp_path))
    run = start(settings)
    restore(run, str(tmp_path))
    run.step()

    assert run.images_shown == 8


@pytest.mark.parametrize("name", ["weights.safetensors", "training.pt", "model.json"])
@pytest.mark.parametrize("harm", ["remove", "truncate", "garble"])
def test_a_damaged_file_is_named(folder, settings, name, harm):
    """Missing, cut short or overwritten: a StorageError with the file's name."""
    path = Path(folder, name)
    data = path.read_bytes()
    path.unlink()
    if harm != "remove":
        path.write_bytes(data[: len(data) // 2] if harm == "truncate" else b"garbage" * 20)

    with pytest.raises(StorageError, match=name):
        restore(start(settings), str(folder))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda s: start(s, seed=6), "seed: was 5, now 6"),
        (lambda s: start(dataclasses.replace(s, beta2=0.9)), r"beta2: was 0\.99, now 0\.9"),
        (lambda s: start(s, patients=("c",)), "trained_on: was"),
        (lambda s: start(STYLEGAN2 if s is PGGAN else PGGAN), "architecture: was"),
    ],
)
def test_another_run_is_not_continued(folder, settings, run, message):
    """Mixed settings would be neither run."""
    with pytest.raises(SettingsChangedError, match=message):
        restore(run(settings), str(folder))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("patients", ["a"], "does not match its hash"),
        (
            "architecture",
            "biggan",
            "architecture must be pggan or stylegan2 or diffusion, got 'biggan'",
        ),
        ("settings", {"blur": 1}, "has no setting blur"),
        ("idh", None, "lacks idh"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(folder, key, value, message):
    """Edited by hand, or of another program."""
    change_model(folder, **{key: value})

    with pytest.raises(StorageError, match=message) as caught:
        load_generator(str(folder))

    assert "\n" not in str(caught.value)


def test_weights_of_another_size_are_refused(folder, settings):
    """model.json and weights of two checkpoints do not mix; the message is one line."""
    change_model(folder, settings=settings_dict(dataclasses.replace(settings, fmap_max=4)))

    with pytest.raises(StorageError, match="generator_ema does not fit") as caught:
        load_generator(str(folder))

    assert "\n" not in str(caught.value)


def test_equal_generators_have_equal_digests_whatever_else_they_save(settings, tmp_path):
    """The discriminator makes no image; one changed weight of the generator makes others."""
    run = start(settings)
    save(run, str(tmp_path / "a"))
    for name, network in (("b", run.discriminator), ("c", run.average)):
        next(network.parameters()).data += 1
        save(run, str(tmp_path / name))
    first, same, other = (
        read_weights(str(tmp_path / name)).digest("generator_ema") for name in "abc"
    )

    assert first == same != other
