"""Warning signs in the reports of a training."""

from types import SimpleNamespace

from idhray.gan.architectures import ARCHITECTURES
from idhray.gan.engine import Engine
from idhray.stages.gan_training.callbacks import Reports
from idhray.stages.gan_training.warning_signs import signs_of
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
