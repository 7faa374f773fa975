"""Settings, presets and flags of `idhray study`, for slides (Liu 2020) and MRI (Park 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import tyro

from idhray.classify.settings import PRESETS as CLASSIFIER
from idhray.classify.settings import ClassifierSettings
from idhray.errors import ConfigError
from idhray.experiment.settings import PRESETS as PROTOCOL
from idhray.experiment.settings import KeepModels, ProtocolSettings
from idhray.gan.architectures import conditional_settings
from idhray.gan.augment.config import PRESETS as AUGMENT
from idhray.gan.config import GanSettings
from idhray.gan.diffusion.config import PRESETS as DIFFUSION
from idhray.gan.diffusion.config import DiffusionSettings
from idhray.gan.pggan.config import PRESETS as PGGAN
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.stylegan2.config import PRESETS as STYLEGAN2
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.mri.patient import PRESETS as MRI
from idhray.mri.patient import MriSettings
from idhray.phantom.mri.readers import ERROR_RATE
from idhray.slides.patches import PRESETS as PATCHES
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import PRESETS as TILES
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.evaluate_gan import PRESETS as EVALUATION
from idhray.stages.evaluate_gan import EvaluationSettings
from idhray.stages.runtime.options import ItemFlags
from idhray.stats.settings import PRESETS as STATISTICS
from idhray.stats.settings import StatsSettings

GeneratorName = Literal["pggan", "stylegan2", "diffusion"]
GENERATOR_GROUPS = {"pggan": "gan", "stylegan2": "stylegan2", "diffusion": "diffusion"}
"""Group of a study's settings that holds those of each generator."""


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """Settings of every step of a slide study."""

    tiling: TilingSettings = field(default_factory=TilingSettings)
    patches: PatchSettings = field(default_factory=PatchSettings)
    generator: GeneratorName = "pggan"
    """Architecture of the generators. Its settings are those of the group with its name, of a PGGAN
    those of `gan`."""
    one_network: bool = False
    """Train one network for both classes, in place of one for each: half of the generators' hours
    at the same `total_kimg`, of which each class is shown one half. Not for a PGGAN."""
    gan: PgganSettings = field(default_factory=PgganSettings)
    stylegan2: StyleGan2Settings = field(default_factory=StyleGan2Settings)
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    statistics: StatsSettings = field(default_factory=StatsSettings)
    protocol: ProtocolSettings = field(default_factory=ProtocolSettings)
    """Folds, repeats, arms and rules of the verdict."""
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    """Evaluation of the GANs: fidelity, copies and diversity."""
    evaluation_images: int = 1000
    """Generated images to evaluate."""
    features: str = "random"
    """Feature network of the evaluation, see `evaluate-gan`."""
    allow_failed_gan: bool = False
    """Also use the images of a GAN that copies or repeats itself. The report says so."""
    allow_few: bool = False
    """Train GANs on fewer than 100 images, or images of fewer than 5 patients; see `train-gan`."""

    def __post_init__(self) -> None:
        """Refuse settings that make no study.

        Raises:
            ConfigError: naming the field.
        """
        if self.generator not in GENERATOR_GROUPS:
            raise ConfigError(
                f"generator must be {' or '.join(GENERATOR_GROUPS)}, got {self.generator!r}"
            )
        if self.one_network and self.generator == "pggan":
            raise ConfigError(
                "--one-network: a PGGAN has a network for each class; give --generator stylegan2 "
                "or --generator diffusion with it"
            )

    @property
    def generator_settings(self) -> GanSettings:
        """Settings of the generators that the study trains."""
        settings: GanSettings = getattr(self, GENERATOR_GROUPS[self.generator])
        return conditional_settings(settings) if self.one_network else settings


def generator_values(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded settings of a study's generators; studies of earlier versions had PGGANs.

    Args:
        settings: Settings of the study, as they are recorded.
    """
    values: dict[str, Any] = settings[GENERATOR_GROUPS[settings.get("generator", "pggan")]]
    return values


@dataclass(frozen=True, kw_only=True)
class MriStudySettings:
    """Settings of every step of a reader study on MRI."""

    mri: MriSettings = field(default_factory=MriSettings)
    pretraining: StyleGan2Settings = field(default_factory=StyleGan2Settings)
    """GAN of normal brains; not used without normal brains."""
    gan: StyleGan2Settings = field(default_factory=StyleGan2Settings)
    """GAN of IDH-mutant tumors."""
    freeze_layers: int = 0
    """Blocks of its discriminator that keep the weights learned from normal brains. Park et al.
    mention none."""
    psi: float = 1.0
    """Truncation of the synthetic images. Park et al. do not report theirs."""
    synthetic: int = 38
    """Synthetic cases. Source: Park et al. 2021, table 1."""
    reader_grades: tuple[int, ...] = ()
    """Grades of the tumors that readers see; empty for all grades. Patients of other grades train
    the GAN only, all of them unless the manifest gives a split."""
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    """Evaluation of the GAN of tumors: fidelity, copies and diversity."""
    evaluation_images: int = 1000
    """Generated images to evaluate."""
    features: str = "random"
    """Feature network of the evaluation, see `evaluate-gan`."""
    allow_failed_gan: bool = False
    """Also use the images of a GAN that copies or repeats itself. The report says so."""
    allow_few: bool = False
    """Train GANs on fewer than 100 images, or images of fewer than 5 patients; see `train-gan`."""
    statistics: StatsSettings = field(default_factory=StatsSettings)
    simulate_readers: bool = False
    """Two programs read the cases instead of people; for phantom cohorts only."""
    reader_error_rate: float = ERROR_RATE
    """Fraction of features that the simulated readers read wrong."""

    def __post_init__(self) -> None:
        """Refuse settings that make no study.

        Raises:
            ConfigError: naming the field.
        """
        if self.synthetic < 1:
            raise ConfigError(f"synthetic must be 1 or more, got {self.synthetic}")
        if not 0 <= self.reader_error_rate < 1:
            raise ConfigError(f"reader_error_rate must be in [0, 1), got {self.reader_error_rate}")


# Ours: the later settings for small data, in the symmetries and with the augmentation of patches.
_STYLEGAN2 = replace(STYLEGAN2["modern"], symmetry="dihedral", augment=AUGMENT["slides"])
_DIFFUSION = replace(DIFFUSION["diffusion"], symmetry="dihedral")

PRESETS: dict[str, StudySettings | MriStudySettings] = {
    "liu2020": StudySettings(
        tiling=TILES["liu2020"],
        patches=PATCHES["liu2020"],
        gan=PGGAN["liu2020"],
        stylegan2=replace(_STYLEGAN2, patient_weights="images"),
        diffusion=replace(_DIFFUSION, patient_weights="images"),
        classifier=CLASSIFIER["liu2020"],
        protocol=PROTOCOL["liu2020"],
    ),
    # The paper's images and networks in an experiment with folds and controls. Ours: a reserve of
    # patches for the arm more-real, and equal shares of the patients in each training.
    "controlled": StudySettings(
        tiling=TILES["liu2020"],
        patches=replace(PATCHES["liu2020"], reserve_per_class=6_000),
        gan=replace(PGGAN["liu2020"], patient_weights="equal"),
        stylegan2=_STYLEGAN2,
        diffusion=_DIFFUSION,
        classifier=replace(CLASSIFIER["liu2020"], patient_weights="equal"),
        protocol=PROTOCOL["controlled"],
    ),
    "demo": StudySettings(
        tiling=TILES["demo"],
        # Three pairs of GANs and 36 classifiers in minutes: fewer patches, GANs of half the side.
        patches=replace(
            PATCHES["demo"], train_per_class=180, reserve_per_class=60, eval_per_patient=8
        ),
        gan=replace(
            PGGAN["demo"],
            resolution_px=32,
            batch_sizes=(8, 8, 8, 8),
            stabilise_kimg=0.3,
            fade_kimg=0.3,
            total_kimg=4.0,
            sample_kimg=4.0,
        ),
        stylegan2=replace(
            STYLEGAN2["demo-mri"],
            resolution_px=32,
            symmetry="dihedral",
            total_kimg=4.0,
            sample_kimg=4.0,
        ),
        diffusion=replace(
            DIFFUSION["demo-diffusion"],
            resolution_px=32,
            width_factors=(1, 2, 4),
            symmetry="dihedral",
            total_kimg=4.0,
            sample_kimg=4.0,
        ),
        classifier=CLASSIFIER["demo"],
        protocol=PROTOCOL["demo"],
        evaluation=EVALUATION["demo"],
        evaluation_images=100,
        allow_failed_gan=True,  # a GAN trained for two minutes may well repeat itself
    ),
    "park2021": MriStudySettings(
        mri=MRI["park2021"],
        pretraining=STYLEGAN2["park2021"],
        gan=STYLEGAN2["park2021"],
        # Source: Park et al. 2021, Methods: the GAN saw 110 mutants of grades 3 and 4, readers
        # saw glioblastoma.
        reader_grades=(4,),
        statistics=STATISTICS["park2021"],
    ),
    "demo-mri": MriStudySettings(
        mri=MRI["demo-mri"],
        # Ten minutes on two cores in all.
        pretraining=replace(STYLEGAN2["demo-mri"], total_kimg=6.0),
        gan=replace(STYLEGAN2["demo-mri"], total_kimg=6.0),
        synthetic=27,
        evaluation=EVALUATION["demo"],
        evaluation_images=200,
        allow_failed_gan=True,  # a GAN trained for two minutes may well repeat itself
        # A new cohort: table 1 chooses its tests by the data.
        statistics=StatsSettings(optimism_resamples=200),
        simulate_readers=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class StudyFlags(ItemFlags):
    """Flags of `idhray study`."""

    out: str
    """Folder of the study; the report is OUT/report.html."""
    settings: StudySettings | MriStudySettings
    """Settings of every step."""
    manifest: str = ""
    """CSV, TSV or Parquet file with the columns patient, idh and age, and slide, or t1ce and
    flair. Every study needs it; --apply-to takes its place."""
    apply_to: str | None = None
    """A manifest of new patients, with or without IDH status, whom the models of --models predict;
    no training. All settings are those of the models. Research use only."""
    models: str | None = None
    """With --apply-to: folder of a study or of `sweep` that kept its models."""
    heatmaps: bool = True
    """With --apply-to and --external: also draw the score of each patch on its slide, and the most
    mutant-like and wildtype-like patches of each patient, in OUT/heatmaps."""
    external: tuple[str, ...] = ()
    """Slides: manifests of further cohorts. The kept models are applied to each of them once, after
    the statistics, in OUT/external/NAME, where NAME is that of the manifest."""
    patches: str | None = None
    """Slides: a PATCHES table to start from. The slides of the manifest are then not read, and its
    split must be the one of the table."""
    normals: str | None = None
    """MRI: a manifest of normal brains, which the GAN is trained on first."""
    readings: str | None = None
    """MRI: the readers' readings of the cases in OUT/form. Without them the study stops there."""
    consensus: str | None = None
    """MRI: consensus readings of the cells on which readers differed; see `fit-stats`."""
    dry_run: bool = False
    """Print one line for each stage, and stop. Slides: also folds, generators and trainings, with
    hours by rates measured on this machine."""
    seed: int = 0
    """Seed of everything that is drawn."""
    until: str | None = None
    """Last stage to run. --dry-run names the stages."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """First stage to run. Earlier stages are used as they are."""
    update: bool = False
    """Make expensive stages anew whose inputs have changed, and remove rows that are gone from the
    manifest, also if these are more than a fifth of it."""
    confirm_above: float = 30.0
    """Minutes. Stages that are out of date and take longer need --update."""
    experiment: str | None = None
    """Slides: name of a further experiment beside the first one, on the same patches and
    generators, such as a classifier with other settings. It is in OUT/experiments/NAME."""
    amend: str = ""
    """Slides: reason to change the experiment after results exist; see `sweep`."""
    unblind: bool = False
    """Slides: show areas of the arms on progress.html before all trainings are done. The protocol
    records the day, and the verdict says so."""
    keep_models: KeepModels = "real,primary"
    """Slides: trainings whose model is kept; see `sweep`."""
    reuse: str | None = None
    """Another study, whose finished tables and generators are taken over where they fit. They are
    linked, or copied to another file system, so that neither study depends on the other."""
    gan_workers: int = 1
    """Processes that share the training of each GAN."""
    gpus: float | None = None
    """GPUs of each of these processes and of each training of the sweep; may be a fraction.
    Default: one if the cluster has GPUs, else none. Give it where GPUs start on request only."""
