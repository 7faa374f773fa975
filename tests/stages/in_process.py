"""Stages without Ray: all inputs are worked on in this process, one after the other.

Tests of many runs of small stages take a fraction of the time so, and may raise in the middle of
any step.
"""

import contextlib

import pytest

from idhray.stages.gan_training import callbacks
from idhray.stages.runtime import mapping, session, training
from idhray.stages.runtime.items import packed
from idhray.stages.runtime.single_worker import _run_locally
from idhray.stages.slide_tiling import shards


@pytest.fixture
def in_process(monkeypatch):
    """Ray is replaced by loops of this process."""

    def run_here(groups, *, attempts, work, options):
        """Work on each group, as a Ray task would."""
        for group in groups:
            yield from work({"group": packed(group, attempts)})

    def train_here(loop, config, *, out, cpus, gpus):
        """Train as in the Ray task of a single worker."""
        _run_locally(loop, config, cpus)

    for module in (mapping, session):
        monkeypatch.setattr(module.ray, "cluster_resources", lambda: {"CPU": 1})
    monkeypatch.setattr(session.ray, "is_initialized", lambda: True)
    monkeypatch.setattr(mapping, "_run_on_ray", run_here)
    monkeypatch.setattr(training, "run_single_worker", train_here)
    monkeypatch.setattr(callbacks.ray.train, "report", lambda metrics: None)
    monkeypatch.setattr(shards, "_cpu_slot", lambda task: contextlib.nullcontext())
