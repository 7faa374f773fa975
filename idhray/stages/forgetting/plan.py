"""Plan of a withdrawal: written before the first change, so that a killed command can be finished.

The plan holds no name of the patient. It lists the folders with their seals, since a folder is not
finished while it is changed, and everything that is removed as a whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import basename
from typing import Any

from idhray.cohorts.text_table import read_text_table
from idhray.config import settings_dict, settings_from
from idhray.errors import StorageError
from idhray.stages.experiment.outcome import SELECTION_FILE
from idhray.stages.forgetting.ancestry import Descendant
from idhray.stages.forgetting.changes import Change, change_of
from idhray.stages.forgetting.subject import Subject
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.stage_folders import StageFolder
from idhray.storage import LOCK, exists, join, list_files, publish_json, read_json

PLAN_FILE = "_withdrawing.json"
KEY_FILE = "key/key.csv"
UNCHANGED = (LOCK, DONE, PLAN_FILE, "protocol.json")
"""Files that no generic change touches; seals and protocols are made again at the end."""


@dataclass(frozen=True, kw_only=True)
class FolderPlan:
    """Planned changes of one folder, in numbers."""

    stage: str = ""
    seal: Mapping[str, Any] = field(default_factory=dict)
    """Content of its seal; empty without one."""
    rows: int = 0
    """Rows of tables, ledgers included."""
    files: int = 0
    """Files that are deleted: parts, pictures, pages."""
    records: int = 0
    """Files in which the keyed hash takes the place of a name."""
    lost_rows: bool = False
    """True if rows of its table leave, so that it is another table afterwards."""


@dataclass(frozen=True, kw_only=True)
class WithdrawalPlan:
    """All changes that a withdrawal makes to a study; folders are relative to it."""

    patient: str
    """Keyed hash of the patient."""
    models: bool
    """True if everything that descends from the patient is removed."""
    folders: Mapping[str, FolderPlan] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    """Folder that is removed -> reason."""
    trials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Folder of an experiment -> training that is removed -> digest of its settings."""
    descendants: tuple[Descendant, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FolderChanges:
    """Changes of the files of one folder, in the order in which they are made."""

    folder: StageFolder
    changes: tuple[Change, ...] = ()
    cases: tuple[str, ...] = ()
    """Cases of readers that show the patient."""


def folder_changes(
    folders: Sequence[StageFolder],
    files: Sequence[str],
    subject: Subject,
    pictures: Iterable[str],
) -> list[FolderChanges]:
    """Changes of each folder; the outermost folder comes last, and in it the manifest.

    The manifest tells the names of the patient's files, so it is needed until all else is done.

    Args:
        folders: Folders of the study.
        files: Paths of all files that are not in a folder that is removed.
        subject: The patient.
        pictures: Pictures that may show the patient's images, whether they exist or not.
    """
    by_folder: dict[str, list[Change]] = defaultdict(list)
    owners = sorted((folder.path for folder in folders), key=len, reverse=True)
    shown = {*pictures}
    for path in files:
        if basename(path) in UNCHANGED:
            continue
        picture = Change(path=path, kind="delete") if path in shown else None
        if change := picture or change_of(path, subject):
            owner = next(o for o in owners if path.startswith(f"{o}/"))
            by_folder[owner].append(change)
    results = []
    for folder in sorted(folders, key=lambda f: (-f.path.count("/"), f.path)):
        cases = _cases_of(folder, subject)
        changes = sorted(by_folder[folder.path], key=_turn)
        if changes or cases:
            results.append(FolderChanges(folder=folder, changes=tuple(changes), cases=tuple(cases)))
    return results


def _turn(change: Change) -> tuple[int, str]:
    """Place in the order of changes: files that name the patient's other files come last."""
    name = basename(change.path)
    if name in ("cohort.parquet", "normals.parquet", "_cohort.parquet"):
        return 3, change.path
    if name == "key.csv":
        return 2, change.path
    return (0 if change.kind == "delete" else 1), change.path


def _cases_of(folder: StageFolder, subject: Subject) -> list[str]:
    """Cases of readers that show the patient."""
    path = join(folder.path, KEY_FILE)
    if folder.stage != "readers" or not exists(path):
        return []
    key = read_text_table(path)
    return sorted(key.loc[key["patient"] == subject.patient, "case"])


def plan_of(
    study: str,
    subject: Subject,
    changes: Sequence[FolderChanges],
    descendants: Sequence[Descendant],
    folders: Sequence[StageFolder],
    *,
    models: bool,
) -> WithdrawalPlan:
    """Plan of a withdrawal.

    Args:
        study: Folder of the study.
        subject: The patient.
        changes: Changes of the folders.
        descendants: Results that descend from the patient.
        folders: Folders of the study.
        models: Remove these results, too.

    Raises:
        StorageError: the study itself is such a result.
    """
    relative = {each.path: each.path[len(study) :].strip("/") for each in folders}
    plans = {
        relative[each.folder.path]: FolderPlan(
            stage=each.folder.stage,
            seal=_seal(each.folder.path),
            rows=sum(change.rows for change in each.changes),
            files=sum(change.kind == "delete" for change in each.changes) + len(each.cases),
            records=sum(change.tokens for change in each.changes),
            lost_rows=any(_is_table_part(change, each.folder) for change in each.changes),
        )
        for each in changes
    }
    removed = {
        relative[folder.path]: "statistics of a cohort that holds the patient"
        for folder in folders
        if folder.stage == "fit_stats"
    }
    trials = {}
    for each in descendants if models else ():
        if each.trials:
            trials[relative[each.folder]] = dict(each.trials)
        else:
            removed[relative[each.folder]] = each.reason
    if "" in removed:
        raise StorageError(f"{study}: {removed['']}; delete the whole folder")
    return WithdrawalPlan(
        patient=subject.token,
        models=models,
        folders=plans,
        removed=removed,
        trials=trials,
        descendants=tuple(
            replace(each, folder=relative[each.folder])
            for each in sorted(descendants, key=lambda d: (d.folder, d.kind))
        ),
    )


def _seal(folder: str) -> dict[str, Any]:
    path = join(folder, DONE)
    return read_json(path) if exists(path) else {}


def _is_table_part(change: Change, folder: StageFolder) -> bool:
    """True if rows of the folder's own table leave by a change."""
    is_part = basename(change.path).startswith("part-")
    return is_part and change.rows > 0 and change.path.rpartition("/")[0] == folder.path


def merged_plan(earlier: WithdrawalPlan | None, present: WithdrawalPlan) -> WithdrawalPlan:
    """The plan of a killed command, continued.

    Raises:
        StorageError: the killed command was for another patient.
    """
    if earlier is None:
        return present
    if earlier.patient != present.patient:
        raise StorageError(
            f"{PLAN_FILE}: the withdrawal of another patient is not finished; run that command "
            "again first"
        )
    # The seals and numbers of the first plan are those from before any change.
    folders = {**present.folders, **earlier.folders}
    descendants = {(d.folder, d.kind): d for d in (*present.descendants, *earlier.descendants)}
    return WithdrawalPlan(
        patient=present.patient,
        models=present.models or earlier.models,
        folders=folders,
        removed={**present.removed, **earlier.removed},
        trials={**present.trials, **earlier.trials},
        descendants=tuple(descendants[key] for key in sorted(descendants)),
    )


def read_plan(study: str) -> WithdrawalPlan | None:
    """Plan of a command that was killed; None if there is none."""
    path = join(study, PLAN_FILE)
    return settings_from(WithdrawalPlan, read_json(path)) if exists(path) else None


def write_plan(study: str, plan: WithdrawalPlan) -> None:
    """Write the plan into the study."""
    publish_json(join(study, PLAN_FILE), settings_dict(plan))


def selection_files(folders: Iterable[str]) -> list[str]:
    """Files in which experiments record the count that validation selected."""
    return [path for folder in folders for path in list_files(folder, prefix=SELECTION_FILE)]
