"""Training a GAN as a stage: what it measures, keeps, warns of, and leaves when broken off."""

import dataclasses
import errno
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError, StorageError, TableError
from idhray.fidelity.features import random_features
from idhray.gan.checkpoint import read_model
from idhray.gan.sample import load_generator
from idhray.gan.snapshots import newest_snapshot
from idhray.gan.trainer import train
from idhray.images import encode
from idhray.stages import gan_loop
from idhray.stages.folder import DONE
from idhray.stages.gan_fidelity import meter_of, newly_worse
from idhray.stages.gan_images import RealImages
from idhray.stages.gan_loop import BEST, KEPT, LAST, Reports
from idhray.stages.train_gan import train_gan
from idhray.stages.training import history_of
from idhray.storage import publish_json
from idhray.tables import PATCHES, publish_table
from tests.gan.made_up import STYLEGAN2, all_values, noise_images, start

GAN = dataclasses.replace(STYLEGAN2, total_kimg=0.12)
PATIENTS = tuple(f"P{i % 8}" for i in range(48))
RUN = (
    "import sys, torch\ntorch.set_num_threads(1)\n"
    "from idhray.stages.train_gan import train_gan\nfrom tests.stages.test_train_gan import LONG\n"
    "train_gan(sys.argv[1], 'mutant', sys.argv[2], LONG, fidelity_images=20)\n"
)
LONG = dataclasses.replace(STYLEGAN2, total_kimg=4.0, checkpoint_kimg=0.4, sample_kimg=1.0)


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """A PATCHES folder of 48 images of 8 patients."""
    folder = str(tmp_path_factory.mktemp("patches"))
    rows = [
        {
            "patient": patient, "idh": "mutant", "split": "train", "slide": "s", "x_l0": i,
            "y_l0": 0, "size_l0": 8.0, "mpp": 1.0, "image": {"bytes": encode(image), "path": None},
        }
        for i, (patient, image) in enumerate(zip(PATIENTS, noise_images(48), strict=True))
    ]  # fmt: skip
    publish_table(f"{folder}/part-0.parquet", rows, PATCHES)
    publish_json(f"{folder}/{DONE}", {"digest": "made up"})
    return folder


@pytest.fixture
def alone(monkeypatch):
    """Reports without Ray Train."""
    monkeypatch.setattr(gan_loop.ray.train, "report", lambda metrics: None)
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
    real = gan_loop.publish_snapshot.__globals__["publish"]

    def publish(path, data):
        written.append(path)
        if path.endswith(f"000000080/{name}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, data)

    monkeypatch.setitem(gan_loop.publish_snapshot.__globals__, "publish", publish)
    with pytest.raises(StorageError, match=r"0\.08 kimg \(No space left") as caught:
        train(run, Reports(str(tmp_path)))
    last = newest_snapshot(str(tmp_path / LAST))

    assert "\n" not in str(caught.value)
    assert "checkpoint (0.04 kimg) is whole" in str(caught.value)
    assert read_model(last)["images_shown"] == 40
    load_generator(last)


def test_flags_that_contradict_each_other_are_refused(patches, tmp_path):
    """Before Ray starts and anything is written."""
    out = str(tmp_path / "out")
    with pytest.raises(ConfigError, match="--keep best goes by fidelity"):
        train_gan(patches, "mutant", out, GAN, keep="best", fidelity_every_kimg=0)
    with pytest.raises(ConfigError, match="--fidelity-images must be 10 or more"):
        train_gan(patches, "mutant", out, GAN, fidelity_images=3)
    with pytest.raises(ConfigError, match="micro_batch must be a multiple of 4"):
        train_gan(patches, "mutant", out, GAN, micro_batch=3)
    assert not os.path.exists(out)


def test_a_finished_folder_holds_one_checkpoint_and_maybe_the_other(ray_local, patches, tmp_path):
    """Nothing of the way there is left; model.json says how it was computed."""
    out = tmp_path / "gan"
    done = train_gan(
        patches, "mutant", str(out), GAN,
        fidelity_every_kimg=0.04, fidelity_images=20, keep="best", micro_batch=4,
        precision="float32",
    )  # fmt: skip
    model = read_model(str(out))
    kids = {entry["kimg"]: entry["kid"] for entry in history_of(str(out)) if "kid" in entry}
    best = min(kids, key=kids.get)

    assert done["kimg"] == best
    assert model["kid"] == kids[best]
    assert model["computed"]["precision"] == "float32"
    assert model["computed"]["micro_batch"] == 4
    assert model["warnings"] == []
    assert not [n for n in os.listdir(out) if n in (LAST, BEST, "_ray", "_stop")]
    if best < 0.12:
        assert read_model(str(out / "last"))["images_shown"] == 120
        load_generator(str(out / "last"))
    load_generator(str(out))


def begin(patches, out):
    """The stage in a process of its own, whose children end with it."""
    return subprocess.Popen([sys.executable, "-c", RUN, patches, out], start_new_session=True)


def wait_for(path, seconds=90):
    for _ in range(seconds * 10):
        if newest_snapshot(path):
            return
        time.sleep(0.1)
    raise AssertionError(f"no checkpoint in {path}")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, patches):
    """The weights of a training that nothing happened to."""
    out = tmp_path_factory.mktemp("unbroken") / "gan"
    assert begin(patches, str(out)).wait(timeout=200) == 0
    return (out / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_sigterm_saves_a_checkpoint_and_the_same_command_finishes(patches, tmp_path, unbroken):
    """Between checkpoints: none of the way is lost."""
    out = str(tmp_path / "gan")
    run = begin(patches, out)
    wait_for(f"{out}/{LAST}")
    time.sleep(1.2)
    os.kill(run.pid, signal.SIGTERM)
    asked = time.perf_counter()
    code = run.wait(timeout=60)
    took = time.perf_counter() - asked
    last = newest_snapshot(f"{out}/{LAST}")
    shown = read_model(last)["images_shown"]
    print(f"SIGTERM: {took:.1f} s, {shown} images")

    assert code != 0
    load_generator(last)
    assert begin(patches, out).wait(timeout=200) == 0
    assert (tmp_path / "gan" / "weights.safetensors").read_bytes() == unbroken


@pytest.mark.slow
def test_kills_through_ray_lose_one_interval_at_most(patches, tmp_path, unbroken):
    """SIGKILL of the driver and all its children, three times."""
    out, chance = str(tmp_path / "gan"), random.Random(0)
    for _ in range(3):
        run = begin(patches, out)
        before = newest_snapshot(f"{out}/{LAST}")
        wait_for(f"{out}/{LAST}")
        time.sleep(8 * chance.random() if before else 2 * chance.random())
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        load_generator(newest_snapshot(f"{out}/{LAST}") or out)
    assert begin(patches, out).wait(timeout=200) == 0

    assert (tmp_path / "gan" / "weights.safetensors").read_bytes() == unbroken
    np.testing.assert_array_less(0, len(history_of(out)))
