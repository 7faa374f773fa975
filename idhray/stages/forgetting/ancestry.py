"""All that descends from a patient: generators, images, classifiers, predictions, figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from idhray.classify.trial_models import CARD_FILE, MODELS_FOLDER
from idhray.cohorts.folds import FOLDS_FILE, read_folds
from idhray.generator_records import GENERATOR
from idhray.ledger import fates
from idhray.stages.forgetting.subject import Subject
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.stage_folders import StageFolder
from idhray.stages.tuning.best import BEST_FILE
from idhray.storage import exists, join, list_tree, read_json
from idhray.table_parts import parts, read_part

TRAINING_IMAGES = "compares a generator with the patient's training images"
DescendantKind = Literal[
    "generator",
    "synthetic images",
    "evaluation",
    "classifier",
    "predictions",
    "cases of readers",
    "settings",
]


@dataclass(frozen=True, kw_only=True)
class Descendant:
    """A result that was computed from images of the patient."""

    folder: str
    """Folder of the result, in the study."""
    kind: DescendantKind
    reason: str
    trials: Mapping[str, str] = field(default_factory=dict)
    """Training of an experiment -> digest of its settings; empty if the whole folder descends."""
    digest: str = ""
    """Seal of the folder; empty for one that is not finished, and for trainings."""


@dataclass(frozen=True, kw_only=True)
class _Checkpoints:
    """Generators and classifiers of a study, by their seals."""

    seals: set[str] = field(default_factory=set)
    """Those that descend from the patient."""
    others: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """model.json of those that do not."""


def descendants(folders: Sequence[StageFolder], subject: Subject) -> list[Descendant]:
    """Results of a study that descend from a patient, each with the reason.

    Args:
        folders: Folders of the study.
        subject: The patient.
    """
    results: list[Descendant] = []
    checkpoints = _Checkpoints()
    for folder in folders:
        if folder.stage not in ("train_gan", "train_classifier"):
            continue
        models = _models(folder.path)
        if reason := _training_reason(models.values(), subject):
            kind: DescendantKind = "generator" if folder.stage == "train_gan" else "classifier"
            results.append(_whole(folder, kind, reason))
            checkpoints.seals.update(models)
        else:
            checkpoints.others.update(models)
    checkpoints.seals.update(_kept_models(folders, subject))
    declared = [each for each in folders if each.stage == "import_synthetic"]
    checkpoints.seals.update(f.digest for f in declared if _of_synthetic(f, subject, checkpoints))
    rules = {
        "synthesize": _of_synthetic,
        "import_synthetic": _of_synthetic,
        "evaluate_gan": _of_evaluation,
        "predict": _of_predictions,
        "sweep": _of_sweep,
        "tune": _of_search,
    }
    for folder in folders:
        if folder.stage in rules and (
            descendant := rules[folder.stage](folder, subject, checkpoints)
        ):
            results.append(descendant)
    tables = {r.folder for r in results if r.kind == "synthetic images"}
    results += _of_forms(folders, tables)
    return results


def _models(folder: str) -> dict[str, dict[str, Any]]:
    """Seal -> model.json of the checkpoints in a folder; those without a seal by their path."""
    models = {}
    for path in list_tree(folder):
        place, _, name = path.rpartition("/")
        if name == "model.json":
            done = join(place, DONE)
            models[str(read_json(done)["digest"]) if exists(done) else place] = read_json(path)
    return models


def _kept_models(folders: Sequence[StageFolder], subject: Subject) -> set[str]:
    """Digests of the weights of the kept models of experiments that descend from the patient."""
    cards = [
        read_json(path)
        for folder in folders
        if folder.stage == "sweep" and exists(join(folder.path, MODELS_FOLDER))
        for path in list_tree(join(folder.path, MODELS_FOLDER))
        if path.endswith(f"/{CARD_FILE}")
    ]
    return {card["weights_sha256"] for card in cards if _training_reason([card], subject)}


def _training_reason(models: Iterable[Mapping[str, Any]], subject: Subject) -> str:
    """Reason why a checkpoint descends from the patient; empty if it does not."""
    uses = {
        "patients": "trained on the patient's images",
        "train_patients": "trained on the patient's images",
        "val_patients": "its epoch was chosen on the patient's images",
        "generator_patients": "trained on images of a generator that saw the patient",
    }
    for model in models:
        for key, reason in uses.items():
            if any(map(subject.is_patient, model.get(key) or ())):
                earlier = key == "patients" and not _in_last_table(model, subject)
                return "started from a generator that saw the patient" if earlier else reason
    return ""


def _in_last_table(model: Mapping[str, Any], subject: Subject) -> bool:
    """True unless a model tells that only earlier trainings saw the patient."""
    tables = model.get("tables") or [{}]
    ranks = tables[0].get("last_ranks")
    return ranks is None or any(map(subject.is_patient, ranks))


def _of_synthetic(
    folder: StageFolder, subject: Subject, checkpoints: _Checkpoints
) -> Descendant | None:
    path = join(folder.path, GENERATOR)
    if not exists(path) or not any(map(subject.is_patient, read_json(path)["patients"])):
        return None
    return _whole(folder, "synthetic images", "its generator saw the patient")


def _of_evaluation(
    folder: StageFolder, subject: Subject, checkpoints: _Checkpoints
) -> Descendant | None:
    generator = str(folder.settings.get("generator"))
    if generator in checkpoints.seals:
        return _whole(folder, "evaluation", TRAINING_IMAGES)
    if _is_held_out(checkpoints.others.get(generator, {}), subject):
        return _whole(folder, "evaluation", "compares a generator with the patient's images")
    return None


def _is_held_out(model: Mapping[str, Any], subject: Subject) -> bool:
    """True if the evaluation of a generator uses the patient as a validation patient."""
    roles = (model.get("fold") or {}).get("roles", {})
    role = roles.get(subject.patient, roles.get(subject.token))
    return role == "val" and model.get("idh") in (subject.label, "both", "any")


def _of_predictions(
    folder: StageFolder, subject: Subject, checkpoints: _Checkpoints
) -> Descendant | None:
    models = {folder.settings.get("checkpoint"), *folder.settings.get("models", {}).values()}
    if not models & checkpoints.seals:
        return None
    return _whole(folder, "predictions", "predicted by a classifier that saw the patient")


def _of_sweep(
    folder: StageFolder, subject: Subject, checkpoints: _Checkpoints
) -> Descendant | None:
    """Trainings of the folds in which the patient trains or validates."""
    path = join(folder.path, FOLDS_FILE)
    if not exists(path):
        reason = "an experiment without folds; the patient may have been in its training"
        return None if _is_tested(folder.path, subject) else _whole(folder, "predictions", reason)
    folds = read_folds(path)
    used = {
        fold: role
        for fold in folds.numbers()
        if (role := folds.roles(fold).get(subject.patient, "test")) != "test"
    }
    trials = {
        name: fate.settings_hash
        for name, fate in sorted(fates(folder.path).items())
        if _fold_of_trial(name) in used
    }
    if not trials:
        return None
    listed = ", ".join(f"{fold} ({role})" for fold, role in used.items())
    reason = f"the patient has a role in the training of the folds {listed}"
    return Descendant(folder=folder.path, kind="predictions", reason=reason, trials=trials)


def _of_search(
    folder: StageFolder, subject: Subject, checkpoints: _Checkpoints
) -> Descendant | None:
    path = join(folder.path, BEST_FILE)
    if not exists(path):
        return None
    patients = {n for entry in read_json(path)["folds"].values() for n in entry["patients"]}
    if not any(map(subject.is_patient, patients)):
        return None
    return _whole(folder, "settings", "settings that were chosen on the patient's images")


def _is_tested(folder: str, subject: Subject) -> bool:
    """True if the patient is tested by an experiment of version 0.1, or has no role in it."""
    splits = {
        row["split"]
        for path in parts(folder)
        for row in read_part(path, ["patient", "split"]).to_pylist()
        if row["patient"] == subject.patient
    }
    return splits == {"test"}


def _whole(folder: StageFolder, kind: DescendantKind, reason: str) -> Descendant:
    return Descendant(folder=folder.path, kind=kind, reason=reason, digest=folder.digest)


def _fold_of_trial(name: str) -> int:
    """Fold in the name of a trial, such as fold=1 repeat=2 arm=real."""
    number = name.partition("fold=")[2].split()[:1]
    return int(number[0]) if number and number[0].isdigit() else 0


def _of_forms(folders: Sequence[StageFolder], tables: set[str]) -> list[Descendant]:
    """Cases of readers that show images of a generator that saw the patient."""
    seals = {f.digest for f in folders if f.path in tables} - {""}
    reason = "shows synthetic images of a generator that saw the patient"
    return [
        _whole(folder, "cases of readers", reason)
        for folder in folders
        if folder.stage == "readers" and seals & set(folder.settings.get("synthetic", ()))
    ]
