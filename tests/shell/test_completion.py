"""Completion by the shell."""

import subprocess

import pytest

from idhray.cli import STAGES
from idhray.shell.completion import SCRIPTS, completions


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tile"], ["tile-slides"]),
        (["study", "--reu"], ["--reuse"]),
        (["study", "--preset", "p"], ["park2021"]),
        (["study", "--manifest", ""], []),
        (["make-manifest", "up"], ["upenn-gbm"]),
        (["no-such-command", "--"], []),
    ],
)
def test_the_last_word_is_completed(words, expected):
    """Commands, flags, and choices of a flag; a file name is left to the shell."""
    assert completions(STAGES, words) == expected


def test_bash_accepts_the_script():
    """A syntax error would break the start of every shell."""
    done = subprocess.run(["bash", "-n"], input=SCRIPTS["bash"], text=True, check=False)

    assert done.returncode == 0
