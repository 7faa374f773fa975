"""What a command costs, with all the processes that it starts, daemons too (Linux).

Processes are told by a mark in their environment, which children inherit and daemons keep. CPU time
is the kernel's own count where a control group can be made for the command (as root); else the sum
of what each process had used when it was last seen, which misses up to `SAMPLE_S` of each.
"""

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_S = 1.0
"""Looking at all processes takes some 25 ms each time, which the command has to share."""
GRACE_S = 15.0
"""Daemons may take so long to end after the command; what is left is killed."""
_MARK = "BENCHMARK_PROCESSES"
_GROUPS = (  # of version 1, then 2: where, its clock, and the length of a tick of that in s
    (Path("/sys/fs/cgroup/cpuacct"), "cpuacct.usage", 1e-9),
    (Path("/sys/fs/cgroup"), "cpu.stat", 1e-6),
)
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(kw_only=True)
class Cost:
    """Of one run of a command."""

    wall_s: float = 0.0
    """Until it ended; its daemons may end later."""
    cpu_s: float = 0.0
    """User and system time of all its processes, to the end of the last."""
    seen_cpu_s: float = 0.0
    """The same by looking at the processes, with which `cpu_s` can be compared."""
    peak_mb: float = 0.0
    """Most of the sum of proportional set sizes: shared pages count once."""
    returncode: int = 0
    last_seen: dict[tuple[int, str], float] = field(default_factory=dict)


def cost_of(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 3600.0,
) -> Cost:
    """Run it to its end, or kill it at `timeout_s`; stdout and stderr go to `log`(.err)."""
    mark, cost = uuid.uuid4().hex, Cost()
    marked = {**os.environ, **(env or {}), _MARK: mark}
    with (
        control_group(mark) as group,
        log.open("wb") as out,
        log.with_name(log.name + ".err").open("wb") as errors,
    ):
        begin = time.perf_counter()
        process = subprocess.Popen([*group.enter, *command], stdout=out, stderr=errors, env=marked)
        try:
            while process.poll() is None:
                look(mark, cost)
                if time.perf_counter() - begin > timeout_s:
                    process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLE_S)
            cost.wall_s, cost.returncode = time.perf_counter() - begin, process.returncode
            wait_for_daemons(mark, cost)
        finally:
            kill(mark)
            process.wait()
        cost.seen_cpu_s = sum(cost.last_seen.values())
        cost.cpu_s = group.cpu_s() or cost.seen_cpu_s
    return cost


# ---- control groups


@dataclass(frozen=True, kw_only=True)
class Group:
    """A control group, or none."""

    folder: Path | None = None
    clock: str = ""
    tick_s: float = 0.0

    @property
    def enter(self) -> list[str]:
        """What stands before a command that is to run in it."""
        if self.folder is None:
            return []
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs; exec "$@"', "sh"]

    def cpu_s(self) -> float:
        """What its processes have used."""
        if self.folder is None:
            return 0.0
        # "1234" in version 1, "usage_usec 1234" and other lines in version 2.
        return int((self.folder / self.clock).read_text().split("\n")[0].split()[-1]) * self.tick_s


@contextmanager
def control_group(name: str) -> Iterator[Group]:
    """A new one, where that is allowed."""
    for root, clock, tick_s in _GROUPS:
        folder = root / f"benchmark-{name}"
        with contextlib.suppress(OSError):
            folder.mkdir()
        if (folder / clock).exists():
            try:
                yield Group(folder=folder, clock=clock, tick_s=tick_s)
            finally:
                time.sleep(SAMPLE_S)  # killed processes take a moment to leave it
                with contextlib.suppress(OSError):
                    folder.rmdir()
            return
        with contextlib.suppress(OSError):
            folder.rmdir()
    yield Group()


# ---- processes


def marked_processes(mark: str) -> list[Path]:
    """Their folders in /proc."""
    wanted = f"{_MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(folder)
    return found


def look(mark: str, cost: Cost) -> int:
    """Add what the processes use now; how many there are."""
    kb = 0
    folders = marked_processes(mark)
    for folder in folders:
        with contextlib.suppress(OSError, IndexError, ValueError):
            numbers = (folder / "stat").read_text().rpartition(")")[2].split()
            used = (int(numbers[11]) + int(numbers[12])) * _TICK_S
            cost.last_seen[int(folder.name), numbers[19]] = used  # pid and when it began
            lines = (folder / "smaps_rollup").read_text().splitlines()
            kb += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    cost.peak_mb = max(cost.peak_mb, kb / 1024)
    return len(folders)


def wait_for_daemons(mark: str, cost: Cost) -> None:
    """What the command left running."""
    until = time.perf_counter() + GRACE_S
    while look(mark, cost) and time.perf_counter() < until:
        time.sleep(SAMPLE_S)


def kill(mark: str) -> None:
    """What still runs, by the numbers of the processes."""
    for folder in marked_processes(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(folder.name), signal.SIGKILL)
