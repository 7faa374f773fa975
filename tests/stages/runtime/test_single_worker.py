"""A training of one worker runs in a Ray task, with the context and the errors of Ray Train."""

import os
from pathlib import Path

import pytest
import ray.train
import torch

from idhray.errors import TrainingError
from idhray.stages.runtime import single_worker
from idhray.stages.runtime.single_worker import run_single_worker
from idhray.stages.runtime.training import this_worker


def loop_that_dies_once(config):
    """Die at the first attempt; then write what the loop sees of Ray Train."""
    attempts = Path(config["attempts"])
    attempts.write_text(attempts.read_text() + "x" if attempts.exists() else "x")
    if attempts.read_text() == "x":
        os._exit(1)
    worker = this_worker()
    ray.train.report({"kimg": 1.0})
    Path(config["seen"]).write_text(f"{worker.rank} {worker.size} {torch.get_num_threads()}")


def loop_that_fails(config):
    raise TrainingError(config["message"])


def loop_that_always_dies(config):
    os._exit(1)


def test_a_task_whose_worker_dies_starts_again(ray_local, tmp_path, monkeypatch):
    """Its loop continues from its snapshots; torch has as many threads as the task has CPUs."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    config = {"attempts": str(tmp_path / "attempts"), "seen": str(tmp_path / "seen")}
    run_single_worker(loop_that_dies_once, config, out="gan", cpus=1, gpus=0)

    assert (tmp_path / "attempts").read_text() == "xx"
    assert (tmp_path / "seen").read_text() == "0 1 1"


def test_an_error_of_the_loop_arrives_as_it_was(ray_local):
    """Users read one line, without the worker's traceback."""
    with pytest.raises(TrainingError, match=r"^not finite$"):
        run_single_worker(loop_that_fails, {"message": "not finite"}, out="gan", cpus=1, gpus=0)


def test_a_worker_that_dies_again_and_again_is_one_line(ray_local, monkeypatch):
    """The message tells the folder and what to do."""
    monkeypatch.setattr(single_worker, "RESTARTS", 1)
    with pytest.raises(TrainingError, match=r"gan: its worker was lost again and again"):
        run_single_worker(loop_that_always_dies, {}, out="gan", cpus=1, gpus=0)
