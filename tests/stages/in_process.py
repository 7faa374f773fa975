"""Stages without Ray: all inputs are worked on in this process, one after the other.

Tests of many runs of small stages take a fraction of the time so, and may raise in the middle of
any step.
"""

import contextlib

import pytest

from idhray.stages.experiment import trial
from idhray.stages.gan_training import callbacks
from idhray.stages.runtime import mapping, session, training
from idhray.stages.runtime.items import packed
from idhray.stages.runtime.single_worker import _run_locally
from idhray.stages.slide_tiling import shards

ROOM = {"CPU": 1, "memory": 1e12}


def run_here(groups, *, attempts, work, options):
    """Work on each group, as a Ray task would."""
    for group in groups:
        yield from work({"group": packed(group, attempts)})


def train_here(loop, config, *, out, cpus, gpus):
    """Train as in the Ray task of a single worker."""
    _run_locally(loop, config, cpus)


@contextlib.contextmanager
def without_ray():
    """Ray is replaced by loops of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session.ray, "cluster_resources", lambda: {"CPU": 1})
        patch.setattr(session.ray, "is_initialized", lambda: True)
        patch.setattr(session.ray, "nodes", lambda: [{"Alive": True, "Resources": ROOM}])
        patch.setattr(trial.ray, "put", lambda value: value)
        patch.setattr(trial.ray, "get", lambda value: value)
        patch.setattr(session.ray, "available_resources", lambda: {"CPU": 1})
        patch.setattr(mapping, "run_tasks", run_here)
        patch.setattr(training, "run_single_worker", train_here)
        patch.setattr(callbacks.ray.train, "report", lambda metrics: None)
        patch.setattr(shards, "_cpu_slot", lambda task: contextlib.nullcontext())
        yield


@pytest.fixture
def in_process():
    """`without_ray` for one test."""
    with without_ray():
        yield
