"""How much of the fetching do slots hide behind the work, and what does the cache itself cost?

    python -m benchmarks.staging [--slides 12] [--slide-mb 20] [--mb-per-s 10] [--cpu-s 1]
        [--cpus 2] [--rounds 3]

Files on a made-up slow source (every stream gives `--mb-per-s`), each with `--cpu-s` CPU-seconds
of JPEG decoding to do. Ways, in turn:

one by one   `--cpus` processes; each fetches a file, then decodes
slots        twice as many; each fetches a file, then waits for one of `--cpus` slots to decode
fetched      `--cpus` processes, all files in the cache already: decoding alone

Prints one JSON line: wall seconds, median and range of the rounds; how many of `--cpus` decoded on
average (the figure to look at on a machine that others use too); then, without the slow source: ms
for a file that is in the cache, us for a free slot, ms lost from one process to the next where 8
want one slot, and MB/s copied beside shutil's.
"""

import contextlib
import json
import multiprocessing
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import simplejpeg
import tyro
from pyarrow import fs

from idhray.slide_cache import source as staging_source
from idhray.slide_cache.cache import Cache
from idhray.slide_cache.slots import slot
from idhray.storage import filesystem

PROCESSES = multiprocessing.get_context("forkserver")
HANDOVERS = 50
HELD_S = 0.05


@dataclass(frozen=True)
class Job:
    """One file to fetch and decode."""

    path: str
    cache: Cache
    cpu_s: float
    slots: int = 0
    """Places of the node; 0: do not ask for one."""


class SlowFiles:
    """The local file system, with streams of a given speed."""

    def __init__(self, files: fs.FileSystem, mb_per_s: float) -> None:
        self.files, self.mb_per_s = files, mb_per_s

    def get_file_info(self, asked: Any) -> Any:
        """At once."""
        return self.files.get_file_info(asked)

    def open_input_stream(self, path: str) -> Any:
        """A stream for `read`."""
        return SlowStream(path, self.mb_per_s)


class SlowStream:
    """A file whose `read` sleeps as long as the bytes would travel."""

    def __init__(self, path: str, mb_per_s: float) -> None:
        self.file, self.mb_per_s = open(path, "rb"), mb_per_s  # noqa: SIM115

    def __enter__(self) -> "SlowStream":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def read(self, size: int) -> bytes:
        """The next bytes, late."""
        data = self.file.read(size)
        time.sleep(len(data) / 1e6 / self.mb_per_s)
        return data


def main(
    *,
    slides: int = 12,
    slide_mb: float = 20.0,
    mb_per_s: float = 10.0,
    cpu_s: float = 1.0,
    cpus: int = 2,
    rounds: int = 3,
) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{i}.svs") for i in range(slides)]
        for path in paths:
            Path(path).write_bytes(os.urandom(round(slide_mb * 1e6)))
        cache = Cache(os.path.join(folder, "cache"), round(slides * slide_mb * 1e6))
        jobs = [Job(path, cache, cpu_s) for path in paths]
        said = {
            "slides": slides, "slide_mb": slide_mb, "mb_per_s": mb_per_s, "cpu_s": cpu_s,
            "cpus": cpus, "rounds": rounds, "machine": platform.machine(),
            "load": round(os.getloadavg()[0], 1),
        }  # fmt: skip
        walls = ways(jobs, cpus, mb_per_s, rounds)
        print(json.dumps({**said, **walls, **costs(folder, paths[0], cache)}))


def ways(jobs: list[Job], cpus: int, mb_per_s: float, rounds: int) -> dict[str, Any]:
    """Wall seconds of each way."""
    folder = jobs[0].cache.folder
    placed = [replace(job, slots=cpus) for job in jobs]
    spent: dict[str, list[tuple[float, float]]] = {"one by one": [], "slots": [], "fetched": []}
    for _ in range(rounds):
        shutil.rmtree(folder, ignore_errors=True)
        spent["one by one"].append(wall_s(jobs, cpus, mb_per_s))
        shutil.rmtree(folder)
        spent["slots"].append(wall_s(placed, 2 * cpus, mb_per_s))
        spent["fetched"].append(wall_s(jobs, cpus, mb_per_s))
    return {name: _shown(both) for name, both in spent.items()}


def _shown(both: list[tuple[float, float]]) -> dict[str, Any]:
    walls = [wall for wall, _ in both]
    return {
        "median_s": round(median(walls), 2),
        "range_s": [round(min(walls), 2), round(max(walls), 2)],
        "decoding": round(median(busy / wall for wall, busy in both), 2),
    }


def wall_s(jobs: list[Job], processes: int, mb_per_s: float) -> tuple[float, float]:
    """Seconds until all jobs are done, and of decoding summed over processes.

    Starting the processes is not counted.
    """
    with PROCESSES.Pool(processes, initializer=slow_down, initargs=(mb_per_s,)) as pool:
        pool.map(time.sleep, [0.2] * processes, chunksize=1)
        start = time.perf_counter()
        busy = pool.map(fetch_and_decode, jobs, chunksize=1)
        return time.perf_counter() - start, sum(busy)


def slow_down(mb_per_s: float) -> None:
    """From now on, what this process stages comes slowly."""

    def slow(path: str) -> tuple[Any, str]:
        files, inner = filesystem(path)
        return SlowFiles(files, mb_per_s), inner

    staging_source.filesystem = slow  # type: ignore[attr-defined]


def fetch_and_decode(job: Job) -> float:
    """What a task does; the seconds of its decoding."""
    with contextlib.ExitStack() as held:
        held.enter_context(job.cache.file(job.path))
        if job.slots:
            held.enter_context(slot(job.cache.folder, job.slots))
        start = time.perf_counter()
        decode(job.cpu_s)
        return time.perf_counter() - start


def decode(cpu_s: float) -> None:
    """JPEG decoding for that many CPU-seconds."""
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    data = simplejpeg.encode_jpeg(noise)
    start = time.process_time()
    while time.process_time() - start < cpu_s:
        simplejpeg.decode_jpeg(data)


def costs(folder: str, path: str, cache: Cache) -> dict[str, float]:
    """What the cache and the slots take by themselves."""

    def found() -> None:
        with cache.file(path):
            pass

    def free() -> None:
        with slot(folder, 64):
            pass

    def copied() -> None:
        shutil.rmtree(cache.folder)
        found()

    plain = os.path.join(folder, "plain")
    size_mb = os.path.getsize(path) / 1e6
    with PROCESSES.Pool(8) as pool:
        pool.map(time.sleep, [0.2] * 8, chunksize=1)
        start = time.perf_counter()
        pool.map(hand_over, [folder] * HANDOVERS, chunksize=1)
        handed_s = (time.perf_counter() - start) / HANDOVERS - HELD_S
    found()
    return {
        "found_ms": round(1e3 * seconds(found, 200), 3),
        "free_slot_us": round(1e6 * seconds(free, 200), 1),
        "handover_ms": round(1e3 * handed_s, 2),
        "cache_mb_per_s": round(size_mb / seconds(copied, 10)),
        "shutil_mb_per_s": round(size_mb / seconds(lambda: shutil.copyfile(path, plain), 10)),
    }


def hand_over(folder: str) -> None:
    """Take the only slot and give it up."""
    with slot(folder, 1):
        time.sleep(HELD_S)


def seconds(do: Callable[[], object], times: int) -> float:
    """The median of some calls."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        do()
        spent.append(time.perf_counter() - start)
    return median(spent)


if __name__ == "__main__":
    tyro.cli(main)
