"""Folds of an experiment, and the rows of their images in a table."""

import pandas as pd

from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import Folds, folds_of_split, read_folds
from idhray.config import settings_hash
from idhray.errors import ConfigError, TableError
from idhray.experiment.images import CohortImages, FoldImages, fold_images
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import parts, read_part


def folds_of(
    folder: str, file: str | None, written: str | None, settings: ExperimentSettings, seed: int
) -> Folds:
    """Folds of a file, of an earlier run, of the table's split, or newly drawn.

    Args:
        folder: PATCHES or SLICES folder.
        file: File of FOLDS that the user gives.
        written: File of FOLDS of an earlier run that this run continues, if it exists.
        settings: Settings; number and unit of the folds.
        seed: Seed of the draw.

    Raises:
        ConfigError: the file holds another number of folds, or folds by patient where folds by
            site are due.
    """
    path = file or (written if written and exists(written) else None)
    if path:
        folds = read_folds(path)
        if len(folds.numbers()) != settings.protocol.fold_count:
            raise ConfigError(
                f"{path}: {len(folds.numbers())} folds, but --fold-count "
                f"{settings.protocol.fold_count}; give the number of the file"
            )
        if settings.protocol.fold_by == "site" and folds.by != "site":
            raise ConfigError(
                f"{path}: folds by patient, but --fold-by site; draw them with `idhray "
                "split-cohort --by site`, or leave --fold-by out"
            )
        return folds
    columns = ["patient", "idh", "split"]
    rows = pd.concat([read_part(path, columns).to_pandas() for path in parts(folder)])
    cohort = rows.drop_duplicates("patient").fillna("")
    if settings.protocol.fold_count == 1:
        return folds_of_split(cohort)
    if settings.protocol.fold_by == "site":
        raise ConfigError(
            "folds by site need the manifest: `idhray split-cohort --by site` draws them, then "
            "give --folds FILE"
        )
    return draw_folds(cohort, count=settings.protocol.fold_count, seed=seed)


def images_by_fold(
    folder: str, images: CohortImages, folds: Folds, settings: ExperimentSettings
) -> dict[int, FoldImages]:
    """Rows of the images of each fold; see `fold_images`."""
    recorded = read_json(join(folder, SETTINGS)) if exists(join(folder, SETTINGS)) else {}
    protocol = settings.protocol
    ranked = recorded.get("stage") == "cut_patches"
    train, held_out = (
        chosen or (recorded.get(name) if ranked else None)
        for name, chosen in (
            ("train_per_class", protocol.train_per_class),
            ("eval_per_patient", protocol.eval_per_patient),
        )
    )
    by_fold = {}
    for number in folds.numbers():
        try:
            by_fold[number] = fold_images(
                images,
                folds.roles(number),
                train_per_class=train,
                eval_per_patient=held_out,
            )
        except TableError as error:
            raise TableError(f"{folder}: fold {number}, {error}") from None
    return by_fold


def folds_digest(folds: Folds) -> str:
    """Digest of the role of every patient in every fold."""
    return settings_hash({"rows": folds.table.astype(str).to_dict("records"), "by": folds.by})
