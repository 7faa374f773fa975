"""Patient split, drawn once and written as a manifest that every later stage reads."""

from dataclasses import dataclass
from typing import Any

from idhray.cohorts.manifest import SPLITS, patients_of, read_manifest, with_split, write_manifest
from idhray.errors import StorageError
from idhray.storage import exists


@dataclass(frozen=True, kw_only=True)
class SplitCohortFlags:
    """Flags of `idhray split-cohort`."""

    manifest: str
    """CSV, TSV or Parquet. If it has a `split`, that split stays."""
    out: str
    """File of the new manifest (.csv, .tsv or .parquet)."""
    seed: int = 0
    """Seed of the patient split."""
    overwrite: bool = False
    """Replace an existing file."""


def split_cohort(flags: SplitCohortFlags) -> dict[str, Any]:
    """Write a manifest that puts every patient in train, val or test (6:1:1 within each label)."""
    if exists(flags.out) and not flags.overwrite:
        raise StorageError(
            f"{flags.out}: exists already; a split is drawn once (--overwrite to redo)"
        )
    cohort = with_split(read_manifest(flags.manifest), flags.seed)
    write_manifest(flags.out, cohort)
    patients = patients_of(cohort)
    return {"out": flags.out, **{name: int((patients["split"] == name).sum()) for name in SPLITS}}
