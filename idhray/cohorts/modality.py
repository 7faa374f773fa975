"""Rows of a manifest that one modality uses: slides, or pairs of MRI scans."""

import io
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pyarrow.parquet as pq

from idhray.cohorts.manifest import with_split
from idhray.cohorts.split_draw import rare_labels
from idhray.errors import ManifestError
from idhray.storage import exists, is_uri, join, read_bytes

logger = logging.getLogger(__name__)

COHORT = "_cohort.parquet"
"""File of an output folder: the rows that were used, with their split."""
STATS_AT_ONCE = 32
"""Files that are looked for at the same time; a network disk takes its time."""
MOST_MISSING = 3
SCAN_FILES = ("t1ce", "flair", "brain_mask", "tumor_mask")


def with_slides(cohort: pd.DataFrame, manifest: str) -> pd.DataFrame:
    """The rows with a slide. A patient without slides must not take a place in the split.

    Raises:
        ManifestError: no row has a slide.
    """
    slides = cohort[cohort["slide"] != ""].reset_index(drop=True)
    if slides.empty:
        raise ManifestError(f"{manifest}: no row names a slide")
    if left_out := cohort["patient"].nunique() - slides["patient"].nunique():
        logger.warning("%s: %d patients have no slide and are left out", manifest, left_out)
    return slides


def with_scans(cohort: pd.DataFrame, manifest: str) -> pd.DataFrame:
    """The rows with both sequences, and a column `study`: the patient, numbered if several.

    Raises:
        ManifestError: a row has only one sequence, or no row has both.
    """
    unpaired = cohort[(cohort["t1ce"] == "") != (cohort["flair"] == "")]
    if len(unpaired):
        raise ManifestError(
            f"{manifest}: {len(unpaired)} rows name only one of t1ce and flair, patient "
            f"{unpaired['patient'].iloc[0]} the first; name both or neither"
        )
    scans = cohort[cohort["t1ce"] != ""].sort_values(["patient", "t1ce"], ignore_index=True)
    if scans.empty:
        raise ManifestError(f"{manifest}: no row names t1ce and flair")
    number = scans.groupby("patient").cumcount() + 1
    several = scans.groupby("patient")["patient"].transform("size") > 1
    names = scans["patient"] + ("-" + number.astype(str)).where(several, "")
    return scans.assign(study=names)


def tell_missing_files(cohort: pd.DataFrame, columns: Sequence[str], manifest: str) -> None:
    """Tell which files of a manifest are missing, before any worker starts.

    Only local files are looked for. Missing files fail one by one later, with their row in the
    ledger; a manifest of which no file exists is refused at once.

    Args:
        cohort: Rows of the manifest, with absolute paths.
        columns: Columns of files.
        manifest: Path of the manifest, for the message.

    Raises:
        ManifestError: No file exists.
    """
    cells = [path for name in columns for path in cohort[name] if path and not is_uri(path)]
    paths = list(dict.fromkeys(cells))
    with ThreadPoolExecutor(STATS_AT_ONCE) as pool:
        present = list(pool.map(_is_there, paths))
    missing = [path for path, is_there in zip(paths, present, strict=True) if not is_there]
    if not missing:
        return
    listed = ", ".join(missing[:MOST_MISSING]) + ", ..." * (len(missing) > MOST_MISSING)
    message = f"{manifest}: {len(missing)} of {len(paths)} files are missing: {listed}"
    if len(missing) == len(paths):
        raise ManifestError(
            f"{message}; relative paths are relative to the manifest; nothing was done"
        )
    logger.warning("%s; they will be failures", message)


def _is_there(path: str) -> bool:
    """True for a file or folder; a DICOM folder may name its series after #."""
    return os.path.exists(path) or ("#" in path and os.path.exists(path.rpartition("#")[0]))


def earlier_cohort(out: str) -> pd.DataFrame | None:
    """Patient and split of each row that an earlier run left in an output folder; None without one.

    The file is the program's own, so its values are not checked again: at 10,000 rows that took as
    long as the rest of a run that has nothing to do.
    """
    path = join(out, COHORT)
    if not exists(path):
        return None
    table = pq.read_table(io.BytesIO(read_bytes(path)), columns=["patient", "split"])
    return table.to_pandas()


def with_earlier_split(cohort: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.DataFrame:
    """A manifest without a split, with the split that its patients had in an earlier run.

    Who joins the cohort later moves nobody. A manifest with a split stays as it is.
    """
    if earlier is None or (cohort["split"] != "").any():
        return cohort
    places = earlier.drop_duplicates("patient").set_index("patient")["split"]
    return cohort.assign(split=cohort["patient"].map(places).fillna(""))


def with_split_if_enough(cohort: pd.DataFrame, seed: int, manifest: str) -> pd.DataFrame:
    """`with_split`, but a cohort with too few patients keeps an empty split, which is logged.

    A few slides or scans can so be tried. Training and prediction refuse images without a split.

    Args:
        cohort: Rows of a manifest.
        seed: Seed of the draw.
        manifest: Path of the manifest, for the message.
    """
    patients = cohort.drop_duplicates("patient")
    rare = rare_labels(dict(zip(patients["patient"], patients["idh"], strict=True)))
    if not rare or (cohort["split"] != "").any():
        return with_split(cohort, seed)
    logger.warning(
        "%s: %s patients are too few for a split (3 of each label), so the column split stays "
        "empty; this is enough for a try, while training and prediction need a split",
        manifest,
        " and ".join(f"{number} {label}" for label, number in rare.items()),
    )
    return cohort
