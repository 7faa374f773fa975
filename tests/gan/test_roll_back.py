"""Going back: half the learning rate, whatever optimizers there are, and the snapshot to go to."""

import dataclasses

import pytest
import torch

from idhray.errors import TrainingError
from idhray.gan.checkpoint import checkpoint_files, read_model, restore, save
from idhray.gan.roll_back import slow_down
from idhray.gan.snapshots import amend, newest_snapshot, publish_snapshot, return_to
from idhray.gan.trainer import train
from tests.gan.made_up import PGGAN, STYLEGAN2, all_values, ignore, start

BOTH = pytest.mark.parametrize(
    "settings", [pytest.param(PGGAN, id="pggan"), pytest.param(STYLEGAN2, id="stylegan2")]
)


def rates(run):
    """Of both optimizers."""
    optimizers = (run.g_optimizer, run.d_optimizer)
    return [group["lr"] for one in optimizers for group in one.param_groups]


@BOTH
def test_a_slower_training_is_one_of_half_the_learning_rate(settings):
    """Bit for bit the same as with settings of half the rate; PGGAN's phases change in between."""
    half = dataclasses.replace(settings, learning_rate=settings.learning_rate / 2)
    slower, other, whole = start(settings), start(half), start(settings)
    train(slower, ignore, until_kimg=0.12, rate=0.5)
    train(other, ignore, until_kimg=0.12)
    train(whole, ignore, until_kimg=0.12)

    assert torch.equal(all_values(slower), all_values(other))
    assert not torch.equal(all_values(slower), all_values(whole))


@BOTH
def test_the_rate_is_of_the_settings_not_of_the_last_one(tmp_path, settings):
    """A quarter after a half is a quarter, also of a checkpoint that was trained at a half."""
    run, again = start(settings), start(settings)
    run.step()
    whole = rates(run)
    slow_down(run, 0.5)
    slow_down(run, 0.5)
    half = rates(run)
    save(run, str(tmp_path))
    restore(again, str(tmp_path))
    slow_down(again, 0.25)

    assert half == [rate / 2 for rate in whole]
    assert rates(again) == [rate / 4 for rate in whole]


def test_a_divergence_that_is_taken_care_of_is_no_error():
    """Else it is one; the report of that moment is not made, so nothing broken is saved."""
    said, reports = [], []
    run = start(STYLEGAN2)
    with torch.no_grad():
        next(run.discriminator.parameters()).fill_(float("nan"))

    over = train(
        run,
        lambda _, report: reports.append(report),
        on_divergence=lambda _, wrong: said.append(wrong) or True,
    )
    assert over
    assert not reports
    assert len(said) == 1
    assert "d_loss nan" in said[0]
    with pytest.raises(TrainingError, match="roll_back"):
        train(run, ignore, on_divergence=lambda _, wrong: False)


def snapshots(folder, *shown):
    """Snapshots of a run at so many images, each in a folder of its own."""
    run, found = start(PGGAN), []
    for number in shown:
        while run.images_shown < number:
            run.step()
        publish_snapshot(checkpoint_files(run), f"{folder}/{number}", number)
        found.append(newest_snapshot(f"{folder}/{number}"))
    return found


def test_an_older_snapshot_becomes_the_only_one(tmp_path):
    """With what it says from now on; again and again, also to where it went before."""
    early, late = snapshots(tmp_path, 16, 32)
    folder = str(tmp_path / "32")
    return_to(early, folder, 1, {"rolled_back": [1]})
    first = newest_snapshot(folder)
    return_to(early, folder, 2, {"rolled_back": [1, 2]})
    second = newest_snapshot(folder)

    assert [p.name for p in (tmp_path / "32").iterdir()] == ["000000016-2"]
    assert first.endswith("/000000016-1")
    assert read_model(second)["rolled_back"] == [1, 2]
    assert read_model(early).get("rolled_back") is None
    run = start(PGGAN)
    restore(run, second)
    assert run.images_shown == 16
    amend(second, {"stopped": "enough"})
    assert read_model(second)["stopped"] == "enough"
    assert read_model(second)["rolled_back"] == [1, 2]
    assert late is not None


@pytest.mark.parametrize("name", ["weights.safetensors", "training.pt", "model.json"])
def test_killed_on_the_way_back_the_last_one_is_still_there(tmp_path, monkeypatch, name):
    """From which the training comes to this point again."""
    early, late = snapshots(tmp_path, 16, 32)

    def publish(path, data):
        if path.endswith(name):
            raise KeyboardInterrupt
        real(path, data)

    there = return_to.__globals__
    real = there["publish"]
    monkeypatch.setitem(there, "publish", publish)
    monkeypatch.setitem(there, "publish_json", lambda path, value: publish(path, b"{}"))
    with pytest.raises(KeyboardInterrupt):
        return_to(early, str(tmp_path / "32"), 1, {})

    assert newest_snapshot(str(tmp_path / "32")) == late
    restore(start(PGGAN), late)
