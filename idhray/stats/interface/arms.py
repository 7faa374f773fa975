"""Arms of an experiment compared, from a table of predictions that any program made."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from idhray.stats.arms.contrasts import ArmAreas
from idhray.stats.arms.predictions import ArmPredictions, arm_predictions
from idhray.stats.arms.rule import needed_repeats
from idhray.stats.interface.answer import Answer, interval_text
from idhray.stats.interface.inputs import check_columns, label_code
from idhray.stats.mrmc.contrast import NO_INTERVAL, Contrast
from idhray.stats.mrmc.split_plot import combined_contrast
from idhray.stats.sample import SampleError
from idhray.stats.text import p_text, signed


def compare_arms(
    frame: pd.DataFrame,
    *,
    baseline: str = "real",
    arms: Sequence[str] | None = None,
    margin: float = 0.02,
    patient: str = "patient",
    label: str = "label",
    fold: str = "fold",
    repeat: str = "repeat",
    arm: str = "arm",
    score: str = "p_mutant",
) -> Answer[dict[str, Contrast]]:
    """Each arm's area under the ROC curve minus the baseline's; trainings are readers, by fold.

    The test allows for luck of the patients and of the trainings. Repeat r of an arm is paired
    with repeat r of the baseline. A repeat that lacks predictions in a fold is left out, and a
    note counts what was left out. P values are not adjusted for the number of arms. That synthetic
    images help also needs an arm that beats duplicates of real images at equal training steps.

    Args:
        frame: One row per test patient, arm, fold and repeat.
        baseline: Name of the baseline arm.
        arms: Arms to compare with it; None: all others.
        margin: Differences below it are irrelevant; `p_within` tests that the difference is.
        patient, label, fold, repeat, arm, score: Names of the columns. `label` is mutant or
            wildtype, 1 or 0; `score` lies in 0..1. Without the `fold` column all is one fold.

    Returns:
        Figures: arm -> contrast. Frame: arm, baseline, estimate, se, df, t, p, ci_low, ci_high,
        p_within, folds, repeats, variance_trainings, variance_patients, method.

    Raises:
        IdhrayError: a column is missing; a value is not of its kind; a row is repeated; a patient
            is tested in two folds; a fold has fewer than two patients of a class; an arm has no
            predictions, or no complete repeat in common with the baseline.
    """
    if not 0 < margin < 1:
        raise SampleError(f"margin must lie between 0 and 1, got {margin}")
    columns = {"patient": patient, "label": label, "fold": fold, "repeat": repeat, "arm": arm}
    predictions = _predictions(frame, columns | {"p_mutant": score})
    chosen = [name for name in predictions.arms if name != baseline] if arms is None else arms
    areas = ArmAreas(predictions)
    contrasts = {name: _weighted_contrast(areas, {name: 1.0, baseline: -1.0}) for name in chosen}
    return Answer(
        figures=contrasts,
        text="\n".join(_sentence(f"{name} - {baseline}", c) for name, c in contrasts.items()),
        table=pd.DataFrame(
            [
                {"arm": name, "baseline": baseline, **_columns(item), "p_within": p_within}
                for name, item in contrasts.items()
                for p_within in [item.p_within(margin)]
            ]
        ),
        notes=_notes(predictions, list(contrasts.values())),
    )


def arm_trend(
    frame: pd.DataFrame,
    counts: Mapping[str, float],
    *,
    per: float = 1000.0,
    patient: str = "patient",
    label: str = "label",
    fold: str = "fold",
    repeat: str = "repeat",
    arm: str = "arm",
    score: str = "p_mutant",
) -> Answer[Contrast]:
    """Linear trend of the area under the ROC curve over the number of added images.

    The trend is the least-squares slope through the arms' areas, tested as `compare_arms` tests a
    difference: one test instead of one for each count.

    Args:
        frame: As for `compare_arms`.
        counts: Arm -> number of added images, 0 for the baseline.
        per: Images to which the slope refers: change of the area per 1,000 images.
        patient, label, fold, repeat, arm, score: Names of the columns.

    Raises:
        IdhrayError: as `compare_arms`; fewer than two different counts.
    """
    numbers = np.array(list(counts.values()), dtype=np.float64)
    deviations = numbers - numbers.mean() if len(numbers) else numbers
    spread = float(np.square(deviations).sum())
    if not np.isfinite(spread) or spread == 0:
        raise SampleError(f"a trend needs two or more different counts, got {dict(counts)}")
    columns = {"patient": patient, "label": label, "fold": fold, "repeat": repeat, "arm": arm}
    predictions = _predictions(frame, columns | {"p_mutant": score})
    weights = dict(zip(counts, (per * deviations / spread).tolist(), strict=True))
    trend = _weighted_contrast(ArmAreas(predictions), weights)
    return Answer(
        figures=trend,
        text=_sentence(f"Change of the AUC per {per:,g} images", trend),
        table=pd.DataFrame([{"per_images": per, **_columns(trend)}]),
        notes=_notes(predictions, [trend]),
    )


def _predictions(frame: pd.DataFrame, columns: Mapping[str, str]) -> ArmPredictions:
    """Checked predictions; `columns` maps our names to those of the frame."""
    check_columns(frame, [name for ours, name in columns.items() if ours != "fold"])
    rows = pd.DataFrame(
        {ours: frame[name] for ours, name in columns.items() if name in frame.columns}
    )
    words = rows["label"].astype(str)
    rows["label"] = words.map({word: label_code(word) for word in words.unique()})
    return arm_predictions(rows)


def _weighted_contrast(areas: ArmAreas, weights: Mapping[str, float]) -> Contrast:
    predictions, names = areas.predictions, list(weights)
    if absent := [name for name in names if name not in predictions.arms]:
        raise SampleError(
            f"no predictions of arm {absent[0]!r}; arms: {', '.join(predictions.arms)}"
        )
    repeats = predictions.complete_repeats(names)
    if not repeats:
        raise SampleError(
            f"arms {', '.join(names)} have no repeat in common that is complete in every fold. "
            + predictions.dropped_sentence()
        )
    return combined_contrast(areas.folds(names, repeats), list(weights.values()))


def _columns(item: Contrast) -> dict[str, object]:
    return {
        "estimate": item.difference,
        "se": item.se,
        "df": item.df,
        "t": item.t,
        "p": item.p,
        "ci_low": item.ci_low,
        "ci_high": item.ci_high,
        "folds": item.folds,
        "repeats": item.repeats,
        "variance_trainings": item.variance_trainings,
        "variance_patients": item.variance_patients,
        "method": item.method,
    }


def _sentence(name: str, item: Contrast) -> str:
    interval = interval_text(item.ci_low, item.ci_high, sign=True)
    p = f", {p_text(item.p)}" if item.method != NO_INTERVAL else ""
    return (
        f"{name}: {signed(item.difference)} ({interval}{p}; {item.folds} folds, "
        f"{item.repeats} repeats)."
    )


def _notes(predictions: ArmPredictions, contrasts: Sequence[Contrast]) -> tuple[str, ...]:
    notes = [predictions.dropped_sentence()] if predictions.dropped else []
    if predictions.unlabeled:
        notes.append(f"{len(predictions.unlabeled)} patients without a label were left out.")
    repeats = min((item.repeats for item in contrasts), default=0)
    folds = len(predictions.folds)
    if contrasts and repeats < needed_repeats(folds):
        notes.append(
            f"{repeats} repeats describe only: with {folds} folds a claim needs "
            f"{needed_repeats(folds)} or more."
        )
    if any(item.method == NO_INTERVAL and item.repeats > 1 for item in contrasts):
        notes.append("A variance of 0 gives no interval and no P, and supports no claim.")
    return tuple(notes)
