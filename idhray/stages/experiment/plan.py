"""Plan of an experiment: folds, images, protocol, generators and trials, before any training."""

import functools
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from idhray.ancestry import Ancestor, ancestors_of_weights
from idhray.classify.settings import ClassifierSettings
from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import Folds, folds_of_split, read_folds
from idhray.config import default_values, settings_hash
from idhray.errors import ConfigError, LeakageError, TableError
from idhray.experiment.arms import GENERATED, Arm, parse_arm
from idhray.experiment.classifiers import kinds_of, values_of_kind
from idhray.experiment.images import (
    ArmImages,
    CohortImages,
    FoldImages,
    arm_images,
    fold_images,
    missing_images,
)
from idhray.experiment.protocol import Protocol, new_protocol
from idhray.experiment.settings import (
    GeneratorScope,
    planned_arms,
    primary_arm,
    resolved_counts,
)
from idhray.experiment.trials import Trial, generators_of_trial
from idhray.fidelity.copies.near_duplicates import near_duplicates, refuse_near_duplicates
from idhray.generator_records import GeneratorRecord, read_generator
from idhray.image_ranks import image_ranks
from idhray.leakage import refuse_equal_weights, refuse_leaks_of_roles, suitable_generators
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.runtime.contents import image_identity, part_contents
from idhray.storage import SETTINGS, exists, join, read_bytes, read_json
from idhray.table_fingerprints import TableFingerprints
from idhray.table_parts import column_names, parts, read_part

logger = logging.getLogger(__name__)

CLASSES = ("wildtype", "mutant")
GeneratorsOfTrial = dict[tuple[int, int], tuple[str, ...]]  # (fold, repeat) -> SYNTHETIC folders


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
        values = replace(self.settings, classifiers=("network", "frozen")).decisive()
        values |= weights_digest(self.settings)
        every = {kind: values_of_kind(values, kind, defaults) for kind in kinds_of(values)}
        return every | self.protocol.classifier_values(defaults)


def synthetic_identities(folder: str) -> list[str]:
    """Origin of each image of a SYNTHETIC table, as text, in the order of their index.

    Images of `synthesize` depend on weights, seed, psi and index alone, so a table that got more
    images has the same ones first. Images of other programs are known by their part.
    """
    recorded = read_json(join(folder, SETTINGS)) if exists(join(folder, SETTINGS)) else {}
    weights = read_generator(folder).weights
    rows: list[tuple[int, str]] = []
    for path, digest in part_contents(folder).items():
        part = read_part(path, ["generator", "seed", "psi", "index"]).to_pylist()
        for number, row in enumerate(part):
            source = [weights, row["seed"], row["psi"], row["index"]]
            if recorded.get("stage") != "synthesize" or weights is None:
                source = [digest, number]
            rows.append((int(row["index"] or 0), settings_hash(source)))
    return [identity for _, identity in sorted(rows)]


def listed_images(folder: str) -> CohortImages:
    """Patient, label and rank of every image of a table, in its order, without the pixels.

    Raises:
        LeakageError: a patient has two labels.
    """
    tables = []
    for path, digest in part_contents(folder).items():
        names = ["patient", "idh", *({"rank"} & set(column_names(path)))]
        part = read_part(path, names).to_pandas()
        numbered = zip(part.index, part["patient"], part["idh"], strict=True)
        tables.append(part.assign(identity=[image_identity(digest, *row) for row in numbered]))
    rows = pd.concat(tables, ignore_index=True)
    rows["idh"] = rows["idh"].fillna("")
    torn = rows.groupby("patient")["idh"].nunique()
    if (torn > 1).any():
        raise LeakageError(f"{folder}: two labels for patient {torn.index[torn > 1][0]}")
    numbers = rows["rank"] if "rank" in rows else pd.Series([None] * len(rows))
    known_ranks = [None if pd.isna(number) else int(number) for number in numbers]
    return CohortImages(
        patients=rows["patient"].to_numpy(dtype=np.str_),
        labels=rows["idh"].map({"wildtype": 0, "mutant": 1}).fillna(-1).to_numpy(dtype=np.int8),
        ranks=image_ranks(rows["patient"].tolist(), known_ranks),
        identities=rows["identity"].to_numpy(dtype=np.str_),
    )


def folds_of(
    folder: str, file: str | None, written: str | None, settings: ExperimentSettings, seed: int
) -> Folds:
    """Folds of a file, of an earlier run, of the table's split, or newly drawn.

    Args:
        folder: PATCHES or SLICES folder.
        file: File of FOLDS that the user gives.
        written: File of FOLDS of an earlier run that this run continues, if it exists.
        settings: Settings; number and unit of the folds.
        seed: Seed of the draw.

    Raises:
        ConfigError: the file holds another number of folds, or folds by patient where folds by
            site are due.
    """
    path = file or (written if written and exists(written) else None)
    if path:
        folds = read_folds(path)
        if len(folds.numbers()) != settings.protocol.fold_count:
            raise ConfigError(
                f"{path}: {len(folds.numbers())} folds, but --fold-count "
                f"{settings.protocol.fold_count}; give the number of the file"
            )
        if settings.protocol.fold_by == "site" and folds.by != "site":
            raise ConfigError(
                f"{path}: folds by patient, but --fold-by site; draw them with `idhray "
                "split-cohort --by site`, or leave --fold-by out"
            )
        return folds
    columns = ["patient", "idh", "split"]
    rows = pd.concat([read_part(path, columns).to_pandas() for path in parts(folder)])
    cohort = rows.drop_duplicates("patient").fillna("")
    if settings.protocol.fold_count == 1:
        return folds_of_split(cohort)
    if settings.protocol.fold_by == "site":
        raise ConfigError(
            "folds by site need the manifest: `idhray split-cohort --by site` draws them, then "
            "give --folds FILE"
        )
    return draw_folds(cohort, count=settings.protocol.fold_count, seed=seed)


def images_by_fold(
    folder: str, images: CohortImages, folds: Folds, settings: ExperimentSettings
) -> dict[int, FoldImages]:
    """Rows of the images of each fold; see `fold_images`."""
    recorded = read_json(join(folder, SETTINGS)) if exists(join(folder, SETTINGS)) else {}
    protocol = settings.protocol
    ranked = recorded.get("stage") == "cut_patches"
    train, held_out = (
        chosen or (recorded.get(name) if ranked else None)
        for name, chosen in (
            ("train_per_class", protocol.train_per_class),
            ("eval_per_patient", protocol.eval_per_patient),
        )
    )
    by_fold = {}
    for number in folds.numbers():
        try:
            by_fold[number] = fold_images(
                images,
                folds.roles(number),
                train_per_class=train,
                eval_per_patient=held_out,
            )
        except TableError as error:
            raise TableError(f"{folder}: fold {number}, {error}") from None
    return by_fold


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


def folds_digest(folds: Folds) -> str:
    """Digest of the role of every patient in every fold."""
    return settings_hash({"rows": folds.table.astype(str).to_dict("records"), "by": folds.by})


def refuse_leaks_of_folds(
    folder: str, folds: Folds, settings: ExperimentSettings, images: TableFingerprints
) -> list[Ancestor]:
    """Ancestors of the networks of an experiment; refuse those that a fold's patients reach.

    Raises:
        LeakageError: in a fold, held-out patients or images are among those of the training set or
            of the weights that trainings start from.
    """
    weights = (
        ancestors_of_weights(settings.classifier.weights)
        if "network" in settings.classifiers
        else []
    )
    pairs = near_duplicates(folder, images)
    for fold in folds.numbers():
        roles, cohort = folds.roles(fold), f"fold {fold}"
        refuse_leaks_of_roles(roles, (), cohort=cohort, images=images, weights=weights)
        refuse_near_duplicates(folder, pairs, roles, cohort)
    return weights


def assigned_generators(
    synthetic: Sequence[str],
    folds: Folds,
    settings: ExperimentSettings,
    repeats: Sequence[int],
    images: TableFingerprints,
) -> GeneratorsOfTrial:
    """SYNTHETIC folders of each fold and repeat, one of each class.

    Raises:
        LeakageError: two folders have the same generator, or a folder serves no fold.
        ConfigError: a folder is listed twice, a fold has too few generators for the protocol, or
            a generator would serve several folds that the protocol gives one each.
    """
    if twice := sorted(folder for folder in set(synthetic) if synthetic.count(folder) > 1):
        raise ConfigError(f"--synthetic lists {twice[0]} twice; give each folder once")
    generators: GeneratorsOfTrial = {}
    serves: dict[str, GeneratorRecord] = {}
    refusals: dict[str, str] = {}
    scope = settings.protocol.generators
    suitable = {
        fold: suitable_generators(folds.roles(fold), synthetic, images) for fold in folds.numbers()
    }
    for of_fold in suitable.values():
        refuse_equal_weights(of_fold.records)
        serves |= of_fold.records
        refusals |= of_fold.refusals
    if unused := [folder for folder in synthetic if folder not in serves]:
        raise LeakageError(f"no fold may use {unused[0]}: {refusals[unused[0]]}")
    for fold, of_fold in suitable.items():
        by_class = {
            idh: [f for f in synthetic if f in of_fold.records and of_fold.records[f].idh == idh]
            for idh in CLASSES
        }
        for repeat in repeats:
            generators[fold, repeat] = generators_of_trial(
                by_class, fold=fold, repeat=repeat, repeats=max(repeats), scope=scope
            )
    if scope != "one":
        _refuse_shared_generators(generators, serves, scope)
    return generators


def _refuse_shared_generators(
    generators: GeneratorsOfTrial, records: Mapping[str, GeneratorRecord], scope: GeneratorScope
) -> None:
    """Refuse a generator of several folds: their luck would be one, and be counted as several."""
    fold_of: dict[str, tuple[int, str]] = {}
    for (fold, _), pair in sorted(generators.items()):
        for folder in pair:
            record = records[folder]
            for name in filter(None, (record.generator, record.weights)):
                other, first = fold_of.setdefault(f"{record.idh} {name}", (fold, folder))
                if other != fold:
                    raise ConfigError(
                        f"`generators: {scope}`, but folds {other} and {fold} would share a "
                        f"generator ({first}, {folder}); train one for each fold with "
                        "`train-gan --folds FILE --fold K`, or give --generators one"
                    )
