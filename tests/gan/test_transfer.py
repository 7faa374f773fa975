"""Starting from the weights of another run: what comes along, what does not, what is refused."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.gan.checkpoint import read_model, restore, save
from idhray.gan.trainer import train
from idhray.gan.transfer import init_from
from idhray.leakage import patients_hash
from tests.gan.made_up import PGGAN, STYLEGAN2, all_values, ignore, noise_images, start


@pytest.fixture
def source(tmp_path):
    """A checkpoint of normal brains."""
    run = start(STYLEGAN2, patients=("n1", "n2"))
    train(run, ignore, until_kimg=0.04)
    folder = str(tmp_path / "normal")
    save(run, folder)
    return run, folder


def tumours(settings=STYLEGAN2):
    """A run on other images, of other patients."""
    return start(settings, images=noise_images(11), seed=9, patients=("t1", "n2"))


def test_networks_come_along_and_all_else_starts_anew(source):
    """Generator, discriminator, EMA, mean w; not Adam, the clock, or the mean path length."""
    normal, folder = source
    run = tumours()
    init_from(run, folder)

    assert torch.equal(all_values(run)[:-1], all_values(normal)[:-1])
    assert normal.path_length_mean > 0
    assert run.path_length_mean == 0
    assert run.images_shown == 0
    assert not run.g_optimizer.state
    assert not run.d_optimizer.state


def test_record_holds_the_patients_of_both_runs(source, tmp_path):
    """A classifier tested on a patient of the source would meet what the GAN has seen."""
    _, folder = source
    run = tumours()
    init_from(run, folder)
    save(run, str(tmp_path / "tumours"))
    model = read_model(str(tmp_path / "tumours"))

    assert model["patients"] == ["n1", "n2", "t1"]
    assert model["trained_on"] == patients_hash(("n1", "n2", "t1"))
    assert len(model["initialised_from"]) == 16
    assert model["freeze_layers"] == 0


def test_patients_are_handed_on_through_several_transfers(source, tmp_path):
    """The second target has seen, by its weights, the first source."""
    _, folder = source
    first = tumours()
    init_from(first, folder)
    save(first, str(tmp_path / "first"))
    second = start(STYLEGAN2, patients=("z",))
    init_from(second, str(tmp_path / "first"))

    assert second.patients == ("n1", "n2", "t1", "z")


def test_transferred_run_resumes_exactly(source, tmp_path):
    """Begun in the same way, then restored; frozen blocks stay frozen."""
    _, folder = source
    unbroken, first, second = tumours(), tumours(), tumours()
    for run in (unbroken, first, second):
        init_from(run, folder, freeze_layers=1)
    train(unbroken, ignore, until_kimg=0.08)
    train(first, ignore, until_kimg=0.04)
    save(first, str(tmp_path / "saved"))
    restore(second, str(tmp_path / "saved"))
    train(second, ignore, until_kimg=0.08)

    assert torch.equal(all_values(second), all_values(unbroken))


def test_a_run_begun_otherwise_is_not_continued(source, tmp_path):
    """From chance, from other weights, or with other frozen layers."""
    _, folder = source
    first = tumours()
    init_from(first, folder)
    save(first, str(tmp_path / "saved"))
    frozen = tumours()
    init_from(frozen, folder, freeze_layers=1)

    with pytest.raises(SettingsChangedError, match="initialised_from: was"):
        restore(tumours(), str(tmp_path / "saved"))
    with pytest.raises(SettingsChangedError, match="freeze_layers: was 0, now 1"):
        restore(frozen, str(tmp_path / "saved"))


def test_frozen_layers_keep_the_sources_weights(source):
    """FreezeD: the blocks nearest the image; the others are trained."""
    normal, folder = source
    run = tumours()
    init_from(run, folder, freeze_layers=1)
    train(run, ignore, until_kimg=0.04)
    old, new = normal.discriminator.state_dict(), run.discriminator.state_dict()
    kept = {name for name in old if torch.equal(old[name], new[name])}

    assert kept == {name for name in old if name.startswith(("from_image", "blocks.0."))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 1}, "channels: was 3, now 1"),
        ({"resolution_px": 16}, "resolution_px: was 8, now 16"),
        ({"latent_size": 4, "fmap_max": 4}, "fmap_max: was 8, now 4; latent_size: was 8, now 4"),
        ({"mapping_lr": 0.1}, r"mapping_lr: was 0\.01, now 0\.1"),
    ],
)
def test_other_networks_are_refused_by_their_settings(source, change, message):
    """Their weights would not fit, or mean something else."""
    settings = dataclasses.replace(STYLEGAN2, **change)

    with pytest.raises(ConfigError, match=message) as caught:
        init_from(start(settings), source[1])

    assert "\n" not in str(caught.value)


def test_training_settings_may_differ(source):
    """Another rate, batch or length is what transfer is often for."""
    run = tumours(dataclasses.replace(STYLEGAN2, learning_rate=1e-3, batch_size=4, r1_gamma=1.0))
    init_from(run, source[1])
    run.step()

    assert run.images_shown == 4


def test_pggan_is_refused(source, tmp_path):
    """It grows from 4 px; neither as source nor as target."""
    save(start(PGGAN), str(tmp_path / "pggan"))

    with pytest.raises(ConfigError, match="holds no StyleGAN2"):
        init_from(tumours(), str(tmp_path / "pggan"))
    with pytest.raises(ConfigError, match="a PGGAN grows"):
        init_from(start(PGGAN), source[1])


@pytest.mark.parametrize("layers", [-1, 2])
def test_impossible_layers_are_refused(source, layers):
    """8 px have one residual block; the verdict is never frozen."""
    with pytest.raises(ConfigError, match=f"freeze_layers must be 0 to 1, got {layers}"):
        init_from(tumours(), source[1], freeze_layers=layers)


def test_a_damaged_source_is_named(source):
    """Not half of its weights."""
    path = Path(source[1], "weights.safetensors")
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(StorageError, match=r"weights\.safetensors"):
        init_from(tumours(), source[1])
    assert json.loads(Path(source[1], "model.json").read_text())["patients"] == ["n1", "n2"]
