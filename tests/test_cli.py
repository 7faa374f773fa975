"""The command line: flags from settings, exit codes, one JSON line."""

import json
import os
import subprocess
import sys

import pytest

from idhray.cli import STAGES, run
from tests.cohorts.test_manifest import manifest_file


@pytest.mark.parametrize("name", STAGES)
def test_every_command_shows_its_help(name, capsys):
    """Help is where a user looks first."""
    for word in ("--help", "--help-all"):
        assert run([name, word]) == 0
        assert f"usage: idhray {name}" in capsys.readouterr().out


def test_a_preset_makes_the_defaults_and_flags_change_them(capsys):
    """`--preset demo --epochs 7` is the demo but for the epochs."""
    assert run(["train-classifier", "--preset", "demo", "--help-all"]) == 0
    text = capsys.readouterr().out

    assert "--epochs INT" in text
    assert "(default: 64)" in text
    assert run(["train-classifier", "--preset", "liu2019"]) == 2
    assert "choose from liu2020, " in capsys.readouterr().err


def test_both_spellings_of_a_name_work_and_others_are_explained(capsys):
    """`tile_slides` is the job's name, `tile-slides` the command's."""
    assert run(["tile_slide"]) == 2
    assert "no command 'tile_slide'; did you mean tile-slides?" in capsys.readouterr().err
    assert run(["tile_slides", "--help"]) == 0
    assert run(["--version"]) == 0
    assert run([]) == 2


def test_help_imports_neither_torch_nor_ray_nor_pandas():
    """`study --help` took 7 CPU-seconds when it imported them."""
    code = (
        "import sys; from idhray.cli import run; run(['study', '--help']);"
        "print(sorted({'torch', 'ray', 'pandas', 'numpy', 'tyro'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_a_thread_that_outlives_ray_joins_no_other_cluster():
    """After Ctrl-C, the threads of a study connected to a cluster of somebody else."""
    code = "from idhray.cli import run; run(['--version']); import ray; ray.put(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Ray has not been started yet" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["study", "--help-all"], ["--completion", "bash"]])
def test_a_reader_that_leaves_causes_no_traceback(words):
    """As with `idhray study --help-all | head -1`."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "idhray", *words],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_bad_manifest_is_one_message_and_exit_code_2(tmp_path, capsys):
    """No traceback, nothing written."""
    path = manifest_file(tmp_path, "patient,idh\nA,perhaps\nA,mutant\n")

    assert run(["split-cohort", "--manifest", path, "--out", str(tmp_path / "s.csv")]) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert "row 2: idh is 'perhaps'" in message
    assert not (tmp_path / "s.csv").exists()


def test_the_last_line_of_stdout_is_json(tmp_path, capsys):
    """Scripts read it."""
    rows = "".join(f"M{i},mutant\nW{i},wildtype\n" for i in range(8))
    path = manifest_file(tmp_path, f"patient,idh\n{rows}")

    assert run(["split-cohort", "--manifest", path, "--out", str(tmp_path / "s.csv")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last) == {
        "out": str(tmp_path / "s.csv"),
        "train": 12,
        "val": 2,
        "test": 2,
    }


def test_a_job_script_takes_the_same_flags(tmp_path):
    """What `ray job submit` runs."""
    path = manifest_file(tmp_path, "patient,idh\n,\n")
    job = os.path.join(os.path.dirname(__file__), "..", "jobs", "split_cohort.py")
    done = subprocess.run(
        [sys.executable, job, "--manifest", path, "--out", str(tmp_path / "s.csv")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "there are no rows" in done.stderr  # a blank row is none
