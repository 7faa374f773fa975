"""What a training of a GAN measures, keeps and warns of, and leaves on a full disk."""

import dataclasses
import errno
import os
import resource

import pytest
import torch

from idhray.errors import StorageError, TableError
from idhray.fidelity.features import random_features
from idhray.gan.checkpoint import read_model
from idhray.gan.sample import load_generator
from idhray.gan.snapshots import newest_snapshot, publish_files
from idhray.gan.trainer import train
from idhray.stages.gan_training import callbacks as gan_reports
from idhray.stages.gan_training.callbacks import BEST, KEPT, LAST, Reports
from idhray.stages.gan_training.fidelity_meter import meter_of, newly_worse
from idhray.stages.gan_training.image_sets import RealImages
from idhray.stages.gan_training.loop import train_to_end
from idhray.stages.runtime.training import history_of
from idhray.stages.train_gan import _publish
from tests.gan.made_up import STYLEGAN2, all_values, noise_images, start
from tests.stages.gan_patches import PATIENTS

GAN = dataclasses.replace(STYLEGAN2, total_kimg=0.12)


@pytest.fixture
def alone(monkeypatch):
    """Reports without Ray Train."""
    monkeypatch.setattr(gan_reports.ray.train, "report", lambda metrics: None)
    torch.set_num_threads(1)


def meter(count=20):
    real = RealImages(noise_images(48), PATIENTS, PATIENTS)
    return meter_of(real, ("RGB",), random_features(), count)


class Said:
    """Measures what it is told."""

    def __init__(self, *kids):
        self.kids = list(kids)

    def __call__(self, run):
        said = {"kid": self.kids.pop(0), "kid_floor": 0.0, "kid_floor_spread": 0.0}
        return {**said, "extractor": "made up"}


def test_measuring_fidelity_changes_no_weight(alone, tmp_path):
    """Nor the state of torch's random numbers; the history says by what network it was measured."""
    before = torch.get_rng_state()
    measured, plain = start(GAN), start(GAN)
    train(measured, Reports(str(tmp_path / "a"), meter=meter()), fidelity_kimg=0.04)
    train(plain, Reports(str(tmp_path / "b")))
    history = history_of(str(tmp_path / "a"))

    assert torch.equal(all_values(measured), all_values(plain))
    assert torch.equal(torch.get_rng_state(), before)
    assert [e["kimg"] for e in history if "kid" in e] == [0.04, 0.08, 0.12]
    assert history[0]["extractor"].startswith("random conv net")
    assert history[0]["kid"] > history[0]["kid_floor"]
    assert all("kid" not in e for e in history_of(str(tmp_path / "b")))


def test_the_same_weights_always_give_the_same_figure(alone):
    """Fixed latents: a curve is of the training, not of chance."""
    run = start(GAN)
    run.step()

    assert meter()(run) == meter()(run)


@pytest.mark.parametrize(
    ("patients", "count", "message"),
    [(("a",) * 48, 20, "of one patient"), (PATIENTS, 8, "8 images are all"),
     (tuple(f"P{i > 40}" for i in range(48)), 20, "7 images are all")],
)  # fmt: skip
def test_too_little_to_measure_is_said(patients, count, message):
    """Training goes on without fidelity then, and the line is in the history."""
    with pytest.raises(TableError, match=message):
        meter_of(
            RealImages(noise_images(48), patients, patients), ("RGB",), random_features(), count
        )


def test_the_best_is_kept_beside_the_last(alone, tmp_path):
    """KID 3, 1, 2: the second is the best; each checkpoint says its own figure."""
    run = start(GAN)
    reports = Reports(str(tmp_path), meter=Said(3.0, 1.0, 2.0), keep_every_kimg=0.08)
    train(run, reports, fidelity_kimg=0.04)
    last, best = (newest_snapshot(str(tmp_path / name)) for name in (LAST, BEST))

    assert (read_model(best)["images_shown"], read_model(best)["kid"]) == (80, 1.0)
    assert (read_model(last)["images_shown"], read_model(last)["kid"]) == (120, 2.0)
    made = [load_generator(folder).network.w_average for folder in (last, best)]
    assert [torch.equal(one, run.average.w_average) for one in made] == [True, False]
    assert os.listdir(tmp_path / KEPT) == ["kimg-00000.080"]
    load_generator(str(tmp_path / KEPT / "kimg-00000.080"))


@pytest.mark.parametrize(("when_worse", "ended"), [("continue", 0.2), ("stop", 0.16)])
def test_fidelity_that_gets_worse_warns_or_stops(alone, tmp_path, when_worse, ended):
    """Three times in a row worse: at 0.16 kimg; the paper's presets go on."""
    run = start(STYLEGAN2)
    reports = Reports(str(tmp_path), when_worse, meter=Said(1.0, 2.0, 3.0, 4.0, 5.0))
    over = train(run, reports, fidelity_kimg=0.04)
    model = read_model(newest_snapshot(str(tmp_path / LAST)))

    assert over
    assert run.images_shown / 1000 == ended
    assert model["warnings"] == ["fidelity is worse 3 times in a row, at 0.16 kimg"]
    assert bool(model["stopped"]) == (when_worse == "stop")
    assert read_model(newest_snapshot(str(tmp_path / BEST)))["kid"] == 1.0


def test_noise_within_the_floor_is_no_sign():
    """Steps that are smaller than the floor differs between its draws do not count."""
    entries = [{"kid": kid, "kid_floor_spread": 0.5} for kid in (1.0, 1.1, 1.2, 1.3)]

    assert not newly_worse(entries)
    assert newly_worse([entry | {"kid_floor_spread": 0.0} for entry in entries])


@pytest.mark.parametrize("name", ["weights.safetensors", "training.pt", "model.json"])
def test_a_full_disk_is_one_line_and_costs_no_checkpoint(alone, tmp_path, monkeypatch, name):
    """Whichever file it strikes, the checkpoint before is still there and readable."""
    run, written = start(GAN), []
    real = gan_reports.publish_snapshot.__globals__["publish"]

    def publish(path, data):
        written.append(path)
        if path.endswith(f"000000080/{name}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, data)

    monkeypatch.setitem(gan_reports.publish_snapshot.__globals__, "publish", publish)
    with pytest.raises(StorageError, match=r"0\.08 kimg \(No space left") as caught:
        train(run, Reports(str(tmp_path)))
    last = newest_snapshot(str(tmp_path / LAST))

    assert "\n" not in str(caught.value)
    assert "checkpoint (0.04 kimg) is complete" in str(caught.value)
    assert read_model(last)["images_shown"] == 40
    load_generator(last)


def test_a_disk_that_is_really_full_is_the_same_line(alone, tmp_path):
    """Files may not grow beyond 4 kB from the second checkpoint on; weights are larger."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Full(Reports):
        def __call__(self, run, report):
            if report.kimg > 0.04:
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
            return super().__call__(run, report)

    try:
        with pytest.raises(StorageError, match=r"0\.08 kimg \(File too large") as caught:
            train(start(GAN), Full(str(tmp_path)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    last = newest_snapshot(str(tmp_path / LAST))

    assert "checkpoint (0.04 kimg) is complete" in str(caught.value)
    assert not [n for n in os.listdir(tmp_path / LAST / "000000080") if n.startswith(".")]
    load_generator(last)
    assert train_to_end(start(GAN), Reports(str(tmp_path)), None)
    assert read_model(newest_snapshot(str(tmp_path / LAST)))["images_shown"] == 120


@pytest.mark.parametrize("name", ["weights.safetensors", "training.pt", "model.json"])
def test_a_disk_that_is_full_at_the_very_end_costs_nothing(alone, tmp_path, monkeypatch, name):
    """The same command publishes what is there, when there is room."""
    train_to_end(start(GAN), Reports(str(tmp_path)), None)
    there = publish_files.__globals__
    real = there["publish"]

    def publish(path, data):
        if path == f"{tmp_path}/{name}":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, data)

    monkeypatch.setitem(there, "publish", publish)
    with pytest.raises(StorageError, match=r"No space left .*\(0\.12 kimg\) is complete"):
        _publish(str(tmp_path), "last")
    assert not (tmp_path / "model.json").exists()
    monkeypatch.setitem(there, "publish", real)
    _publish(str(tmp_path), "last")

    assert read_model(str(tmp_path))["images_shown"] == 120
