"""What tiles of a slide archive cost, beside the field's tools and beside what bounds them.

    python -m benchmarks.tile_peers --archive DIR --out SCRATCH --rounds 3 --workers 2 \
        --peers histolab VENV/bin/python tiatoolbox VENV/bin/python ratiopath VENV/bin/python

DIR is of slide_archive.py. Every tool saves the 1024 px tiles at 10x that are at least half tissue,
each as its manual says, with its own tissue detection (tile_peer_jobs.py says what was set). Tools
take turns, each in processes of its own, starting with another one in each round; runs that are not
counted come first, to warm the caches. In its turn a tool makes the tiles of one slide, then those
of all: the difference is what tiles cost once it has started. Peers live in environments of their
own, whose Pythons are given; nothing is downloaded. wsi-preprocessing is a clone.

idhray x N   idhray tile-slides --workers N, Ray's start and daemons included
raw          the same tiles read, encoded and written in one plain loop without Ray

Each run is a JSON line in SCRATCH/runs.jsonl; at the end a table, and one line with ratios of the
rounds' medians: CPU time a tile of a peer to idhray's, of the raw loop to idhray's, and wall time
of one worker to that of N; all of it, and after the start. `--report-only` says it again.
"""

import csv
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import tyro

from benchmarks.process_cost import cost_of

JOBS = Path(__file__).with_name("tile_peer_jobs.py")
Run = dict[str, Any]
Row = dict[str, str]  # of a manifest


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure."""

    archive: Path
    """A folder with manifest.csv and slides."""
    out: Path
    """Scratch; tiles are removed after each run."""
    rounds: int = 3
    workers: int = 2
    peers: dict[str, Path] = field(default_factory=dict)
    """Pythons, by name of a job of tile_peer_jobs.py."""
    wsi_preprocessing: Path | None = None
    """A clone of deroneriksson/python-wsi-preprocessing, for the peer wsi-preprocessing."""
    idhray_flags: tuple[str, ...] = ("--select", "all")
    slides: int | None = None
    """The first so many of the archive only; all when not given."""
    timeout_s: float = 3600.0
    """Of one run; a tool that is slower, or fails, takes no more turns."""
    report_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A way to make tiles."""

    name: str
    command: Callable[[Path, Sequence[Row]], list[str]]
    """Of the output folder and the slides."""
    env: dict[str, str] = field(default_factory=dict)


def main(options: Options) -> None:
    """Measure, and print."""
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.report_only:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # tools are then ended too
        measure(options)
    lines = (options.out / "runs.jsonl").read_text().splitlines()
    runs = [run for run in map(json.loads, lines) if not run["returncode"]]
    print(table(runs))
    print(json.dumps(ratios(runs, options.workers)))


def measure(options: Options) -> None:
    """Let the tools take turns; what they cost goes to runs.jsonl."""
    rows, tools = slides_of(options), contestants(options)
    run_of(tools[0], -1, rows, options)
    for tool in tools:  # compiled modules and shared libraries are to be in the cache too
        run_of(tool, -1, rows[:1], options)
    left = list(tools)
    with (options.out / "runs.jsonl").open("w") as lines:
        for turn in range(options.rounds):
            first = turn % len(tools)
            for tool in (*tools[first:], *tools[:first]):
                for some in ([rows[len(rows) // 2]], rows):
                    if tool not in left:
                        continue
                    run = run_of(tool, turn, some, options)
                    print(json.dumps(run), file=lines, flush=True)
                    print(json.dumps(run), file=sys.stderr, flush=True)
                    if run["returncode"]:
                        left.remove(tool)


# ---- who takes part


def slides_of(options: Options) -> list[Row]:
    """Rows of the archive's manifest, with absolute paths."""
    archive = options.archive.resolve()
    with (archive / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[: options.slides]
    if len(rows) < 2:
        raise SystemExit("two slides or more are needed")
    return [{**row, "slide": str(archive / row["slide"])} for row in rows]


def contestants(options: Options) -> list[Tool]:
    """The tools, idhray first."""
    tools = [idhray(count, options) for count in sorted({options.workers, 1}, reverse=True)]
    tools.append(job("raw", sys.executable, 1, options))
    for name, python in options.peers.items():
        tools.append(job(name, str(python), options.workers, options))
    return tools


def idhray(workers: int, options: Options) -> Tool:
    """Its command."""

    def command(out: Path, rows: Sequence[Row]) -> list[str]:
        manifest = options.out.resolve() / "manifest.csv"
        with manifest.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        words = [sys.executable, "-m", "idhray", "tile-slides", "--manifest", str(manifest)]
        return [*words, "--out", str(out), "--workers", str(workers), *options.idhray_flags]

    return Tool(name=f"idhray x {workers}", command=command)


def job(name: str, python: str, workers: int, options: Options) -> Tool:
    """One of tile_peer_jobs.py."""

    def command(out: Path, rows: Sequence[Row]) -> list[str]:
        words = [python, str(JOBS), name, "--workers", str(workers), "--out", str(out)]
        return [*words, *(row["slide"] for row in rows)]

    env = {}
    if name == "wsi-preprocessing" and options.wsi_preprocessing:
        env["PYTHONPATH"] = str(options.wsi_preprocessing.resolve())
    return Tool(name=name, command=command, env=env)


# ---- one run


def run_of(tool: Tool, turn: int, rows: Sequence[Row], options: Options) -> Run:
    """What it cost, and what came out."""
    out = options.out.resolve() / "tiles"
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    log = options.out / f"{tool.name.replace(' ', '')}.log"
    cost = cost_of(tool.command(out, rows), log=log, env=tool.env, timeout_s=options.timeout_s)
    run: Run = {"tool": tool.name, "round": turn, "slides": len(rows)}
    run |= {name: round(value, 3) for name, value in asdict(cost).items() if name != "last_seen"}
    if cost.returncode == 0:
        run |= json.loads(log.read_text().splitlines()[-1])
        if tool.name.startswith("idhray"):
            run["tiles"] = rows_in(out)
        run["written_mb"] = round(bytes_in(out) / 2**20, 1)
    shutil.rmtree(out, ignore_errors=True)
    return run


def rows_in(table_folder: Path) -> int:
    """Rows of a table's parts; folders with an underscore are not of it."""
    parts = [
        path
        for path in table_folder.rglob("*.parquet")
        if not any(name.startswith("_") for name in path.relative_to(table_folder).parts)
    ]
    return sum(pq.read_metadata(path).num_rows for path in parts)


def bytes_in(folder: Path) -> int:
    """Of its files; links (wsi-preprocessing wants its slides so) do not count."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(path.stat().st_size for path in files)


# ---- what is said


class Turn(NamedTuple):
    """The two runs of a tool in a round."""

    one: Run
    """Of one slide."""
    all: Run

    def cpu_ms(self) -> float:
        """A tile."""
        return float(1000 * self.all["cpu_s"] / max(self.all["tiles"], 1))

    def started_cpu_ms(self) -> float:
        """A tile, without the start."""
        return 1000 * self.started("cpu_s") / max(self.started("tiles"), 1)

    def started(self, name: str) -> float:
        """What the other slides added."""
        return float(self.all[name] - self.one[name])


def turns_of(runs: Sequence[Run]) -> dict[str, dict[int, Turn]]:
    """By tool and round, what both runs told."""
    by_tool: dict[str, dict[int, list[Run]]] = {}
    for run in runs:
        by_tool.setdefault(run["tool"], {}).setdefault(run["round"], []).append(run)
    return {
        tool: {number: Turn(*pair) for number, pair in rounds.items() if len(pair) == 2}
        for tool, rounds in by_tool.items()
    }


def table(runs: Sequence[Run]) -> str:
    """Medians of the rounds, in Markdown, with the range of the CPU seconds."""
    lines = [
        "| tool | tiles | wall s | tiles/s | CPU-s a slide (range) | CPU-ms a tile "
        "| after the start | peak MB | written MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rounds in turns_of(runs).items():
        turns = list(rounds.values())
        if not turns:
            continue
        wall, tiles, peak, written = (
            median(turn.all[key] for turn in turns)
            for key in ("wall_s", "tiles", "peak_mb", "written_mb")
        )
        each = [turn.all["cpu_s"] / turn.all["slides"] for turn in turns]
        lines.append(
            f"| {name} | {tiles:.0f} | {wall:.1f} | {tiles / wall:.2f} "
            f"| {median(each):.2f} ({min(each):.2f}-{max(each):.2f}) "
            f"| {median(turn.cpu_ms() for turn in turns):.0f} "
            f"| {median(turn.started_cpu_ms() for turn in turns):.0f} "
            f"| {peak:.0f} | {written:.0f} |"
        )
    return "\n".join(lines)


def ratios(runs: Sequence[Run], workers: int) -> dict[str, Any]:
    """What the goals are about; None where the start's own noise hides the rest."""
    by_tool = {tool: list(turns.values()) for tool, turns in turns_of(runs).items() if turns}
    many, one = f"idhray x {workers}", "idhray x 1"

    def over(cost: Callable[[Turn], float], above: str, below: str) -> float | None:
        if not {above, below} <= set(by_tool):
            return None
        a, b = (median(cost(turn) for turn in by_tool[tool]) for tool in (above, below))
        return round(a / b, 3) if a > 0 and b > 0 else None

    peers = sorted(set(by_tool) - {many, one, "raw"})
    return {
        "peers": {peer: over(Turn.cpu_ms, peer, many) for peer in peers},
        "peers_started": {peer: over(Turn.started_cpu_ms, peer, many) for peer in peers},
        "raw": over(Turn.cpu_ms, "raw", one),
        "raw_started": over(Turn.started_cpu_ms, "raw", one),
        "workers": over(lambda turn: float(turn.all["wall_s"]), one, many),
        "workers_started": over(lambda turn: turn.started("wall_s"), one, many),
        "machine": cpu_model(),
        "date": time.strftime("%Y-%m-%d"),
    }


def cpu_model() -> str:
    """Of this machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0] if models else 'unknown'}"


if __name__ == "__main__":
    main(tyro.cli(Options))
