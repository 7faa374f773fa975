"""Files in which a study records its settings, its current folders and how long its stages took.

OUT/_study.json        patches in use, current folders, reused studies, seconds by stage
OUT/_experiment.json   settings and answer of the experiment; of a further one, in its own folder
"""

import threading
from typing import Any

from idhray.errors import ConfigError
from idhray.storage import SETTINGS, exists, join, list_folders, publish_json, read_json

STUDY_FILE, EXPERIMENT_FILE = "_study.json", "_experiment.json"
REPORT_FILES = "report"
"""Folder beside the page: each figure as SVG and PNG, each table as CSV."""
APPENDIX, APPENDIX_PAGE = "appendix", "appendix.html"
"""Folder of the pictures of all inputs, and the page that shows them."""
CHECKLISTS, AUTHOR_ANSWERS = "checklists", "answers.csv"
"""Folder of the drafts of reporting guidelines, and the author's own answers in it."""
EXPERIMENTS = "experiments"
"""Folder of the experiments beside the first one."""
_writing = threading.Lock()  # generators are evaluated side by side


def study_record(study: str) -> dict[str, Any]:
    """Content of `_study.json`; empty before the first stage."""
    path = join(study, STUDY_FILE)
    return read_json(path) if exists(path) else {}


def add_to_record(study: str, name: str, entries: dict[str, Any]) -> None:
    """Add entries to a mapping of `_study.json`."""
    with _writing:
        record = study_record(study)
        publish_json(join(study, STUDY_FILE), {**record, name: record.get(name, {}) | entries})


def record_patches(study: str, patches: str) -> None:
    """Record the folder of the PATCHES table."""
    with _writing:
        publish_json(join(study, STUDY_FILE), {**study_record(study), "patches": patches})


def experiment_root(study: str, experiment: str | None) -> str:
    """Folder of an experiment: the study itself, or a folder with the name of a further one.

    Raises:
        ConfigError: the name holds a slash, or starts with a dot or an underscore.
    """
    if experiment is None:
        return study
    if not experiment or "/" in experiment or experiment[0] in "._":
        raise ConfigError(f"--experiment {experiment!r}: give a plain name, such as epochs-30")
    return join(study, EXPERIMENTS, experiment)


def experiment_roots(study: str) -> list[str]:
    """Folders of all experiments of a study, the first one first."""
    names = list_folders(join(study, EXPERIMENTS))
    return [study, *(join(study, EXPERIMENTS, name) for name in names)]


def experiment_record(root: str) -> dict[str, Any]:
    """Content of `_experiment.json`; empty before the first run, and in older studies."""
    path = join(root, EXPERIMENT_FILE)
    return read_json(path) if exists(path) else {}


def add_to_experiment(root: str, **entries: Any) -> None:
    """Add entries to `_experiment.json`."""
    publish_json(join(root, EXPERIMENT_FILE), {**experiment_record(root), **entries})


def study_settings(study: str, experiment: str | None = None) -> dict[str, Any]:
    """Settings of an experiment and seed of its study; older studies record both in one file."""
    root = experiment_root(study, experiment)
    return {**read_json(join(study, SETTINGS)), **experiment_record(root).get("settings", {})}
