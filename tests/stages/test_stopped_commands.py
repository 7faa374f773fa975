"""Ctrl-C and SIGTERM end a command within seconds and leave a folder that it continues."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from idhray.ledger import fates
from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, TILES
from tests.stages.made_up_experiment import folds, generators, patches

LIMIT_S = 30
"""`ray job stop` waits so long for a command if RAY_JOB_STOP_WAIT_TIME_S is set as we advise."""
TILING = ("--tile-px", "256", "--min-object-px", "50")
EXPERIMENT = (
    *("--preset", "demo", "--counts", "8", "--controls", "duplicate", "more-real"),
    *("--repeats", "2", "--no-online-arms", "--generators", "per fold"),
    *("--train-per-class", "16", "--eval-per-patient", "2", "--backbone", "resnet10t"),
    *("--width", "0.125", "--weights", "random", "--image-px", "32", "--clahe-tiles", "2"),
    *("--batch-size", "8", "--epochs", "4"),
)


def begin(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "idhray", *words],
        env={**os.environ, "RAY_ADDRESS": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stopped(run: subprocess.Popen[str], out: Path, number: signal.Signals) -> float:
    """Seconds from a signal, which comes when the second input is done, to the end of a command.

    Ctrl-C goes to all processes of the terminal, SIGTERM to the command.
    """
    deadline = time.monotonic() + 120
    while len(list((out / "_ledger").glob("part-*.parquet"))) < 2:
        assert run.poll() is None, run.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    start = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    _, errors = run.communicate(timeout=LIMIT_S)
    seconds = time.monotonic() - start
    print(f"{number.name}: {seconds:.1f} s, exit code {run.returncode}")

    assert run.returncode == 128 + number
    assert errors.rstrip().endswith("the same command continues")
    assert "Traceback" not in errors
    return seconds


def check_continues(words, out, whole, schema, columns=None):
    """The same command finishes the folder; what was done before is not done again."""
    before = {path: path.stat().st_mtime_ns for path in (out / "_ledger").glob("part-*.parquet")}
    for folder in (out, whole):
        run = begin(*words, "--out", str(folder))
        _, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors

    assert 2 <= len(before) < len(fates(str(whole)))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert set(fates(str(out))) == set(fates(str(whole)))
    tables = [read_table(str(folder), schema, columns) for folder in (out, whole)]
    assert tables[0].equals(tables[1])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tiling_stops_in_seconds_and_continues(phantom, tmp_path, number):
    """A slide in hand is given up, and done again."""
    words = ("tile-slides", "--manifest", str(phantom), *TILING)
    out = tmp_path / "tiles"
    stopped(begin(*words, "--out", str(out)), out, number)
    check_continues(words, out, tmp_path / "whole", TILES)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_experiment_stops_in_seconds_and_continues(tmp_path, number):
    """A training in hand goes on from its last epoch."""
    images, file = patches(tmp_path / "patches"), folds(tmp_path / "folds.parquet")
    synthetic = ("--synthetic", *generators(tmp_path, file))
    words = ("sweep", "--images", images, "--folds", file, *synthetic, *EXPERIMENT)
    out = tmp_path / "sweep"
    stopped(begin(*words, "--out", str(out)), out, number)
    columns = [name for name in PREDICTIONS.names if "seconds" not in name]
    check_continues(words, out, tmp_path / "whole", PREDICTIONS, columns)
