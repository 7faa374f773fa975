"""Plan of an experiment: folds, images, protocol, generators and trials, before any training."""

import functools
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np

from idhray.classify.settings import ClassifierSettings
from idhray.cohorts.folds import Folds
from idhray.config import default_values, settings_hash
from idhray.experiment.arms import GENERATED, Arm, parse_arm
from idhray.experiment.classifiers import kinds_of, values_of_kind
from idhray.experiment.images import (
    ArmImages,
    CohortImages,
    FoldImages,
    arm_images,
    missing_images,
)
from idhray.experiment.protocol import Protocol, new_protocol
from idhray.experiment.settings import (
    planned_arms,
    primary_arm,
    resolved_counts,
)
from idhray.experiment.trials import ON_FEATURES, Trial
from idhray.stages.experiment.experiment_folds import folds_digest
from idhray.stages.experiment.feature_tables import FeatureTables
from idhray.stages.experiment.fold_generators import GeneratorsOfTrial
from idhray.stages.experiment.image_identities import synthetic_identities
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.storage import read_bytes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrialPlan:
    """Everything that a run of the experiment decides before it trains."""

    folds: Folds
    images: CohortImages
    fold_images: Mapping[int, FoldImages]
    protocol: Protocol
    settings: ExperimentSettings
    images_seal: str
    seed: int
    generators: GeneratorsOfTrial
    """Generators of each fold and repeat; empty without arms that need them, and until they are
    trained."""
    seals: Mapping[str, str]
    """Seal of each SYNTHETIC folder in use."""
    features: FeatureTables | None = None
    """FEATURES tables; None if the run encodes the images."""
    encoder: Mapping[str, str] = field(default_factory=dict)
    """Name, digest, license and pretraining of the encoder; empty without one."""
    ancestry: tuple[str, ...] = ()
    """Sentences on ancestors of which something is unknown."""

    @functools.cached_property
    def synthetic_identities(self) -> dict[str, list[str]]:
        """Identity of each image of the SYNTHETIC folders in use, by index."""
        return {folder: synthetic_identities(folder) for folder in self.seals}

    def has_images_of(self, arm: str) -> bool:
        """False for an arm of generated images while its generators are not trained."""
        return bool(self.generators) or parse_arm(arm).kind not in GENERATED

    def generators_of(self, trial: Trial) -> tuple[str, ...]:
        """SYNTHETIC folders of a trial; none for an arm without synthetic images."""
        if parse_arm(trial.arm).kind not in GENERATED:
            return ()
        return self.generators[trial.fold, trial.repeat]

    def trial_hash(self, trial: Trial) -> str:
        """Digest of all that decides the result of a trial: its settings and the images it reads.

        Images count with their pixels, patient and label, not with their place in the table.
        """
        values = self._classifier_values[trial.classifier]
        if trial.network:
            values = {**values, "backbone": trial.network}
        content, count = hashlib.sha256(), parse_arm(trial.arm).count // 2
        rows, fold = self._arm_rows(trial), self.fold_images[trial.fold]
        added = [rows.added] if rows.source in {"real", "classic"} else []
        for numbers in (rows.real, *added, fold.val, fold.test):
            content.update(self.images.identities[numbers].tobytes() + b"|")
        content.update(rows.added_labels.tobytes())
        return settings_hash(
            {
                **self._values(trial, values),
                "image_rows": content.hexdigest(),
                "synthetic_rows": [
                    self.synthetic_identities[folder][:count]
                    for folder in self.generators_of(trial)
                ],
            }
        )

    def older_trial_hashes(self, trial: Trial) -> tuple[str, str]:
        """Digests of earlier versions, which covered the seals of whole tables.

        The second one was made of the settings of both classifiers.
        """
        content = hashlib.sha256()
        rows, fold = self._arm_rows(trial), self.fold_images[trial.fold]
        for numbers in (rows.real, rows.added, rows.added_labels, fold.val, fold.test):
            content.update(np.ascontiguousarray(numbers, np.int64).tobytes() + b"|")
        every = self._classifier_values
        first, second = (
            settings_hash(
                {
                    **self._values(trial, classifier),
                    "images": self.images_seal,
                    "rows": content.hexdigest(),
                    "synthetic": [self.seals[folder] for folder in self.generators_of(trial)],
                }
            )
            for classifier in (every[trial.classifier], {**every["frozen"], **every["network"]})
        )
        return first, second

    def _values(self, trial: Trial, classifier: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a trial."""
        return {
            "trial": trial.name,
            "classifier": dict(classifier),
            "budget": self.settings.protocol.budget,
            "seed": self.seed,
        }

    def _arm_rows(self, trial: Trial) -> ArmImages:
        return arm_images(
            parse_arm(trial.arm),
            self.images,
            self.fold_images[trial.fold],
            seed=self.seed,
            fold_number=trial.fold,
            repeat=trial.repeat,
        )

    @functools.cached_property
    def _classifier_values(self) -> dict[str, dict[str, Any]]:
        """Classifier -> the settings that decide its results, as the protocol records them."""
        defaults = default_values(ClassifierSettings)
        values = replace(self.settings, classifiers=("network", *ON_FEATURES)).decisive()
        values |= weights_digest(self.settings)
        every = {kind: values_of_kind(values, kind, defaults) for kind in kinds_of(values)}
        return every | self.protocol.classifier_values(defaults)


def plan_protocol(
    folds: Folds, by_fold: Mapping[int, FoldImages], settings: ExperimentSettings, seed: int
) -> Protocol:
    """Protocol of the settings, with counts and arms resolved against the images."""
    counts = resolved_counts(settings.protocol, min(fold.n_real for fold in by_fold.values()))
    arms = planned_arms(settings.protocol, counts)
    absent = absent_arms(arms, by_fold)
    for name, reason in absent.items():
        logger.warning("arm %s is left out: %s", name, reason)
    primary = primary_arm(settings.protocol, counts)
    return new_protocol(
        replace(settings.protocol, fold_by=folds.by),
        arms=[arm.name for arm in arms if arm.name not in absent],
        absent=absent,
        primary="" if settings.protocol.real_only else primary.name if primary else None,
        counts=counts,
        folds_digest=folds_digest(folds),
        classifier={**settings.decisive(), **weights_digest(settings)},
        seed=seed,
        today=date.today().isoformat(),
        networks=settings.networks,
    )


def weights_digest(settings: ExperimentSettings) -> dict[str, str]:
    """Digest of the file of weights that trainings start from; none without such a file."""
    weights = settings.classifier.weights
    if "network" not in settings.classifiers or weights in ("imagenet", "random"):
        return {}
    return {"weights_sha256": hashlib.sha256(read_bytes(weights)).hexdigest()}


def absent_arms(arms: Sequence[Arm], by_fold: Mapping[int, FoldImages]) -> dict[str, str]:
    """Arms that a fold has too few images for, with the reason of the first such fold."""
    absent: dict[str, str] = {}
    for arm in arms:
        for number, fold in sorted(by_fold.items()):
            if reason := missing_images(arm, fold):
                absent[arm.name] = f"in fold {number} {reason}"
                break
    return absent
