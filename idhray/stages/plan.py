"""The gains that a cohort can show, known before any GPU hour is spent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from idhray.cohorts.manifest import patients_of, read_manifest
from idhray.errors import ConfigError
from idhray.planning.cluster_cost import ClusterRates, Prices, Workload, cluster_costs, cost_figures
from idhray.planning.cluster_cost import cost_text as cluster_cost_text
from idhray.planning.experiment.design import ExperimentDesign
from idhray.planning.experiment.errors import ScoreModel
from idhray.planning.experiment.pilot import Pilot, pilot_of
from idhray.planning.experiment.plan import experiment_plan
from idhray.planning.experiment.printing import experiment_figures, experiment_text
from idhray.planning.printing import plan_text
from idhray.planning.simulation import StudyDesign
from idhray.planning.tables import CORRELATIONS, GAINS, make_plan, plan_figures
from idhray.stages.studies.arm_rows import arm_rows
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.arms.rule import Generators
from idhray.storage import publish_json

DEFAULT_FOLDS, DEFAULT_REPEATS = 5, 5


@dataclass(frozen=True, kw_only=True)
class PlanFlags:
    """Flags of `idhray plan`."""

    patients: int | None = None
    """Number of test patients of both classes; with `folds`, of all patients. Default: those of
    `manifest`, else those of `pilot`."""
    mutant: int | None = None
    """Number of IDH-mutant patients among them."""
    auc: float | None = None
    """Expected true AUC of the baseline. Default: that of `pilot`."""
    gain: float | None = None
    """Gain in AUC to plan for. Default: 0.02, 0.05 and 0.1."""
    correlations: tuple[float, ...] = CORRELATIONS
    """Correlations of the scores of the two models within a class. The more alike the models are,
    the higher is the correlation, and the easier it is to find a gain."""
    power: float = 0.8
    """Probability of finding a true gain."""
    seed: int = 0
    """Seed of the simulated studies."""
    manifest: str | None = None
    """Manifest whose patients with a known class are counted."""
    folds: int | None = None
    """Plan an experiment: number of folds; each patient is tested in one of them. Default of an
    experiment: 5."""
    repeats: int | None = None
    """Plan an experiment: trainings of each arm in each fold. Default of an experiment: 5."""
    generators: Generators = "per fold and repeat"
    """Experiment: trainings of the generators."""
    training_sd: float = 0.0
    """Experiment: SD between the trainings of an arm, in units of `sd_unit`."""
    generator_sd: float = 0.0
    """Experiment: SD that the luck of a generator adds, in units of `sd_unit`."""
    sd_unit: Literal["auc", "d-prime"] = "auc"
    """Experiment: unit of the two SDs, an AUC or d', the distance of the classes in SDs of
    scores."""
    training_correlation: float | None = None
    """Experiment: correlation of the scores of two trainings of an arm within a class, at least
    that of two arms. Default: 1, trainings differ by their luck alone."""
    margin: float = 0.02
    """Experiment: differences in AUC this small are irrelevant."""
    pilot: str | None = None
    """Experiment: predictions of a pilot, as `fit-stats` takes them (file or folder). They give
    the variances in place of the SDs and correlations."""
    pilot_model: str = ""
    """Classifier of the pilot; needed if there are several."""
    baseline: str = "real"
    """Arm of the pilot without added images."""
    primary: str | None = None
    """Arm of the pilot that is compared. Default: the only arm of synthetic images."""
    cluster: bool = False
    """Print hours, storage and money of a study on a cluster instead."""
    workload: Workload = field(default_factory=Workload)
    """Cluster: the work."""
    rates: ClusterRates = field(default_factory=ClusterRates)
    """Cluster: measured rates."""
    prices: Prices = field(default_factory=Prices)
    """Cluster: prices."""
    cpus: int = 0
    """Cluster: its CPUs, for the hours that pass."""
    gpus: int = 0
    """Cluster: its GPUs."""
    out: str | None = None
    """JSON file that also receives the figures."""


def plan(flags: PlanFlags) -> dict[str, Any]:
    """Print the gains over a baseline that a cohort or an experiment can show, and what it needs.

    With `folds`, `repeats` or `pilot` it plans an experiment, else one comparison of two models on
    one test set. With `cluster` it tells what a study costs on a cluster.
    """
    if flags.cluster:
        return _published(*_cluster(flags), flags)
    pilot = _pilot(flags) if flags.pilot else None
    mutants, wildtypes = _class_counts(flags, pilot)
    if pilot or flags.folds is not None or flags.repeats is not None:
        figures, text = _experiment(flags, pilot, mutants, wildtypes)
    else:
        figures, text = _comparison(flags, mutants, wildtypes)
    return _published(figures, text, flags)


def _published(figures: dict[str, Any], text: str, flags: PlanFlags) -> dict[str, Any]:
    """Result of the command; its figures are also written to `out`."""
    if flags.out is not None:
        publish_json(flags.out, figures)
        figures = {**figures, "out": flags.out}
    return {**figures, "text": text}


def _cluster(flags: PlanFlags) -> tuple[dict[str, Any], str]:
    """A study on a cluster."""
    costs = cluster_costs(flags.workload, flags.rates)
    text = cluster_cost_text(costs, flags.prices, cpus=flags.cpus, gpus=flags.gpus)
    return cost_figures(costs, flags.prices), text


def _class_counts(flags: PlanFlags, pilot: Pilot | None) -> tuple[int, int]:
    """Numbers of mutant and wildtype patients: by flags, of the manifest, or of the pilot."""
    if flags.patients is not None and flags.mutant is not None:
        mutants, patients = flags.mutant, flags.patients
    elif flags.patients is not None or flags.mutant is not None:
        raise ConfigError("--patients and --mutant belong together")
    elif flags.manifest:
        classes = patients_of(read_manifest(flags.manifest))["idh"]
        mutants = int((classes == "mutant").sum())
        patients = mutants + int((classes == "wildtype").sum())
    elif pilot:
        mutants, patients = pilot.n_mutant, pilot.n_mutant + pilot.n_wildtype
    else:
        raise ConfigError("give --patients and --mutant, or --manifest")
    if not 2 <= mutants <= patients - 2:
        raise ConfigError(
            f"{mutants} mutant of {patients} patients: at least two mutant and two wildtype "
            "patients are needed"
        )
    return mutants, patients - mutants


def _comparison(flags: PlanFlags, mutants: int, wildtypes: int) -> tuple[dict[str, Any], str]:
    """One comparison of two models on one test set."""
    design = StudyDesign(n_mutant=mutants, n_wildtype=wildtypes, auc=_auc(flags))
    gains = () if flags.gain is None else (flags.gain,)
    planned = make_plan(
        design, gains=gains, correlations=flags.correlations, power=flags.power, seed=flags.seed
    )
    return plan_figures(planned), plan_text(planned)


def _experiment(
    flags: PlanFlags, pilot: Pilot | None, mutants: int, wildtypes: int
) -> tuple[dict[str, Any], str]:
    """An experiment of K folds and R repeats."""
    design = ExperimentDesign(
        n_mutant=mutants,
        n_wildtype=wildtypes,
        folds=DEFAULT_FOLDS if flags.folds is None else flags.folds,
        repeats=DEFAULT_REPEATS if flags.repeats is None else flags.repeats,
        generators=flags.generators,
    )
    models = {"pilot": pilot.model(flags.auc)} if pilot else _models(flags)
    planned = experiment_plan(
        design,
        models,
        gains=GAINS if flags.gain is None else (flags.gain,),
        margin=flags.margin,
        power=flags.power,
        seed=flags.seed,
    )
    notes = [] if pilot is None else [pilot.sentence]
    return experiment_figures(planned), experiment_text(planned, notes)


def _models(flags: PlanFlags) -> Mapping[str, ScoreModel]:
    """A model per correlation of the arms' scores.

    Raises:
        ConfigError: there is no correlation, or a value is out of range.
    """
    if not flags.correlations:
        raise ConfigError("a plan needs a correlation of the two models' scores, such as 0.8")
    make = ScoreModel.of_areas if flags.sd_unit == "auc" else ScoreModel
    return {
        f"r = {correlation:g}": make(
            auc=_auc(flags),
            correlation=correlation,
            training_correlation=1.0
            if flags.training_correlation is None
            else flags.training_correlation,
            training_sd=flags.training_sd,
            generator_sd=flags.generator_sd,
        )
        for correlation in flags.correlations
    }


def _auc(flags: PlanFlags) -> float:
    if flags.auc is None:
        raise ConfigError("give --auc, the expected AUC of the baseline, or --pilot")
    return flags.auc


def _pilot(flags: PlanFlags) -> Pilot:
    source = str(flags.pilot)
    rows = prediction_rows(arm_rows((source,))[1], source=source)
    return pilot_of(
        rows,
        baseline=flags.baseline,
        primary=flags.primary,
        model=flags.pilot_model,
        source=source,
    )
