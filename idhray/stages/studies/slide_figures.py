"""Figures of the report of a slide study."""

import pandas as pd
from numpy.typing import ArrayLike

from idhray.cohorts.manifest import LABELS
from idhray.report.content import Picture
from idhray.report.figures import CountPoint, RocCurve, age_figure, count_figure, roc_figure
from idhray.stats.papers.liu.tables import LiuTables
from idhray.stats.text import with_interval

SETS = {"val": "Validation", "test": "Test"}


def slide_figures(tables: LiuTables, cohort: pd.DataFrame) -> list[Picture]:
    """ROC curves, response to the synthetic count and, if there are ages, the age model."""
    pictures = [
        Picture(
            title="Receiver operating characteristic",
            data=roc_figure({title: _curves(tables, split) for split, title in SETS.items()}),
            alt="ROC curves of validation and test patients, one for each synthetic count",
            caption="Mean over the trainings of each count.",
        ),
        Picture(
            title="Response to the number of synthetic images",
            data=count_figure(
                {
                    measure.upper() if measure == "auc" else measure.capitalize(): {
                        title: _points(tables, split, measure) for split, title in SETS.items()
                    }
                    for measure in ("auc", "accuracy")
                }
            ),
            alt="AUC and accuracy against the number of synthetic images, with 95% intervals",
            caption="Bars: 95% intervals over patients. Dots: single trainings. Shaded: the count "
            "chosen on validation.",
        ),
    ]
    if model := tables.age_model:
        train = cohort[cohort["split"] == "train"]
        ages: dict[str, ArrayLike] = {
            label: train.loc[train["idh"] == label, "age"] for label in LABELS
        }
        gaussians = {
            "mutant": (model.mean_mutant, model.sd_mutant),
            "wildtype": (model.mean_wildtype, model.sd_wildtype),
        }
        pictures.append(
            Picture(
                title="Age",
                data=age_figure(ages, gaussians, model.roots()),
                alt="Gaussian of age for each class, and the ages of the training patients",
                caption="Fitted on training patients.",
            )
        )
    return pictures


def _curves(tables: LiuTables, split: str) -> list[RocCurve]:
    areas = tables.table2[tables.table2["split"] == split].set_index("n_synthetic")
    points = tables.roc[tables.roc["split"] == split]
    return [
        RocCurve(
            label=f"{count:,}: AUC {with_interval(areas.loc[count].to_dict(), 'auc')}",
            fpr=curve["fpr"],
            tpr=curve["tpr"],
        )
        for count, curve in points.groupby("n_synthetic")
    ]


def _points(tables: LiuTables, split: str, measure: str) -> list[CountPoint]:
    rows = tables.table2[tables.table2["split"] == split]
    single = tables.by_repeat[tables.by_repeat["split"] == split]
    return [
        CountPoint(
            n_synthetic=row["n_synthetic"],
            mean=row[measure],
            low=row[f"{measure}_low"],
            high=row[f"{measure}_high"],
            repeats=single.loc[single["n_synthetic"] == row["n_synthetic"], measure].tolist(),
            chosen=bool(row["chosen"]),
        )
        for row in rows.to_dict("records")
    ]
