"""A study of slides: patches -> generators of each fold -> experiment -> statistics -> report.

cohort.parquet  folds.parquet  tiles/  patches/  generators/  sweep/  statistics/  report.html
"""

import logging
from typing import Any

import pandas as pd

from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import FOLDS_FILE, Folds, folds_of_split, read_folds, write_folds
from idhray.cohorts.manifest import (
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
from idhray.stages.experiment.checks import refuse_unusable_weights
from idhray.stages.experiment.outcome import refuse_older_version
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.session import connect, provenance
from idhray.stages.studies.dry_run import study_dry_run
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.studies.generators import (
    GENERATORS,
    generators_of_study,
    refuse_one_pair_of_many_folds,
)
from idhray.stages.studies.preparation import check_classes, log_detectable_gain
from idhray.stages.studies.settings import StudyFlags, StudySettings
from idhray.stages.studies.slide_report import STUDY_FILE, slide_report
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.storage import absolute, exists, join, output_folder, publish_json
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
    FOLDS_FILE,
    GENERATORS,
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
    refuse_older_version(out, overwrite=flags.overwrite)
    refuse_one_pair_of_many_folds(settings.protocol)
    refuse_unusable_weights(_experiment(settings))
    cohort, folds = _cohort(flags, settings, patches)
    if flags.dry_run:
        return {"out": out, "text": study_dry_run(folds, settings)}
    inputs = {
        "stage": "study",
        "manifest_hash": manifest_hash(patients_of(cohort)),
        "seed": flags.seed,
    }
    identity = identity_of(inputs=inputs, settings=settings)
    origin = provenance("study")
    with output_folder(out, identity, provenance=origin, overwrite=flags.overwrite, owns=OWNS):
        if settings.protocol.fold_count == 1:
            log_detectable_gain(cohort)
        connect(flags.address)
        publish_json(join(out, STUDY_FILE), {"patches": patches or join(out, "patches")})
        # Written again by every run: an archive may have moved in the meantime.
        write_manifest(join(out, "cohort.parquet"), cohort)
        write_folds(join(out, FOLDS_FILE), folds)
        images = patches or _patches(out, flags, settings)
        synthetic = generators_of_study(images, out, flags, settings)
        result = _statistics(images, synthetic, out, flags, settings)
        page = slide_report(out)
    answer = {name: result[name] for name in ("answer", "sentence")}
    return {**page, "patients": len(folds.labels()), "folds": len(folds.numbers()), **answer}


def _experiment(settings: StudySettings) -> ExperimentSettings:
    return ExperimentSettings(protocol=settings.protocol, classifier=settings.classifier)


def _cohort(
    flags: StudyFlags, settings: StudySettings, patches: str | None
) -> tuple[pd.DataFrame, Folds]:
    """Manifest of the study, and the folds of its labeled patients.

    With one fold, the patients keep the split of the manifest or of the table, or get one.
    """
    cohort, protocol = read_manifest(flags.manifest), settings.protocol
    if protocol.fold_count > 1:
        if (cohort["split"] != "").any():
            logger.warning("the split of the manifest is not used: %d folds", protocol.fold_count)
        cohort = cohort.assign(split="")
    if patches:
        seal(patches)  # refuses a table that is not finished; the stages below compare the seal
        cohort = split_of_table(cohort, patches)
    else:
        cohort = with_slides(cohort, flags.manifest)
    if protocol.fold_count == 1:
        cohort = with_split(cohort, flags.seed)
        check_classes(cohort)
        return cohort, folds_of_split(patients_of(cohort))
    cohort = cohort.assign(split="")  # that of a table is not used either
    written = join(absolute(flags.out), FOLDS_FILE)
    if exists(written) and not flags.overwrite:
        return cohort, read_folds(written)
    folds = draw_folds(
        patients_of(cohort), count=protocol.fold_count, seed=flags.seed, by=protocol.fold_by
    )
    return cohort, folds


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
            folds=None if settings.protocol.fold_count == 1 else join(out, FOLDS_FILE),
            workers=flags.workers,
        )
    )
    return patches


def _statistics(
    images: str, synthetic: tuple[str, ...], out: str, flags: StudyFlags, settings: StudySettings
) -> dict[str, Any]:
    """Run the experiment and compute the statistics of its predictions."""
    logger.info("the experiment: %d generators", len(synthetic))
    sweep(
        SweepFlags(
            images=images,
            synthetic=synthetic,
            out=join(out, "sweep"),
            folds=join(out, FOLDS_FILE),
            settings=_experiment(settings),
            allow_failed_gan=settings.allow_failed_gan,
            seed=flags.seed,
            workers=flags.workers,
            gpus_per_trial=flags.gpus,
        )
    )
    cohort = patients_of(read_manifest(join(out, "cohort.parquet")))
    return fit_sweep(join(out, "statistics"), join(out, "sweep"), cohort, settings.statistics)[0]
