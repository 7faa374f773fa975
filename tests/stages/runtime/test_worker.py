"""One input in a worker, within its time limit."""

import time

from idhray.ledger import fate
from idhray.stages.runtime import worker
from idhray.stages.runtime.worker import Item


def test_waiting_for_others_takes_no_time_of_an_inputs_limit(tmp_path, monkeypatch):
    """A slide that hangs must not take those with it that wait for its place."""
    ended = []
    monkeypatch.setattr(worker.os, "_exit", ended.append)
    item = Item(name="a", settings_hash="s", values={})
    limit = worker.TimeLimit(0.2, str(tmp_path), item, 1)
    with limit.running(), worker.unlimited():
        time.sleep(0.4)
    assert ended == []

    with limit.running():
        with worker.unlimited():
            pass
        time.sleep(0.6)
    assert ended == [1]
    assert fate(str(tmp_path), "a").status == "failed"
