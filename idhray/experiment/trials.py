"""Trials of the experiment: one training for each fold, repeat, arm and classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError
from idhray.experiment.arms import REAL, parse_arm
from idhray.experiment.settings import GeneratorScope

ClassifierKind = Literal["network", "frozen", "mean-pool", "abmil"]
ON_FEATURES: tuple[ClassifierKind, ...] = ("frozen", "mean-pool", "abmil")
"""Classifiers on the features of a frozen encoder."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training. Its result depends on its own values and images, never on other trials."""

    fold: int
    repeat: int
    arm: str
    classifier: ClassifierKind = "network"
    network: str = ""
    """Network in timm, if it is another one than the backbone of the settings."""

    @property
    def name(self) -> str:
        """Name in the ledger."""
        classifier = "" if self.classifier == "network" else f" classifier={self.classifier}"
        network = f" network={self.network}" if self.network else ""
        return f"fold={self.fold} repeat={self.repeat} arm={self.arm}{classifier}{network}"


def planned_trials(
    folds: Sequence[int],
    repeats: Sequence[int],
    arms: Sequence[str],
    classifiers: Sequence[ClassifierKind],
    networks: Sequence[str] = (),
) -> list[Trial]:
    """All trials in complete blocks: every arm in every fold of one repeat, then the next one.

    The features of a frozen encoder are made once, so it has no arm with online augmentation.
    Further networks are trained on the arm `real` alone.
    """
    trials = []
    for repeat in repeats:
        for fold in folds:
            trials += [
                Trial(fold=fold, repeat=repeat, arm=arm, classifier=classifier)
                for classifier in classifiers
                for arm in arms
                if classifier == "network" or not parse_arm(arm).online
            ]
            trials += [
                Trial(fold=fold, repeat=repeat, arm=REAL.name, network=name) for name in networks
            ]
    return trials


def generators_of_trial(
    by_class: Mapping[str, Sequence[str]],
    *,
    fold: int,
    repeat: int,
    repeats: int,
    scope: GeneratorScope,
) -> tuple[str, ...]:
    """Generators of one fold and repeat, one of each class.

    Args:
        by_class: Class -> generators that may serve the fold, in a fixed order.
        fold: Number of the fold, for messages.
        repeat: Number of the repeat, from 1.
        repeats: Planned repeats.
        scope: Number of generators that the protocol plans.

    Raises:
        ConfigError: a class has fewer generators than the protocol plans.
    """
    needed = repeats if scope == "per fold and repeat" else 1
    for name, folders in by_class.items():
        if len(folders) < needed:
            raise ConfigError(
                f"fold {fold}: {len(folders)} {name} generators that never saw its validation and "
                f"test patients; `generators: {scope}` with {repeats} repeats needs {needed}. "
                "Train them with `train-gan --folds FILE --fold K --seed S`, or choose other "
                "--generators"
            )
    place = repeat - 1 if scope == "per fold and repeat" else 0
    return tuple(folders[place % len(folders)] for folders in by_class.values())
