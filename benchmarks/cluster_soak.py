"""Machines that are taken away at random moments: is anything lost, doubled, hung or different?

    python -m benchmarks.cluster_soak --out FOLDER [--work tile sweep] [--runs 20]

A Ray cluster of three raylets runs on this machine: a head without CPUs, and two workers. Each run
starts a command on it and strikes once at a random moment; a run of `study` is struck in several of
its stages. The strike is SIGKILL of a worker machine (a new one joins), of the command, or of the
GCS (a new cluster is started; `gcs-redis`: its state is in Redis, and a new GCS takes over), or a
request to end: Ctrl-C, SIGTERM, `ray job stop`. A command that ended with an error is repeated. Its
tables and weights are compared with those of an unbroken run.

A line of counts for each run is appended to `benchmarks/results/cluster_soak.csv`. The same command
goes on after the runs that the file holds; stop it at any time. After an update, give another
FOLDER: unbroken runs are compared as they were made.
"""

import contextlib
import csv
import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow.parquet as pq
import tyro

from benchmarks.raylets import Job, Machines, idhray
from idhray.chance import generator as random_generator
from idhray.ledger import fates
from idhray.table_parts import part_path, parts
from tests.stages.made_up_experiment import folds, generators, patches

RESULTS = Path(__file__).parent / "results" / "cluster_soak.csv"
PHANTOM = "--preset demo --width-px 1536 --height-px 1536 --patients 12 --seed 5"
STUDY_PHANTOM = "--preset demo --width-px 2048 --height-px 2048 --patients 24 --seed 5"
TILING = "--tile-px 256 --min-object-px 50"
PATCHES = "--tile-px 256 --patch-px 64 --train-per-class 24 --eval-per-patient 2"
GAN = (
    "--preset demo --resolution-px 16 --latent-size 16 --fmap-base 64 --fmap-max 8 "
    "--stabilise-kimg 0.4 --fade-kimg 0.4 --total-kimg 4 --batch-sizes 8 8 8 "
    "--checkpoint-kimg 0.4 --sample-kimg 2 --allow-few"
)
CLASSIFIER = (
    "--preset demo --backbone resnet10t --width 0.125 --weights random --image-px 32 "
    "--clahe-tiles 2 --batch-size 8"
)
SWEEP = (
    f"{CLASSIFIER} --counts 8 --controls duplicate more-real --repeats 2 --no-online-arms "
    "--train-per-class 16 --eval-per-patient 2 --epochs 6 --state-minutes 0"
)
TUNE = (
    f"{CLASSIFIER} --classifiers network --trials 6 --search random --scheduler none "
    "--inner-folds 2 --epochs 6"
)
STUDY = (
    "import os, sys\n"
    "os.environ['RAY_ENABLE_AUTO_CONNECT'] = '0'  # as the command line does\n"
    "from idhray.errors import IdhrayError\n"
    "from idhray.stages.studies.settings import StudyFlags\n"
    "from idhray.stages.study import study\n"
    "from tests.stages.conftest import STUDY\n"
    "manifest, out, _, address = sys.argv[1:]\n"
    "try:\n"
    "    study(StudyFlags(manifest=manifest, out=out, settings=STUDY, seed=1, address=address))\n"
    "except (IdhrayError, KeyboardInterrupt):  # as the command line does\n"
    "    sys.exit('ended')\n"
)
STAGES = {
    "tile": "tiles",
    "cut": "patches",
    "train-gan": "gan-mutant",
    "synthesize": "synthetic-mutant",
    "sweep": "sweep",
}
"""Stage of a study that is struck -> its folder."""
MOST_DELAY_S = {"tile": 3.0, "cut": 1.0, "train-gan": 8.0, "synthesize": 0.5, "sweep": 8.0}
PLACES = (("tile", "cut", "train-gan", "sweep"), ("tile", "synthesize", "sweep"))
"""Stages that are struck in runs of an even and odd number: short stages follow each other."""
HUNG_S = 400
SECONDS_PER_LOOK = 0.1
LATEST = 0.97
EARLIER = 0.7
"""A run that ended before the strike is made again, with an earlier one."""
COMPARED = ("*.safetensors", "statistics.json", "gate.json", "best.json")
AT_START = ("_settings.json", "_provenance.json")
"""Files that a command writes before any work."""
GOES_ON = ("node", "gcs-redis")
"""Victims after whose loss the command goes on."""
REQUESTS = ("SIGINT", "SIGTERM", "job-stop")

Work = Literal[
    "tile",
    "train-gan",
    "sweep",
    "study",
    "prepare-mri",
    "cut",
    "evaluate",
    "synthesize",
    "train-classifier",
    "encode",
    "tune",
]
Victim = Literal["node", "driver", "gcs", "gcs-redis", "SIGINT", "SIGTERM", "job-stop"]


@dataclass(frozen=True, kw_only=True)
class Soak:
    """Options of the soak."""

    out: Path
    """Folder for inputs, references and runs."""
    work: tuple[Work, ...] = get_args(Work)
    victims: tuple[Victim, ...] = get_args(Victim)
    runs: int = 20
    """Runs of each work and victim, those of earlier commands included."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """Counts of one run."""

    work: str
    victim: str
    run: int
    commit: str
    reference_s: float
    strikes: str
    """Place and second of each strike."""
    seconds: float
    recover_s: float | None
    """Longest time from a strike to the next file that the run wrote."""
    ended_s: float | None
    """Time from a request to end to the end of the command."""
    repeats: int
    """Times that the command had to be given again."""
    tracebacks: int
    """Tracebacks that the user saw."""
    lost: int
    """Inputs of the unbroken run that this one lacks, or that failed."""
    doubled: int
    """Part files that no input refers to."""
    redone: int
    """Rows of the ledger that were finished before a strike, and were written again."""
    different: int
    """Parts, weights, rows of trials or statistics with other content."""
    hung: int


def main(options: Soak) -> None:
    """Make the runs that are missing."""
    options.out.mkdir(parents=True, exist_ok=True)
    for work in options.work:
        make_inputs(options.out, work)
        reference = options.out / f"reference-{work}"
        times = make_reference(options.out, work, reference)
        for victim in options.victims:
            for run in range(recorded(work, victim), options.runs):
                row = one_run(options, work, victim, number=run, reference=reference, times=times)
                append(row)
                print(json.dumps(asdict(row)), flush=True)


def make_inputs(out: Path, work: Work) -> None:
    """Slides, tiles and patches that the runs read."""
    tiling = f"--manifest {out}/phantom/manifest.csv --out {out}/tiles {TILING}"
    steps = {
        "phantom": f"make-phantom {PHANTOM} --out {out}/phantom",
        "tiles": f"tile-slides {tiling}",
        "patches": f"cut-patches --tiles {out}/tiles --out {out}/patches {PATCHES}",
    }
    if work == "study":
        steps = {"study-phantom": f"make-phantom {STUDY_PHANTOM} --out {out}/study-phantom"}
    if work == "prepare-mri":
        steps = {"mri": f"make-phantom --preset demo-mri --patients 16 --seed 5 --out {out}/mri"}
    if work in ("evaluate", "synthesize"):
        steps["gan"] = f"train-gan --images {out}/patches --idh mutant --out {out}/gan {GAN}"
    if work in ("sweep", "tune") and not (out / "experiment").exists():
        file = folds(out / "experiment" / "folds.parquet")
        patches(out / "experiment" / "patches")
        generators(out / "experiment" / "generators", file)
    for folder, words in steps.items():
        if not (out / folder / "_done.json").exists():
            subprocess.run(idhray(*words.split()), check=True)


def command(out: Path, work: Work, target: Path) -> list[str]:
    """Words of the command, without the address."""
    manifest = f"{out}/phantom/manifest.csv"
    if work == "study":
        return [sys.executable, "-c", STUDY, f"{out}/study-phantom/manifest.csv", str(target)]
    words = {
        "tile": f"tile-slides --manifest {manifest} --out {target} {TILING}",
        "train-gan": f"train-gan --images {out}/patches --idh mutant --out {target} {GAN}",
        "sweep": f"sweep --images {out}/experiment/patches --out {target} {SWEEP}",
        "prepare-mri": f"prepare-mri --preset demo-mri --manifest {out}/mri/manifest.csv "
        f"--out {target}",
        "cut": f"cut-patches --tiles {out}/tiles --out {target} {PATCHES}",
        "evaluate": f"evaluate-gan --preset demo --checkpoint {out}/gan --images {out}/patches "
        f"--count 200 --out {target}",
        "synthesize": f"synthesize --checkpoint {out}/gan --count 2000 --out {target}",
        "train-classifier": f"train-classifier {CLASSIFIER} --images {out}/patches --epochs 8 "
        f"--out {target}",
        "encode": f"encode --images {out}/patches --encoder efficientnet_lite0 --out {target}",
        "tune": f"tune --images {out}/experiment/patches --folds {out}/experiment/folds.parquet "
        f"--out {target} {TUNE}",
    }
    if work == "sweep":
        synthetic = sorted(str(path) for path in (out / "experiment" / "generators").iterdir())
        words[work] += f" --folds {out}/experiment/folds.parquet --synthetic {' '.join(synthetic)}"
        words[work] += " --generators"
        return [*idhray(*words[work].split()), "per fold"]
    return idhray(*words[work].split())


def make_reference(out: Path, work: Work, reference: Path) -> tuple[float, float]:
    """Seconds to the start of the work and to the end of an unbroken run; its folder stays."""
    record = reference.with_suffix(".json")
    if not record.exists():
        shutil.rmtree(reference, ignore_errors=True)
        machines = Machines()
        try:
            start = time.time()
            run = machines.start(command(out, work, reference))
            assert run.wait(HUNG_S) == 0, machines.log()[-3000:]
            end = time.time()
        finally:
            machines.close()
        begin = (reference / "_settings.json").stat().st_mtime
        record.write_text(json.dumps([begin - start, end - start]))
    begin_s, end_s = json.loads(record.read_text())
    return begin_s, end_s


@dataclass
class Strikes:
    """Moments at which a run is struck."""

    target: Path
    draw: np.random.Generator
    places: list[str]
    """Stages of a study that are still to be struck; one "" for a single command."""
    after_s: float
    start: float = field(default_factory=time.monotonic)
    _due: float | None = None
    done: list[tuple[str, float]] = field(default_factory=list)
    """Place and moment of each strike."""

    def is_due(self) -> bool:
        """True when the next strike has to come."""
        while self.places:
            place = self.places[0]
            folder = self.target / STAGES[place] if place else self.target
            if place and (folder / "_done.json").exists():
                self.places.pop(0)  # too fast
                self._due = None
                continue
            if self._due is None:
                if place and not (folder / "_settings.json").exists():
                    return False
                delay = float(self.draw.uniform(0, MOST_DELAY_S[place])) if place else self.after_s
                self._due = (time.monotonic() if place else self.start) + delay
            if time.monotonic() < self._due:
                return False
            self._due = None
            self.done.append((self.places.pop(0), time.monotonic()))
            return True
        return False

    def text(self) -> str:
        """Place and second of each strike."""
        return " ".join(f"{place}@{at - self.start:.1f}".lstrip("@") for place, at in self.done)


def one_run(
    options: Soak,
    work: Work,
    victim: Victim,
    *,
    number: int,
    reference: Path,
    times: tuple[float, float],
) -> Run:
    """Run a command, strike, and compare; again if it ended before the strike."""
    draw = random_generator(options.seed, "cluster soak", work, victim, str(number))
    after_s = float(draw.uniform(times[0], LATEST * times[1]))
    while True:
        row = struck_run(
            options,
            work,
            victim,
            draw=draw,
            after_s=after_s,
            number=number,
            reference=reference,
            reference_s=times[1],
        )
        if row.strikes:
            return row
        after_s *= EARLIER


def struck_run(
    options: Soak,
    work: Work,
    victim: Victim,
    *,
    draw: np.random.Generator,
    after_s: float,
    number: int,
    reference: Path,
    reference_s: float,
) -> Run:
    """Run a command and strike it."""
    target = options.out / f"run-{work}"
    shutil.rmtree(target, ignore_errors=True)
    words = command(options.out, work, target)
    machines = Machines(jobs=victim == "job-stop", redis=victim == "gcs-redis")
    logs = ""
    places = list(PLACES[number % 2]) if work == "study" else [""]
    strikes = Strikes(target=target, draw=draw, places=places, after_s=after_s)
    repeats, hung, ended_s = 0, 0, None
    finished, recoveries = dict[str, int](), list[float]()
    struck = progress = time.time()
    since = math.inf  # files after this moment show that the run goes on
    try:
        run = started(machines, words, victim)
        while (code := run.poll()) != 0:
            time.sleep(SECONDS_PER_LOOK)
            if newest_change(target) > since:
                recoveries.append(time.time() - struck)
                since, progress = math.inf, time.time()
            if code is not None:
                if victim in REQUESTS and strikes.done and not repeats:
                    ended_s = time.time() - struck
                if repeats == len(STAGES) + 2:
                    break
                print(output(machines, run)[-2000:], file=sys.stderr)
                repeats += 1
                if victim == "gcs":
                    logs += machines.log()
                    machines.close()
                    machines = Machines()
                run, since = started(machines, words, victim), time.time()
            elif strikes.is_due():
                finished |= ledger_times(target)
                struck = progress = time.time()
                since = struck if victim in GOES_ON else math.inf
                strike(machines, run, victim, int(draw.integers(2)))
            elif time.time() - progress > HUNG_S:
                hung = 1
                run.kill()
                break
    finally:
        total = time.monotonic() - strikes.start
        logs += output(machines, run)
        machines.close()
    now = ledger_times(target)
    return Run(
        work=work,
        victim=victim,
        run=number,
        commit=commit(),
        reference_s=round(reference_s, 1),
        strikes=strikes.text(),
        seconds=round(total, 1),
        recover_s=round(max(recoveries), 1) if recoveries else None,
        ended_s=None if ended_s is None else round(ended_s, 1),
        repeats=repeats,
        tracebacks=logs.count("Traceback (most recent call last)"),
        redone=sum(now.get(path) != changed for path, changed in finished.items()),
        hung=hung,
        **compared(reference, target),
    )


def started(
    machines: Machines, words: list[str], victim: Victim
) -> "subprocess.Popen[bytes] | Job":
    """The command, as a process or as a job."""
    if victim != "job-stop":
        return machines.start(words)
    return Job(machines, [*words, "--address", machines.cluster.address])


def output(machines: Machines, run: "subprocess.Popen[bytes] | Job") -> str:
    """Output of the command, or of its last job."""
    return run.log() if isinstance(run, Job) else machines.log()


def strike(
    machines: Machines, run: "subprocess.Popen[bytes] | Job", victim: Victim, number: int
) -> None:
    """Strike the cluster or the command."""
    if isinstance(run, Job):
        run.stop()
    elif victim == "node":
        machines.replace_worker(number)
    elif victim == "gcs":
        machines.kill_gcs()
    elif victim == "gcs-redis":
        machines.restart_gcs()
    else:
        run.send_signal(signal.SIGKILL if victim == "driver" else signal.Signals[victim])


def newest_change(folder: Path) -> float:
    """Time of the newest file in a folder."""
    newest = 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            if name not in AT_START and name[0] != ".":
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    newest = max(newest, os.stat(f"{place}/{name}").st_mtime)
    return newest


def ledger_times(target: Path) -> dict[str, int]:
    """Ledger files of inputs that are done or skipped, with the times of their last change."""
    times = {}
    for path in target.rglob("_ledger/part-*.parquet"):
        (status,) = pq.read_table(path, columns=["status"])["status"].to_pylist()
        if status != "failed":
            times[str(path)] = path.stat().st_mtime_ns
    return times


def compared(reference: Path, target: Path) -> dict[str, int]:
    """Inputs lost, parts doubled, and content that differs."""
    counts = {"lost": 0, "doubled": 0, "different": 0}
    for ledger in sorted(reference.rglob("_ledger")):
        place = ledger.parent.relative_to(reference)
        expected, actual = fates(str(reference / place)), fates(str(target / place))
        finished = {name: fate for name, fate in actual.items() if fate.status != "failed"}
        listed = sum(fate.parts if fate.rows else 0 for fate in finished.values())
        counts["lost"] += len(expected.keys() - finished.keys())
        counts["doubled"] += len(parts(str(target / place))) - listed
        counts["different"] += sum(
            finished[name].digest != expected[name].digest
            and rows(reference / place, name, expected[name].parts)
            != rows(target / place, name, finished[name].parts)
            for name in expected.keys() & finished.keys()
        )
    for done in reference.rglob("_done.json"):
        counts["lost"] += not (target / done.relative_to(reference)).exists()
    for pattern in COMPARED:
        for path in reference.rglob(pattern):
            if not any(name.startswith("_") for name in path.relative_to(reference).parts):
                counts["different"] += digest(path) != digest(target / path.relative_to(reference))
    for path in reference.rglob("trials/part-*.parquet"):
        counts["different"] += untimed(path) != untimed(target / path.relative_to(reference))
    return counts


def rows(folder: Path, name: str, shards: int) -> list[dict[str, object]]:
    """Rows of an input without times."""
    paths = (Path(part_path(str(folder), name, shard)) for shard in range(shards))
    return [row for path in paths for row in untimed(path)]


def untimed(path: Path) -> list[dict[str, object]]:
    """Rows of a part without times."""
    if not path.exists():
        return []
    table = pq.read_table(path)
    return table.select([n for n in table.column_names if "seconds" not in n]).to_pylist()


def digest(path: Path) -> str:
    """Digest of a file, without the hours that a search took; "" if there is none."""
    if not path.exists():
        return ""
    content = path.read_bytes()
    if path.name == "best.json":
        content = json.dumps(json.loads(content) | {"hours": None}).encode()
    return hashlib.sha256(content).hexdigest()


def recorded(work: Work, victim: Victim) -> int:
    """Number of runs that the file of results holds."""
    if not RESULTS.exists():
        return 0
    with RESULTS.open(newline="") as file:
        return sum(row["work"] == work and row["victim"] == victim for row in csv.DictReader(file))


def append(row: Run) -> None:
    """Add a line to the results."""
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Run)], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(asdict(row))


def commit() -> str:
    """Short name of the commit."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main(tyro.cli(Soak))
