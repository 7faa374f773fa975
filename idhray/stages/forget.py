"""Withdrawal of a patient: rows, pictures and records leave a study; descendants are listed."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from posixpath import basename
from typing import Any

from idhray.classify.trial_models import model_folder
from idhray.errors import ConfigError, ManifestError, StorageError
from idhray.stages.forgetting.ancestry import (
    TRAINING_IMAGES,
    Descendant,
    descendants,
)
from idhray.stages.forgetting.caches import cleaned_caches, slide_caches
from idhray.stages.forgetting.certificate import OpenEnds, certificate_of, text_of
from idhray.stages.forgetting.changes import PAGES, is_report_file
from idhray.stages.forgetting.execution import (
    change_folder,
    continue_protocol,
    follow_manifest,
    follow_seals,
    remove_whole,
    seal_folder,
)
from idhray.stages.forgetting.joined import holds_patient, joined_studies, outside_readings
from idhray.stages.forgetting.plan import (
    PLAN_FILE,
    FolderChanges,
    WithdrawalPlan,
    folder_changes,
    merged_plan,
    plan_of,
    read_plan,
    write_plan,
)
from idhray.stages.forgetting.search import leftovers
from idhray.stages.forgetting.subject import Subject, subject_of
from idhray.stages.gan_training.callbacks import REAL_SHEETS
from idhray.stages.runtime.stage_folders import StageFolder, stage_folders
from idhray.storage import (
    LOCK,
    SETTINGS,
    absolute,
    exists,
    folder_lock,
    join,
    list_tree,
    publish_json,
    read_bytes,
    remove,
)
from idhray.withdrawals import (
    WITHDRAWN_FILE,
    Withdrawal,
    Withdrawals,
    new_withdrawals,
    read_withdrawals,
    write_withdrawals,
)

NOT_SEARCHED = (LOCK, WITHDRAWN_FILE)


@dataclass(frozen=True, kw_only=True)
class ForgetFlags:
    """Flags of `idhray forget`."""

    study: str
    """Folder of a study, or of one stage."""
    patient: tuple[str, ...] = ()
    """Patients who withdraw, as in the column `patient`."""
    patients: str | None = None
    """Text file with further patients, one in each line."""
    models: bool = False
    """Also remove generators, synthetic images, classifiers and predictions that descend from the
    patient. Without it they are listed, and their records hold a keyed hash of the patient."""
    certificate: str | None = None
    """JSON file outside the study: what was removed, from where, and what remains."""
    dry_run: bool = False
    """Print what would be done, and stop."""


@dataclass(frozen=True, kw_only=True)
class _State:
    """Present state of a study, as far as a withdrawal needs it."""

    subject: Subject
    folders: list[StageFolder]
    files: list[str]
    changes: list[FolderChanges]
    plan: WithdrawalPlan
    caches: list[str]
    readings: list[str]

    @property
    def holds_patient(self) -> bool:
        """True if a file names the patient; pages are removed without being read."""
        paths = [change.path for each in self.changes for change in each.changes]
        return any(basename(path) not in PAGES and not is_report_file(path) for path in paths)


def forget(flags: ForgetFlags) -> dict[str, Any]:
    """Remove a patient from every file of a study, and list what descends from the patient.

    A command that was killed is finished by running it again. The exit code is 1 while slide caches
    of other nodes or studies that share outputs still hold the patient.
    """
    study = absolute(flags.study).rstrip("/")
    patients = _patients(flags)
    certificate = absolute(flags.certificate) if flags.certificate else None
    if certificate and f"{certificate}/".startswith(f"{study}/"):
        raise ConfigError(f"--certificate {certificate} lies in the study; choose a file outside")
    if not exists(join(study, SETTINGS)):
        raise StorageError(f"{study}: no {SETTINGS}; give the folder of a study or of a stage")
    results = [_withdraw(study, name, flags) for name in patients]
    values = [result["certificate"] for result in results]
    if certificate and not flags.dry_run:
        publish_json(certificate, values[0] if len(values) == 1 else {"withdrawals": values})
    finished = all(value["finished"] for value in values)
    return {
        "study": study,
        "patients": len(values),
        "finished": finished and not flags.dry_run,
        **({"certificate": certificate} if certificate and not flags.dry_run else {}),
        "text": "\n".join(result["text"] for result in results),
        "exit_code": 0 if finished or flags.dry_run else 1,
    }


def _patients(flags: ForgetFlags) -> list[str]:
    """Patients of the flags and of the file.

    Raises:
        ConfigError: there are none.
    """
    lines = read_bytes(absolute(flags.patients)).decode().splitlines() if flags.patients else []
    names = [*flags.patient, *(line.strip() for line in lines if line.strip())]
    if not names:
        raise ConfigError("give --patient or --patients")
    return list(dict.fromkeys(names))


def _withdraw(study: str, patient: str, flags: ForgetFlags) -> dict[str, Any]:
    """Withdraw one patient; the certificate and its text."""
    with ExitStack() as locks:
        if not flags.dry_run:
            locks.enter_context(folder_lock(study))
        withdrawals = read_withdrawals(study) or new_withdrawals()
        state = _state(study, patient, withdrawals, flags.models)
        earlier = withdrawals.of(patient)
        if not (state.holds_patient or earlier or state.plan.descendants):
            raise ManifestError(
                f"{study}: no patient {patient} in any of its files; write the name as in the "
                "column `patient` of its cohort.parquet"
            )
        withdrawal = _withdrawal(state, withdrawals, earlier)
        if flags.dry_run:
            ends = _open_ends(study, state, patient, [])
            values = certificate_of(study, state.plan, withdrawal, ends)
            return {"certificate": values, "text": text_of(state.plan, values, dry_run=True)}
        for folder in state.folders:
            if folder.path != study:
                locks.enter_context(folder_lock(folder.path))
        withdrawals = withdrawals.updated(withdrawal)
        write_withdrawals(study, withdrawals)
        write_plan(study, state.plan)
        _carry_out(study, state, withdrawal.day)
        withdrawal = _finished(study, state, withdrawal, withdrawals)
        rest = [path for path in list_tree(study) if basename(path) not in NOT_SEARCHED]
        remaining = [path[len(study) + 1 :] for path in leftovers(rest, state.subject)]
        ends = _open_ends(study, state, patient, remaining)
        withdrawal = replace(withdrawal, finished=not remaining)
        write_withdrawals(study, withdrawals.updated(withdrawal))
        remove(join(study, PLAN_FILE))
    values = certificate_of(study, state.plan, withdrawal, ends)
    return {"certificate": values, "text": text_of(state.plan, values, dry_run=False)}


def _state(study: str, patient: str, withdrawals: Withdrawals, models: bool) -> _State:
    """The patient's names, and all changes that are left to make."""
    files = list_tree(study)
    tables = [path for path in files if path.endswith(".parquet")]
    subject = subject_of(patient, withdrawals.token(patient), tables)
    folders = stage_folders(files)
    listed = descendants(folders, subject)
    listed = _with_recorded(study, listed, folders, withdrawals.of(patient))
    earlier = read_plan(study)
    bare = merged_plan(earlier, plan_of(study, subject, [], listed, folders, models=models))
    of_trials = [model_folder(join(study, f), n) for f, names in bare.trials.items() for n in names]
    removed = tuple(f"{path}/" for path in (*(join(study, f) for f in bare.removed), *of_trials))
    present = [path for path in files if not path.startswith(removed)] if removed else files
    pairs = [join(each.folder, "pairs.png") for each in listed if each.reason == TRAINING_IMAGES]
    sheets = [join(each.folder, name) for each in listed for name in REAL_SHEETS]  # of a generator
    changes = folder_changes(folders, present, subject, [*pairs, *sheets])
    plan = plan_of(study, subject, changes, listed, folders, models=models)
    return _State(
        subject=subject,
        folders=folders,
        files=files,
        changes=changes,
        plan=merged_plan(earlier, plan),
        caches=slide_caches(folders, subject.inputs),
        readings=outside_readings(study, files),
    )


def _with_recorded(
    study: str,
    listed: Sequence[Descendant],
    folders: Sequence[StageFolder],
    earlier: Withdrawal | None,
) -> list[Descendant]:
    """Descendants, with those that an earlier withdrawal recorded and that are still the same."""
    digests = {folder.path: folder.digest for folder in folders}
    present = {each.folder for each in listed}
    recorded = []
    for values in earlier.descendants if earlier else ():
        each = Descendant(**{**values, "folder": join(study, values["folder"])})
        same = each.trials or digests.get(each.folder) == each.digest
        if each.folder in digests and each.folder not in present and same:
            recorded.append(each)
    return [*listed, *recorded]


def _withdrawal(state: _State, withdrawals: Withdrawals, earlier: Withdrawal | None) -> Withdrawal:
    """Record of the withdrawal while it is under way."""
    names = {withdrawals.token(basename(path)) for path in state.subject.files}
    before = earlier or Withdrawal(
        patient=state.subject.token, day=datetime.now(UTC).date().isoformat()
    )
    return replace(
        before,
        finished=False,
        cache_files=tuple(sorted({*before.cache_files, *names})),
        open_caches=tuple(sorted({*before.open_caches, *state.caches})),
        descendants=tuple(asdict(each) for each in state.plan.descendants),
    )


def _carry_out(study: str, state: _State, day: str) -> None:
    """Make all changes that are left, folder by folder; then fit digests to them."""
    remove_whole(study, state.plan)
    for work in state.changes:
        change_folder(work, state.subject)
        seal_folder(study, work.folder.path[len(study) :].strip("/"), state.plan)
    for folder in state.plan.folders:  # those whose seal a killed command had not written yet
        path = join(study, folder) if folder else study
        if exists(join(path, SETTINGS)) and not exists(join(path, "_done.json")):
            seal_folder(study, folder, state.plan)
    settings = [path for path in list_tree(study) if path.endswith(f"/{SETTINGS}")]
    for path in settings:
        continue_protocol(path.removesuffix(f"/{SETTINGS}"), state.subject, day)
    follow_seals(study, state.plan, settings)
    follow_manifest(study)


def _finished(
    study: str, state: _State, withdrawal: Withdrawal, withdrawals: Withdrawals
) -> Withdrawal:
    """The record with the caches that are still to be cleaned, and the results that remain."""
    remaining = [
        asdict(each)
        for each in state.plan.descendants
        if each.folder not in state.plan.removed and each.folder not in state.plan.trials
    ]
    return replace(
        withdrawal,
        models_removed=state.plan.models,
        open_caches=tuple(
            cleaned_caches(withdrawal.open_caches, withdrawal.cache_files, withdrawals)
        ),
        descendants=tuple(remaining),
    )


def _open_ends(study: str, state: _State, patient: str, remaining: Sequence[str]) -> OpenEnds:
    """Studies that share outputs and still hold the patient; files that still name it."""
    return OpenEnds(
        leftovers=remaining,
        open_studies=[other for other in joined_studies(study) if holds_patient(other, patient)],
        sources=len(state.subject.files),
        readings=state.readings,
    )
