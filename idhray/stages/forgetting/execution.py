"""Changes of a withdrawal, made one by one. Each may be the last one before the command is killed.

A ledger row changes before its part: a part that still holds the patient is noticed by the next
run, which then writes both again.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from posixpath import basename

from idhray import ledger
from idhray.classify.trial_models import model_folder
from idhray.cohorts.folds import FOLDS_FILE, Folds, folds_hash, read_folds, write_folds
from idhray.cohorts.manifest import manifest_hash, patients_of, read_manifest, write_manifest
from idhray.cohorts.text_table import read_text_table
from idhray.config import settings_hash
from idhray.ledger import Fate
from idhray.stages.experiment.outcome import PROTOCOL_FILE
from idhray.stages.experiment.trial import STATES, TRIALS_FOLDER
from idhray.stages.forgetting.changes import Change, changed_rows, changed_text, masked_values
from idhray.stages.forgetting.plan import FolderChanges, WithdrawalPlan, selection_files
from idhray.stages.forgetting.subject import Subject
from idhray.stages.readers import write_form
from idhray.stages.runtime.folder import DONE, sealed_with_other_records, sealed_without_rows
from idhray.storage import (
    SETTINGS,
    delete_folder,
    exists,
    join,
    publish,
    publish_json,
    read_json,
    remove,
)
from idhray.table_parts import digest_of_rows, part_path, publish_table

MANIFESTS = ("cohort.parquet", "normals.parquet", "_cohort.parquet")


def remove_whole(study: str, plan: WithdrawalPlan) -> None:
    """Remove folders and trainings that a plan removes as a whole.

    An experiment that loses trainings is not finished any more.
    """
    for folder in plan.removed:
        remove(join(study, folder, DONE))
        delete_folder(join(study, folder))
    for folder, trials in plan.trials.items():
        path = join(study, folder)
        remove(join(path, DONE))
        fates = ledger.fates(path)
        for name, digest in trials.items():
            if name in fates and fates[name].settings_hash not in ("", digest):
                continue  # trained anew since then
            ledger.forget(path, name)
            remove(part_path(path, name))
            remove(part_path(join(path, TRIALS_FOLDER), name))
            delete_folder(model_folder(path, name))
        delete_folder(join(path, STATES))  # of trainings under way, whose fold is not told
        for file in selection_files([path]):
            remove(file)


def change_folder(work: FolderChanges, subject: Subject) -> None:
    """Make the changes of one folder; its seal is absent meanwhile."""
    folder = work.folder.path
    remove(join(folder, DONE))
    if work.cases:
        _remove_cases(folder, work.cases)
    parts = [change for change in work.changes if _is_part_of(folder, change)]
    listed = _listing(folder) if parts else {}
    for change in work.changes:
        if change in parts:
            _change_part(folder, change, subject, listed)
        elif change.kind == "delete":
            remove(change.path)
        elif change.kind == "rows":
            _change_table(change.path, subject)
        else:
            text, _ = changed_text(change.path, subject)
            if text is not None:
                publish(change.path, text.encode(errors="surrogateescape"))


def _is_part_of(folder: str, change: Change) -> bool:
    """True for a part of the folder's own table."""
    path, _, name = change.path.rpartition("/")
    return path == folder and name.startswith("part-") and change.kind != "text"


def _listing(folder: str) -> dict[str, tuple[str, int]]:
    """Part -> input and number in the ledger."""
    return {
        part_path(folder, name, shard): (name, shard)
        for name, fate in ledger.fates(folder).items()
        for shard in range(fate.parts)
    }


def _change_part(
    folder: str, change: Change, subject: Subject, listed: Mapping[str, tuple[str, int]]
) -> None:
    """Write one part of a table and its ledger row anew, or remove both."""
    name, shard = listed.get(change.path, ("", 0))
    fate = ledger.fate(folder, name) if name else None
    rows, schema = changed_rows(change.path, subject)
    if not rows and (fate is None or fate.parts == 1):
        if fate is not None:
            ledger.forget(folder, name)
        remove(change.path)
        return
    if fate is not None:
        ledger.record(folder, _with_shard(fate, shard, digest_of_rows(rows, schema), change.rows))
    publish_table(change.path, rows, schema)


def _with_shard(fate: Fate, shard: int, digest: str, removed: int) -> Fate:
    """The fate of an input, one of whose parts has lost rows."""
    digests = fate.digest.split("-")
    if digests[shard] == digest:
        return fate  # recorded by a command that was killed before it wrote the part
    digests[shard] = digest
    return replace(fate, rows=fate.rows - removed, digest="-".join(digests))


def _change_table(path: str, subject: Subject) -> None:
    """Write a Parquet file anew as the stage that made it would write it."""
    if basename(path) in MANIFESTS:
        cohort = read_manifest(path)
        rest = cohort[cohort["patient"] != subject.patient]
        write_manifest(path, rest.reset_index(drop=True))
    elif basename(path) == FOLDS_FILE:
        folds = read_folds(path)
        table = folds.table[folds.table["patient"] != subject.patient]
        write_folds(path, Folds(table.reset_index(drop=True), folds.by))
    else:
        rows, schema = changed_rows(path, subject)
        publish_table(path, rows, schema)


def _remove_cases(folder: str, cases: Collection[str]) -> None:
    """Remove cases from what readers get; the key, which names them, changes later."""
    for case in cases:
        remove(join(folder, "cases", f"{case}.png"))
    form = read_text_table(join(folder, "form.csv"))
    write_form(folder, form[~form["case"].isin(cases)])


def seal_folder(study: str, folder: str, plan: WithdrawalPlan) -> None:
    """Seal a folder again, if it was finished and has all its trainings.

    A folder that lost rows of its table is another table now; elsewhere only records changed.
    """
    before, path = plan.folders[folder], join(study, folder) if folder else study
    if folder in plan.trials or not before.seal:
        return
    if before.lost_rows:
        sealed = sealed_without_rows(path, before.seal)
    else:
        sealed = sealed_with_other_records(path, before.seal)
    publish_json(join(path, DONE), sealed)


def continue_protocol(folder: str, subject: Subject, day: str) -> None:
    """Fit the protocol of an experiment to its folds, from which the patient has gone."""
    path, folds_path = join(folder, PROTOCOL_FILE), join(folder, FOLDS_FILE)
    if not exists(path) or not exists(folds_path):
        return
    before = read_json(path)
    values = masked_values(before, subject)
    folds = folds_hash(read_folds(folds_path))
    decisive = values["decisive"]
    if decisive.get("folds_digest") not in (None, folds):
        earlier = values.get("withdrawals", {})
        values["withdrawals"] = {**earlier, f"{day} {folds}": "a patient withdrew"}
        decisive["folds_digest"] = folds
    if values == before:
        return
    content = {name: each for name, each in values.items() if name not in ("hash", "digest")}
    publish_json(
        path, {**content, "hash": settings_hash(decisive), "digest": settings_hash(content)}
    )


def follow_seals(study: str, plan: WithdrawalPlan, settings_files: Collection[str]) -> None:
    """Write the new seals of tables into the settings of folders that do not descend from them.

    These folders stay finished: nothing in them was computed from the rows that left.
    """
    digests = {}
    for folder, before in plan.folders.items():
        done = join(study, folder, DONE)
        if before.lost_rows and before.seal and exists(done):
            digests[before.seal["digest"]] = read_json(done)["digest"]
    outdated = {
        join(study, each.folder)
        for each in plan.descendants
        if not each.trials and each.kind != "cases of readers"
    }
    for path in settings_files:
        values = read_json(path)
        if path.removesuffix(f"/{SETTINGS}") in outdated or values.get("stage") == "predict":
            continue
        new = {name: _new_digest(value, digests) for name, value in values.items()}
        if new != values:
            publish_json(path, new)


def _new_digest(value: object, digests: Mapping[str, str]) -> object:
    return digests.get(value, value) if isinstance(value, str) else value


def follow_manifest(study: str) -> None:
    """Write the hash of the cohort into the settings of the study."""
    path = join(study, SETTINGS)
    values = read_json(path)
    for name, file in (("manifest_hash", "cohort.parquet"), ("normals_hash", "normals.parquet")):
        if values.get("stage") == "study" and values.get(name) and exists(join(study, file)):
            values[name] = manifest_hash(patients_of(read_manifest(join(study, file))))
    if values != read_json(path):
        publish_json(path, values)
