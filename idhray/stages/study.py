"""The whole study: every stage in turn, each in its own folder; the same command continues.

Of slides (Liu et al. 2020), here; of MRI (Park et al. 2021), in `mri_study`.

cohort.parquet  tiles/  patches/  gan-CLASS/  evaluation-CLASS/  synthetic-CLASS/  sweep/
statistics/  report.html
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from idhray.classify.settings import PRESETS as CLASSIFIER
from idhray.classify.settings import ClassifierSettings
from idhray.cohorts.manifest import (
    LABELS,
    SPLITS,
    Label,
    manifest_hash,
    patients_of,
    read_manifest,
    with_split,
    write_manifest,
)
from idhray.cohorts.modality import with_slides
from idhray.config import identity_of
from idhray.errors import ConfigError, LeakageError, ManifestError
from idhray.gan.pggan.config import PRESETS as PGGAN
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.stylegan2.config import PRESETS as STYLEGAN2
from idhray.leakage import patient_splits
from idhray.slides.patches import PRESETS as PATCHES
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import PRESETS as TILES
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.evaluate_gan import PRESETS as EVALUATION
from idhray.stages.evaluate_gan import EvaluateGanFlags, EvaluationSettings, evaluate_gan
from idhray.stages.fit_stats import FitStatsFlags, fit_stats
from idhray.stages.gan_training.task import GanTask
from idhray.stages.report import STUDY, ReportFlags, report
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect, provenance
from idhray.stages.studies.reader_study import (
    MriStudySettings,
    mri_presets,
    mri_study,
    say_what_can_be_shown,
)
from idhray.stages.sweep import SweepFlags, check_counts, sweep
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.stages.train_gan import train_gans
from idhray.stats.settings import StatsSettings
from idhray.storage import absolute, join, output_folder, publish_json
from idhray.table_parts import read_table
from idhray.tables import PATCHES as PATCHES_TABLE

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """Settings of every step."""

    tiling: TilingSettings = field(default_factory=TilingSettings)
    patches: PatchSettings = field(default_factory=PatchSettings)
    gan: PgganSettings = field(default_factory=PgganSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    statistics: StatsSettings = field(default_factory=StatsSettings)
    counts: tuple[int, ...] = (0, 1000, 2000, 3000, 4000, 5000)
    """Synthetic images added, half of each class; 0 is the baseline."""
    repeats: int = 5
    """Trainings of each count; Liu et al. trained each once."""
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    """Of the GANs: fidelity, copies, diversity."""
    evaluation_images: int = 1000
    """Generated images that are judged."""
    features: str = "random"
    """The network by which they are judged, see `evaluate-gan`."""
    allow_failed_gan: bool = False
    """Use the images of a GAN that copies or repeats itself, too; the report says so."""

    def __post_init__(self) -> None:
        check_counts(self.counts, self.repeats)
        if 0 not in self.counts or len(self.counts) < 2:
            raise ConfigError("counts must hold 0, the baseline, and one more")


OWNS = (
    "cohort.parquet",
    "tiles",
    "patches",
    "gan-*",
    "evaluation-*",
    "synthetic-*",
    "sweep",
    "statistics",
    "report.html",
)
PRESETS: dict[str, StudySettings | MriStudySettings] = {
    # Source of the counts: Liu et al. 2020, table 2.
    "liu2020": StudySettings(
        tiling=TILES["liu2020"],
        patches=PATCHES["liu2020"],
        gan=PGGAN["liu2020"],
        classifier=CLASSIFIER["liu2020"],
    ),
    "demo": StudySettings(
        tiling=TILES["demo"],
        patches=PATCHES["demo"],
        gan=PGGAN["demo"],
        classifier=CLASSIFIER["demo"],
        counts=(0, 120, 360),
        repeats=2,
        evaluation=EVALUATION["demo"],
        evaluation_images=200,
        allow_failed_gan=True,  # a GAN of two minutes may well repeat itself
    ),
    **mri_presets(STYLEGAN2),
}


@dataclass(frozen=True, kw_only=True)
class StudyFlags(ItemFlags):
    """Flags of `idhray study`."""

    manifest: str
    """CSV, TSV or Parquet with patient, idh, age, and slide, or t1ce and flair."""
    out: str
    """Folder of the study; report.html is in it."""
    settings: StudySettings | MriStudySettings
    """Of every step."""
    patches: str | None = None
    """Slides: a PATCHES table to start from; then the manifest's slides are not read, and its
    split must be that of the table."""
    normals: str | None = None
    """MRI: a manifest of normal brains, to train the GAN on first."""
    readings: str | None = None
    """MRI: what readers said of the cases in OUT/form; without it the study stops there."""
    consensus: str | None = None
    """MRI: cells on which readers differed, settled; see `fit-stats`."""
    seed: int = 0
    """Of everything that is drawn."""
    gan_workers: int = 1
    """Processes that share the training of each GAN."""
    gpus: float | None = None
    """GPUs of each of these, and of each training of the sweep; may be a fraction. One when the
    cluster has GPUs, else none: name it where they only come when asked for."""


def study(flags: StudyFlags) -> dict[str, Any]:
    """Run a study from slides (Liu et al. 2020) or MRI (Park et al. 2021) to its report.

    The preset decides which; the same command continues.
    """
    shared: dict[str, Any] = {
        "seed": flags.seed,
        "workers": flags.workers,
        "gan_workers": flags.gan_workers,
        "gpus": flags.gpus,
        "address": flags.address,
        "max_failures": flags.max_failures,
        "overwrite": flags.overwrite,
    }
    if isinstance(flags.settings, MriStudySettings):
        if flags.patches:
            raise ConfigError("--patches belongs to a study of slides; this preset is of MRI")
        own: dict[str, Any] = {
            "normals": flags.normals,
            "readings": flags.readings,
            "consensus": flags.consensus,
        }
        return mri_study(flags.manifest, flags.out, flags.settings, **own, **shared)
    if flags.normals or flags.readings or flags.consensus:
        raise ConfigError("--normals, --readings and --consensus belong to a study of MRI")
    return slide_study(flags.manifest, flags.out, flags.settings, patches=flags.patches, **shared)


def slide_study(
    manifest: str,
    out: str,
    settings: StudySettings,
    *,
    patches: str | None,
    seed: int,
    workers: int | None,
    gan_workers: int,
    gpus: float | None,
    address: str | None,
    max_failures: int,
    overwrite: bool,
) -> dict[str, Any]:
    """The study of Liu et al. 2020; see `study` for the arguments."""
    out, patches = absolute(out), absolute(patches) if patches else None
    if patches and f"{patches}/".startswith(f"{out}/"):
        raise ConfigError(f"--patches {patches} lies in --out {out}; choose another --out")
    cohort = read_manifest(manifest)
    if patches:
        cohort = split_of_table(cohort, patches)
    else:
        cohort = with_split(with_slides(cohort, manifest), seed)
    check_classes(cohort)
    inputs = {
        "stage": "study",
        "manifest_hash": manifest_hash(patients_of(cohort)),
        "patches": seal(patches) if patches else None,
        "seed": seed,
    }
    identity = identity_of(inputs=inputs, settings=settings)
    with output_folder(
        out, identity, provenance=provenance("study"), overwrite=overwrite, owns=OWNS
    ):
        say_what_can_be_shown(cohort)
        connect(address)
        publish_json(join(out, STUDY), {"patches": patches or join(out, "patches")})
        cohort_file = join(out, "cohort.parquet")
        write_manifest(cohort_file, cohort)  # again, too: an archive may have moved meanwhile
        images = patches or _patches(
            cohort_file, out, settings, seed=seed, workers=workers, max_failures=max_failures
        )
        _train_gans(images, out, settings, seed=seed, workers=gan_workers, gpus=gpus)
        synthetic = tuple(
            _synthetic(label, images, out, settings, seed=seed, gpus=gpus) for label in LABELS
        )
        logger.info("sweep over %s synthetic images", settings.counts)
        sweep(
            SweepFlags(
                images=images,
                synthetic=synthetic,
                out=join(out, "sweep"),
                settings=settings.classifier,
                counts=settings.counts,
                repeats=settings.repeats,
                allow_failed_gan=settings.allow_failed_gan,
                seed=seed,
                workers=workers,
                gpus_per_trial=gpus,
            )
        )
        found = fit_stats(
            FitStatsFlags(
                out=join(out, "statistics"),
                settings=settings.statistics,
                predictions=(join(out, "sweep"),),
                manifest=cohort_file,
            )
        )
        page = report(ReportFlags(study=out))
    n = {name: int((patients_of(cohort)["split"] == name).sum()) for name in SPLITS}
    return {**page, "patients": n, **{k: found[k] for k in ("chosen_count", "answer", "sentence")}}


def check_classes(cohort: pd.DataFrame) -> None:
    """Refuse a cohort without both classes in every split, before GPU hours are spent on it.

    Raises:
        ManifestError: naming what is missing.
    """
    there = set(zip(cohort["split"], cohort["idh"], strict=True))
    missing = [
        f"{idh} in {split}" for split in SPLITS for idh in LABELS if (split, idh) not in there
    ]
    if missing:
        raise ManifestError(f"no patient who is {', '.join(missing)}; a study needs each")


def split_of_table(cohort: pd.DataFrame, patches: str) -> pd.DataFrame:
    """The rows of a manifest whose patients are in a PATCHES table, with that table's split.

    Raises:
        LeakageError: the manifest gives a patient another split, or does not know one.
    """
    table = patient_splits(patches)
    given = patients_of(cohort).set_index("patient")
    labels = read_table(patches, PATCHES_TABLE, ["patient", "idh"]).to_pandas().drop_duplicates()
    for patient, idh in labels.itertuples(index=False):
        if patient not in given.index:
            raise LeakageError(f"patient {patient} of {patches} is not in the manifest")
        for what, here in (("split", table[patient]), ("idh", idh)):
            if given.loc[patient, what] not in ({"", here} if what == "split" else {here}):
                raise LeakageError(
                    f"patient {patient} has {what} {here} in {patches}, but "
                    f"{given.loc[patient, what] or 'none'} in the manifest; make the table anew"
                )
    known = cohort[cohort["patient"].isin(table)]
    return known.assign(split=known["patient"].map(table))


def _patches(
    cohort_file: str,
    out: str,
    settings: StudySettings,
    *,
    seed: int,
    workers: int | None,
    max_failures: int,
) -> str:
    tiles, patches = join(out, "tiles"), join(out, "patches")
    logger.info("slides to tiles")
    tile_slides(
        TileSlidesFlags(
            manifest=cohort_file,
            out=tiles,
            settings=settings.tiling,
            seed=seed,
            workers=workers,
            max_failures=max_failures,
        )
    )
    logger.info("tiles to patches")
    cut_patches(
        CutPatchesFlags(
            tiles=tiles, out=patches, settings=settings.patches, seed=seed, workers=workers
        )
    )
    return patches


def _train_gans(
    images: str, out: str, settings: StudySettings, *, seed: int, workers: int, gpus: float | None
) -> None:
    """One GAN per class, as many at a time as the cluster has room for."""
    train_gans(
        {
            label: GanTask(
                images=images,
                idh=label,
                out=join(out, f"gan-{label}"),
                settings=settings.gan,
                seed=seed,
                workers=workers,
                gpus_per_worker=gpus,
            )
            for label in LABELS
        }
    )


def _synthetic(
    label: Label, images: str, out: str, settings: StudySettings, *, seed: int, gpus: float | None
) -> str:
    synthetic = join(out, f"synthetic-{label}")
    evaluate_gan(
        EvaluateGanFlags(
            checkpoint=join(out, f"gan-{label}"),
            images=images,
            out=join(out, f"evaluation-{label}"),
            settings=settings.evaluation,
            count=settings.evaluation_images,
            features=settings.features,
            seed=seed,
            gpus=gpus,
        )
    )
    synthesize(
        SynthesizeFlags(
            checkpoint=join(out, f"gan-{label}"),
            count=max(settings.counts) // 2,
            out=synthetic,
            seed=seed,
            gpus_per_worker=gpus,
        )
    )
    return synthetic
