"""Calls to an object store: passing faults are waited for, refusals are one line at once."""

import pickle
import time

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from idhray import patience
from idhray.errors import ConfigError, StorageError, UnreachableError
from idhray.patience import is_passing, patience_s, patiently
from idhray.storage import exists, list_files, local_file, publish, read_bytes, remove
from idhray.table_parts import publish_table, read_part
from idhray.tables import LEDGER
from idhray.uris import filesystem
from tests.made_up_store import made_up_store


@pytest.fixture(scope="module")
def store():
    with made_up_store() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.05)


@pytest.fixture
def faulty(store):
    yield store
    store.fault, store.share, store.delay_s = "", 1.0, 0.0


@pytest.mark.slow  # the pauses of the client of the store
@pytest.mark.parametrize("fault", ["busy", "broken", "absent"])
def test_a_store_that_fails_half_of_the_requests_costs_nothing(faulty, fault):
    """Writing, reading, listing and deleting are all repeated."""
    faulty.fault, faulty.share = fault, 0.5
    path = f"s3://bucket/half-{fault}/file"
    publish(path, b"data" * 1000)

    assert read_bytes(path) == b"data" * 1000
    assert list_files(f"s3://bucket/half-{fault}") == [path]
    with local_file(path) as copy, open(copy, "rb") as handle:
        assert handle.read() == b"data" * 1000
    remove(path)
    assert not exists(path)


SLOW_DOWN = "When reading key 'a': AWS Error SLOW_DOWN during GetObject operation (Request ID: X)"


def test_an_outage_is_waited_for(caplog):
    """21 of 24 slides failed at once when a store was absent for two minutes."""
    answers: list[str | OSError] = [OSError(SLOW_DOWN), ConnectionResetError(), "data"]

    def call():
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert patiently(call, "s3://bucket/a") == "data"
    assert caplog.text.count("s3://bucket/a: trying again for up to 10 min") == 1
    assert "s3://bucket/a: answers after 0 s" in caplog.text


def test_a_store_that_stays_silent_is_named_after_the_budget(monkeypatch):
    """The user must learn which store it was, and that no input is at fault."""
    monkeypatch.setenv(patience.PATIENCE_VARIABLE, "0.001")

    def call():
        raise OSError(SLOW_DOWN)

    with pytest.raises(UnreachableError, match=r"s3://b/a: the store did not answer for 0.001 min"):
        patiently(call, "s3://b/a")


def test_a_refusal_is_one_line_at_once(faulty):
    """403 and a bucket that does not exist do not pass by waiting."""
    start = time.monotonic()
    with pytest.raises(StorageError, match=r"s3://nowhere/a: refused by the store .*NO_SUCH_BUC"):
        publish("s3://nowhere/a", b"x")
    with pytest.raises(StorageError, match="no such file"):
        read_bytes("s3://bucket/none")
    faulty.fault = "forbidden"
    with pytest.raises(StorageError, match=r"s3://bucket/a: refused by the store .*ACCESS_DENIED"):
        read_bytes("s3://bucket/a")

    assert time.monotonic() - start < 5


def test_tables_are_read_by_ranges_and_a_worker_gets_the_store(store):
    """Ray sends the file system to its workers."""
    path = "s3://bucket/table/part-a.parquet"
    publish_table(path, [dict.fromkeys(LEDGER.names) | {"input": "a"}], LEDGER)
    files, inner = filesystem(path)
    again = pickle.loads(pickle.dumps(files))

    assert read_part(path)["input"].to_pylist() == ["a"]
    assert again == files
    with again.open_input_file(inner) as file:
        assert pq.ParquetFile(file).metadata.num_rows == 1
    assert pq.read_table(inner, filesystem=again)["input"].to_pylist() == ["a"]


def test_a_stream_is_uploaded_when_it_is_closed(store, tmp_path):
    """Ray Train copies the folders of its checkpoints to the store."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights").write_bytes(bytes(100_000))
    files, inner = filesystem("s3://bucket/checkpoint")
    fs.copy_files(str(tmp_path), inner, destination_filesystem=files)

    assert read_bytes("s3://bucket/checkpoint/deep/weights") == bytes(100_000)


def test_a_small_object_is_one_request(store):
    """An upload in parts takes three, and a ledger has an object for each input."""
    filesystem("s3://bucket/a")
    store.requests.clear()
    publish("s3://bucket/small", b"x")

    assert dict(store.requests) == {"PUT": 1}


def test_a_call_is_repeated_only_for_a_passing_reason():
    """`FileNotFoundError` keeps its type, since callers expect it."""
    calls = []

    def failing(error):
        calls.append(error)
        raise error

    assert is_passing(OSError("AWS Error SLOW_DOWN during PutObject operation"))
    assert is_passing(OSError("AWS Error UNKNOWN (HTTP status 502) during GetObject"))
    assert not is_passing(OSError("AWS Error UNKNOWN (HTTP status 400) during GetObject"))
    with pytest.raises(FileNotFoundError):
        patiently(lambda: failing(FileNotFoundError("s3 timed out")), "place")
    assert len(calls) == 1


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_patience_is_a_number_of_minutes(monkeypatch, text):
    """A misspelled value would otherwise be found out during an outage."""
    monkeypatch.setenv(patience.PATIENCE_VARIABLE, text)
    with pytest.raises(ConfigError, match="must be a number of minutes"):
        patience_s()
