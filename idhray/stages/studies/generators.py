"""Generators of a study: one of each class in all, for each fold, or for each fold and repeat.

gan-CLASS/  evaluation-CLASS/  synthetic-CLASS/   one in all
generators/fold-1/                                the same for each fold
generators/fold-1-repeat-2/                       the same for each fold and repeat
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from idhray.chance import seed_for
from idhray.cohorts.folds import folds_hash, read_folds
from idhray.cohorts.manifest import LABELS, Label
from idhray.errors import ConfigError
from idhray.experiment.settings import ProtocolSettings, resolved_counts
from idhray.stages.experiment.experiment_folds import images_by_fold
from idhray.stages.experiment.image_identities import listed_images
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.gan_training.task import GanTask, Idh
from idhray.stages.runtime.folder import seal
from idhray.stages.studies.numbered_folder import current_folder
from idhray.stages.studies.settings import StudyFlags, StudySettings
from idhray.storage import SETTINGS, absolute, exists, join, read_json

GENERATORS = "generators"


@dataclass(frozen=True, kw_only=True)
class StudyGenerator:
    """Generator of one class; fold 0 serves the only fold, repeat 0 serves all repeats."""

    fold: int
    repeat: int
    idh: Label
    one_network: bool = False
    """True if its network is also that of the other class."""

    @property
    def trained_on(self) -> Idh:
        """Class that its network is trained on."""
        return "both" if self.one_network else self.idh

    @property
    def network(self) -> str:
        """Name of its network in messages: its place in the study, and its class."""
        return f"{self.place} {self.trained_on}".strip()

    @property
    def name(self) -> str:
        """Name in messages: its place in the study, and its class."""
        return f"{self.place} {self.idh}".strip()

    @property
    def place(self) -> str:
        """Folder in the study; empty for the only pair of generators."""
        repeat = f"-repeat-{self.repeat}" if self.repeat else ""
        return f"{GENERATORS}/fold-{self.fold}{repeat}" if self.fold else ""

    def folder_name(self, step: str) -> str:
        """Path in the study of the first folder of a step: gan, evaluation or synthetic."""
        idh = self.trained_on if step == "gan" else self.idh
        return "/".join([*filter(None, [self.place]), f"{step}-{idh}"])

    def folder(self, study: str, step: str) -> str:
        """Folder of a step that the study uses; see `numbered_folder`."""
        return current_folder(study, self.folder_name(step))

    def seed(self, seed: int, study: str) -> int:
        """Seed of its training and of its images.

        Earlier versions gave all generators of a repeat one seed. A generator that they began keeps
        it, so the same command continues an older study.

        Args:
            seed: Seed of the study.
            study: Folder of the study.
        """
        path = join(self.folder(study, "gan"), SETTINGS)
        recorded = read_json(path).get("seed") if exists(path) else None
        older = seed_for(seed, "generator", self.repeat) if self.repeat else seed
        if recorded == older:
            return older
        return seed_for(seed, "generator", self.fold, self.repeat, self.trained_on)


def refuse_one_pair_of_many_folds(protocol: ProtocolSettings) -> None:
    """Refuse a study whose only pair of generators would have seen patients that folds test.

    Raises:
        ConfigError: the protocol has one pair of generators and several folds.
    """
    if protocol.generators == "one" and protocol.fold_count > 1:
        raise ConfigError(
            f"generators: one, but {protocol.fold_count} folds, which test every patient: one "
            "generator of this cohort has seen patients that some fold tests; give --generators "
            "'per fold', or --fold-count 1"
        )


def planned_generators(
    protocol: ProtocolSettings, *, one_network: bool = False
) -> Iterator[StudyGenerator]:
    """Generators that a protocol needs, those of the first repeat first.

    Args:
        protocol: Settings of the experiment.
        one_network: True if the generators of both classes share a network.
    """
    repeats = [0]
    if protocol.generators == "per fold and repeat":
        fresh = protocol.fresh_repeats if protocol.selection == "validation" else 0
        repeats = list(range(1, protocol.repeats + fresh + 1))
    for repeat in repeats:
        only = protocol.generators == "one"
        for fold in [0] if only else range(1, protocol.fold_count + 1):
            for idh in LABELS:
                yield StudyGenerator(fold=fold, repeat=repeat, idh=idh, one_network=one_network)


def training_tasks(
    images: str, folds: str, flags: StudyFlags, settings: StudySettings
) -> dict[str, GanTask]:
    """Task of each network by its name, in the folder that the study uses.

    Args:
        images: Folder of the PATCHES table.
        folds: File of the folds.
        flags: Flags of the study.
        settings: Settings of the study.
    """
    out = absolute(flags.out)
    protocol, one_network = settings.protocol, settings.one_network
    return {
        generator.network: GanTask(
            images=images,
            idh=generator.trained_on,
            out=generator.folder(out, "gan"),
            settings=settings.generator_settings,
            folds=folds,
            fold=generator.fold or 1,
            seed=generator.seed(flags.seed, out),
            allow_few=settings.allow_few,
            workers=flags.gan_workers,
            gpus_per_worker=flags.gpus,
        )
        for generator in planned_generators(protocol, one_network=one_network)
    }


def images_of_generator(images: str, folds: str, settings: StudySettings) -> int:
    """Images of each class that the largest arm adds.

    Args:
        images: Folder of the PATCHES table.
        folds: File of the folds.
        settings: Settings of the study.
    """
    experiment = ExperimentSettings(protocol=settings.protocol, classifier=settings.classifier)
    fewest = _fewest_images(images, seal(images), folds, folds_hash(read_folds(folds)), experiment)
    return max(resolved_counts(settings.protocol, fewest)) // 2


@functools.lru_cache(maxsize=2)
def _fewest_images(
    images: str, images_seal: str, folds: str, digest: str, experiment: ExperimentSettings
) -> int:
    """Real training images of the smallest fold; read once for all generators.

    Args:
        images: Folder of the PATCHES table.
        images_seal: Its seal: another one makes the number out of date.
        folds: File of the folds.
        digest: Digest of the folds.
        experiment: Settings of the experiment.
    """
    by_fold = images_by_fold(images, listed_images(images), read_folds(folds), experiment)
    return min(fold.n_real for fold in by_fold.values())
