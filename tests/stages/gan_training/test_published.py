"""Published weights as a checkpoint that a training starts from, with their license."""

import dataclasses
import json

import pytest
from safetensors.torch import save_file

from idhray.ancestry import ancestor_of_model
from idhray.errors import ConfigError, StorageError
from idhray.gan.checkpoint import read_model
from idhray.gan.sample import load_generator
from idhray.gan.transfer import init_from
from idhray.stages.gan_training.loop import published_weights_of
from idhray.stages.gan_training.pretraining import unseen_tables
from idhray.stages.gan_training.published import PublishedFlags, convert_published, main
from idhray.stages.runtime.folder import refuse_changed_checkpoint
from tests.gan.made_up import noise_images, start
from tests.gan.stylegan2.test_published import SETTINGS, published_state

FLAGS = ["--name", "faces", "--trained-on", "photographs", "--license", "CC BY-NC 4.0"]


@pytest.fixture
def folder(tmp_path, capsys):
    state = tmp_path / "faces.safetensors"
    save_file(published_state(), state)
    assert main(["--state", str(state), "--out", str(tmp_path / "faces"), *FLAGS]) == 0
    assert json.loads(capsys.readouterr().out)["resolution_px"] == 16
    return str(tmp_path / "faces")


def test_a_training_starts_from_published_weights(folder):
    """The folder is whole, has a seal, and makes images."""
    refuse_changed_checkpoint(folder)
    settings = dataclasses.replace(SETTINGS, batch_size=4)
    run = start(settings, images=noise_images(side=16, channels=2))
    init_from(run, folder)
    run.step()

    assert run.patients == ("a", "b")
    assert run.initialized_from
    assert load_generator(folder).settings == SETTINGS


def test_license_and_origin_go_into_the_records(folder):
    """What nobody can check is a sentence of every descendant."""
    (remark,) = ancestor_of_model(folder).remarks
    (published,) = published_weights_of(folder)["published"]
    model = {"initialised_from": "x", "tables": [{}, *read_model(folder)["tables"]]}

    assert "faces of another program were trained on: photographs (as declared" in remark
    assert "license: CC BY-NC 4.0" in remark
    assert published["license"] == "CC BY-NC 4.0"
    assert unseen_tables(model, []) == [
        "Copies of the images behind published weights (faces) cannot be looked for."
    ]
    assert published_weights_of(None) == {}


def test_a_file_that_is_no_state_dict_is_refused_and_nothing_is_overwritten(folder, tmp_path):
    """A pickle among them: it is not opened."""
    pickle = tmp_path / "faces.pkl"
    pickle.write_bytes(b"\x80\x04.")
    flags = PublishedFlags(
        state=pickle, name="faces", trained_on="x", license="y", out=str(tmp_path / "new")
    )

    with pytest.raises(StorageError, match="no safetensors file"):
        convert_published(flags)
    with pytest.raises(StorageError, match="holds a checkpoint; choose another --out"):
        convert_published(dataclasses.replace(flags, out=folder))
    with pytest.raises(ConfigError, match="--license is empty"):
        convert_published(dataclasses.replace(flags, license=" "))
    assert not (tmp_path / "new").exists()
