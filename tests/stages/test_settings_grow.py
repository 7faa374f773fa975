"""A release that adds settings continues what the release before it made.

The next release is a copy of the package in which each settings class has one field more.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import idhray
from idhray.gan.checkpoint import save
from tests.gan.made_up import PGGAN, start

REPOSITORY = Path(idhray.__file__).parents[1]
GROWING = {
    "slides/tiling_settings.py": ("TilingSettings",),
    "slides/patches.py": ("PatchSettings",),
    "gan/pggan/config.py": ("PgganSettings",),
    "classify/settings.py": ("ClassifierSettings",),
    "stats/settings.py": ("StatsSettings",),
    "stages/studies/settings.py": ("StudySettings",),
    "fidelity/settings.py": ("FidelitySettings",),
    "fidelity/gate_settings.py": ("CopySettings",),
}


@pytest.fixture(scope="module")
def next_release(tmp_path_factory) -> Path:
    """A folder with the package of the next release."""
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(REPOSITORY / "idhray", folder / "idhray")
    for file, names in GROWING.items():
        path = folder / "idhray" / file
        text = path.read_text()
        for name in names:
            head = rf'(class {name}\b.*?""".*?"""\n)'
            field = r"\1\n    new_setting: float = 0.5\n"
            text, count = re.subn(head, field, text, count=1, flags=re.DOTALL)
            assert count == 1
        path.write_text(text)
    return folder


def run(release: Path, code: str) -> str:
    """Run Python code with a release of the package; its stderr."""
    path = os.pathsep.join([str(release), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=release,  # Ray's workers look there first
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def test_a_study_of_the_release_before_is_continued(small_study, phantom, next_release, tmp_path):
    """Tiles, patches and GANs stay, one missing training is added, and the report is made."""
    old = tmp_path / "study"
    shutil.copytree(small_study, old)
    trial = min((old / "sweep").glob("part-*.parquet"))
    trial.unlink()
    kept = {path: path.stat().st_mtime_ns for path in old.rglob("part-*.parquet")}
    (old / "report.html").unlink()
    run(
        next_release,
        "from tests.stages.conftest import STUDY\n"
        "from idhray.stages.studies.settings import StudyFlags\n"
        "from idhray.stages.study import study\n"
        "assert STUDY.tiling.new_setting == STUDY.gan.new_setting == 0.5\n"
        f"study(StudyFlags(manifest={str(phantom)!r}, out={str(old)!r}, settings=STUDY, seed=1))",
    )

    assert trial.exists()
    assert (old / "report.html").exists()
    rewritten = ("sweep/_ledger", "sweep/trials")
    ledger = {path for path in kept if any(name in str(path) for name in rewritten)}
    assert all(path.stat().st_mtime_ns == kept[path] for path in set(kept) - ledger)
    assert "new_setting" not in json.loads((old / "tiles" / "_settings.json").read_text())


def test_a_gan_of_the_release_before_trains_on(next_release, tmp_path):
    """A checkpoint of GPU-days must not be lost to a new flag."""
    save(start(PGGAN), str(tmp_path / "gan"))
    run(
        next_release,
        "from idhray.gan.checkpoint import restore\n"
        "from tests.gan.made_up import PGGAN, start\n"
        "run = start(PGGAN)\n"
        "assert run.settings.new_setting == 0.5\n"
        f"restore(run, {str(tmp_path / 'gan')!r})",
    )
