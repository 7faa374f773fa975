"""Numbers of trainings in MLflow: by choice, without names, never at the cost of a training."""

import sys
from types import SimpleNamespace

import pytest

from idhray.stages.runtime import tracking
from idhray.stages.runtime.tracking import track


@pytest.fixture
def sent(monkeypatch):
    """What a stand-in of MLflow's client was told; it fails for a loss of -1."""
    calls = []

    class Client:
        def get_experiment_by_name(self, name):
            return None

        def create_experiment(self, name):
            return "e1"

        def create_run(self, experiment, run_name, tags):
            calls.append((experiment, run_name, tags))
            return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

        def log_metric(self, run, name, value, step):
            if value == -1:
                raise ConnectionError("no answer")
            calls.append((run, name, value, step))

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=Client))
    monkeypatch.setenv(tracking.ADDRESS_VARIABLE, "http://127.0.0.1:1")
    tracking._runs.cache_clear()
    yield calls
    tracking._runs.cache_clear()


def test_numbers_are_sent_under_a_digest(sent, tmp_path, caplog):
    """A server that does not answer costs one entry; texts and paths stay here."""
    out = str(tmp_path / "Jane Doe")
    track(out, {"kimg": 0.5, "loss": 2, "warnings": ["Jane Doe"]})
    track(out, {"kimg": 1.0, "loss": -1})

    assert "Jane" not in str(sent)
    assert sent[1:] == [
        ("r1", "kimg", 0.5, 500),
        ("r1", "loss", 2.0, 500),
        ("r1", "kimg", 1.0, 1000),
    ]
    assert "not sent to MLflow: no answer" in caplog.text


def test_nothing_is_imported_without_a_server(sent, monkeypatch, tmp_path):
    """MLflow is not a dependency."""
    monkeypatch.delenv(tracking.ADDRESS_VARIABLE)
    tracking._runs.cache_clear()
    track(str(tmp_path), {"kimg": 0.5})

    assert sent == []


def test_a_missing_package_is_one_warning(sent, monkeypatch, tmp_path, caplog):
    """The training goes on."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    tracking._runs.cache_clear()
    track(str(tmp_path), {"kimg": 0.5})
    track(str(tmp_path), {"kimg": 1.0})

    assert caplog.text.count("trainings are not sent to MLflow") == 1
