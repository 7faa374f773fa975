"""Machines on which the work of a command runs."""

import json
import os
import subprocess
import sys
import tempfile

import pytest
from ray._private.label_utils import validate_label_selector

from idhray.errors import ConfigError
from idhray.stages.runtime import placement
from idhray.stages.runtime.placement import (
    declare_node_labels,
    matches,
    node_labels,
    placed,
    select_nodes,
    usable_nodes,
    usable_resources,
)

MACHINES = "from tests.stages.runtime.placed_work import on_machines; on_machines()"
MOST_S = 180


@pytest.fixture(autouse=True)
def all_machines():
    """No test leaves a selector behind."""
    yield
    select_nodes({})


@pytest.mark.parametrize("word", ["a=b", "x.io/a-b=!b", "a=in(b,c)", "a=!in(b, c)", "a=b.c_d"])
def test_selectors_are_those_of_ray(word):
    """A word that is refused here and by Ray, or accepted by both, is one that the manual lists."""
    declare_node_labels([word])

    key, value = word.split("=")
    assert node_labels() == {key: value}
    assert validate_label_selector({key: value}) is None
    assert placed() == {"label_selector": {key: value}}


@pytest.mark.parametrize(
    "words", [["spot"], ["=spot"], ["a="], ["a=!!b"], ["a=in()"], ["a=b", "a=c"], ["-a=b"]]
)
def test_other_words_are_refused(words):
    """Ray would raise in the middle of the work, or look for a machine that cannot exist."""
    with pytest.raises(ConfigError, match="--node-labels"):
        declare_node_labels(words)

    assert node_labels() == {}
    assert placed() == {}


def test_a_stage_without_labels_changes_nothing():
    """The labels of a study count for all of its stages."""
    declare_node_labels(["a=b"])
    declare_node_labels([])

    assert node_labels() == {"a": "b"}


@pytest.mark.parametrize(
    ("condition", "fits"),
    [("b", "b"), ("!b", "c-"), ("in(b,c)", "bc"), ("!in(b, c)", "-")],
)
def test_a_selector_fits_the_machines_that_ray_chooses(condition, fits):
    """A machine without the label fits a condition with an exclamation mark."""
    machines = {"b": {"a": "b"}, "c": {"a": "c"}, "-": {}}

    assert [name for name, has in machines.items() if matches(has, {"a": condition})] == list(fits)


def test_only_machines_with_the_labels_count(monkeypatch):
    """GPUs of other machines would let a training ask for one that it never gets."""
    nodes = [
        {"Alive": True, "Labels": {"a": "b"}, "Resources": {"CPU": 2.0}},
        {"Alive": True, "Labels": {"a": "c"}, "Resources": {"CPU": 8.0, "GPU": 1.0}},
        {"Alive": False, "Labels": {"a": "b"}, "Resources": {"CPU": 4.0}},
    ]
    monkeypatch.setattr(placement.ray, "nodes", lambda: nodes)
    declare_node_labels(["a=b"])

    assert usable_nodes() == [{"CPU": 2.0}]
    assert usable_resources() == {"CPU": 2.0}


@pytest.mark.slow  # three machines, two commands: a minute
def test_all_kinds_of_work_run_on_machines_with_the_labels(tmp_path):
    """Mapped inputs, tasks of a worker, trainings and trials take different ways through Ray.

    The machines are started by another process: after that, the Ray of this one is lost.
    """
    with tempfile.TemporaryDirectory(prefix="idhray-", dir="/tmp") as folder:
        done = subprocess.run(
            [sys.executable, "-c", MACHINES, str(tmp_path), "spot", "none"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "RAY_ADDRESS": "", "RAY_TMPDIR": folder},
            timeout=2 * MOST_S,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    run, missing = json.loads(done.stdout.splitlines()[-1])
    assert run["returncode"] == 0, run["stderr"][-3000:]
    groups = json.loads(run["stdout"].splitlines()[-1])
    files = [path for path in (tmp_path / "spot").iterdir() if path.is_file()]
    kinds = {path.name.rpartition("-")[0] for path in files}

    assert sorted(groups.values()) == ["", "other", "spot"]
    assert kinds == {"mapped", "started-by-worker", "single", "trained", "trial"}
    assert {groups[path.read_text()] for path in files} == {"spot"}
    assert "0.5 CPUs on one machine with group=none, the largest has 0 CPUs" in missing["stderr"]
