"""Models that an experiment keeps: the choice of trainings, their origins, their size.

OUT/models/TRAINING/   weights.safetensors and model.json of one training
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from idhray.ancestry import (
    ancestor_of_record,
    ancestors_of_weights,
    joined_digests,
    joined_remarks,
)
from idhray.classify.encoders import card_ancestry
from idhray.classify.trial_models import MODEL_KINDS, ModelOrigin
from idhray.experiment.arms import REAL, Arm
from idhray.experiment.settings import KeepModels
from idhray.experiment.trials import Trial, planned_trials
from idhray.generator_records import read_generator
from idhray.stages.experiment.outcome import SELECTION_FILE
from idhray.stages.experiment.plan import TrialPlan
from idhray.stages.experiment.preparation import preparation_of
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_fingerprints import table_fingerprints


def is_kept(trial: Trial, keep: KeepModels, protocol_primary: str | None, out: str = "") -> bool:
    """True if the model of a training is kept.

    Where validation selects the primary arm, only the fresh trainings of both arms are kept: they
    are the ones that are judged.

    Args:
        trial: The training.
        keep: Choice of the user.
        protocol_primary: Primary arm of the protocol; empty without one, None if it is selected.
        out: Folder of the experiment, which records the selection.
    """
    if keep != "real,primary":
        return keep == "all"
    if protocol_primary is not None:
        return trial.arm in (REAL.name, protocol_primary)
    path = join(out, SELECTION_FILE)
    if not out or not exists(path):
        return False
    selection = read_json(path)
    is_fresh = trial.repeat >= int(selection["first_fresh_repeat"])
    return is_fresh and trial.arm in (REAL.name, selection["arm"])


@dataclass(frozen=True, kw_only=True)
class ModelOrigins:
    """Origins of kept models by training: patients and images that shaped them."""

    plan: TrialPlan
    images: str
    """PATCHES or SLICES folder."""
    _origins: dict[Any, ModelOrigin] = field(default_factory=dict)

    def of(self, trial: Trial) -> ModelOrigin:
        """Origin of the model of one training."""
        key = (trial.fold, trial.classifier, self.plan.generators_of(trial))
        if key not in self._origins:
            self._origins[key] = self._origin(trial)
        return self._origins[key]

    def _origin(self, trial: Trial) -> ModelOrigin:
        settings, roles = self.plan.settings, self.plan.folds.roles(trial.fold)
        train, val = (
            tuple(sorted(name for name, each in roles.items() if each == role))
            for role in ("train", "val")
        )
        records = [read_generator(folder) for folder in self.plan.generators_of(trial)]
        ancestors = [
            ancestor_of_record(folder, record)
            for folder, record in zip(self.plan.generators_of(trial), records, strict=True)
        ]
        sentences: tuple[str, ...] = ()
        if trial.classifier == "network":
            weights = ancestors_of_weights(settings.classifier.weights)
        else:
            weights, sentences = [], card_ancestry(self.plan.encoder)
        pixels = table_fingerprints(self.images).of_patients((*train, *val)).pixels
        return ModelOrigin(
            train_patients=train,
            val_patients=val,
            generator_patients=tuple(sorted({n for each in records for n in each.patients})),
            ancestor_patients=tuple(sorted({n for each in weights for n in each.patients or ()})),
            image_digests=joined_digests(pixels, [*ancestors, *weights]),
            ancestry=(*joined_remarks([*weights, *ancestors]), *sentences),
            preparation=preparation_of(self.images),
            eval_per_patient=scored_images(self.images, settings),
        )


def kept_origins(
    trials: Iterable[Trial], plan: TrialPlan, images: str, out: str, keep: KeepModels
) -> dict[str, ModelOrigin]:
    """Origin of each model that is kept, by the name of its training."""
    origins, primary = ModelOrigins(plan=plan, images=images), plan.protocol.primary
    return {trial.name: origins.of(trial) for trial in trials if is_kept(trial, keep, primary, out)}


def scored_images(images: str, settings: ExperimentSettings) -> int | None:
    """Images by which a held-out patient is scored; None for all."""
    chosen = settings.protocol.eval_per_patient
    recorded = read_json(join(images, SETTINGS)) if exists(join(images, SETTINGS)) else {}
    of_patches = (
        recorded.get("eval_per_patient") if recorded.get("stage") == "cut_patches" else None
    )
    return chosen or of_patches


def fresh_pairs(folds: Sequence[int], settings: ExperimentSettings, repeats: int) -> list[Trial]:
    """Fresh trainings of `real` and of the arm that validation will select; none without it.

    Args:
        folds: Numbers of the folds.
        settings: Settings of the experiment.
        repeats: Planned repeats, which the fresh ones follow.
    """
    protocol = settings.protocol
    if protocol.selection != "validation":
        return []
    fresh = range(repeats + 1, repeats + protocol.fresh_repeats + 1)
    arms = (REAL.name, Arm(kind="synthetic", count=max(protocol.counts, default=2)).name)
    return planned_trials(folds, fresh, arms, settings.classifiers)


def models_line(
    trials: Iterable[Trial],
    keep: KeepModels,
    primary: str | None,
    settings: ExperimentSettings,
    fresh: Sequence[Trial] = (),
) -> str:
    """Number and bytes of the models that will be kept, as a line for a terminal.

    Args:
        trials: Planned trainings.
        keep: Choice of the user.
        primary: Primary arm of the protocol; None if validation selects it.
        settings: Settings of the experiment.
        fresh: Fresh trainings of `real` and a selected arm.
    """
    chosen = [trial for trial in trials if is_kept(trial, keep, primary)]
    if primary is None and keep != "none":
        chosen += fresh
    if not chosen:
        return "models kept: none; the experiment cannot be applied to other patients"
    sizes: dict[tuple[str, str], int] = {}
    for trial in chosen:
        key = (trial.classifier, trial.network)
        if key not in sizes:
            backbone = trial.network or settings.classifier.backbone
            network = replace(settings.classifier, backbone=backbone)
            sizes[key] = MODEL_KINDS[trial.classifier].size_bytes(network, settings.encoder)
    total = sum(sizes[trial.classifier, trial.network] for trial in chosen)
    return f"models kept: {len(chosen)} ({keep}), {total / 1e9:.2f} GB"
