"""GPUs that a cluster has, and GPUs that it starts when they are needed."""

import pytest

from idhray.errors import ConfigError
from idhray.stages.runtime import session, training
from idhray.stages.runtime.session import GPUS_VARIABLE, task_gpus
from idhray.stages.runtime.training import REQUESTS, gpus_for, trainings_at_once


@pytest.fixture(autouse=True)
def no_gpu_yet(monkeypatch):
    """A cluster whose GPU group is scaled to zero."""
    for module in (session, training):
        monkeypatch.setattr(module.ray, "cluster_resources", lambda: {"CPU": 4})
    monkeypatch.delenv(GPUS_VARIABLE, raising=False)


def test_without_a_promise_the_gpus_that_are_there_decide():
    """Ray on a laptop must not wait for a GPU that never comes."""
    assert (task_gpus(None), gpus_for(2)) == (0, 0)
    assert trainings_at_once(1, cpus_per_worker=1, gpus_per_worker=None) == 4


def test_a_promised_gpu_is_asked_for_before_it_exists(monkeypatch):
    """An autoscaler starts nodes for requests; without any, all would train on CPUs."""
    monkeypatch.setenv(GPUS_VARIABLE, "yes")

    assert (task_gpus(None), gpus_for(2)) == (1, 1)
    assert trainings_at_once(1, cpus_per_worker=1, gpus_per_worker=None) == REQUESTS
    assert task_gpus(0.0) == 0
    assert trainings_at_once(1, cpus_per_worker=1, gpus_per_worker=0.0) == 4


def test_another_word_is_refused(monkeypatch):
    """`true` would be taken for no."""
    monkeypatch.setenv(GPUS_VARIABLE, "true")
    with pytest.raises(ConfigError, match="must be yes or no"):
        task_gpus(None)
