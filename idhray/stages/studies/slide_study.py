"""The study of Liu et al. 2020: slides -> two GANs -> sweep over synthetic counts -> report.

cohort.parquet  tiles/  patches/  gan-CLASS/  evaluation-CLASS/  synthetic-CLASS/  sweep/
statistics/  report.html
"""

import logging
from typing import Any

import pandas as pd

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
from idhray.errors import ConfigError, LeakageError
from idhray.leakage import patient_splits
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.evaluate_gan import EvaluateGanFlags, evaluate_gan
from idhray.stages.gan_training.task import GanTask
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.session import connect, provenance
from idhray.stages.studies.preparation import check_classes, log_detectable_gain
from idhray.stages.studies.settings import StudyFlags, StudySettings
from idhray.stages.studies.slide_report import STUDY_FILE, slide_report
from idhray.stages.studies.statistics import fit_predictions
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.stages.train_gan import train_gans
from idhray.storage import absolute, join, output_folder, publish_json
from idhray.table_parts import read_table
from idhray.tables import PATCHES

logger = logging.getLogger(__name__)

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


def slide_study(flags: StudyFlags, settings: StudySettings) -> dict[str, Any]:
    """Run a study of slides, each stage in a folder of its own; the same command continues."""
    out = absolute(flags.out)
    patches = absolute(flags.patches) if flags.patches else None
    if patches and f"{patches}/".startswith(f"{out}/"):
        raise ConfigError(f"--patches {patches} lies in --out {out}; choose another --out")
    cohort = read_manifest(flags.manifest)
    if patches:
        seal(patches)  # refuses a table that is not finished; the stages below compare the seal
        cohort = split_of_table(cohort, patches)
    else:
        cohort = with_split(with_slides(cohort, flags.manifest), flags.seed)
    check_classes(cohort)
    inputs = {
        "stage": "study",
        "manifest_hash": manifest_hash(patients_of(cohort)),
        "seed": flags.seed,
    }
    identity = identity_of(inputs=inputs, settings=settings)
    origin = provenance("study")
    with output_folder(out, identity, provenance=origin, overwrite=flags.overwrite, owns=OWNS):
        log_detectable_gain(cohort)
        connect(flags.address)
        publish_json(join(out, STUDY_FILE), {"patches": patches or join(out, "patches")})
        # Written again by every run: an archive may have moved in the meantime.
        write_manifest(join(out, "cohort.parquet"), cohort)
        images = patches or _patches(out, flags, settings)
        _train_gans(images, out, flags, settings)
        synthetic = tuple(_synthetic(label, images, out, flags, settings) for label in LABELS)
        result = _statistics(images, synthetic, out, flags, settings)
        page = slide_report(out)
    sizes = {name: int((patients_of(cohort)["split"] == name).sum()) for name in SPLITS}
    answer = {name: result[name] for name in ("chosen_count", "answer", "sentence")}
    return {**page, "patients": sizes, **answer}


def split_of_table(cohort: pd.DataFrame, patches: str) -> pd.DataFrame:
    """The rows of a manifest whose patients are in a PATCHES table, with that table's split.

    Raises:
        LeakageError: the manifest gives a patient another split or label, or lacks one.
    """
    table = patient_splits(patches)
    patients = patients_of(cohort).set_index("patient")
    labels = read_table(patches, PATCHES, ["patient", "idh"]).to_pandas().drop_duplicates()
    for patient, idh in labels.itertuples(index=False):
        if patient not in patients.index:
            raise LeakageError(f"patient {patient} of {patches} is not in the manifest")
        for column, value in (("split", table[patient]), ("idh", idh)):
            allowed = {"", value} if column == "split" else {value}
            if patients.loc[patient, column] not in allowed:
                raise LeakageError(
                    f"patient {patient} has {column} {value} in {patches}, but "
                    f"{patients.loc[patient, column] or 'none'} in the manifest; make the table "
                    "again"
                )
    rows = cohort[cohort["patient"].isin(table)]
    return rows.assign(split=rows["patient"].map(table))


def _patches(out: str, flags: StudyFlags, settings: StudySettings) -> str:
    """Tile the slides and cut the patches; the folder of the PATCHES table."""
    tiles, patches = join(out, "tiles"), join(out, "patches")
    logger.info("slides to tiles")
    tile_slides(
        TileSlidesFlags(
            manifest=join(out, "cohort.parquet"),
            out=tiles,
            settings=settings.tiling,
            seed=flags.seed,
            workers=flags.workers,
            max_failures=flags.max_failures,
        )
    )
    logger.info("tiles to patches")
    cut_patches(
        CutPatchesFlags(
            tiles=tiles,
            out=patches,
            settings=settings.patches,
            seed=flags.seed,
            workers=flags.workers,
        )
    )
    return patches


def _train_gans(images: str, out: str, flags: StudyFlags, settings: StudySettings) -> None:
    """Train one GAN for each class, as many at a time as the cluster has room for."""
    train_gans(
        {
            label: GanTask(
                images=images,
                idh=label,
                out=join(out, f"gan-{label}"),
                settings=settings.gan,
                seed=flags.seed,
                workers=flags.gan_workers,
                gpus_per_worker=flags.gpus,
            )
            for label in LABELS
        }
    )


def _synthetic(
    label: Label, images: str, out: str, flags: StudyFlags, settings: StudySettings
) -> str:
    """Evaluate the GAN of a class and draw its images; the folder of the SYNTHETIC table."""
    checkpoint, synthetic = join(out, f"gan-{label}"), join(out, f"synthetic-{label}")
    evaluate_gan(
        EvaluateGanFlags(
            checkpoint=checkpoint,
            images=images,
            out=join(out, f"evaluation-{label}"),
            settings=settings.evaluation,
            count=settings.evaluation_images,
            features=settings.features,
            seed=flags.seed,
            gpus=flags.gpus,
        )
    )
    synthesize(
        SynthesizeFlags(
            checkpoint=checkpoint,
            count=max(settings.counts) // 2,
            out=synthetic,
            seed=flags.seed,
            gpus_per_worker=flags.gpus,
        )
    )
    return synthetic


def _statistics(
    images: str, synthetic: tuple[str, ...], out: str, flags: StudyFlags, settings: StudySettings
) -> dict[str, Any]:
    """Train the classifiers of the sweep and compute the statistics of their predictions."""
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
            seed=flags.seed,
            workers=flags.workers,
            gpus_per_trial=flags.gpus,
        )
    )
    cohort = patients_of(read_manifest(join(out, "cohort.parquet")))
    predictions = (join(out, "sweep"),)
    return fit_predictions(
        join(out, "statistics"), settings.statistics, predictions, cohort, overwrite=False
    )
