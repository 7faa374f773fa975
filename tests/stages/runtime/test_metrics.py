"""Metrics: what they count, and what never is among their labels."""

import json
import re
from pathlib import Path

import pytest

from idhray.stages.runtime import metrics
from idhray.stages.runtime.metrics import COUNTERS, GAUGES, count, labels_of, show, show_training
from idhray.storage import publish_json

DASHBOARD = Path(__file__).parents[3] / "cluster" / "grafana" / "idhray.json"


@pytest.fixture
def recorded(monkeypatch):
    """What Ray's metrics were told."""
    calls = []

    class Metric:
        def __init__(self, name, description, tag_keys):
            self.name, self.labels = name, set(tag_keys)

        def inc(self, amount, tags):
            assert set(tags) == self.labels
            calls.append((self.name, amount, tags))

        set = inc

    monkeypatch.setattr(metrics, "Counter", Metric)
    monkeypatch.setattr(metrics, "Gauge", Metric)
    metrics._metric.cache_clear()
    yield calls
    metrics._metric.cache_clear()


def test_no_label_names_a_folder_or_a_patient(tmp_path, recorded):
    """Whoever may see a dashboard may not see who is in the study."""
    out = str(tmp_path / "Jane Doe 1970" / "tiles")
    publish_json(f"{out}/_settings.json", {"stage": "tile_slides", "patient": "Jane Doe"})
    count("idhray_inputs", out, state="done")
    count("idhray_rows", out, 0)
    show("idhray_open_inputs", out, 3)
    show_training(out, {"kimg": 1.5, "warnings": ["Jane Doe"], "loss": 2})

    assert "Jane" not in str(recorded)
    assert re.fullmatch("[0-9a-f]{8}", labels_of(out)["run"])
    names = [
        (name, amount, tags.get("state") or tags.get("value")) for name, amount, tags in recorded
    ]
    assert names == [
        ("idhray_inputs", 1, "done"),
        ("idhray_open_inputs", 3, None),
        ("idhray_training", 1.5, "kimg"),
        ("idhray_training", 2.0, "loss"),
    ]


def test_the_dashboard_shows_metrics_that_exist():
    """A misspelled name is an empty panel. Ray adds `ray_`, and Prometheus `_total` to counters."""
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    names = {name for query in queries for name in re.findall(r"ray_idhray_\w+", query)}
    existing = {f"ray_{name}_total" for name in COUNTERS} | {f"ray_{name}" for name in GAUGES}

    assert names == existing
    labels = {label for query in queries for label in re.findall(r"by \(([\w, ]+)\)", query)}
    assert {each.strip() for label in labels for each in label.split(",")} <= {
        *("stage", "run", "state", "value"),
    }
