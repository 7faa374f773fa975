"""A finished training of a GAN goes on when a larger length is asked for."""

import dataclasses
import os

import pytest
import torch

from idhray.errors import SettingsChangedError, StorageError
from idhray.gan.checkpoint import TRAINING, read_model
from idhray.gan.weights import WEIGHTS
from idhray.generator_records import GATE
from idhray.stages.gan_training import extension
from idhray.stages.gan_training.extension import EARLIER
from idhray.stages.runtime.cost import training_rate
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.training import history_of
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.storage import publish_json, remove
from tests.gan.made_up import PGGAN, STYLEGAN2
from tests.stages.gan_patches import patches_of_mutants
from tests.stages.in_process import in_process as in_process

SHORT, LONG = 0.12, 0.16


@pytest.fixture
def train(in_process, tmp_path):
    """Trains on made-up patches; the folder."""
    patches = patches_of_mutants(tmp_path / "patches")
    torch.set_num_threads(1)

    def gan(out, settings, kimg, **flags):
        """A GAN of so many kimg."""
        folder = str(tmp_path / out)
        length = dataclasses.replace(settings, total_kimg=kimg)
        options = {"fidelity_every_kimg": 0, **flags}
        train_gan(
            TrainGanFlags(
                allow_few=True, images=patches, idh="mutant", out=folder, settings=length, **options
            )
        )
        return folder

    return gan


def content(folder, name=WEIGHTS):
    """Bytes of a file."""
    with open(os.path.join(folder, name), "rb") as handle:
        return handle.read()


@pytest.mark.parametrize("settings", [PGGAN, STYLEGAN2], ids=["pggan", "stylegan2"])
def test_a_longer_training_goes_on_and_is_that_of_its_length_from_the_start(train, settings):
    """To the last bit; the checkpoint before stays, with the seal that older tables refer to."""
    out = train("gan", settings, SHORT)
    publish_json(f"{out}/{GATE}", {"verdict": "of the shorter training"})
    short_seal, weights = seal(out), content(out)
    train("gan", settings, LONG)
    fresh = train("fresh", settings, LONG)
    model, fresh_model = read_model(out), read_model(fresh)
    (entry,) = model.pop("extended")
    earlier = os.path.join(out, entry["checkpoint"])

    assert content(out) == content(fresh) != weights
    assert content(out, TRAINING) == content(fresh, TRAINING)
    assert model == fresh_model
    assert entry == {
        "from_kimg": SHORT,
        "total_kimg": SHORT,
        "generator": short_seal,
        "checkpoint": f"{EARLIER}/kimg-00000.120",
    }
    assert (seal(earlier), content(earlier)) == (short_seal, weights)
    assert content(earlier, GATE) == content(out, GATE)
    assert seal(out) != short_seal
    assert [e["kimg"] for e in history_of(out)][-1] == LONG
    assert not {"_last", "_best", "best", "last"} & set(os.listdir(out))


def test_it_may_be_extended_again_and_each_time_is_recorded(train):
    """Three lengths, and a rerun that has nothing to do."""
    out = train("gan", STYLEGAN2, 0.08)
    train("gan", STYLEGAN2, SHORT)
    train("gan", STYLEGAN2, LONG)
    sealed = seal(out)
    train("gan", STYLEGAN2, LONG)

    assert [e["from_kimg"] for e in read_model(out)["extended"]] == [0.08, SHORT]
    assert seal(out) == sealed
    assert content(out) == content(train("fresh", STYLEGAN2, LONG))


def test_an_unfinished_training_takes_another_length_as_it_goes(train, monkeypatch):
    """It has no checkpoint to keep."""
    with monkeypatch.context() as patch:
        patch.setattr("idhray.stages.train_gan._publish", raising)
        with pytest.raises(StorageError, match="killed"):
            train("gan", STYLEGAN2, SHORT)
    out = train("gan", STYLEGAN2, LONG)
    fresh = train("fresh", STYLEGAN2, LONG)

    assert content(out) == content(fresh)
    assert read_model(out) == read_model(fresh)
    assert EARLIER not in os.listdir(out)


def raising(*args, **options):
    """End a step in its middle."""
    raise StorageError("killed")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (extension, "publish_seal"),
        (extension, "publish_snapshot"),
        (extension, "amend"),
        (extension, "seal"),
    ],
)
def test_a_kill_while_it_is_prepared_leaves_the_checkpoint(train, monkeypatch, place, name):
    """The folder is that of the shorter training until the longer one is complete."""
    out = train("gan", STYLEGAN2, SHORT)
    before = seal(out)
    with monkeypatch.context() as patch:
        patch.setattr(place, name, raising)
        with pytest.raises(StorageError, match="killed"):
            train("gan", STYLEGAN2, LONG)
    assert seal(out) == before
    train("gan", STYLEGAN2, LONG)

    assert content(out) == content(train("fresh", STYLEGAN2, LONG))
    assert [e["generator"] for e in read_model(out)["extended"]] == [before]


def test_the_best_checkpoint_is_chosen_among_all(train):
    """The best of the shorter training stays a candidate, and a stale subfolder does not stay."""
    options = {"keep": "best", "fidelity_every_kimg": 0.04, "fidelity_images": 20}
    out = train("gan", STYLEGAN2, SHORT, **options)
    train("gan", STYLEGAN2, LONG, **options)
    fresh = train("fresh", STYLEGAN2, LONG, **options)

    assert content(out) == content(fresh)
    assert read_model(out)["settings"]["total_kimg"] == LONG
    assert ("last" in os.listdir(out)) == ("last" in os.listdir(fresh))
    assert [e.get("kid") for e in history_of(out)] == [e.get("kid") for e in history_of(fresh)]


def test_what_cannot_be_extended_is_refused_with_its_cost(train):
    """Nothing changes: neither the settings that the folder records nor its seal."""
    out = train("gan", STYLEGAN2, SHORT)
    sealed = seal(out)
    rate = training_rate(out)
    cost = rf"; anew, 0\.08 kimg take about .* at {rate:.3g} images/s, as before"
    with pytest.raises(SettingsChangedError, match=rf"total_kimg: was 0.12, now 0.08.*{cost}"):
        train("gan", STYLEGAN2, 0.08)
    with pytest.raises(SettingsChangedError, match=r"fmap_max: was 8, now 4.*anew, 0.16 kimg take"):
        train("gan", dataclasses.replace(STYLEGAN2, fmap_max=4), LONG)
    assert seal(out) == sealed

    model = read_model(out)
    publish_json(f"{out}/model.json", {**model, "stopped": "the critic won"})
    with pytest.raises(SettingsChangedError, match=r"stopped at 0.12 kimg \(the critic won\)"):
        train("gan", STYLEGAN2, LONG)
    publish_json(f"{out}/model.json", model)
    remove(f"{out}/{TRAINING}")
    with pytest.raises(SettingsChangedError, match=r"training.pt, the state.* is gone.*anew, 0.16"):
        train("gan", STYLEGAN2, LONG)
