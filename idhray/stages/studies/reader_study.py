"""The study of Park et al. 2021: MRI -> slices -> two GANs in turn -> readers -> tables -> report.

cohort.parquet  slices/  slices-normal/  gan-normal/  gan-mutant/
evaluation-mutant/  synthetic-mutant/  form/
readings.csv  statistics/  report.html
"""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import (
    LABELS,
    Label,
    manifest_hash,
    patients_of,
    read_manifest,
    with_split,
    write_manifest,
)
from idhray.cohorts.modality import with_scans
from idhray.config import identity_of
from idhray.errors import ConfigError, ManifestError
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.leakage import refuse_failed
from idhray.mri.patient import PRESETS as MRI
from idhray.mri.patient import MriSettings
from idhray.phantom.mri.readers import ERROR_RATE
from idhray.planning.printing import plan_summary
from idhray.stages.evaluate_gan import PRESETS as EVALUATION
from idhray.stages.evaluate_gan import EvaluateGanFlags, EvaluationSettings, evaluate_gan
from idhray.stages.fit_stats import of_readings
from idhray.stages.prepare_mri import PrepareMriFlags, prepare_mri
from idhray.stages.readers import ReadersFlags, readers
from idhray.stages.runtime.session import connect, provenance
from idhray.stages.studies.reader_report import mri_report
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.stats.settings import PRESETS as STATISTICS
from idhray.stats.settings import StatsSettings
from idhray.storage import absolute, exists, join, output_folder, publish

logger = logging.getLogger(__name__)

CLASS: Label = "mutant"  # the rare class: Park et al. make images of this one only
OWNS = (
    "cohort.parquet",
    "normals.parquet",
    "slices",
    "slices-normal",
    "gan-normal",
    "gan-mutant",
    "evaluation-mutant",
    "synthetic-mutant",
    "form",
    "readings.csv",
    "statistics",
    "report.html",
)


@dataclass(frozen=True, kw_only=True)
class MriStudySettings:
    """Settings of every step."""

    mri: MriSettings = field(default_factory=MriSettings)
    pretraining: StyleGan2Settings = field(default_factory=StyleGan2Settings)
    """Of the GAN on normal brains; not used where there are none."""
    gan: StyleGan2Settings = field(default_factory=StyleGan2Settings)
    """Of the GAN on mutant tumors."""
    freeze_layers: int = 0
    """Blocks of its discriminator that keep what normal brains taught. Park et al. say of none."""
    psi: float = 1.0
    """Truncation of the synthetic images. Park et al. do not say theirs."""
    synthetic: int = 38
    """Synthetic cases. Source: Park et al. 2021, table 1."""
    reader_grades: tuple[int, ...] = ()
    """Grades of the tumors that readers see, all when empty; the others train the GAN only, all of
    them, unless the manifest gives a split."""
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    """Of the GAN of tumors: fidelity, copies, diversity."""
    evaluation_images: int = 1000
    """Generated images that are judged."""
    features: str = "random"
    """The network by which they are judged, see `evaluate-gan`."""
    allow_failed_gan: bool = False
    """Use the images of a GAN that copies or repeats itself, too; the report says so."""
    statistics: StatsSettings = field(default_factory=StatsSettings)
    simulate_readers: bool = False
    """Two programs read in place of people: for made-up cohorts only."""
    reader_error_rate: float = ERROR_RATE
    """Of the programs: how often a feature is read wrong."""

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            ConfigError: naming the field.
        """
        if self.synthetic < 1:
            raise ConfigError(f"synthetic must be 1 or more, got {self.synthetic}")
        if not 0 <= self.reader_error_rate < 1:
            raise ConfigError(f"reader_error_rate must be in [0, 1), got {self.reader_error_rate}")


def mri_presets(gan: dict[str, StyleGan2Settings]) -> dict[str, MriStudySettings]:
    """The presets of a study, from those of the GANs: park2021, demo-mri."""
    return {
        "park2021": MriStudySettings(
            mri=MRI["park2021"],
            pretraining=gan["park2021"],
            gan=gan["park2021"],
            # Source: Park et al. 2021, Methods: the GAN saw 110 mutants of grades 3 and 4, readers
            # saw glioblastoma.
            reader_grades=(4,),
            statistics=STATISTICS["park2021"],
        ),
        "demo-mri": MriStudySettings(
            mri=MRI["demo-mri"],
            pretraining=gan["demo-mri"],
            gan=gan["demo-mri"],
            synthetic=27,
            evaluation=EVALUATION["demo"],
            evaluation_images=200,
            allow_failed_gan=True,  # a GAN of two minutes may well repeat itself
            statistics=replace(STATISTICS["park2021"], optimism_resamples=200),
            simulate_readers=True,
        ),
    }


def mri_study(
    manifest: str,
    out: str,
    settings: MriStudySettings,
    *,
    normals: str | None,
    readings: str | None,
    consensus: str | None,
    seed: int,
    workers: int | None,
    gan_workers: int,
    gpus: float | None,
    address: str | None,
    max_failures: int,
    overwrite: bool,
) -> dict[str, Any]:
    """Run the study; see `idhray.stages.study.study` for the arguments."""
    out = absolute(out)
    cohort = _split(with_scans(read_manifest(manifest), manifest), settings, seed)
    check_classes(_read(cohort, settings))
    healthy = _normals(normals, cohort)
    inputs = {
        "stage": "study",
        "kind": "mri",
        "manifest_hash": manifest_hash(patients_of(cohort)),
        "normals_hash": None if healthy is None else manifest_hash(patients_of(healthy)),
        "seed": seed,
    }
    identity = identity_of(inputs=inputs, settings=settings)
    with output_folder(
        out, identity, provenance=provenance("study"), overwrite=overwrite, owns=OWNS
    ):
        say_what_can_be_shown(_read(cohort, settings))
        connect(address)
        prepared: dict[str, Any] = {"workers": workers, "max_failures": max_failures, "seed": seed}
        slices = _slices(cohort, out, "cohort", "slices", settings, **prepared)
        start: str | None = None
        earlier: tuple[str, ...] = ()
        training: dict[str, Any] = {"seed": seed, "workers": gan_workers, "gpus_per_worker": gpus}
        if healthy is not None:
            normal = _slices(healthy, out, "normals", "slices-normal", settings, **prepared)
            logger.info("GAN of normal brains")
            start, earlier = join(out, "gan-normal"), (normal,)
            train_gan(
                TrainGanFlags(
                    images=normal, idh="any", out=start, settings=settings.pretraining, **training
                )
            )
        logger.info("GAN of %s tumors", CLASS)
        checkpoint, synthetic = join(out, f"gan-{CLASS}"), join(out, f"synthetic-{CLASS}")
        frozen = settings.freeze_layers if start else 0
        train_gan(
            TrainGanFlags(
                images=slices,
                idh=CLASS,
                out=checkpoint,
                settings=settings.gan,
                init_from=start,
                freeze_layers=frozen,
                **training,
            )
        )
        evaluate_gan(
            EvaluateGanFlags(
                checkpoint=checkpoint,
                images=slices,
                out=join(out, f"evaluation-{CLASS}"),
                settings=settings.evaluation,
                count=settings.evaluation_images,
                features=settings.features,
                pretraining_images=earlier,
                psi=settings.psi,
                seed=seed,
                gpus=gpus,
            )
        )
        synthesize(
            SynthesizeFlags(
                checkpoint=checkpoint,
                count=settings.synthetic,
                out=synthetic,
                psi=settings.psi,
                seed=seed,
                gpus_per_worker=gpus,
            )
        )
        refuse_failed((synthetic,), allowed=settings.allow_failed_gan)
        form = join(out, "form")
        readers(
            ReadersFlags(
                kind="form",
                out=form,
                slices=slices,
                synthetic=(synthetic,),
                count=settings.synthetic,
                grades=settings.reader_grades,
                seed=seed,
            )
        )
        own = _readings(out, form, readings, settings, seed)
        if own is None:
            return _waiting(out, form)
        logger.info("statistics of the readings")
        found, tables = of_readings(
            join(out, "statistics"),
            settings.statistics,
            own,
            absolute(consensus) if consensus else None,
            patients_of(cohort),
            overwrite=True,  # readings may be corrected; all else of the study stays
        )
        page = mri_report(out, tables)
    return {**page, **{name: found[name] for name in ("answer", "sentence")}}


def _read(cohort: pd.DataFrame, settings: MriStudySettings) -> pd.DataFrame:
    """The patients whom readers see.

    Raises:
        ManifestError: there are none.
    """
    grades = [str(grade) for grade in settings.reader_grades]
    found = cohort[cohort["grade"].isin(grades)] if grades else cohort
    if found.empty:
        raise ManifestError(
            f"no patient of grade {' or '.join(grades)}, whom readers are to see; fill in the "
            "column `grade`, or change reader_grades"
        )
    return found


def _split(cohort: pd.DataFrame, settings: MriStudySettings, seed: int) -> pd.DataFrame:
    """The cohort with a split; whom readers do not see trains the GAN, if the split is drawn."""
    if (cohort["split"] == "").all():
        drawn = with_split(_read(cohort, settings), seed).set_index("patient")["split"]
        splits = cohort["patient"].map(drawn[~drawn.index.duplicated()]).fillna("train")
        cohort = cohort.assign(split=splits)
    return with_split(cohort, seed).drop(columns="study")


def check_classes(cohort: pd.DataFrame) -> None:
    """Refuse a cohort without both classes in training and test, before hours are spent on it.

    Raises:
        ManifestError: naming what is missing.
    """
    there = set(zip(cohort["split"], cohort["idh"], strict=True))
    missing = [
        f"{idh} in {split}"
        for split in ("train", "test")
        for idh in LABELS
        if (split, idh) not in there
    ]
    if missing:
        raise ManifestError(f"no patient who is {', '.join(missing)}; a study needs each")


def say_what_can_be_shown(cohort: pd.DataFrame) -> None:
    """Log the gains that the test patients could show, before hours are spent on it."""
    test = patients_of(cohort)
    test = test[test["split"] == "test"]
    mutant, wildtype = (int((test["idh"] == label).sum()) for label in ("mutant", "wildtype"))
    if min(mutant, wildtype) > 1:
        logger.info("%s", plan_summary(mutant, wildtype))


def _normals(manifest: str | None, cohort: pd.DataFrame) -> pd.DataFrame | None:
    """Normal brains, all of them for training: nobody is tested on them.

    Raises:
        ManifestError: a patient of the cohort is among them.
    """
    if manifest is None:
        return None
    healthy = with_scans(read_manifest(manifest), manifest).drop(columns="study")
    if both := sorted(set(healthy["patient"]) & set(cohort["patient"])):
        raise ManifestError(f"{manifest}: patient {both[0]} is in the cohort, too; keep one")
    return healthy.assign(split="train")


def _slices(
    cohort: pd.DataFrame, out: str, name: str, folder: str, settings: MriStudySettings, **flags: Any
) -> str:
    logger.info("MRI to slices: %s", name)
    file = join(out, f"{name}.parquet")
    write_manifest(file, cohort)
    prepare_mri(
        PrepareMriFlags(manifest=file, out=join(out, folder), settings=settings.mri, **flags)
    )
    return join(out, folder)


def _readings(
    out: str, form: str, given: str | None, settings: MriStudySettings, seed: int
) -> str | None:
    """The readings of this study: those that were given, or the programs'; None to wait."""
    if given:
        return absolute(given)
    if not settings.simulate_readers:
        return None
    path = join(out, "readings.csv")
    readers(
        ReadersFlags(
            kind="simulate",
            out=path,
            form=form,
            error_rate=settings.reader_error_rate,
            seed=seed,
            overwrite=exists(path),
        )
    )
    return path


def _waiting(out: str, form: str) -> dict[str, Any]:
    """What people have to do before the study can go on."""
    steps = (
        f"1. Give each reader {form} without its folder `key`, and a copy of form.csv.",
        f"2. idhray readers collect --form {form} --answers READER-1.csv READER-2.csv --out "
        "readings.csv",
        "3. The same study command with --readings readings.csv; it lists what readers differ on "
        "for a consensus reading (--consensus).",
    )
    publish(join(out, "_next.txt"), ("\n".join(steps) + "\n").encode())
    return {"out": out, "form": form, "waiting_for": "readings", "text": "\n".join(steps)}
