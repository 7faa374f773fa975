"""Trials whose worker is lost, and trials that fail by themselves."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from ray import tune

from idhray import ledger
from idhray.experiment.search_space import Dimension
from idhray.stages.tuning import run
from idhray.stages.tuning.run import SearchTask, finished_trials, search_fold
from tests.stages.made_up_experiment import SETTINGS


@dataclass(frozen=True)
class OneInnerFold:
    """As many inner folds as `InnerData` has."""

    inner: tuple[int, ...] = (0,)


def reported():
    """Report a finished trial."""
    values = {"objective": 1.0, "auc": 1.0, "log_loss": 0.0, "seconds": 0.0}
    tune.report({**values, "resource": run.STEPS})


def dies_once(config, data, kind, settings):
    """The first worker ends as one of a machine that is taken away."""
    marker = Path(kind)
    if not marker.exists():
        marker.touch()
        os._exit(1)
    reported()


def fails(config, data, kind, settings):
    """A programming error."""
    with Path(kind).open("a") as file:
        file.write("x")
    raise ValueError("bug")


def search(tmp_path, monkeypatch, trial):
    """Search of three trials by this function; folder, and file that the function wrote."""
    monkeypatch.setattr(run, "_trial", trial)
    marker, out = tmp_path / "marker", tmp_path / "out"
    task = SearchTask(
        fold=1, kind=str(marker), settings=SETTINGS,
        space=(Dimension(name="c", kind="uniform", values=(0.0, 1.0)),),
        search="random", scheduler="none", trials=3, seconds=None, seed=0, workers=1, cpus=1,
        gpus=0, out=str(out),
    )  # fmt: skip
    search_fold(task, OneInnerFold())
    return str(out), marker


@pytest.mark.usefixtures("ray_local")
def test_a_trial_whose_worker_is_lost_is_trained_again(tmp_path, monkeypatch):
    """A machine that was taken away cost a trial, and the settings were chosen without it."""
    out, _ = search(tmp_path, monkeypatch, dies_once)

    assert [row["trial"] for row in finished_trials(out, 1)] == [1, 2, 3]
    assert {fate.status for fate in ledger.fates(out).values()} == {"done"}


@pytest.mark.usefixtures("ray_local")
def test_a_trial_that_fails_by_itself_is_not_repeated(tmp_path, monkeypatch):
    """It would fail again; its fate tells so."""
    out, marker = search(tmp_path, monkeypatch, fails)

    assert {fate.status for fate in ledger.fates(out).values()} == {"failed"}
    assert marker.read_text() == "xxx"
