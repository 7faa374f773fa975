"""One input in a worker, within its time limit."""

import time

from idhray.ledger import fate
from idhray.stages.runtime import time_limit
from idhray.stages.runtime.items import Item


def test_waiting_for_others_takes_no_time_of_an_inputs_limit(tmp_path, monkeypatch):
    """A slide that hangs must not take those with it that wait for its place."""
    ended = []
    monkeypatch.setattr(time_limit.os, "_exit", ended.append)
    item = Item(name="a", settings_hash="s", task=None)
    limit = time_limit.TimeLimit(0.2, str(tmp_path), item, 1)
    with limit.running(), time_limit.unlimited():
        time.sleep(0.4)
    assert ended == []

    with limit.running():
        with time_limit.unlimited():
            pass
        time.sleep(0.6)
    assert ended == [1]
    assert fate(str(tmp_path), "a").status == "failed"
