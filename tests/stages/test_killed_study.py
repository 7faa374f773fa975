"""A study that is killed again and again ends as one that was not."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from idhray.table_parts import read_table
from idhray.tables import PREDICTIONS, SYNTHETIC

RUN = (
    "import sys\n"
    "from idhray.stages.studies.settings import StudyFlags\n"
    "from idhray.stages.study import study\n"
    "from tests.stages.conftest import STUDY\n"
    "study(StudyFlags(manifest=sys.argv[1], out=sys.argv[2], settings=STUDY, seed=1))\n"
)


@pytest.mark.slow
def test_a_study_killed_at_random_ends_with_the_tables_of_an_unbroken_one(
    tmp_path, phantom, small_study
):
    """Wherever SIGKILL strikes: the GAN resumes bit by bit, the tables come out the same."""
    out = tmp_path / "killed"
    chance = random.Random(0)
    kills = 0
    while True:
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, str(phantom), str(out)], start_new_session=True
        )
        try:
            # Later each time, so that it must end; with a start of some 15 s on a busy machine.
            run.wait(timeout=20 + 12 * kills + 10 * chance.random())
            break
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            kills += 1
            time.sleep(2)

    assert run.returncode == 0
    assert kills >= 2
    for table, schema in (
        ("sweep", PREDICTIONS),
        ("synthetic-mutant", SYNTHETIC),
        ("synthetic-wildtype", SYNTHETIC),
    ):
        broken, whole = (read_table(str(f / table), schema) for f in (out, small_study))
        assert broken.equals(whole), table
    for name in ("statistics/statistics.json", "gan-mutant/weights.safetensors"):
        assert (out / name).read_bytes() == (small_study / name).read_bytes()
