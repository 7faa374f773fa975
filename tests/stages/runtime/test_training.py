"""GPUs of the workers of a training, and advice that can be followed."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from idhray.errors import ConfigError
from idhray.stages.runtime import training
from idhray.stages.runtime.training import backend_for, gpus_for

ROOT = Path(training.__file__).parents[3]
FLAGS = json.loads((ROOT / "tests" / "command_flags.json").read_text())
TWO_ON_ONE_GPU = """
import json, sys, ray, ray.train, torch, torch.distributed as dist
from idhray.stages.runtime.training import run_workers, this_worker
from idhray.storage import publish_json

def loop(config):
    value = torch.tensor(float(this_worker().rank))
    this_worker().average([value])
    publish_json(config["out"] + f"/{this_worker().rank}.json",
                 {"mean": float(value), "backend": dist.get_backend()})
    ray.train.report({"mean": float(value)})

ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, address="local")
run_workers(loop, {"out": sys.argv[1]}, out=sys.argv[1], workers=2, gpus_per_worker=0.5,
            cpus_per_worker=1)
"""


@pytest.mark.parametrize(
    ("workers", "gpus", "part"), [(2, 1, 0.5), (4, 1, 0.25), (3, 2, 0.5), (5, 2, 0.3333)]
)
def test_both_ways_that_an_error_advises_are_possible(monkeypatch, workers, gpus, part):
    """NCCL refused the advised part of a GPU: "Duplicate GPU detected"."""
    monkeypatch.setattr(training, "promised_gpus", lambda: False)
    monkeypatch.setattr(training, "cluster_gpus", lambda: float(gpus))
    with pytest.raises(ConfigError) as caught:
        gpus_for(workers)
    fewer = int(re.search(r"--workers (\d+)", str(caught.value))[1])
    advised = float(re.search(r"--gpus-per-worker ([\d.]+)", str(caught.value))[1])

    assert gpus_for(fewer) == 1
    assert backend_for(fewer, 1.0) is None
    assert advised == part
    assert math.ceil(workers / math.floor(1 / advised)) <= gpus
    assert backend_for(workers, advised) == "gloo"


@pytest.mark.parametrize(
    ("workers", "gpus", "backend"), [(1, 0.5, None), (2, 0, None), (2, 1, None), (2, 0.5, "gloo")]
)
def test_workers_on_one_gpu_average_by_gloo(workers, gpus, backend):
    """A worker with more than half of a GPU has it alone."""
    assert backend_for(workers, gpus) == backend


@pytest.mark.slow
def test_two_workers_run_on_halves_of_one_gpu(tmp_path):
    """Ray believes in a GPU that is not there; the processes average what they have."""
    command = [sys.executable, "-c", TWO_ON_ONE_GPU, str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, timeout=240)

    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == {
            "mean": 0.5,
            "backend": "gloo",
        }


def test_flags_that_messages_of_a_training_advise_exist():
    """A command in an error message must not be another error."""
    files = [*ROOT.glob("idhray/gan/**/*.py"), *ROOT.glob("idhray/stages/gan_training/*.py")]
    files += [ROOT / "idhray/stages/synthesize.py", Path(training.__file__)]
    advised = {flag for file in files for flag in re.findall(r"--[a-z][a-z-]+", file.read_text())}
    existing = {*re.findall(r"--[a-z][a-z-]+", json.dumps(FLAGS)), "--help"}
    others = {"--logdir", "--name", "--state", "--license"}  # of tensorboard and of published.py

    assert {"--micro-batch", "--workers", "--gpus-per-worker"} <= advised
    assert advised <= existing | others
