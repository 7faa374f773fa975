"""`best.json`: the settings that a search found for each fold, and the patients that decided them.

The file is an ancestor of what is trained with it: the patients of a fold's search must not be held
out by this fold.
"""

import json
from collections.abc import Mapping
from typing import Any

from idhray.ancestry import Ancestor
from idhray.cohorts.folds import Folds
from idhray.errors import ConfigError, StorageError
from idhray.experiment.search_space import check_space, space_from_text
from idhray.leakage import HeldOut, assert_untouched
from idhray.stages.experiment.settings import PART_OF_KIND, ExperimentSettings, changed_settings
from idhray.stages.tuning.spaces import FIXED
from idhray.storage import exists, read_json

BEST_FILE = "best.json"
RULE = (
    "tuned on the real training images of each fold; every arm has the settings that were found "
    "for `real`"
)


def tuned_text(path: str, folds: Folds, settings: ExperimentSettings) -> str:
    """Value of `ExperimentSettings.tuned` from a file of `idhray tune`.

    Args:
        path: Path of `best.json`.
        folds: Folds of the experiment.
        settings: Settings of the experiment.

    Raises:
        StorageError: there is no such file, or it is another one.
        ConfigError: it is of another classifier, lacks a fold, or holds values that the settings
            refuse.
        LeakageError: a fold holds out a patient on whom its settings were tuned.
    """
    values = _read(path)
    kind, of_search = values["classifier"], values["folds"]
    if kind not in settings.classifiers:
        raise ConfigError(
            f"--settings {path}: settings of the classifier {kind}, which is not among "
            f"--classifiers {' '.join(settings.classifiers)}"
        )
    for number in folds.numbers():
        entry = of_search.get(str(number))
        if entry is None:
            raise ConfigError(f"--settings {path}: no settings for fold {number}; tune it, too")
        _refuse_seen(path, number, folds.roles(number), entry["patients"])
        _accepted(path, settings, kind, entry["settings"])
    of_folds = {name: entry["settings"] for name, entry in sorted(of_search.items())}
    record = {"classifier": kind, "folds": of_folds, "rule": RULE, "trials": values["trials"]}
    return json.dumps(record, sort_keys=True)


def _read(path: str) -> dict[str, Any]:
    if not exists(path):
        raise StorageError(f"--settings {path}: not there; give best.json of `idhray tune`")
    values = read_json(path)
    if not {"classifier", "folds", "trials"} <= set(values):
        raise StorageError(f"--settings {path}: not best.json of `idhray tune`")
    return dict(values)


def _refuse_seen(path: str, number: int, roles: Mapping[str, str], patients: list[str]) -> None:
    search = Ancestor(
        name=f"{path}: the search for fold {number}",
        patients=tuple(patients),
        folder=path.rpartition("/")[0],
        verb="used",
        advice="tune with the folds of the experiment",
    )
    assert_untouched(HeldOut.of_roles(roles, None, f"fold {number}"), [search])


def _accepted(
    path: str, settings: ExperimentSettings, kind: str, values: Mapping[str, Any]
) -> None:
    """Refuse values that are no settings of the classifier, or fixed by the protocol."""
    text = "".join(f"[{name}]\nchoice = [{json.dumps(v)}]\n" for name, v in values.items())
    check_space(space_from_text(text, path), getattr(settings, PART_OF_KIND[kind]), path, FIXED)
    changed_settings(settings, kind, values)
