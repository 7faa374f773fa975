"""The node's cache of slides, with processes that are killed."""

import contextlib
import errno
import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from idhray.errors import ConfigError, StorageError
from idhray.slide_cache import cache as staging
from idhray.slide_cache import source as staging_source
from idhray.slide_cache.cache import Cache

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["idhray.slide_cache.cache"])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of 100 bytes, without patience."""
    monkeypatch.setattr(staging, "POLL_S", 0.005)
    return Cache(str(tmp_path / "cache"), 100, wait_s=0.05)


@pytest.fixture
def slow(tmp_path):
    """A function that makes a file on the slow disk."""
    (tmp_path / "slow").mkdir()

    def make(name, size=40):
        path = tmp_path / "slow" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name[:1].encode() * size)
        return str(path)

    return make


def copies(cache):
    """Names of slides in the cache, and of what is half done."""
    found = [path for path in Path(cache.folder).glob("*-*/**/*") if path.is_file()]
    return sorted(path.name for path in found)


def read(cache, path):
    with cache.file(path) as copy:
        return Path(copy).read_bytes()


def test_a_copy_is_kept_with_its_ending_and_made_once(cache, slow, monkeypatch):
    """OpenSlide looks at the ending; a second reader must cost the source nothing."""
    path = slow("a.svs")
    with cache.file(path) as first:
        assert first.startswith(cache.folder)
        assert Path(first).name == "a.svs"
        assert Path(first).read_bytes() == b"a" * 40
        monkeypatch.setattr(staging, "fetch", None)
        with cache.file(path) as second:
            assert second == first
    with cache.file(path) as third:
        assert third == first


def test_uris_and_paths_are_copied_alike(cache, slow):
    """file:// stands in for object stores."""
    path = slow("a.svs")

    assert read(cache, f"file://{path}") == b"a" * 40
    with pytest.raises(StorageError, match=r"^file:///nowhere/a.svs: no such file$"):
        read(cache, "file:///nowhere/a.svs")
    with pytest.raises(StorageError, match="is a folder"):
        read(cache, os.path.dirname(path))
    assert copies(cache) == ["a.svs"]


def test_the_least_recently_used_copy_goes_first(cache, slow):
    """What was read again lately is likelier to be read once more than what was not."""
    a, b, c = slow("a.svs"), slow("b.svs"), slow("c.svs")
    for path in (a, b, a, c):
        read(cache, path)

    assert copies(cache) == ["a.svs", "c.svs"]


def test_a_copy_in_use_stays_and_the_wait_has_an_end(cache, slow):
    """An open slide must not lose its file; nor may a job wait forever."""
    a, b, c = slow("a.svs"), slow("b.svs"), slow("c.svs", 60)
    read(cache, a)  # held as one who finds it there, b as one who copies it
    with cache.file(a), cache.file(b):
        with pytest.raises(StorageError, match=r"no room for 60 bytes .* 0.05 s, all of 100 in"):
            read(cache, c)
        assert copies(cache) == ["a.svs", "b.svs"]
    assert read(cache, c) == b"c" * 60


def test_one_who_waits_for_room_gets_it_when_a_reader_leaves(cache, slow):
    """Waiting is the normal case of a budget that holds fewer slides than there are processes."""
    a, b = slow("a.svs", 70), slow("b.svs", 70)
    patient = Cache(cache.folder, 100, wait_s=30)
    got = []
    waiting = threading.Thread(target=lambda: got.append(read(patient, b)))
    with cache.file(a):
        waiting.start()
        time.sleep(0.05)
        assert got == []
    waiting.join()

    assert got == [b"b" * 70]


def test_waiting_is_told_from_working(cache, slow):
    """The time limit of a slide is for fetching it, not for the slides that keep it waiting."""
    a, b = slow("a.svs", 70), slow("b.svs", 70)
    entered = []

    @contextlib.contextmanager
    def waits():
        entered.append(1)
        yield

    with cache.file(a, while_waiting=waits):
        assert entered == []
        with pytest.raises(StorageError, match="no room"), cache.file(b, while_waiting=waits):
            pass
    assert entered


def test_small_files_do_not_take_the_room_a_large_one_waits_for(cache, slow):
    """A 20 GB slide would else wait until the archive has no small ones left."""
    small, more, large = slow("a.svs", 40), slow("b.svs", 40), slow("c.svs", 90)
    patient = Cache(cache.folder, 100, wait_s=30)
    with cache.file(small):
        waiting = threading.Thread(target=read, args=(patient, large))
        waiting.start()
        time.sleep(0.05)
        with pytest.raises(StorageError, match="no room"):
            read(cache, more)
    waiting.join()

    assert copies(cache) == ["c.svs"]


def test_the_same_file_is_copied_once_for_two_who_want_it(cache, slow, monkeypatch):
    """One copies, the other waits: twice the traffic is what the cache is there to spare."""
    path, calls = slow("a.svs"), []

    def slow_fetch(source, folder):
        calls.append(source)
        time.sleep(0.1)
        staging_source.fetch(source, folder)

    monkeypatch.setattr(staging, "fetch", slow_fetch)
    patient = Cache(cache.folder, 100, wait_s=30)
    got = []
    both = [threading.Thread(target=lambda: got.append(read(patient, path))) for _ in range(2)]
    for thread in both:
        thread.start()
    time.sleep(0.02)
    with pytest.raises(StorageError, match=r"another process has been busy with it for 0.05 s"):
        read(cache, path)
    for thread in both:
        thread.join()

    assert got == [b"a" * 40] * 2
    assert len(calls) == 1


def test_a_changed_source_is_another_file(cache, slow):
    """A slide that was scanned again under the same name has the same path and maybe size."""
    path = slow("a.svs")
    read(cache, path)
    Path(path).write_bytes(b"z" * 40)
    os.utime(path, ns=(1, 1))

    assert read(cache, path) == b"z" * 40


def test_what_fails_leaves_nothing_and_says_where(cache, slow, monkeypatch):
    """A slide's failure becomes a row of the ledger; its half copy must not become a slide."""
    path = slow("a.svs")
    copy = staging_source._copy
    monkeypatch.setattr(staging_source, "_copy", lambda *args: copy(*args[:3], 10))
    with pytest.raises(StorageError, match=r"a.svs: 10 of 40 bytes of a.svs arrived"):
        read(cache, path)
    assert os.listdir(cache.folder) == [".turn"]
    Path(cache.folder, ".turn").unlink()
    os.rmdir(cache.folder)
    Path(cache.folder).touch()
    with pytest.raises(StorageError, match=r"^\S+a.svs: cannot be copied to .*File exists"):
        read(cache, path)


def test_what_a_killed_copy_left_goes_and_what_is_not_ours_stays(cache, slow):
    """Rubbish takes room from the disk even where the budget has some left."""
    for name in ("0" * 32 + "-10.part", "thesis-2024"):
        Path(cache.folder, name).mkdir(parents=True)
        Path(cache.folder, name, "half.svs").touch()
    read(cache, slow("a.svs"))

    assert copies(cache) == ["a.svs", "half.svs"]
    assert Path(cache.folder, "thesis-2024", "half.svs").exists()


def test_a_file_above_the_budget_is_refused_with_both_sizes(cache, slow):
    """No waiting helps here."""
    with pytest.raises(StorageError, match="has 101 bytes, more than the cache's budget of 100"):
        read(cache, slow("a.svs", 101))


def test_companions_count_and_go_together(cache, slow):
    """A slide of many files is one copy."""
    path = slow("a.mrxs")
    slow("a/Data0000.dat", 50)
    slow("b.svs")
    read(cache, path)
    assert copies(cache) == ["Data0000.dat", "a.mrxs"]
    read(cache, slow("b.svs"))
    assert copies(cache) == ["b.svs"]
    slow("a/Data0000.dat", 61)
    with pytest.raises(StorageError, match="has 101 bytes, more than the cache's budget"):
        read(cache, path)


def test_a_copy_that_lost_its_file_is_made_anew(cache, slow):
    """Cleaners delete old temporary files; after a power cut a file may be shorter than it was."""
    path = slow("a.svs")
    with cache.file(path) as copy:
        os.truncate(copy, 7)
        with pytest.raises(StorageError, match="another process has been busy with it"):
            read(cache, path)
    assert read(cache, path) == b"a" * 40
    assert copies(cache) == ["a.svs"]


def test_a_full_disk_costs_the_unused_copies_then_the_slide(cache, slow, monkeypatch):
    """Others may fill the disk, budget or not; the copies that nobody uses are in the way then."""
    a, b = slow("a.svs"), slow("b.svs")
    read(cache, a)
    copy, room = staging_source._copy, [False, True]

    def full(files, inner, target, size):
        copy(files, inner, target, size)
        if not room.pop(0):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(staging_source, "_copy", full)

    assert read(cache, b) == b"b" * 40
    assert copies(cache) == ["b.svs"]
    room += [False, False]
    with pytest.raises(StorageError, match=r"a.svs: 40 more bytes fill the disk of .*; free some"):
        read(cache, a)
    assert copies(cache) == []


def test_settings_out_of_range_are_refused():
    """A relative folder would be another one in every worker."""
    with pytest.raises(ConfigError, match="absolute local path, got 's3://bucket/cache'"):
        Cache("s3://bucket/cache", 1)
    with pytest.raises(ConfigError, match="budget_bytes must be 1 or more, got 0"):
        Cache("/cache", 0)
    with pytest.raises(ConfigError, match="wait_s must be 0 or more, got nan"):
        Cache("/cache", 1, float("nan"))


def read_for_ever(cache, paths, seed, wrong):
    """Read random slides until killed; a line in `wrong` for each that is not as it should be."""
    staging_source.CHUNK_BYTES = 4096
    staging.POLL_S = 0.003
    draw = random.Random(seed)
    while True:
        path = draw.choice(paths)
        got = b""
        with contextlib.suppress(StorageError):
            got = read(cache, path)
        if got != Path(path).read_bytes():
            with open(wrong, "a") as lines:
                lines.write(f"{path}: {len(got)}\n")


def test_twenty_kills_leave_no_wrong_copy_and_no_byte_above_the_budget(tmp_path):
    """Four processes and room for half the slides: copying, evicting, waiting at every moment."""
    draw = random.Random(0)
    cache = Cache(str(tmp_path / "cache"), 3_000_000, wait_s=30)
    paths = [str(tmp_path / f"{i}.svs") for i in range(8)]
    for path in paths:
        Path(path).write_bytes(draw.randbytes(draw.randrange(500_000, 1_000_000)))
    wrong, most, halves = tmp_path / "wrong", 0, 0

    def start(seed):
        process = PROCESSES.Process(target=read_for_ever, args=(cache, paths, seed, wrong))
        process.start()
        return process

    readers = [start(seed) for seed in range(4)]
    try:
        for kill in range(20):
            while not os.path.isdir(cache.folder) or not cached_bytes(cache):
                time.sleep(0.01)
            end = time.monotonic() + draw.uniform(0, 0.1)
            while time.monotonic() < end:
                most = max(most, cached_bytes(cache))
            victim = draw.randrange(4)
            os.kill(readers[victim].pid, signal.SIGKILL)
            readers[victim].join()
            halves += any(name.endswith(".part") for name in os.listdir(cache.folder))
            readers[victim] = start(100 + kill)
    finally:
        for reader in readers:
            reader.kill()
            reader.join()

    assert not wrong.exists(), wrong.read_text()
    assert 2_000_000 < most <= 3_000_000
    assert halves > 0
    (tmp_path / "all.svs").write_bytes(bytes(3_000_000))
    for path in [*paths, str(tmp_path / "all.svs")]:
        assert read(cache, path) == Path(path).read_bytes()
    assert copies(cache) == ["all.svs"]


def cached_bytes(cache):
    """What really lies there; alone, or what was counted could go and come again elsewhere."""
    with cache._names_locked():
        found = [path for path in Path(cache.folder).rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in found)
