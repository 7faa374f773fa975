"""Checks of the machine and of Ray."""

import dataclasses
import os

import ray

from idhray.errors import ConfigError
from idhray.stages import doctor as command
from idhray.stages.checkup import machine
from idhray.stages.checkup.machine import NodeVersions, cpus, memory, ray_starts, version_findings
from idhray.stages.checkup.result import failed
from idhray.stages.doctor import DoctorFlags, doctor
from idhray.stages.runtime import session

HERE = machine._versions("here")


def test_an_affinity_of_one_cpu_is_warned_of(monkeypatch):
    """A job of SLURM without --cpus-per-task has one CPU of the node."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})

    assert cpus().line().startswith(f"warning  CPUs: 1 of {os.cpu_count()} may be used")


def test_little_memory_is_warned_of(monkeypatch):
    """The control group of a job may allow less than the machine has."""
    monkeypatch.setattr(machine, "memory_limit", lambda: int(2e9))

    assert memory().state == "warning"


def test_another_version_on_a_second_node_fails():
    """Ray refuses other versions late, with a traceback of its own."""
    other = dataclasses.replace(HERE, ray="2.59.0", python="3.12.1")
    (finding,) = version_findings({"10.0.0.1": HERE, "10.0.0.2": other})

    assert finding.line() == (
        f"failed   node 10.0.0.2: ray 2.59.0 (here {ray.__version__}), python 3.12.1 "
        f"(here {HERE.python}); install the same on every node"
    )
    assert version_findings({"10.0.0.1": HERE})[0].state == "ok"
    assert isinstance(HERE, NodeVersions)


def test_a_ray_that_does_not_start_fails(monkeypatch):
    """One line instead of Ray's own pages."""

    def refuse(_):
        raise ConfigError("Ray cannot be started on this machine: no room")

    monkeypatch.setattr(machine, "connect", refuse)

    assert ray_starts(None)[0].text.endswith("no room")


def test_a_start_that_ran_out_of_time_is_tried_once_more(monkeypatch):
    """Ray gives up after 30 seconds, which a busy machine needs."""
    calls = []

    def start(**_):
        calls.append(1)
        if len(calls) == 1:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", start)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    session._start("local", {})

    assert len(calls) == 2


def test_the_command_exits_with_1_only_for_a_failure(monkeypatch):
    """Scripts stop at it; a warning must not stop them."""
    assert doctor(DoctorFlags(fast=True))["exit_code"] == 0
    broken = failed("CPUs", "none", "buy some")
    monkeypatch.setattr(command, "fast_findings", lambda _: [broken])
    result = doctor(DoctorFlags(fast=True))

    assert result["exit_code"] == 1
    assert result["text"].startswith("failed   CPUs: none; buy some")
