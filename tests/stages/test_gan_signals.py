"""Trainings that are asked to stop, or killed, in processes of their own."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from idhray.gan.checkpoint import read_model
from idhray.gan.sample import load_generator
from idhray.gan.snapshots import newest_snapshot
from idhray.stages.gan_training.callbacks import LAST
from idhray.stages.runtime.training import history_of
from tests.gan.made_up import STYLEGAN2
from tests.stages.gan_patches import patches_of_mutants

RUN = (
    "import sys, torch\ntorch.set_num_threads(1)\n"
    "from idhray.stages.train_gan import TrainGanFlags, train_gan\n"
    "from tests.stages.test_gan_signals import LONG\n"
    "flags = TrainGanFlags(images=sys.argv[1], idh='mutant', out=sys.argv[2], settings=LONG, "
    "fidelity_images=20, allow_few=True)\n"
    "train_gan(flags)\n"
)
LONG = dataclasses.replace(STYLEGAN2, total_kimg=4.0, checkpoint_kimg=0.4, sample_kimg=1.0)


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """A PATCHES folder of 48 images of 8 patients."""
    return patches_of_mutants(tmp_path_factory.mktemp("patches"))


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
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_a_checkpoint_of_each_gan_of_a_command(patches, tmp_path, number):
    """They are trained in threads; signals come to the main one."""
    out = str(tmp_path / "gans")
    command = [sys.executable, "-c", RUN.replace("'mutant'", "('mutant', 'any')"), patches, out]
    run = subprocess.Popen(command, start_new_session=True)
    folders = [f"{out}/{name}/{LAST}" for name in ("mutant", "any")]
    for folder in folders:
        wait_for(folder)
    time.sleep(0.5)
    os.kill(run.pid, number)
    code = run.wait(timeout=60)
    shown = [read_model(newest_snapshot(folder))["images_shown"] for folder in folders]

    assert code != 0
    assert all(images % 400 for images in shown)  # between two checkpoints
    for folder in folders:
        load_generator(newest_snapshot(folder))


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
