"""The study of Park et al. 2021: MRI -> slices -> two GANs in turn -> readers -> tables -> report.

cohort.parquet  slices/  slices-normal/  gan-normal/  gan-mutant/
evaluation-mutant/  synthetic-mutant/  form/
readings.csv  statistics/  report.html
"""

import logging
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import (
    Label,
    manifest_hash,
    patients_of,
    read_manifest,
    with_split,
    write_manifest,
)
from idhray.cohorts.modality import with_scans
from idhray.config import identity_of
from idhray.errors import ManifestError
from idhray.leakage import refuse_failed
from idhray.stages.evaluate_gan import EvaluateGanFlags, evaluate_gan
from idhray.stages.prepare_mri import PrepareMriFlags, prepare_mri
from idhray.stages.readers import ReadersFlags, readers
from idhray.stages.runtime.session import connect, provenance
from idhray.stages.studies.preparation import check_classes, log_detectable_gain
from idhray.stages.studies.reader_report import reader_report
from idhray.stages.studies.settings import MriStudySettings, StudyFlags
from idhray.stages.studies.statistics import fit_readings
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.storage import absolute, exists, join, output_folder, publish

logger = logging.getLogger(__name__)

CLASS: Label = "mutant"  # the rare class: Park et al. make images of this one only
SLICES = {"cohort": "slices", "normals": "slices-normal"}
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


def reader_study(flags: StudyFlags, settings: MriStudySettings) -> dict[str, Any]:
    """Run a reader study on MRI, each stage in a folder of its own; the same command continues."""
    out = absolute(flags.out)
    scans = with_scans(read_manifest(flags.manifest), flags.manifest)
    cohort = _with_split(scans, settings, flags.seed)
    check_classes(_reader_patients(cohort, settings), ("train", "test"))
    healthy = _normals(flags.normals, cohort)
    inputs = {
        "stage": "study",
        "kind": "mri",
        "manifest_hash": manifest_hash(patients_of(cohort)),
        "normals_hash": None if healthy is None else manifest_hash(patients_of(healthy)),
        "seed": flags.seed,
    }
    identity = identity_of(inputs=inputs, settings=settings)
    origin = provenance("study")
    with output_folder(out, identity, provenance=origin, overwrite=flags.overwrite, owns=OWNS):
        log_detectable_gain(_reader_patients(cohort, settings))
        connect(flags.address)
        slices = _slices(cohort, "cohort", out, flags, settings)
        normal = None
        if healthy is not None:
            normal = _slices(healthy, "normals", out, flags, settings)
        _train_gans(slices, normal, out, flags, settings)
        synthetic = _synthetic(slices, normal, out, flags, settings)
        form = _form(slices, synthetic, out, flags, settings)
        readings = _readings(out, form, flags, settings)
        if readings is None:
            return _next_steps(out, form)
        logger.info("statistics of the readings")
        result, tables = fit_readings(
            join(out, "statistics"),
            settings.statistics,
            readings,
            absolute(flags.consensus) if flags.consensus else None,
            patients_of(cohort),
            overwrite=True,  # readings may be corrected; all else of the study stays
        )
        page = reader_report(out, tables)
    return {**page, **{name: result[name] for name in ("answer", "sentence")}}


def _train_gans(
    slices: str, normal: str | None, out: str, flags: StudyFlags, settings: MriStudySettings
) -> None:
    """Train the GAN of normal brains, if there are any, and then the GAN of tumors."""
    run: dict[str, Any] = {
        "seed": flags.seed,
        "workers": flags.gan_workers,
        "gpus_per_worker": flags.gpus,
    }
    source = None
    if normal:
        logger.info("GAN of normal brains")
        source = join(out, "gan-normal")
        pretraining = settings.pretraining
        train_gan(TrainGanFlags(images=normal, idh="any", out=source, settings=pretraining, **run))
    logger.info("GAN of %s tumors", CLASS)
    train_gan(
        TrainGanFlags(
            images=slices,
            idh=CLASS,
            out=join(out, f"gan-{CLASS}"),
            settings=settings.gan,
            init_from=source,
            freeze_layers=settings.freeze_layers if source else 0,
            **run,
        )
    )


def _synthetic(
    slices: str, normal: str | None, out: str, flags: StudyFlags, settings: MriStudySettings
) -> str:
    """Evaluate the GAN of tumors and draw its images; the folder of the SYNTHETIC table."""
    checkpoint, synthetic = join(out, f"gan-{CLASS}"), join(out, f"synthetic-{CLASS}")
    evaluate_gan(
        EvaluateGanFlags(
            checkpoint=checkpoint,
            images=slices,
            out=join(out, f"evaluation-{CLASS}"),
            settings=settings.evaluation,
            count=settings.evaluation_images,
            features=settings.features,
            pretraining_images=(normal,) if normal else (),
            psi=settings.psi,
            seed=flags.seed,
            gpus=flags.gpus,
        )
    )
    synthesize(
        SynthesizeFlags(
            checkpoint=checkpoint,
            count=settings.synthetic,
            out=synthetic,
            psi=settings.psi,
            seed=flags.seed,
            gpus_per_worker=flags.gpus,
        )
    )
    refuse_failed((synthetic,), allowed=settings.allow_failed_gan)
    return synthetic


def _form(
    slices: str, synthetic: str, out: str, flags: StudyFlags, settings: MriStudySettings
) -> str:
    """Make the blinded cases for the readers; their folder."""
    form = join(out, "form")
    readers(
        ReadersFlags(
            kind="form",
            out=form,
            slices=slices,
            synthetic=(synthetic,),
            count=settings.synthetic,
            grades=settings.reader_grades,
            seed=flags.seed,
        )
    )
    return form


def _reader_patients(cohort: pd.DataFrame, settings: MriStudySettings) -> pd.DataFrame:
    """The patients whose cases readers see.

    Raises:
        ManifestError: there are none.
    """
    grades = [str(grade) for grade in settings.reader_grades]
    patients = cohort[cohort["grade"].isin(grades)] if grades else cohort
    if patients.empty:
        raise ManifestError(
            f"no patient of grade {' or '.join(grades)}, the grades that readers see; fill in the "
            "column `grade`, or change reader_grades"
        )
    return patients


def _with_split(cohort: pd.DataFrame, settings: MriStudySettings, seed: int) -> pd.DataFrame:
    """The cohort with a split. If it is drawn, patients whom readers do not see train the GAN."""
    if (cohort["split"] == "").any():
        drawn = with_split(_reader_patients(cohort, settings), seed).set_index("patient")["split"]
        splits = cohort["patient"].map(drawn[~drawn.index.duplicated()]).fillna("train")
        cohort = cohort.assign(split=splits)
    return with_split(cohort, seed).drop(columns="study")


def _normals(manifest: str | None, cohort: pd.DataFrame) -> pd.DataFrame | None:
    """The normal brains, all of them for training; None without a manifest of them.

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
    cohort: pd.DataFrame, name: str, out: str, flags: StudyFlags, settings: MriStudySettings
) -> str:
    """Prepare the slices of the cohort or of the normal brains; the folder of the SLICES table."""
    logger.info("MRI to slices: %s", name)
    manifest, slices = join(out, f"{name}.parquet"), join(out, SLICES[name])
    write_manifest(manifest, cohort)
    prepare_mri(
        PrepareMriFlags(
            manifest=manifest,
            out=slices,
            settings=settings.mri,
            workers=flags.workers,
            max_failures=flags.max_failures,
            seed=flags.seed,
        )
    )
    return slices


def _readings(out: str, form: str, flags: StudyFlags, settings: MriStudySettings) -> str | None:
    """The file of the readers' readings, or of the simulated readers; None to wait for people."""
    if flags.readings:
        return absolute(flags.readings)
    if not settings.simulate_readers:
        return None
    path = join(out, "readings.csv")
    readers(
        ReadersFlags(
            kind="simulate",
            out=path,
            form=form,
            error_rate=settings.reader_error_rate,
            seed=flags.seed,
            overwrite=exists(path),
        )
    )
    return path


def _next_steps(out: str, form: str) -> dict[str, Any]:
    """The steps that people take before the study can continue."""
    steps = (
        f"1. Give each reader {form} without its folder `key`, and a copy of form.csv.",
        f"2. idhray readers collect --form {form} --answers READER-1.csv READER-2.csv --out "
        "readings.csv",
        "3. Run the same study command with --readings readings.csv. It lists the cells on which "
        "readers differ for a consensus reading (--consensus).",
    )
    publish(join(out, "_next.txt"), ("\n".join(steps) + "\n").encode())
    return {"out": out, "form": form, "waiting_for": "readings", "text": "\n".join(steps)}
