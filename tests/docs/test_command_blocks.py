"""Every command that README and documentation print is accepted by the program that reads it."""

import ast
import importlib
import re
import shlex

import pytest

from idhray.cli import STAGES
from idhray.shell.flag_classes import parsed_flags
from tests.docs.blocks import ROOT, blocks, commands

OTHERS = {
    *("gdc-client", "ray", "sbatch", "kubectl", "taskset", "source", "export", "pip", "make"),
    *("idhray", "python"),
}
"""Programs that blocks may call."""
ALONE = {"--help", "--help-all", "--version"}


def without_redirection(words):
    """Arguments before `>` or `>>`."""
    return words[: next((n for n, word in enumerate(words) if word in (">", ">>", "|")), None)]


def idhray_calls():
    """(page, command, arguments) of all calls, direct or as a job."""
    calls = [(page, without_redirection(words)) for page, words in commands("idhray")]
    calls += [
        (page, words[words.index("idhray") + 1 :])
        for page, words in commands("taskset")
        if "idhray" in words
    ]
    calls += [
        (page, words[1:] if "nodes" in words[0] else words)
        for page, words in [
            (page, words[next(n for n, w in enumerate(words) if w.endswith(".sbatch")) + 1 :])
            for page, words in commands("sbatch")
        ]
    ]
    for page, words in commands("ray"):
        script = next((n for n, word in enumerate(words) if word.startswith("jobs/")), None)
        if script is not None:
            assert (ROOT / words[script]).exists(), (page, words[script])
            calls.append((page, [words[script][5:-3].replace("_", "-"), *words[script + 1 :]]))
    return [(page, words) for page, words in calls if words and words[0] not in ALONE]


@pytest.mark.parametrize(
    ("page", "words"),
    [pytest.param(p, w, id=f"{p}: {' '.join(w)[:60]}") for p, w in idhray_calls()],
)
def test_the_parser_of_the_command_accepts_the_block(page, words):
    """A flag that was renamed would stop a reader at the first command."""
    if words[0] == "--completion" or ALONE & set(words):
        return
    name = words[0].replace("_", "-")
    assert name in STAGES

    parsed_flags(name, [word for word in words[1:] if word != "..."])


def test_blocks_call_programs_that_are_known():
    """A misspelled program would not be checked by any other test."""
    strange = []
    for block in blocks():
        if block.language not in ("", "bash", "sh"):
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            if "->" in line or "=" in line.split("#")[0] or not line.strip():
                continue
            program = shlex.split(line, comments=True)[:1]
            strange += [f"{block.page}: {line}" for word in program if word not in OTHERS]

    assert strange == []


def test_targets_of_make_exist():
    """README and tutorial start with `make demo`."""
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets = {word for _, words in commands("make") for word in words if "=" not in word}

    assert targets - rules == set()
    assert "demo" in targets


def python_blocks():
    return [block for block in blocks() if block.language == "python"]


@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.page)
def test_imports_of_python_blocks_exist(block):
    """A moved function would break what readers copy."""
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_slide_example_runs(real_data, tmp_path, monkeypatch, capsys):
    """Names inside a block are checked by running it, on a real slide."""
    block = next(block for block in python_blocks() if "idhray.slides.reader" in block.text)
    (tmp_path / "slide.svs").symlink_to(real_data / "slides" / "CMU-1-Small-Region.svs")
    monkeypatch.chdir(tmp_path)
    exec(block.text, {})

    assert 0 < float(capsys.readouterr().out.split()[-1]) < 1
