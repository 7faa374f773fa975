"""The split by patient, drawn once and written as a manifest that every later stage reads."""

from typing import Any

from idhray.cohorts.manifest import SPLITS, patients_of, read_manifest, with_split, write_manifest
from idhray.errors import StorageError
from idhray.storage import exists


def split_cohort(
    manifest: str, out: str, *, seed: int = 0, overwrite: bool = False
) -> dict[str, Any]:
    """Write a manifest in which every patient is in train, val or test (6:1:1 within each label).

    Args:
        manifest: CSV, TSV or Parquet; a split that it gives is kept.
        out: The new manifest (.csv, .tsv or .parquet).
        seed: Decides who goes where.
        overwrite: Replace a file of that name.
    """
    if exists(out) and not overwrite:
        raise StorageError(f"{out}: is there already; a split is drawn once (--overwrite to redo)")
    cohort = with_split(read_manifest(manifest), seed)
    write_manifest(out, cohort)
    patients = patients_of(cohort)
    return {"out": out, **{name: int((patients["split"] == name).sum()) for name in SPLITS}}
