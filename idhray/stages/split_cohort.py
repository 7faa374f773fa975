"""The split by patient, drawn once and written as a manifest that every later stage reads."""

from dataclasses import dataclass
from typing import Any

from idhray.cohorts.manifest import SPLITS, patients_of, read_manifest, with_split, write_manifest
from idhray.errors import StorageError
from idhray.storage import exists


@dataclass(frozen=True, kw_only=True)
class SplitCohortFlags:
    """Flags of `idhray split-cohort`."""

    manifest: str
    """CSV, TSV or Parquet; a split that it gives is kept."""
    out: str
    """The new manifest (.csv, .tsv or .parquet)."""
    seed: int = 0
    """Decides who goes where."""
    overwrite: bool = False
    """Replace a file of that name."""


def split_cohort(flags: SplitCohortFlags) -> dict[str, Any]:
    """Write a manifest that puts every patient in train, val or test (6:1:1 within each label)."""
    if exists(flags.out) and not flags.overwrite:
        raise StorageError(
            f"{flags.out}: is there already; a split is drawn once (--overwrite to redo)"
        )
    cohort = with_split(read_manifest(flags.manifest), flags.seed)
    write_manifest(flags.out, cohort)
    patients = patients_of(cohort)
    return {"out": flags.out, **{name: int((patients["split"] == name).sum()) for name in SPLITS}}
