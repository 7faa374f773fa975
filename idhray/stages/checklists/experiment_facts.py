"""Facts on the design of an experiment: protocol, classifier, trainings, generators."""

from collections.abc import Mapping, Sequence
from typing import Any

from idhray.cohorts.folds import FOLDS_FILE
from idhray.experiment.classifiers import TUNED, kinds_of
from idhray.experiment.protocol import Protocol
from idhray.report.checklists.guidelines import StudyFact
from idhray.stages.experiment.outcome import (
    GENERATORS_FILE,
    PROTOCOL_FILE,
    SweepOutcome,
    is_experiment,
    main_model,
    read_outcome,
)
from idhray.stages.studies.experiment_report import detectable_text
from idhray.stages.studies.record import EXPERIMENT_FILE
from idhray.stages.studies.settings import GENERATOR_GROUPS
from idhray.storage import exists, join, list_folders

PROTOCOL = f"sweep/{PROTOCOL_FILE}"
TRAINING = ("optimizer", "learning_rate", "rate_schedule", "batch_size", "epochs", "dropout")
PREPARED = ("channels", "image_px", "clahe_clip_limit", "gamma", "online", "dihedral")
TABLE_SETTINGS = {
    "tiling": ("magnification", "tile_px", "tissue", "min_tissue_fraction"),
    "patches": ("patch_px", "stride_px", "normalize", "min_tissue_fraction"),
}
GAN_SETTINGS = ("resolution_px", "total_kimg", "batch_size", "learning_rate")
MRI_SETTINGS = ("interpolation", "n4", "low_percentile", "high_percentile", "fov_mm", "size_px")


def experiment_facts(root: str) -> dict[str, StudyFact]:
    """Facts from the protocol, the generators and the trainings of a sweep; none without it."""
    sweep = join(root, "sweep")
    if not is_experiment(sweep) or not exists(join(sweep, FOLDS_FILE)):
        return {}
    outcome = read_outcome(sweep)
    return {
        **_protocol(outcome),
        **_classifier(outcome.protocol),
        **_trainings(outcome),
        **_generators(outcome.generators),
        **_models(sweep),
    }


def _protocol(outcome: SweepOutcome) -> dict[str, StudyFact]:
    protocol, decisive = outcome.protocol, outcome.protocol.decisive
    amendments = "; ".join(f"{each.date}: {each.reason}" for each in protocol.amendments)
    if protocol.unblinded:
        shown = f"areas of the arms were shown since {protocol.unblinded}, before all trainings"
        amendments = f"{amendments or 'never amended'}; {shown} were done"
    facts = {
        "protocol.written": (
            f"protocol of {protocol.written}, before the first training (hash {protocol.hash})",
            "written, hash",
        ),
        "protocol.amendments": (amendments or "never amended", "amendments"),
        "protocol.arms": (", ".join(protocol.arms), "arms"),
        "protocol.metric": (decisive["metric"], "decisive.metric"),
        "protocol.margin": (f"{decisive['margin']:g} of AUC", "decisive.margin"),
        "protocol.repeats": (
            f"{protocol.planned_repeats} trainings of each arm in each fold",
            "planned_repeats",
        ),
        "protocol.budget": (decisive["budget"], "decisive.budget"),
    }
    if outcome.rule.primary:
        text = f"{outcome.rule.primary} against {outcome.rule.baseline}"
        facts["protocol.primary"] = (text, "decisive.primary")
    if protocol.detectable:
        facts["protocol.detectable"] = (detectable_text(protocol), "detectable")
    return _with_source(facts, PROTOCOL)


def _with_source(facts: Mapping[str, tuple[str, str]], file: str) -> dict[str, StudyFact]:
    """Facts of one file, from (text, column)."""
    return {
        name: StudyFact(text=str(text), source=f"{file}: {column}")
        for name, (text, column) in facts.items()
    }


def _classifier(protocol: Protocol) -> dict[str, StudyFact]:
    """Network, its start, input, training and selection; of features, the encoder and the head."""
    values = protocol.decisive["classifier"]
    kinds = kinds_of(values)
    searched = TUNED in values
    facts = {
        "classifier.model": (f"{main_model(protocol)} ({kinds[0]})", "kinds, backbone, encoder"),
        "classifier.tuning": (
            "settings of each fold were found by a search on inner validation patients"
            if searched
            else "no search: one set of settings, fixed before the first training",
            TUNED,
        ),
    }
    if kinds[0] == "network":
        facts["classifier.weights"] = (f"start from {values['weights']} weights", "weights")
        facts["classifier.input"] = (_settings(values, PREPARED), ", ".join(PREPARED))
        facts["classifier.training"] = (_settings(values, TRAINING), ", ".join(TRAINING))
        by_loss = values["select_by"] == "val_loss"
        facts["classifier.selection"] = (
            "the epoch with the least log loss of validation patients" if by_loss else "last epoch",
            "select_by",
        )
        equal = values["patient_weights"] == "equal"
        text = "each patient as often" if equal else "each image as often"
        facts["classifier.draw"] = (f"training images are drawn so that {text}", "patient_weights")
    return _with_source(facts, f"{PROTOCOL}: decisive.classifier")


def _settings(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {values[name]}" for name in names if values.get(name) is not None
    )


def _trainings(outcome: SweepOutcome) -> dict[str, StudyFact]:
    trials = outcome.trials
    hours = trials[["seconds", "gpu_seconds"]].sum() / 3600
    text = f"{hours['seconds']:.3g} hours of training, {hours['gpu_seconds']:.3g} GPU-hours"
    return _with_source(
        {
            "trainings.count": (f"{len(trials)} trainings", "fold, repeat, arm"),
            "trainings.hours": (text, "seconds, gpu_seconds"),
        },
        "sweep/trials",
    )


def _generators(entries: Sequence[Mapping[str, Any]]) -> dict[str, StudyFact]:
    if not entries:
        return {}
    gates = [entry["gate"] for entry in entries]
    counts = ", ".join(f"{gates.count(state)} {state}" for state in dict.fromkeys(gates))
    patients = [entry["patients"] for entry in entries]
    folds = len({entry["fold"] for entry in entries})
    span = f"{min(patients)} to {max(patients)} training patients each"
    return _with_source(
        {
            "generators.trained": (
                f"{len(entries)} generators, one class each, of {folds} fold(s), {span}",
                "generators",
            ),
            "generators.gates": (f"test for copies and diversity: {counts}", "gate"),
        },
        f"sweep/{GENERATORS_FILE}",
    )


def _models(sweep: str) -> dict[str, StudyFact]:
    """Number of the models that the experiment kept."""
    count = len(list_folders(join(sweep, "models")))
    if not count:
        return {}
    text = f"weights and cards of {count} trainings"
    return {"models.kept": StudyFact(text=text, source="sweep/models/*/model.json")}


def preparation_facts(settings: Mapping[str, Any]) -> dict[str, StudyFact]:
    """Facts from the recorded settings: preparation of images, generators, threshold.

    Args:
        settings: Settings of the study.
    """
    facts = {}
    for group, of_table in TABLE_SETTINGS.items():
        if group in settings:
            facts[f"settings.{group}"] = (_settings(settings[group], of_table), group)
    if slices := settings.get("mri", {}).get("slices"):
        facts["settings.mri"] = (_settings(slices, MRI_SETTINGS), "mri.slices")
    if settings.get("gan"):
        group = GENERATOR_GROUPS[settings.get("generator", "pggan")]
        facts["settings.gan"] = (_settings(settings[group], GAN_SETTINGS), group)
    if train := settings.get("patches", {}).get("train_per_class"):
        text = f"{train} real training images of each class; added images are half of each class"
        facts["settings.balance"] = (text, "patches.train_per_class")
    if statistics := settings.get("statistics"):
        text = f"called mutant at a probability of {statistics['threshold']:g} or more"
        facts["settings.threshold"] = (text, "statistics.threshold")
    return _with_source(facts, f"{EXPERIMENT_FILE}: settings")
