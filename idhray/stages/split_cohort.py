"""Patient split and folds, drawn once and written as files that every later stage reads."""

import logging
from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray.cohorts.fold_draw import STRATA, draw_folds
from idhray.cohorts.fold_extend import extended_folds
from idhray.cohorts.folds import FOLDS_FILE, Folds, FoldUnit, listed, read_folds, write_folds
from idhray.cohorts.manifest import SPLITS, patients_of, read_manifest, with_split, write_manifest
from idhray.errors import ConfigError, ManifestError, StorageError
from idhray.stages.runtime.dry_run import DRY_RUN
from idhray.storage import absolute, exists, join

logger = logging.getLogger(__name__)

STRATUM_COLUMNS = ("grade", "cohort", "sex", "diagnosis", "site")


@dataclass(frozen=True, kw_only=True)
class SplitCohortFlags:
    """Flags of `idhray split-cohort`."""

    manifest: str
    """CSV, TSV or Parquet. If it has a `split`, that split stays, and patients without one join."""
    out: str
    """File of the new manifest (.csv, .tsv or .parquet)."""
    seed: int = 0
    """Seed of the patient split and of the folds."""
    fold_count: int = 0
    """Number of folds; they are written to `folds.parquet` beside OUT. Each labeled patient is
    tested in one fold. 0: no folds."""
    by: FoldUnit = "patient"
    """Unit that stays together in the folds: patient, or site (column `site`)."""
    strata: tuple[str, ...] = STRATA
    """Columns of the manifest by which the folds are balanced within each label: grade, cohort,
    sex, diagnosis, site. Folds by site balance the labels only."""
    extend: bool = False
    """Continue existing files: all their patients stay, and new patients of the manifest join."""
    overwrite: bool = False
    """Replace existing files."""
    dry_run: bool = False
    """Draw split and folds, print how many patients each part gets, and write nothing."""


def split_cohort(flags: SplitCohortFlags) -> dict[str, Any]:
    """Write a manifest that puts every patient in train, val or test (6:1:1 within each label).

    With `--fold-count K`, also write K folds for cross-validation. No patient moves when others
    join: `--extend` keeps every written patient and places newcomers only.
    """
    folds_path = join(absolute(flags.out).rsplit("/", 1)[0], FOLDS_FILE)
    _check(flags, folds_path)
    manifest = read_manifest(flags.manifest)
    written = patients_of(read_manifest(flags.out)) if flags.extend else patients_of(manifest)[:0]
    cohort = with_split(_with_written_split(manifest, written, flags.out), flags.seed)
    patients = patients_of(cohort)
    folds = _folds(flags, patients, folds_path)
    if not flags.dry_run:
        write_manifest(flags.out, cohort)
    sizes = {name: int((patients["split"] == name).sum()) for name in SPLITS}
    answer: dict[str, Any] = {"out": flags.out, **sizes}
    if flags.extend:
        answer["joined"] = len(set(patients["patient"]) - set(written["patient"]))
    if flags.dry_run:
        answer[DRY_RUN] = True
    if folds is not None:
        if not flags.dry_run:
            write_folds(folds_path, folds)
        tests = folds.table[folds.table["role"] == "test"].groupby(["fold", "idh"]).size()
        answer["folds"] = folds_path
        answer["tested"] = {f"{fold} {idh}": int(n) for (fold, idh), n in tests.items()}
    return answer


def _check(flags: SplitCohortFlags, folds_path: str) -> None:
    """Refuse flags that contradict each other or the existing files."""
    if flags.fold_count < 0 or flags.fold_count == 1:
        raise ConfigError(
            f"--fold-count {flags.fold_count}: give 2 or more; the split in OUT serves as one fold"
        )
    if flags.by == "site" and not flags.fold_count and not flags.extend:
        raise ConfigError("--by site concerns folds; add --fold-count K")
    if wrong := sorted(set(flags.strata) - set(STRATUM_COLUMNS)):
        raise ConfigError(f"--strata {wrong[0]}: choose from {', '.join(STRATUM_COLUMNS)}")
    if flags.extend and flags.overwrite:
        raise ConfigError("--extend keeps the files and --overwrite replaces them; give one")
    if flags.extend and not exists(flags.out):
        raise StorageError(f"{flags.out}: no such file to extend; leave out --extend to draw it")
    paths = [flags.out, *([folds_path] if flags.fold_count else [])]
    for path in paths:
        if exists(path) and not flags.overwrite and not flags.extend:
            raise StorageError(
                f"{path}: exists already; a split is drawn once (--extend to add patients, "
                "--overwrite to redo)"
            )


def _with_written_split(manifest: pd.DataFrame, written: pd.DataFrame, out: str) -> pd.DataFrame:
    """The manifest with the split of an earlier one; "" for newcomers without a split."""
    earlier = dict(zip(written["patient"], written["split"], strict=True))
    if absent := sorted(set(earlier) - set(manifest["patient"])):
        logger.warning(
            "%s: no longer in the manifest, left out of the split: %s", out, listed(absent)
        )
    split = manifest["patient"].map(lambda name: earlier.get(name, ""))
    changed = manifest[(split != "") & (manifest["split"] != "") & (split != manifest["split"])]
    if not changed.empty:
        names = sorted(set(changed["patient"]))
        raise ManifestError(
            f"{out}: has another split than the manifest for {listed(names)}; no patient may move: "
            "empty these cells of the manifest, or draw all anew with --overwrite"
        )
    return manifest.assign(split=split.where(split != "", manifest["split"]))


def _folds(flags: SplitCohortFlags, patients: pd.DataFrame, path: str) -> Folds | None:
    """Folds to write: drawn, or those of the file with the newcomers; None without folds."""
    if not (flags.extend and exists(path)):
        if not flags.fold_count:
            return None
        return draw_folds(
            patients, count=flags.fold_count, seed=flags.seed, by=flags.by, strata=flags.strata
        )
    folds = read_folds(path)
    if flags.fold_count not in (0, len(folds.numbers())):
        raise ConfigError(
            f"{path}: has {len(folds.numbers())} folds, not {flags.fold_count}; their "
            "number is fixed when they are drawn"
        )
    if flags.by == "site" and folds.by != "site":
        raise ConfigError(f"{path}: was drawn by {folds.by}; draw it anew for --by site")
    return extended_folds(folds, patients, flags.seed, strata=flags.strata)
