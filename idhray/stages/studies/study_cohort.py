"""Cohort and folds of a study of slides, which follow the manifest of each run."""

import logging
from dataclasses import dataclass

import pandas as pd

from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.fold_follow import followed_folds
from idhray.cohorts.folds import (
    FOLDS_FILE,
    Folds,
    folds_of_split,
    listed,
    read_folds,
    write_folds,
)
from idhray.cohorts.manifest import patients_of, read_manifest, with_split, write_manifest
from idhray.cohorts.manifest_changes import (
    changes_training,
    manifest_changes,
    refuse_many_gone,
)
from idhray.cohorts.modality import with_slides
from idhray.errors import ConfigError, LeakageError, ManifestError
from idhray.experiment.settings import ProtocolSettings
from idhray.leakage import patient_splits
from idhray.stages.runtime.folder import seal
from idhray.stages.studies.preparation import check_classes
from idhray.stages.studies.settings import StudyFlags
from idhray.storage import absolute, exists, join
from idhray.table_parts import read_table
from idhray.tables import PATCHES
from idhray.withdrawals import read_withdrawals

logger = logging.getLogger(__name__)

COHORT_FILE = "cohort.parquet"


@dataclass(frozen=True, kw_only=True)
class StudyCohort:
    """Rows of the manifest that a study uses, and the folds of its labeled patients."""

    rows: pd.DataFrame
    folds: Folds
    changes: tuple[str, ...]
    """Changes since the last run, as lines for a terminal."""
    trains_anew: bool
    """True if trainings read what changed."""

    def write(self, folder: str) -> None:
        """Write both files into a folder."""
        write_manifest(join(folder, COHORT_FILE), self.rows)
        write_folds(join(folder, FOLDS_FILE), self.folds)


def study_cohort(flags: StudyFlags, protocol: ProtocolSettings, patches: str | None) -> StudyCohort:
    """Cohort and folds of this run.

    With one fold, the patients keep the split of the manifest, of the table or of an earlier run,
    or get one. With several, they keep the roles of an earlier run; newcomers join.

    Args:
        flags: Flags of the study.
        protocol: Number and unit of the folds.
        patches: Folder of a PATCHES table that replaces the slides; None for none.

    Raises:
        ManifestError: many rows are gone without --update, or the folds cannot follow.
        ConfigError: the study has another number of folds.
    """
    rows, out = read_manifest(flags.manifest), absolute(flags.out)
    if protocol.fold_count > 1 and (rows["split"] != "").any():
        logger.warning("the split of the manifest is not used: %d folds", protocol.fold_count)
        rows = rows.assign(split="")
    if patches:
        seal(patches)  # refuses a table that is not finished
        rows = split_of_table(rows, patches)
    else:
        rows = with_slides(rows, flags.manifest)
    earlier = earlier_rows(flags)
    refuse_manifest(earlier, rows, flags)
    if protocol.fold_count == 1:
        rows = with_split(with_written_split(rows, earlier), flags.seed)
        check_classes(rows)
    else:
        rows = rows.assign(split="")  # that of a table is not used either
    changes = () if earlier is None else tuple(manifest_changes(earlier, rows))
    folds = _folds(rows, out, flags, protocol)
    trains_anew = earlier is not None and changes_training(earlier, rows)
    return StudyCohort(rows=rows, folds=folds, changes=changes, trains_anew=trains_anew)


def earlier_rows(flags: StudyFlags) -> pd.DataFrame | None:
    """Rows of the manifest of an earlier run that this one continues; None without one."""
    path = join(absolute(flags.out), COHORT_FILE)
    return read_manifest(path) if exists(path) and not flags.overwrite else None


def with_written_split(rows: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.DataFrame:
    """Rows whose patients without a split have that of an earlier run."""
    if earlier is None:
        return rows
    places = earlier.drop_duplicates("patient").set_index("patient")["split"]
    written = rows["patient"].map(places).fillna("")
    return rows.assign(split=rows["split"].where(rows["split"] != "", written))


def refuse_manifest(earlier: pd.DataFrame | None, rows: pd.DataFrame, flags: StudyFlags) -> None:
    """Refuse a manifest that a study cannot follow.

    Raises:
        ManifestError: more than a fifth of the rows are gone, without --update; or a patient was
            withdrawn from the study.
    """
    if not flags.overwrite:
        refuse_withdrawn(absolute(flags.out), rows, flags.manifest)
    if earlier is not None and not flags.update:
        refuse_many_gone(earlier, rows, flags.manifest)


def refuse_withdrawn(study: str, rows: pd.DataFrame, manifest: str) -> None:
    """Refuse patients who were withdrawn from a study.

    Raises:
        ManifestError: naming them.
    """
    withdrawals = read_withdrawals(study)
    back = [name for name in sorted(set(rows["patient"])) if withdrawals and withdrawals.of(name)]
    if back:
        raise ManifestError(
            f"{manifest}: {listed(back)} was withdrawn from this study by `idhray forget`; remove "
            "the rows of the patient"
        )


def _folds(rows: pd.DataFrame, out: str, flags: StudyFlags, protocol: ProtocolSettings) -> Folds:
    """Folds of the split, those of an earlier run with its changes, or newly drawn ones."""
    if protocol.fold_count == 1:
        return folds_of_split(patients_of(rows))
    path = join(out, FOLDS_FILE)
    if not exists(path) or flags.overwrite:
        return draw_folds(
            patients_of(rows), count=protocol.fold_count, seed=flags.seed, by=protocol.fold_by
        )
    written = read_folds(path)
    if len(written.numbers()) != protocol.fold_count or written.by != protocol.fold_by:
        raise ConfigError(
            f"{path}: {len(written.numbers())} folds by {written.by}, but --fold-count "
            f"{protocol.fold_count} and --fold-by {protocol.fold_by}; its experiments share these "
            "folds: give theirs, or choose another --out"
        )
    return followed_folds(written, patients_of(rows), flags.seed)


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
