"""Generators of each fold and repeat, and refusal of those that a fold may not use."""

from collections.abc import Mapping, Sequence

from idhray.ancestry import Ancestor, ancestors_of_weights
from idhray.cohorts.folds import Folds
from idhray.errors import ConfigError, LeakageError
from idhray.experiment.settings import GeneratorScope
from idhray.experiment.trials import generators_of_trial
from idhray.fidelity.copies.near_duplicates import near_duplicates, refuse_near_duplicates
from idhray.generator_records import GeneratorRecord
from idhray.leakage import (
    SuitableGenerators,
    refuse_equal_weights,
    refuse_leaks_of_roles,
    suitable_generators,
)
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.table_fingerprints import TableFingerprints

CLASSES = ("wildtype", "mutant")
GeneratorsOfTrial = dict[tuple[int, int], tuple[str, ...]]  # (fold, repeat) -> SYNTHETIC folders


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
    scope = settings.protocol.generators
    suitable = {
        fold: suitable_generators(folds.roles(fold), synthetic, images) for fold in folds.numbers()
    }
    for of_fold in suitable.values():
        refuse_equal_weights(of_fold.records)
        serves |= of_fold.records
    if unused := [folder for folder in synthetic if folder not in serves]:
        raise LeakageError(f"no fold may use {_refusal(unused[0], folds, suitable)}")
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


def _refusal(folder: str, folds: Folds, suitable: Mapping[int, SuitableGenerators]) -> str:
    """Reason of the fold whose patients the generator was trained on; else of the last fold."""
    reasons = [of_fold.refusals[folder] for of_fold in suitable.values()]
    reasons_beyond_patients = (
        of_fold.refusals[folder]
        for number, of_fold in suitable.items()
        if folder in suitable_generators(folds.roles(number), [folder]).records
    )
    return next(reasons_beyond_patients, reasons[-1])


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
