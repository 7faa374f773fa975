"""The table of architectures: a new one is new files and one entry."""

import copy

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError, StorageError
from idhray.gan.architectures import ARCHITECTURES, architecture_name, architecture_of
from idhray.gan.checkpoint import MODEL, read_model, read_settings, restore, save
from idhray.gan.pictures import interpolation, style_mixing
from idhray.gan.roll_back import slow_down
from idhray.gan.sample import generate, generator_of, load_generator
from idhray.gan.trainer import new_run, train
from idhray.gan.transfer import init_from
from idhray.storage import publish_json
from tests.gan.made_up import PGGAN, ignore, noise_images
from tests.gan.toy import TOY, ToySettings, toy_run, weights


@pytest.fixture
def toy(monkeypatch):
    """A third architecture in the table; no other file changes."""
    monkeypatch.setitem(ARCHITECTURES, "toy", TOY)


def test_a_generator_without_discriminator_is_trained_by_one_entry(toy, tmp_path):
    """Build, train, report, save, continue exactly, load and sample, with no other file changed."""
    reports, unbroken, first, second = [], toy_run(), toy_run(), toy_run()
    train(unbroken, lambda _, report: reports.append(report))
    train(first, ignore, until_kimg=0.08)
    save(first, str(tmp_path))
    restore(second, str(tmp_path))
    train(second, ignore)
    save(second, str(tmp_path))
    generator = load_generator(str(tmp_path))

    assert torch.equal(weights(second), weights(unbroken))
    assert reports[-1].losses["mse"] < reports[0].losses["mse"] / 2
    assert [k for k in reports[0].metrics() if k.endswith(("loss", "gap", "mse"))] == ["mse"]
    assert read_model(str(tmp_path))["architecture"] == "toy"
    assert read_settings(read_model(str(tmp_path))) == ToySettings()
    images = generate(generator, 3, range(11))
    assert images.shape == (11, 8, 8, 3)
    np.testing.assert_array_equal(images, generate(generator_of(second), 3, range(11)))
    assert interpolation(generator, 3, [0, 1], steps=2).shape == (3, 8, 8, 3)


def test_an_architecture_without_an_ability_refuses_it_by_name(toy, tmp_path):
    """Truncation, mixing and transfer are entries; without them there is one clear line."""
    run = toy_run()
    save(run, str(tmp_path))

    with pytest.raises(ConfigError, match="a toy has no truncation"):
        generate(generator_of(run), 0, [0], psi=0.5)
    with pytest.raises(ConfigError, match="a toy has no styles"):
        style_mixing(generator_of(run), 0, rows=[0], columns=[1], crossover=1)
    with pytest.raises(ConfigError, match="a toy cannot start from"):
        init_from(toy_run(), str(tmp_path))


def test_any_training_can_be_slowed_down(toy):
    """A return to an earlier checkpoint halves the rate of whatever optimizers there are."""
    run = toy_run()
    slow_down(run, 0.5)

    assert run.adam.param_groups[0]["lr"] == 0.025


def test_the_table_names_what_it_knows(tmp_path):
    """Settings of no architecture, and a checkpoint of another program, are one line each."""
    with pytest.raises(ConfigError, match="pggan or stylegan2 or diffusion, got ToySettings"):
        architecture_of(ToySettings())
    run = new_run(noise_images(), PGGAN, seed=1, idh="mutant", patients=("a",))
    save(run, str(tmp_path))
    model = copy.deepcopy(read_model(str(tmp_path)))
    publish_json(str(tmp_path / MODEL), {**model, "architecture": "biggan"})

    assert architecture_name(PGGAN) == "pggan"
    with pytest.raises(
        StorageError, match="pggan or stylegan2 or diffusion, got 'biggan'"
    ) as caught:
        load_generator(str(tmp_path))
    assert "\n" not in str(caught.value)
