"""Work on foreign files in forked processes: a crash, a hang or a memory hog is an answer."""

import multiprocessing
import resource
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from idhray.errors import IdhrayError

LIMIT_S = 20
MEMORY_BYTES = 3 * 2**30
"""Address space of a process beyond what it has when it starts."""


def mutated(data: bytes, seed: int, *, first: int = 0, end: int | None = None) -> bytes:
    """Bytes with one to eight changes between two places; some files are cut short as well."""
    random = np.random.default_rng(seed)
    changed = bytearray(data)
    for place in random.integers(first, min(end or len(data), len(data)), random.integers(1, 9)):
        changed[place] = (
            random.choice([0, 1, 0x7F, 0x80, 0xFF])
            if random.random() < 0.5
            else random.integers(256)
        )
    if random.random() < 0.1:
        del changed[random.integers(first, len(changed)) :]
    return bytes(changed)


def fate(work: Callable[[], Any]) -> str:
    """What `work` comes to in a process of its own: done, refused in one line, or what is wrong."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_run, args=(work, sender))
    process.start()
    sender.close()
    answer = "died"
    if not receiver.poll(LIMIT_S):
        answer = f"hung for {LIMIT_S} s"
        process.kill()
    else:
        try:
            answer = receiver.recv()
        except EOFError:
            process.join()
            answer = f"died of {signal.Signals(-(process.exitcode or -1)).name}"
    process.join()
    return answer


def _run(work: Callable[[], Any], sender: Connection) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY_BYTES, size + MEMORY_BYTES))
    try:
        work()
        sender.send("done")
    except IdhrayError as error:
        lines = str(error).splitlines()
        sender.send("refused" if len(lines) == 1 else f"refused in {len(lines)} lines: {error}")
    except BaseException:  # noqa: BLE001 - any error is an answer
        sender.send(traceback.format_exc())
