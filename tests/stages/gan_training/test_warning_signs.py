"""Warning signs in the reports of a training."""

import warnings
from types import SimpleNamespace

from idhray.gan.architectures import ARCHITECTURES
from idhray.gan.checkpoint import computed
from idhray.gan.engine import Engine
from idhray.stages.gan_training.callbacks import Reports, computed_before
from idhray.stages.gan_training.warning_signs import signs_of
from idhray.stages.gan_training.worker_warnings import WorkerWarnings
from tests.gan.made_up import PGGAN, start
from tests.gan.toy import TOY, toy_run


def test_a_training_without_scores_has_no_sign_of_a_gap(monkeypatch):
    """Warning signs work on what the reports have."""
    monkeypatch.setitem(ARCHITECTURES, "toy", TOY)
    history = [{"kimg": 0.04 * k, "level": 1, "mse": 1.0} for k in range(1, 6)]

    assert signs_of(history, toy_run()) == []


def test_phases_that_do_not_compile_are_told_once():
    """The last line said "compiled" where nothing was."""
    engine = Engine(compile=True)
    run, reports = SimpleNamespace(engine=engine), Reports("out")
    assert reports._new_uncompiled(run) == []
    engine.uncompiled.update(r1="RuntimeError: no compiler", lengths="RuntimeError: none")

    (line,) = reports._new_uncompiled(run)
    assert "r1, lengths cannot be compiled and run as they are (RuntimeError: no compiler)" in line
    assert reports._new_uncompiled(run) == []


def test_a_training_that_goes_on_otherwise_keeps_how_it_was_computed():
    """model.json told of the last process only; the same computation adds nothing."""
    run = start(PGGAN)
    model = {"images_shown": 40, "computed": computed(run)}
    compiled = {**model["computed"], "compile": True, "compiled": ["r1"]}

    assert computed_before(model, run) == []
    assert computed_before({**model, "computed": compiled}, run) == [
        {"until_kimg": 0.04, **compiled}
    ]
    assert computed_before({"images_shown": 40}, run) == []


def test_warnings_of_a_worker_are_told_once():
    """Ray keeps what a worker prints in files of its own."""
    with WorkerWarnings() as caught:
        for _ in range(2):
            warnings.warn("TF32 is\noff", UserWarning, stacklevel=1)
        first = caught.new()
        warnings.warn("another", UserWarning, stacklevel=1)

    assert first == ["UserWarning: TF32 is off"]
    assert caught.new() == ["UserWarning: another"]
