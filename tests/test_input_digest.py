"""The digest of an input file notices other content, at little cost."""

import itertools

import numpy as np
import pytest

from idhray import input_digest
from idhray.errors import StorageError
from idhray.input_digest import WINDOW_BYTES, content_digest, windows

MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "whole"),
    [(0, False), (1, False), (2 * MIB, False), (2 * MIB + 1, True), (17 * MIB + 3, True)],
)
def test_a_small_file_and_a_scan_are_digested_whole(size, whole):
    """Their windows join without a gap."""
    ranges = windows(size, whole=whole)
    ends = [0, *(end for _, end in ranges)]

    assert [first for first, _ in ranges] == ends[:-1]
    assert ends[-1] == size


@pytest.mark.parametrize("size", [2 * MIB + 1, 40 * MIB + 77, 1000 * MIB])
def test_no_mib_of_a_large_file_is_without_a_window(size):
    """A slide that was scanned again, or whose transfer was cut off, differs somewhere in each."""
    ranges = windows(size)
    gaps = [after[0] - before[1] for before, after in itertools.pairwise(ranges)]

    assert (ranges[0][0], ranges[-1][1]) == (0, size)
    assert max(gaps) < MIB
    assert all(end - first == WINDOW_BYTES for first, end in ranges)
    assert len(ranges) * WINDOW_BYTES <= size / 16 + 2 * WINDOW_BYTES


def test_content_and_size_decide_and_names_do_not(tmp_path, monkeypatch):
    """An archive that was moved or renamed is the same archive."""
    monkeypatch.setattr(input_digest, "WHOLE_BYTES", 1000)
    data = np.random.default_rng(0).bytes(3 * MIB)
    for name, content in {
        "a": data,
        "b": data,
        "start": b"x" + data[1:],
        "end": data[:-1] + b"x",
        "longer": data + b"x",
        "hole": data[: MIB // 2] + bytes(MIB) + data[3 * MIB // 2 :],
    }.items():
        (tmp_path / name).write_bytes(content)
    digests = {path.name: content_digest([str(path)]) for path in tmp_path.iterdir()}

    assert digests.pop("a") == digests["b"]
    assert len(set(digests.values())) == len(digests)
    assert content_digest([f"file://{tmp_path}/a"]) == digests["b"]
    pair = [str(tmp_path / "a"), str(tmp_path / "end")]
    assert content_digest(pair) != content_digest(pair[::-1])


def test_a_file_that_is_gone_is_one_line(tmp_path):
    """Not a traceback of pyarrow."""
    with pytest.raises(StorageError, match="gone: no such file"):
        content_digest([str(tmp_path / "gone")])
